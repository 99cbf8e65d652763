//! The take, a field of the plugin's state.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use hitscribe_live::take::Take;
use nice_plug::params::persist::PersistentField;
use parking_lot::Mutex;

/// The take of an instance, shared by the engine thread, the editor and the saved state. The audio
/// thread never uses it.
#[derive(Default)]
pub struct TakeField {
    take: Arc<Mutex<Take>>,
    unread: Arc<Mutex<Unread>>,
    is_change_reported: Arc<AtomicBool>,
}

/// Takes of the loaded project that this version cannot read. They are saved unchanged, because a
/// newer version may read them.
#[derive(Default)]
struct Unread {
    texts: Vec<String>,
    problem: Option<String>,
}

/// Separates several takes. Base64 does not contain it.
const SEPARATOR: &str = " ";

/// The unread takes, a field of their own. Fields are loaded in the order of their keys:
/// `take-unread` after `take`.
pub struct UnreadField {
    take: Arc<Mutex<Take>>,
    unread: Arc<Mutex<Unread>>,
}

impl TakeField {
    /// The take.
    pub fn take(&self) -> &Arc<Mutex<Take>> {
        &self.take
    }

    /// Whether a change has been reported to the host since the state was saved.
    pub fn is_change_reported(&self) -> &Arc<AtomicBool> {
        &self.is_change_reported
    }

    /// Why the take of the loaded project could not be read; none if it was.
    pub fn problem(&self) -> Option<String> {
        self.unread.lock().problem.clone()
    }

    /// The field for the takes that could not be read.
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
    /// Loads a take. If it cannot be read, it is kept with the reason, and the current take
    /// remains.
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
        self.is_change_reported.store(false, Ordering::Relaxed);
        let bytes = self.take.lock().to_bytes();
        f(&BASE64.encode(bytes))
    }
}

impl<'a> PersistentField<'a, String> for UnreadField {
    /// Takes that can now be read are inserted before the passages that were recorded since.
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
    fn a_take_is_restored_and_a_damaged_one_is_reported() {
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
    fn an_unreadable_take_is_saved_unchanged_beside_the_current_one() {
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

        // Loading another project drops it.
        again.set(with_a_passage(48_000.0).map(String::clone));
        assert_eq!(again.problem(), None);
        assert_eq!(again.unread().map(String::clone), "");
    }

    #[test]
    fn an_unread_take_that_becomes_readable_is_inserted_before_the_current_one() {
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
