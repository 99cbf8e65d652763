//! The networks of MT3, MR-MT3 and YourMT3.

pub mod hyperparameters;
pub mod layers;
pub mod load;
mod mixture_of_experts;
pub mod mt3;
pub mod perceiver;
pub mod pre_encoder;
pub mod t5;
pub mod yourmt3;
