//! What symphonia does not tell of an Ogg file.

use std::io::Result;
use std::ops::Range;

use super::section::FileBytes;

const MAX_PAGE_BYTES: u64 = 27 + 255 + 255 * 255;

/// Whether the file ends within a page.
pub(super) fn ends_within_page(file: &mut FileBytes, range: Range<u64>) -> Result<bool> {
    let start = range.end.saturating_sub(MAX_PAGE_BYTES).max(range.start);
    let bytes = file.at(start, (range.end - start) as usize)?;
    // The pattern may also occur within a page: then what follows is no header of one.
    let is_page = |at: &usize| bytes[*at..].starts_with(b"OggS\0") && bytes.len() - at >= 5;
    let last = (0..bytes.len().saturating_sub(4)).rev().find(is_page);
    Ok(last.is_some_and(|at| {
        let page = &bytes[at..];
        let segments = page.get(26).map_or(0, |&count| usize::from(count));
        match page.get(27..27 + segments) {
            None => true,
            Some(table) => {
                let body: usize = table.iter().map(|&length| usize::from(length)).sum();
                page.len() < 27 + segments + body
            }
        }
    }))
}
