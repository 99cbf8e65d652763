//! The networks of MT3, MR-MT3 and YourMT3, generic over the backend.

pub(crate) mod hyperparameters;
pub(crate) mod layers;
pub(crate) mod load;
mod mixture_of_experts;
pub(crate) mod mt3;
mod perceiver;
mod pre_encoder;
mod shapes;
pub(crate) mod t5;
pub(crate) mod yourmt3;
