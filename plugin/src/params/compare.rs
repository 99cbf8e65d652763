//! Two sets of settings to compare, A and B, a field of the state.

use nice_plug::prelude::ParamSetter;
use serde::{Deserialize, Serialize};

use crate::params::HitscribeParams;
use crate::params::settings::Settings;

/// Which of two settings are in use, and the other ones.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Compare {
    is_b: bool,
    /// None until they are used for the first time.
    other: Option<Settings>,
}

impl Compare {
    /// Whether B is in use.
    pub fn is_b(&self) -> bool {
        self.is_b
    }

    /// Makes the other settings those that are in use.
    pub fn copy_to_other(&mut self, params: &HitscribeParams) {
        self.other = Some(Settings::of(params));
    }
}

/// Changes from A to B or back. The settings in use are kept for the next change. The first time, B
/// begins as a copy of A. For the thread of the window.
pub fn switch(params: &HitscribeParams, setter: Option<&ParamSetter>) {
    let mut compare = params.compare.lock();
    let other = compare.other.replace(Settings::of(params));
    compare.is_b = !compare.is_b;
    drop(compare);
    if let Some(other) = other {
        other.apply(params, setter);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params::choices::{Hop, LatencyMode, SourceChoice};
    use crate::params::own::set_for_test;
    use hitscribe_core::DrumClass;
    use nice_plug::params::Params as _;

    fn set_key(params: &HitscribeParams, key: u8) {
        let map = params.note_map.class(DrumClass::Snare);
        let map = hitscribe_core::midi::ClassMap { key, ..map };
        params.note_map.set_class(DrumClass::Snare, map);
    }

    #[test]
    fn both_settings_stay_as_they_were_left_also_in_the_project() {
        let params = HitscribeParams::default();
        set_for_test(&params.sensitivity, 0.25);
        set_key(&params, 50);
        switch(&params, None);
        assert!(params.compare.lock().is_b());
        assert_eq!(params.sensitivity.value(), 0.25, "B begins as a copy");
        set_for_test(&params.sensitivity, 0.75);
        set_for_test(&params.source, SourceChoice::FullMix);
        set_for_test(&params.latency_mode, LatencyMode::Aligned);
        set_for_test(&params.hop, Hop::Ms512);
        set_key(&params, 60);
        let b = Settings::of(&params);
        switch(&params, None);
        assert_eq!(params.sensitivity.value(), 0.25);
        assert_eq!(params.source.value(), SourceChoice::DrumBus);
        assert_eq!(params.latency_mode.value(), LatencyMode::Direct);
        assert_eq!(params.note_map.class(DrumClass::Snare).key, 50);
        let a = Settings::of(&params);

        let reopened = HitscribeParams::default();
        reopened.deserialize_fields(&params.serialize_fields());
        a.apply(&reopened, None);
        switch(&reopened, None);
        assert_eq!(Settings::of(&reopened), b);
        switch(&reopened, None);
        assert_eq!(Settings::of(&reopened), a);
        assert!(!reopened.compare.lock().is_b());
    }

    #[test]
    fn a_copy_makes_both_the_same() {
        let params = HitscribeParams::default();
        switch(&params, None);
        set_for_test(&params.sensitivity, 0.125);
        let copy = |params: &HitscribeParams| {
            let mut compare = params.compare.lock().clone();
            compare.copy_to_other(params);
            *params.compare.lock() = compare;
        };
        copy(&params);
        switch(&params, None);
        assert_eq!(params.sensitivity.value(), 0.125);
    }

    #[test]
    fn damaged_and_older_fields_are_harmless() {
        let compare: Compare = serde_json::from_str("{}").unwrap();
        assert_eq!(compare, Compare::default());
        // Settings with a take in them, which no version writes.
        let text = r#"{"other": {"version": "", "params": {"sens": {"f32": 1e39}, "hop": {"i32": 9}},
            "fields": {"take": "x", "window": "{}", "map": "3"}}, "more": 1}"#;
        let params = HitscribeParams::default();
        *params.compare.lock() = serde_json::from_str(text).unwrap();
        let before = Settings::of(&params);
        switch(&params, None);
        assert!(params.sensitivity.value().is_finite());
        assert_eq!(params.take.problem(), None);
        switch(&params, None);
        assert_eq!(Settings::of(&params), before);
    }
}
