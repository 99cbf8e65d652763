//! Checksums of files.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::error::{Error, Result};

const BUFFER_BYTES: usize = 1 << 20;

/// SHA-256 (64 lowercase hexadecimal digits) and length in bytes of a file. The file is read in
/// blocks of 1 MiB.
///
/// # Errors
/// [`Error::Io`] if the file cannot be read.
pub fn sha256_of_file(path: &Path) -> Result<(String, u64)> {
    let mut length = 0;
    let hash = hash_blocks(path, |block| {
        length += block.len() as u64;
        Ok(())
    })?;
    Ok((hash, length))
}

/// Copies a file, flushes the copy to the disk, and returns the SHA-256 of the bytes copied.
pub(super) fn copy_with_hash(from: &Path, to: &Path) -> Result<String> {
    let io = |source| Error::io(to, source);
    let mut output = File::create(to).map_err(io)?;
    let hash = hash_blocks(from, |block| output.write_all(block).map_err(io))?;
    output.sync_all().map_err(io)?;
    Ok(hash)
}

/// Reads a file in blocks, calls `each` with every block, and returns the SHA-256.
fn hash_blocks(path: &Path, mut each: impl FnMut(&[u8]) -> Result<()>) -> Result<String> {
    let io = |source| Error::io(path, source);
    let mut file = File::open(path).map_err(io)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let read = file.read(&mut buffer).map_err(io)?;
        if read == 0 {
            return Ok(format!("{:x}", hash.finalize()));
        }
        let block = &buffer[..read];
        hash.update(block);
        each(block)?;
    }
}
