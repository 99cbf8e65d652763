//! Weights from files: PyTorch's `.pth` and `.ckpt` (zip and legacy), and SafeTensors.
//!
//! A checkpoint is data: no code of a pickle is run (see [`pickle`]). Opening one reads its index
//! only; tensors are read one by one, so that memory stays near the size of the largest. What a
//! hostile file can cost is bounded by its length and by the limits below.

mod archive;
pub mod pickle;
mod safetensors_file;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

pub use safetensors_file::{StoredTensor, write_safetensors};

use crate::error::{Error, Result};

/// Longest pickle or SafeTensors header that is read. YourMT3's, with optimizer state, has 0.5 MB.
const MAX_INDEX_BYTES: u64 = 64 << 20;

/// Element type of a stored tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DType {
    /// 64-bit float.
    F64,
    /// 32-bit float.
    F32,
    /// 16-bit float (IEEE).
    F16,
    /// 16-bit float (brain float).
    BF16,
    /// 64-bit integer.
    I64,
    /// 32-bit integer.
    I32,
    /// 16-bit integer.
    I16,
    /// Signed byte.
    I8,
    /// Byte or truth value.
    U8,
}

impl DType {
    /// Bytes per element.
    pub fn bytes(self) -> u64 {
        match self {
            Self::F64 | Self::I64 => 8,
            Self::F32 | Self::I32 => 4,
            Self::F16 | Self::BF16 | Self::I16 => 2,
            Self::I8 | Self::U8 => 1,
        }
    }

    /// The element at the start of `bytes`, which holds at least one.
    fn read(self, bytes: &[u8]) -> f32 {
        fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
            let mut out = [0; N];
            out.copy_from_slice(&bytes[..N]);
            out
        }
        match self {
            Self::F64 => f64::from_le_bytes(array(bytes)) as f32,
            Self::F32 => f32::from_le_bytes(array(bytes)),
            Self::F16 => half::f16::from_le_bytes(array(bytes)).to_f32(),
            Self::BF16 => half::bf16::from_le_bytes(array(bytes)).to_f32(),
            Self::I64 => i64::from_le_bytes(array(bytes)) as f32,
            Self::I32 => i32::from_le_bytes(array(bytes)) as f32,
            Self::I16 => f32::from(i16::from_le_bytes(array(bytes))),
            Self::I8 => f32::from(bytes[0] as i8),
            Self::U8 => f32::from(bytes[0]),
        }
    }
}

/// Elements of tensors, each given by factors such as its number and its sizes. More than the largest number
/// is that number.
pub fn elements_of(tensors: &[&[usize]]) -> u64 {
    tensors.iter().fold(0, |sum: u64, factors| {
        let elements = factors.iter().fold(1, |product: u64, &factor| {
            product.saturating_mul(factor as u64)
        });
        sum.saturating_add(elements)
    })
}

/// Where a tensor lies in the file.
#[derive(Clone, Debug)]
struct Entry {
    dtype: DType,
    shape: Vec<usize>,
    /// In elements.
    strides: Vec<usize>,
    /// Byte position of element 0 of the tensor.
    start: u64,
    /// Bytes from `start` to the end of its storage.
    available_bytes: u64,
}

impl Entry {
    fn elements(&self) -> Option<usize> {
        self.shape
            .iter()
            .try_fold(1_usize, |product, &size| product.checked_mul(size))
    }

    /// Elements from the first to the last one that is touched, or `None` where that overflows.
    fn span(&self) -> Option<u64> {
        if self.shape.contains(&0) {
            return Some(0);
        }
        let mut last = 0_u64;
        for (&size, &stride) in self.shape.iter().zip(&self.strides) {
            last = last.checked_add((size as u64 - 1).checked_mul(stride as u64)?)?;
        }
        last.checked_add(1)
    }

    fn is_contiguous(&self) -> bool {
        let mut expected = 1;
        for (&size, &stride) in self.shape.iter().zip(&self.strides).rev() {
            if size != 1 && stride != expected {
                return false;
            }
            expected *= size;
        }
        true
    }
}

/// The index of a checkpoint file.
#[derive(Debug)]
pub struct Checkpoint {
    path: PathBuf,
    file: Mutex<File>,
    length_bytes: u64,
    entries: BTreeMap<String, Entry>,
    hyper_parameters: serde_json::Value,
}

impl Checkpoint {
    /// Reads the index of the checkpoint at `path`. The format is told from the content.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be read, [`Error::Model`] if it is no checkpoint, damaged, or
    /// beyond the limits.
    pub fn open(path: &Path) -> Result<Self> {
        let io = |source| Error::Io {
            path: path.to_owned(),
            source,
        };
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

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Names of all tensors.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// Whether a tensor `key` is there.
    pub fn contains(&self, key: &str) -> bool {
        self.entries.contains_key(key)
    }

    /// Shape of the tensor `key`.
    pub fn shape(&self, key: &str) -> Option<&[usize]> {
        self.entries.get(key).map(|entry| entry.shape.as_slice())
    }

    /// Refuses a network of more elements than the file has bytes. To be asked before one is made: a few small
    /// tensors are enough to claim any size. Bytes and not the elements of all tensors, because many of them may
    /// be the same bytes by other names.
    ///
    /// # Errors
    /// [`Error::Model`] that says how many elements and how many bytes.
    pub fn must_hold(&self, elements: u64) -> Result<()> {
        if elements <= self.length_bytes {
            return Ok(());
        }
        Err(Error::Model {
            model: self.path.display().to_string(),
            reason: format!(
                "its shapes are those of a network of {elements} elements, more than its {} bytes can hold: damaged",
                self.length_bytes
            ),
        })
    }

    /// The plain values of a Lightning checkpoint's `hyper_parameters`; `Null` without.
    pub fn hyper_parameters(&self) -> &serde_json::Value {
        &self.hyper_parameters
    }

    /// Reads the tensor `key` in row-major order as f32.
    ///
    /// # Errors
    /// [`Error::Model`] if there is no such tensor or it does not fit its storage, [`Error::Io`] if
    /// the file cannot be read.
    pub fn read_f32(&self, key: &str) -> Result<Vec<f32>> {
        let wrong = |reason: String| Error::Model {
            model: self.path.display().to_string(),
            reason,
        };
        let entry = self
            .entries
            .get(key)
            .ok_or_else(|| wrong(format!("there is no tensor {key}")))?;
        // Checked when the index was read; the product cannot exceed the file.
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
            read.map_err(|source| Error::Io {
                path: self.path.clone(),
                source,
            })?;
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
