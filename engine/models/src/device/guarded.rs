//! Panics of GPU drivers as errors.

use std::panic::{AssertUnwindSafe, catch_unwind};

use hitscribe_core::error::{Error, Result};

/// Turns a panic of `work`, such as one inside a GPU driver, into [`Error::Device`].
///
/// After an error the model that was running is in an unknown state and must be dropped.
///
/// # Errors
/// [`Error::Device`] for `device`, with the panic's message in one line.
pub fn guarded<T>(device: &str, work: impl FnOnce() -> T) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|payload| {
        let message = payload
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| payload.downcast_ref::<&str>().copied())
            .unwrap_or("unknown failure");
        Error::Device {
            device: device.to_owned(),
            reason: one_line(message),
        }
    })
}

/// A driver's message, which often has many lines.
pub(super) fn one_line(message: &str) -> String {
    message.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panics_become_errors() {
        let error = guarded("cuda:0", || -> () { panic!("driver\n  gone") }).unwrap_err();
        assert_eq!(error.to_string(), "device cuda:0: driver gone");
    }
}
