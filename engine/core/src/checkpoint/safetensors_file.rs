//! Writes SafeTensors files.

use std::path::Path;

use safetensors::tensor::{Dtype, TensorView};

use crate::atomic_file::write_atomically;
use crate::error::{Error, Result};

/// A tensor to write.
pub struct StoredTensor<'a> {
    /// Name.
    pub name: &'a str,
    /// Shape.
    pub shape: &'a [usize],
    /// Whether the elements are 32-bit integers; otherwise they are 32-bit floats.
    pub is_int: bool,
    /// The elements in row-major order, little-endian.
    pub bytes: Vec<u8>,
}

/// Writes tensors to a SafeTensors file, atomically.
///
/// # Errors
/// [`Error::Io`] if the file cannot be written, [`Error::Model`] if a shape does not match its
/// data.
pub fn write_safetensors(path: &Path, tensors: &[StoredTensor<'_>]) -> Result<()> {
    let invalid = |error: safetensors::SafeTensorError| Error::Model {
        model: path.display().to_string(),
        reason: format!("cannot be written: {error}"),
    };
    let views = tensors
        .iter()
        .map(|tensor| {
            let dtype = if tensor.is_int {
                Dtype::I32
            } else {
                Dtype::F32
            };
            Ok((
                tensor.name,
                TensorView::new(dtype, tensor.shape.to_vec(), &tensor.bytes).map_err(invalid)?,
            ))
        })
        .collect::<Result<Vec<_>>>()?;
    let bytes = safetensors::serialize(views, None).map_err(invalid)?;
    write_atomically(path, &bytes)
}
