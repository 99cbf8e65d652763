//! Networks and decoding: the only crate of Hitscribe that knows `burn`.

pub mod device;
pub mod frame;
pub mod generate;
pub mod mt3_family;
