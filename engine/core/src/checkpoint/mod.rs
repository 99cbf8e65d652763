//! Weights from files: PyTorch's `.pth` and `.ckpt` (zip and legacy), and SafeTensors.
//!
//! A checkpoint is read as data: no code of a pickle is run (see [`pickle`]). Opening a file reads
//! only its index. Tensors are read one by one, so memory use stays near the size of the largest.
//! The length of a file and fixed limits bound the cost of reading it, even if it is malicious.
//!
//! The weights of the built-in networks, SafeTensors in memory with a configuration, are read by
//! `hitscribe_models::frame::weights_file`.

mod archive;
pub mod pickle;
mod safetensors_file;
mod tensor;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

pub use safetensors_file::{StoredTensor, write_safetensors};
pub use tensor::{DType, count_elements};

use crate::checkpoint::tensor::Entry;
use crate::error::{Error, Result};

/// An open checkpoint file and its index. Threads can share it; reads are serialized.
#[derive(Debug)]
pub struct Checkpoint {
    path: PathBuf,
    file: Mutex<File>,
    length_bytes: u64,
    entries: BTreeMap<String, Entry>,
    hyper_parameters: serde_json::Value,
}

impl Checkpoint {
    /// Opens the checkpoint at `path` and reads its index. The content determines the format.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be read, [`Error::Model`] if it is not a checkpoint, is
    /// damaged, or exceeds a limit.
    pub fn open(path: &Path) -> Result<Self> {
        let io = |source| Error::io(path, source);
        let mut file = File::open(path).map_err(io)?;
        let length = file.metadata().map_err(io)?.len();
        let index = archive::read_index(&mut file, length).map_err(|failure| match failure {
            archive::Failure::Io(source) => io(source),
            archive::Failure::Format(reason) => Error::Model {
                model: path.display().to_string(),
                reason,
            },
        })?;
        Ok(Self {
            path: path.to_owned(),
            file: Mutex::new(file),
            length_bytes: length,
            entries: index.entries,
            hyper_parameters: index.hyper_parameters,
        })
    }

    /// The path of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Names of all tensors, sorted.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// Whether the checkpoint has a tensor `key`.
    pub fn contains(&self, key: &str) -> bool {
        self.entries.contains_key(key)
    }

    /// Shape of the tensor `key`; `None` if there is none.
    pub fn shape(&self, key: &str) -> Option<&[usize]> {
        self.entries.get(key).map(|entry| entry.shape.as_slice())
    }

    /// Checks that the file can hold the weights of a network with this number of elements: at
    /// least one byte for each.
    ///
    /// Call this before allocating a network, since a few small tensors can imply any size. The
    /// limit is the length of the file because many tensors may share the same bytes.
    ///
    /// # Errors
    /// [`Error::Model`] with both numbers.
    pub fn check_capacity(&self, elements: u64) -> Result<()> {
        if elements <= self.length_bytes {
            return Ok(());
        }
        Err(Error::Model {
            model: self.path.display().to_string(),
            reason: format!(
                "is damaged: its shapes imply {elements} elements, which {} bytes cannot hold",
                self.length_bytes
            ),
        })
    }

    /// The plain values of `hyper_parameters` in a Lightning checkpoint; `Null` if there are none.
    pub fn hyper_parameters(&self) -> &serde_json::Value {
        &self.hyper_parameters
    }

    /// Reads the tensor `key` as f32, in row-major order.
    ///
    /// # Errors
    /// [`Error::Model`] if there is no such tensor, [`Error::Io`] if the file cannot be read.
    pub fn read_f32(&self, key: &str) -> Result<Vec<f32>> {
        let invalid = |reason: String| Error::Model {
            model: self.path.display().to_string(),
            reason,
        };
        let entry = self
            .entries
            .get(key)
            .ok_or_else(|| invalid(format!("has no tensor {key}")))?;
        // The index was checked when it was read, so no tensor exceeds the file.
        let elements = entry.elements().unwrap_or(0);
        let span = entry.span().unwrap_or(0);
        let mut bytes = vec![0; (span * entry.dtype.bytes()) as usize];
        {
            let mut file = self
                .file
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            let read = file
                .seek(SeekFrom::Start(entry.start))
                .and_then(|_| file.read_exact(&mut bytes));
            read.map_err(|source| Error::io(&self.path, source))?;
        }
        let width = entry.dtype.bytes() as usize;
        if entry.is_contiguous() {
            return Ok(bytes
                .chunks_exact(width)
                .map(|element| entry.dtype.read(element))
                .collect());
        }
        let mut out = Vec::with_capacity(elements);
        let mut index = vec![0_usize; entry.shape.len()];
        for _ in 0..elements {
            let at: usize = index
                .iter()
                .zip(&entry.strides)
                .map(|(i, stride)| i * stride)
                .sum();
            out.push(entry.dtype.read(&bytes[at * width..]));
            for (i, &size) in index.iter_mut().zip(&entry.shape).rev() {
                *i += 1;
                if *i < size {
                    break;
                }
                *i = 0;
            }
        }
        Ok(out)
    }
}
