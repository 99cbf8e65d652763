//! Notes: peak picking, onset refinement, leakage filters, metrics.
pub mod leakage;
pub mod metrics;
pub mod pick;
pub mod take;
