//! Checksums of files.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::error::{Error, Result};

const COPY_BYTES: usize = 1 << 20;

/// SHA-256 (lowercase hexadecimal) and size of a file, read in pieces.
pub fn sha256_of_file(path: &Path) -> Result<(String, u64)> {
    let mut file = File::open(path).map_err(|source| Error::io(path, source))?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; COPY_BYTES];
    let mut size = 0;
    loop {
        let read = file
            .read(&mut buffer)
            .map_err(|source| Error::io(path, source))?;
        if read == 0 {
            return Ok((hex(hash), size));
        }
        hash.update(&buffer[..read]);
        size += read as u64;
    }
}

/// Copies a file to the disk and returns the SHA-256 of what was copied.
pub(super) fn copy_with_hash(from: &Path, to: &Path) -> Result<String> {
    let mut input = File::open(from).map_err(|source| Error::io(from, source))?;
    let mut output = File::create(to).map_err(|source| Error::io(to, source))?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; COPY_BYTES];
    loop {
        let read = input
            .read(&mut buffer)
            .map_err(|source| Error::io(from, source))?;
        if read == 0 {
            break;
        }
        hash.update(&buffer[..read]);
        output
            .write_all(&buffer[..read])
            .map_err(|source| Error::io(to, source))?;
    }
    output.sync_all().map_err(|source| Error::io(to, source))?;
    Ok(hex(hash))
}

fn hex(hash: Sha256) -> String {
    hash.finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
