//! The system's file dialog: of Windows, of macOS, and on Linux of the desktop's portal or zenity.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use raw_window_handle::{HasDisplayHandle, HasWindowHandle};
use rfd::{AsyncFileDialog, FileHandle};

/// A dialog that ends without a file sooner than a person can close it was never shown.
const SHORTEST: Duration = Duration::from_millis(700);

/// How a dialog ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    /// With these files, at least one.
    Files(Vec<PathBuf>),
    /// Without a file.
    Cancelled,
    /// The system has no file dialog.
    Unavailable,
}

/// An open dialog. It stays open when this is dropped, but its answer is lost.
pub struct SystemDialog {
    opened: Instant,
    files: Pin<Box<dyn Future<Output = Option<Vec<FileHandle>>> + Send>>,
}

impl SystemDialog {
    /// Opens a dialog for files with one of `extensions` (lower case) above the window `parent`.
    /// To be called on the thread of the window.
    pub fn open<W: HasWindowHandle + HasDisplayHandle>(
        title: &str,
        file_kind: &str,
        extensions: &[&str],
        folder: &Path,
        parent: &W,
    ) -> Self {
        let mut extensions: Vec<String> = extensions.iter().map(|&e| e.to_owned()).collect();
        if cfg!(target_os = "linux") {
            // Portals compare letter by letter.
            let capitals: Vec<String> = extensions.iter().map(|e| e.to_uppercase()).collect();
            extensions.extend(capitals);
        }
        let mut dialog = AsyncFileDialog::new()
            .set_title(title)
            .add_filter(file_kind, &extensions)
            .set_directory(folder)
            .set_parent(parent);
        // On macOS all filters hold at once.
        if !cfg!(target_os = "macos") {
            dialog = dialog.add_filter("All files", &["*"]);
        }
        Self::waiting_for(dialog.pick_files())
    }

    fn waiting_for(files: impl Future<Output = Option<Vec<FileHandle>>> + Send + 'static) -> Self {
        Self {
            opened: Instant::now(),
            files: Box::pin(files),
        }
    }

    /// The answer, once the dialog is closed; not to be called again after that.
    pub fn answer(&mut self) -> Option<Answer> {
        let mut context = Context::from_waker(Waker::noop());
        let Poll::Ready(files) = self.files.as_mut().poll(&mut context) else {
            return None;
        };
        let files: Vec<PathBuf> = files
            .unwrap_or_default()
            .into_iter()
            .map(Into::into)
            .collect();
        Some(if !files.is_empty() {
            Answer::Files(files)
        } else if self.opened.elapsed() < SHORTEST {
            Answer::Unavailable
        } else {
            Answer::Cancelled
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dialog_that_was_never_shown_is_not_a_cancelled_one() {
        let ended = |files: Option<Vec<FileHandle>>| SystemDialog::waiting_for(async { files });
        assert_eq!(ended(None).answer(), Some(Answer::Unavailable));
        let mut cancelled = ended(None);
        cancelled.opened -= SHORTEST;
        assert_eq!(cancelled.answer(), Some(Answer::Cancelled));
        let file = PathBuf::from("a.wav");
        let mut chosen = ended(Some(vec![file.clone().into()]));
        assert_eq!(chosen.answer(), Some(Answer::Files(vec![file])));
        let mut open = SystemDialog::waiting_for(std::future::pending());
        assert_eq!(open.answer(), None);
    }

    #[cfg(target_os = "linux")]
    mod portal {
        use std::collections::HashMap;
        use std::num::NonZeroU32;
        use std::sync::{Arc, Mutex};
        use std::thread;

        use futures_lite::future::block_on;
        use raw_window_handle::{
            DisplayHandle, HandleError, RawWindowHandle, WindowHandle, XcbWindowHandle,
        };
        use zbus::zvariant::{OwnedObjectPath, OwnedValue, Value};

        use super::*;
        use crate::platform::test_session;

        const NAME: &str = "org.freedesktop.portal.Desktop";
        const ROOT: &str = "/org/freedesktop/portal/desktop";

        /// A desktop whose user selects one file, and nothing in the second dialog.
        struct Desktop(Arc<Mutex<Vec<(String, String, String)>>>);

        #[zbus::interface(name = "org.freedesktop.portal.FileChooser")]
        impl Desktop {
            async fn open_file(
                &self,
                parent: String,
                title: String,
                options: HashMap<String, OwnedValue>,
                #[zbus(connection)] connection: &zbus::Connection,
                #[zbus(header)] header: zbus::message::Header<'_>,
            ) -> OwnedObjectPath {
                let filters = format!("{:?}", options["filters"]);
                let token: String = options["handle_token"]
                    .try_clone()
                    .unwrap()
                    .try_into()
                    .unwrap();
                let sender = header.sender().unwrap()[1..].replace('.', "_");
                let path = format!("{ROOT}/request/{sender}/{token}");
                let path = OwnedObjectPath::try_from(path).unwrap();
                let mut requests = self.0.lock().unwrap();
                requests.push((parent, title, filters));
                let is_cancelled = requests.len() == 2;
                let (connection, request) = (connection.clone(), path.clone());
                thread::spawn(move || {
                    // Later than the reply, and than a person needs.
                    thread::sleep(SHORTEST);
                    let files = Value::from(vec!["file:///tmp/a%20b.wav"]);
                    let results = HashMap::from([("uris", files)]);
                    let body = (u32::from(is_cancelled), results);
                    let interface = "org.freedesktop.portal.Request";
                    let to = None::<&str>;
                    let signal = connection.emit_signal(to, &request, interface, "Response", &body);
                    block_on(signal).unwrap();
                });
                path
            }
        }

        /// A window of an X server.
        struct Window;

        impl HasWindowHandle for Window {
            #[expect(unsafe_code, reason = "handles are borrowed that way")]
            fn window_handle(&self) -> Result<WindowHandle<'_>, HandleError> {
                let handle = XcbWindowHandle::new(NonZeroU32::new(0x4d2).unwrap());
                // SAFETY: the number is passed on and never used.
                Ok(unsafe { WindowHandle::borrow_raw(RawWindowHandle::Xcb(handle)) })
            }
        }

        impl HasDisplayHandle for Window {
            fn display_handle(&self) -> Result<DisplayHandle<'_>, HandleError> {
                Err(HandleError::Unavailable)
            }
        }

        fn ask() -> Answer {
            let folder = std::env::temp_dir();
            let extensions = ["wav", "flac"];
            let mut dialog =
                SystemDialog::open("Open audio", "Audio files", &extensions, &folder, &Window);
            loop {
                if let Some(answer) = dialog.answer() {
                    return answer;
                }
                thread::sleep(Duration::from_millis(10));
            }
        }

        #[test]
        fn the_dialog_of_the_desktop_opens_above_the_window() {
            let name = "the_dialog_of_the_desktop_opens_above_the_window";
            if !test_session::is_within(module_path!(), name) {
                return;
            }
            let requests = Arc::<Mutex<Vec<_>>>::default();
            let desktop = zbus::connection::Builder::session()
                .unwrap()
                .serve_at(ROOT, Desktop(requests.clone()))
                .unwrap();
            let desktop = block_on(desktop.build()).unwrap();
            // No desktop yet, and no zenity here.
            assert_eq!(ask(), Answer::Unavailable);
            block_on(desktop.request_name(NAME)).unwrap();
            assert_eq!(ask(), Answer::Files(vec!["/tmp/a b.wav".into()]));
            assert_eq!(ask(), Answer::Cancelled);
            let (parent, title, filters) = requests.lock().unwrap().remove(0);
            assert_eq!((parent.as_str(), title.as_str()), ("x11:4d2", "Open audio"));
            assert!(
                filters.contains("*.flac") && filters.contains("*.FLAC"),
                "{filters}"
            );
        }
    }
}
