//! Notes: peak picking, onset refinement, leakage filters, metrics.
pub mod metrics;
