//! Parameters that only the plugin itself changes.

use nice_plug::prelude::*;

/// Sets a parameter that cannot be automated, and leaves all others to the host.
///
/// The framework waits for the host to send an edit back while it processes audio. For parameters
/// that cannot be automated some hosts never do, Ardour and Mixbus among them.
pub fn set_unautomated<P: Param>(param: &P, value: P::Plain) {
    if param.flags().contains(ParamFlags::NON_AUTOMATABLE) {
        // SAFETY: the pointer is that of `param`, which outlives the call; the value is atomic.
        unsafe {
            param
                .as_ptr()
                ._internal_set_normalized_value(param.preview_normalized(value));
        }
    }
}

/// Sets any parameter, as a host does.
#[cfg(test)]
pub fn set_for_test<P: Param>(param: &P, value: P::Plain) {
    // SAFETY: as above.
    unsafe {
        param
            .as_ptr()
            ._internal_set_normalized_value(param.preview_normalized(value));
    }
}
