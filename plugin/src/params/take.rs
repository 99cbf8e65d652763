//! The take as a field of the plugin's state.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use hitscribe_live::take::Take;
use nice_plug::params::persist::PersistentField;
use parking_lot::Mutex;

/// The take of an instance, shared by the engine thread, the editor and the saved state. Never
/// touched by the audio thread.
#[derive(Default)]
pub struct TakeField {
    take: Arc<Mutex<Take>>,
    unread: Arc<Mutex<Unread>>,
}

/// Takes of the loaded project that this version cannot read. They are saved with the project as they
/// came: a newer version, or a mended one, may read them.
#[derive(Default)]
struct Unread {
    texts: Vec<String>,
    problem: Option<String>,
}

/// What separates several of them; no character of theirs.
const SEPARATOR: &str = " ";

/// The unread takes as a field of their own. It is loaded after the take: its name comes later.
pub struct UnreadField {
    take: Arc<Mutex<Take>>,
    unread: Arc<Mutex<Unread>>,
}

impl TakeField {
    /// The take itself.
    pub fn take(&self) -> &Arc<Mutex<Take>> {
        &self.take
    }

    /// Why the take of the loaded project could not be read, if so.
    pub fn problem(&self) -> Option<String> {
        self.unread.lock().problem.clone()
    }

    /// The field for what could not be read.
    pub fn unread(&self) -> UnreadField {
        UnreadField {
            take: self.take.clone(),
            unread: self.unread.clone(),
        }
    }
}

fn read(text: &str) -> Result<Take, String> {
    let bytes = BASE64.decode(text.as_bytes()).unwrap_or_default();
    Take::from_bytes(&bytes).map_err(|error| error.to_string())
}

impl<'a> PersistentField<'a, String> for TakeField {
    /// A take that cannot be read leaves the present one alone, says why, and is kept.
    fn set(&self, text: String) {
        let mut unread = self.unread.lock();
        *unread = Unread::default();
        match read(&text) {
            Ok(take) => *self.take.lock() = take,
            Err(problem) => {
                unread.problem = Some(problem);
                if !text.is_empty() {
                    unread.texts.push(text);
                }
            }
        }
    }

    fn map<F: Fn(&String) -> R, R>(&self, f: F) -> R {
        let bytes = self.take.lock().to_bytes();
        f(&BASE64.encode(bytes))
    }
}

impl<'a> PersistentField<'a, String> for UnreadField {
    /// What can be read by now goes before what was recorded since.
    fn set(&self, texts: String) {
        let mut unread = self.unread.lock();
        for text in texts.split(SEPARATOR).filter(|text| !text.is_empty()) {
            match read(text) {
                Ok(take) => {
                    self.take.lock().passages.splice(0..0, take.passages);
                }
                Err(problem) => {
                    unread.problem = Some(problem);
                    unread.texts.push(text.to_owned());
                }
            }
        }
    }

    fn map<F: Fn(&String) -> R, R>(&self, f: F) -> R {
        f(&self.unread.lock().texts.join(SEPARATOR))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hitscribe_live::take::Passage;

    fn with_a_passage(sample_rate_hz: f64) -> TakeField {
        let field = TakeField::default();
        field.take().lock().start_passage(Passage {
            was_playing: true,
            ..Passage::new(sample_rate_hz)
        });
        field.take().lock().close_passage();
        field
    }

    #[test]
    fn a_take_survives_the_state_and_a_broken_one_is_named() {
        let field = with_a_passage(44_100.0);
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

    #[test]
    fn a_take_from_the_future_is_saved_as_it_came_beside_what_is_recorded_since() {
        let future = "SFNUSwk".to_owned();
        let opened = with_a_passage(44_100.0);
        opened.set(future.clone());
        let saved = (
            opened.map(String::clone),
            opened.unread().map(String::clone),
        );
        assert_eq!(saved.1, future);

        let again = TakeField::default();
        again.set(saved.0);
        again.unread().set(saved.1);
        assert_eq!(again.take().lock().passages.len(), 1);
        assert!(again.problem().is_some());
        assert_eq!(again.unread().map(String::clone), future);

        // Another project has nothing of it.
        again.set(with_a_passage(48_000.0).map(String::clone));
        assert_eq!(again.problem(), None);
        assert_eq!(again.unread().map(String::clone), "");
    }

    #[test]
    fn an_unread_take_that_can_be_read_again_goes_before_the_present_one() {
        let field = with_a_passage(44_100.0);
        let readable = with_a_passage(96_000.0).map(String::clone);
        field.unread().set(readable);
        let rates = |field: &TakeField| -> Vec<f64> {
            let take = field.take().lock();
            take.passages.iter().map(|p| p.sample_rate_hz).collect()
        };
        assert_eq!(rates(&field), [96_000.0, 44_100.0]);
        assert_eq!(field.unread().map(String::clone), "");
    }
}
