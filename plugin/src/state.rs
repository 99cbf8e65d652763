//! The take as a field of the plugin's state.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use hitscribe_engine::note::take::Take;
use nice_plug::params::persist::PersistentField;
use parking_lot::Mutex;

/// The take of an instance, shared by the engine thread, the editor and the saved state. Never
/// touched by the audio thread.
#[derive(Default)]
pub struct TakeField {
    take: Arc<Mutex<Take>>,
    problem: Mutex<Option<String>>,
}

impl TakeField {
    /// The take itself.
    pub fn take(&self) -> &Arc<Mutex<Take>> {
        &self.take
    }

    /// Why the take of the loaded project could not be read, if so.
    pub fn problem(&self) -> Option<String> {
        self.problem.lock().clone()
    }
}

impl<'a> PersistentField<'a, String> for TakeField {
    /// A take that cannot be read leaves the present one alone and says why.
    fn set(&self, text: String) {
        let bytes = BASE64.decode(text.as_bytes()).unwrap_or_default();
        match Take::from_bytes(&bytes) {
            Ok(take) => {
                *self.take.lock() = take;
                *self.problem.lock() = None;
            }
            Err(error) => *self.problem.lock() = Some(error.to_string()),
        }
    }

    fn map<F: Fn(&String) -> R, R>(&self, f: F) -> R {
        let bytes = self.take.lock().to_bytes();
        f(&BASE64.encode(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hitscribe_engine::note::take::Passage;

    #[test]
    fn a_take_survives_the_state_and_a_broken_one_is_named() {
        let field = TakeField::default();
        field.take().lock().start_passage(Passage {
            was_playing: true,
            ..Passage::new(44_100.0)
        });
        field.take().lock().close_passage();
        let text = field.map(String::clone);
        let restored = TakeField::default();
        restored.set(text);
        assert_eq!(*restored.take().lock(), *field.take().lock());
        assert_eq!(restored.problem(), None);
        for junk in ["", "not base64 at all!", "SFNUSwk"] {
            restored.set(junk.to_owned());
            assert!(restored.problem().is_some(), "{junk:?}");
            assert_eq!(restored.take().lock().passages.len(), 1, "{junk:?}");
        }
    }
}
