//! Parameters as the framework gets them, and those that only the plugin itself changes.

use std::collections::BTreeMap;
use std::sync::Arc;

use nice_plug::params::internals::ParamPtr;
use nice_plug::plugin::ParamValue;
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

/// The values of all parameters by identifier, as the framework saves them.
pub fn values(params: &HitscribeParams) -> BTreeMap<String, ParamValue> {
    // SAFETY: the pointers are those of `params`.
    let value = |pointer| unsafe {
        match pointer {
            ParamPtr::FloatParam(param) => ParamValue::F32((*param).unmodulated_plain_value()),
            ParamPtr::IntParam(param) => ParamValue::I32((*param).unmodulated_plain_value()),
            ParamPtr::BoolParam(param) => ParamValue::Bool((*param).unmodulated_plain_value()),
            ParamPtr::EnumParam(param) => match (*param).unmodulated_plain_id() {
                Some(id) => ParamValue::String(id.to_owned()),
                None => ParamValue::I32((*param).unmodulated_plain_value()),
            },
        }
    };
    let params = params.param_map().into_iter();
    params
        .map(|(id, pointer, _)| (id, value(pointer)))
        .collect()
}

/// The normalized value of a saved one; none if it is not one of this parameter.
///
/// # Safety
/// `param` exists, and nothing else uses it: it may be changed.
unsafe fn normalized(param: ParamPtr, value: &ParamValue) -> Option<f32> {
    // SAFETY: by the caller.
    unsafe {
        let normalized = match (param, value) {
            (ParamPtr::FloatParam(param), ParamValue::F32(value)) => {
                (*param).preview_normalized(*value)
            }
            (ParamPtr::IntParam(param), ParamValue::I32(value)) => {
                (*param).preview_normalized(*value)
            }
            (ParamPtr::BoolParam(param), ParamValue::Bool(value)) => {
                (*param).preview_normalized(*value)
            }
            (ParamPtr::EnumParam(inner), ParamValue::String(id)) if (*inner).set_from_id(id) => {
                param.unmodulated_normalized_value()
            }
            _ => return None,
        };
        normalized.is_finite().then_some(normalized.clamp(0.0, 1.0))
    }
}

/// Sets the parameters that have other values than these, each as one edit of the user. Without a
/// host, as in tests, they are set at once. Values that do not fit are left out.
pub fn set_values(
    params: &HitscribeParams,
    values: &BTreeMap<String, ParamValue>,
    setter: Option<&ParamSetter>,
) {
    let scratch = HitscribeParams::default();
    for ((id, from, _), (_, to, _)) in scratch.param_map().into_iter().zip(params.param_map()) {
        // SAFETY: the pointers are those of `scratch`, which is ours, and of `params`, whose values
        // are atomic.
        unsafe {
            let value = values.get(&id).and_then(|value| normalized(from, value));
            let before = to.unmodulated_normalized_value();
            let Some(value) = value.filter(|value| *value != before) else {
                continue;
            };
            let Some(setter) = setter else {
                to._internal_set_normalized_value(value);
                continue;
            };
            setter.raw_context.raw_begin_set_parameter(to);
            if to.flags().contains(ParamFlags::NON_AUTOMATABLE) {
                to._internal_set_normalized_value(value);
            }
            setter.raw_context.raw_set_parameter_normalized(to, value);
            setter.raw_context.raw_end_set_parameter(to);
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
