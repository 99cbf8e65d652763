//! Parameters as the framework gets them, and those that only the plugin itself changes.

use std::collections::BTreeMap;
use std::sync::Arc;

use nice_plug::params::internals::ParamPtr;
use nice_plug::prelude::*;

use crate::params::{HitscribeParams, group};

/// The parameters in the groups in which hosts list them.
pub struct Grouped(pub Arc<HitscribeParams>);

// SAFETY: the pointers are those of parameters that the `Arc` keeps.
unsafe impl Params for Grouped {
    fn param_map(&self) -> Vec<(String, ParamPtr, String)> {
        let with_group = |(id, pointer, _): (String, ParamPtr, String)| {
            let group = group(&id).to_owned();
            (id, pointer, group)
        };
        self.0.param_map().into_iter().map(with_group).collect()
    }

    fn serialize_fields(&self) -> BTreeMap<String, String> {
        self.0.serialize_fields()
    }

    fn deserialize_fields(&self, serialized: &BTreeMap<String, String>) {
        self.0.deserialize_fields(serialized);
    }
}

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
