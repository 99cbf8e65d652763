//! Part of a file as a source of bytes, with other bytes in front of it.

use std::fs::File;
use std::io::{Error, ErrorKind, Read, Result, Seek, SeekFrom};
use std::ops::Range;

use symphonia::core::io::MediaSource;

/// Bytes `range` of a file after `prefix`. Ends where the file ends, if that is earlier.
pub(super) struct Section {
    file: File,
    prefix: Vec<u8>,
    range: Range<u64>,
    position: u64,
}

impl Section {
    fn new(mut file: File, prefix: Vec<u8>, range: Range<u64>) -> Result<Self> {
        file.seek(SeekFrom::Start(range.start))?;
        Ok(Self {
            file,
            prefix,
            range,
            position: 0,
        })
    }

    fn len(&self) -> u64 {
        self.prefix.len() as u64 + (self.range.end - self.range.start)
    }
}

impl Read for Section {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let prefix_len = self.prefix.len() as u64;
        let count = if self.position < prefix_len {
            let left = &self.prefix[self.position as usize..];
            let count = left.len().min(buffer.len());
            buffer[..count].copy_from_slice(&left[..count]);
            count
        } else {
            let left = self.len().saturating_sub(self.position);
            let count = left.min(buffer.len() as u64) as usize;
            self.file.read(&mut buffer[..count])?
        };
        self.position += count as u64;
        Ok(count)
    }
}

impl Seek for Section {
    fn seek(&mut self, to: SeekFrom) -> Result<u64> {
        let target = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::Current(offset) => self.position.checked_add_signed(offset),
            SeekFrom::End(offset) => self.len().checked_add_signed(offset),
        };
        let target = target.ok_or_else(|| Error::from(ErrorKind::InvalidInput))?;
        // A position behind the end is valid; there is nothing to read.
        let in_file = target.saturating_sub(self.prefix.len() as u64);
        let position = self.range.start.saturating_add(in_file);
        self.file
            .seek(SeekFrom::Start(position.min(self.range.end)))?;
        self.position = target;
        Ok(target)
    }
}

impl MediaSource for Section {
    fn is_seekable(&self) -> bool {
        true
    }

    fn byte_len(&self) -> Option<u64> {
        Some(self.len())
    }
}

/// Bytes kept in memory around the position that was read last.
const WINDOW_BYTES: usize = 1 << 16;

/// Reads any part of a file.
pub(super) struct FileBytes {
    file: File,
    length: u64,
    window_start: u64,
    window: Vec<u8>,
}

impl FileBytes {
    pub(super) fn new(file: File) -> Result<Self> {
        Ok(Self {
            length: file.metadata()?.len(),
            file,
            window_start: 0,
            window: Vec::new(),
        })
    }

    /// Length of the file.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// Up to `length` bytes at `position`; fewer at the end of the file.
    pub(super) fn at(&mut self, position: u64, length: usize) -> Result<&[u8]> {
        let window_end = self.window_start + self.window.len() as u64;
        let needed_end = position.saturating_add(length as u64).min(self.length);
        if position < self.window_start || needed_end > window_end {
            self.window.clear();
            self.window_start = position;
            self.file.seek(SeekFrom::Start(position))?;
            let count = length.max(WINDOW_BYTES) as u64;
            (&self.file).take(count).read_to_end(&mut self.window)?;
        }
        let from = (position - self.window_start).min(self.window.len() as u64) as usize;
        let to = from.saturating_add(length).min(self.window.len());
        Ok(&self.window[from..to])
    }

    /// Another reader of the file. Both move the same cursor, but neither relies on it.
    pub(super) fn try_clone(&self) -> Result<Self> {
        Self::new(self.file.try_clone()?)
    }

    /// The part `range` after `prefix`.
    pub(super) fn section(self, prefix: Vec<u8>, range: Range<u64>) -> Result<Section> {
        Section::new(self.file, prefix, range)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    #[test]
    fn prefix_and_range_are_one_stream() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"0123456789").unwrap();
        let mut section = Section::new(file, b"ab".to_vec(), 3..7).unwrap();
        let mut all = String::new();
        section.read_to_string(&mut all).unwrap();
        assert_eq!((all.as_str(), section.byte_len()), ("ab3456", Some(6)));
        for at in 0..=6 {
            section.seek(SeekFrom::Start(at)).unwrap();
            let mut rest = String::new();
            section.read_to_string(&mut rest).unwrap();
            assert_eq!(rest, all[at as usize..]);
        }
        assert_eq!(section.seek(SeekFrom::End(-1)).unwrap(), 5);
        assert!(section.seek(SeekFrom::Current(-9)).is_err());
    }
}
