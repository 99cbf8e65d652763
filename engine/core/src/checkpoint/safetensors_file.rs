//! Writing SafeTensors files.

use std::path::Path;

use safetensors::tensor::{Dtype, TensorView};

use crate::error::{Error, Result};

/// A tensor to be written: name, shape, element type and little-endian bytes.
pub struct StoredTensor<'a> {
    /// Name.
    pub name: &'a str,
    /// Shape.
    pub shape: &'a [usize],
    /// Whether the elements are 32-bit integers; else they are 32-bit floats.
    pub is_int: bool,
    /// The elements.
    pub bytes: Vec<u8>,
}

/// Writes tensors to a SafeTensors file.
///
/// # Errors
/// [`Error::Io`] if it cannot be written, [`Error::Model`] if shapes and data do not fit.
pub fn write_safetensors(path: &Path, tensors: &[StoredTensor<'_>]) -> Result<()> {
    let wrong = |error: safetensors::SafeTensorError| Error::Model {
        model: path.display().to_string(),
        reason: format!("was not written: {error}"),
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
                TensorView::new(dtype, tensor.shape.to_vec(), &tensor.bytes).map_err(wrong)?,
            ))
        })
        .collect::<Result<Vec<_>>>()?;
    let bytes = safetensors::serialize(views, None).map_err(wrong)?;
    std::fs::write(path, bytes).map_err(|source| Error::Io {
        path: path.to_owned(),
        source,
    })
}
