//! A summary of verdicts.

use std::fmt;

use hitscribe_core::Note;
use serde::Serialize;

use crate::leakage::verdict::Verdict;

/// How many notes a filter removed and changed, and why. Displayed as one line.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Report {
    /// Drum notes before the filter; they stay.
    pub drums: usize,
    /// Pitched notes before the filter.
    pub pitched: usize,
    /// Pitched notes that were removed.
    pub removed: usize,
    /// Pitched notes that became drums.
    pub remapped: usize,
    /// Each reason in words with its number of notes, the most frequent first.
    pub reasons: Vec<(String, usize)>,
}

impl Report {
    /// Counts the verdicts on `notes`.
    pub fn new(notes: &[Note], verdicts: &[Verdict]) -> Self {
        let mut report = Self {
            drums: notes.iter().filter(|n| n.is_drum).count(),
            ..Self::default()
        };
        report.pitched = notes.len() - report.drums;
        for verdict in verdicts {
            let reason = match verdict {
                Verdict::Keep => continue,
                Verdict::Remove(reason) => {
                    report.removed += 1;
                    reason
                }
                Verdict::Remap { reason, .. } => {
                    report.remapped += 1;
                    reason
                }
            };
            let words = reason.to_string();
            match report.reasons.iter_mut().find(|(known, _)| *known == words) {
                Some((_, count)) => *count += 1,
                None => report.reasons.push((words, 1)),
            }
        }
        report
            .reasons
            .sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        report
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(
            f,
            "{} drum notes, {} pitched notes, {} removed, {} made drums",
            self.drums, self.pitched, self.removed, self.remapped
        )?;
        self.reasons
            .iter()
            .try_for_each(|(reason, count)| write!(f, "; {count}: {reason}"))
    }
}
