//! Weight matrices in 16 and 8 bits, for the CPU. A step of a decoder reads every weight once, so
//! its time grows with their size.
//!
//! The sums have one order on every CPU and for every number of rows: a result depends neither on
//! the batch nor, where the CPU has fused multiply-add, on the machine.

mod kernels;
mod matrix;
mod precision;

#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code)] // Loads and stores of vectors.
mod x86;

pub(crate) use matrix::{CompactMatrix, Format};
pub use precision::Precision;
