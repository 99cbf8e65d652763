//! Tests of private parts: networks against golden data from PyTorch, and the code for GPUs.

mod frame;
#[cfg(feature = "gpu")]
mod gpu;
mod on;
mod parity_mt3;
mod parity_yourmt3;
mod tiny;
