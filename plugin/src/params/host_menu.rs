//! The host's menu of a parameter.

use nice_plug::params::internals::ParamPtr;

/// A request of the editor to show it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HostMenu {
    /// The parameter.
    pub param: ParamPtr,
    /// Where, in pixels from the left top of the window.
    pub at_pixels: [i32; 2],
}
