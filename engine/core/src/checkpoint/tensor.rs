//! Element types of tensors, and their place in a file.

/// Element type of a stored tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DType {
    /// 64-bit float.
    F64,
    /// 32-bit float.
    F32,
    /// 16-bit float (IEEE half).
    F16,
    /// 16-bit float (bfloat16).
    BF16,
    /// 64-bit integer.
    I64,
    /// 32-bit integer.
    I32,
    /// 16-bit integer.
    I16,
    /// 8-bit integer.
    I8,
    /// Unsigned 8-bit integer or Boolean.
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

    /// The first element of `bytes`, which must hold one, as f32.
    pub(super) fn read(self, bytes: &[u8]) -> f32 {
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

/// Total number of elements of several tensors, saturating. Each tensor is given as factors: its
/// dimensions, and how often it occurs.
pub fn count_elements(tensors: &[&[usize]]) -> u64 {
    tensors.iter().fold(0, |sum: u64, factors| {
        let elements = factors.iter().fold(1, |product: u64, &factor| {
            product.saturating_mul(factor as u64)
        });
        sum.saturating_add(elements)
    })
}

/// Type, shape and position of a tensor in a file.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) dtype: DType,
    pub(super) shape: Vec<usize>,
    /// Distance between neighbours in each dimension, in elements.
    pub(super) strides: Vec<usize>,
    /// Offset of the first element in the file, in bytes.
    pub(super) start: u64,
    /// Bytes from `start` to the end of the storage.
    pub(super) available_bytes: u64,
}

impl Entry {
    /// Number of elements; `None` if it overflows.
    pub(super) fn elements(&self) -> Option<usize> {
        self.shape
            .iter()
            .try_fold(1_usize, |product, &size| product.checked_mul(size))
    }

    /// Number of elements of the storage from the first to the last one used; `None` if it
    /// overflows.
    pub(super) fn span(&self) -> Option<u64> {
        if self.shape.contains(&0) {
            return Some(0);
        }
        let mut last = 0_u64;
        for (&size, &stride) in self.shape.iter().zip(&self.strides) {
            last = last.checked_add((size as u64 - 1).checked_mul(stride as u64)?)?;
        }
        last.checked_add(1)
    }

    pub(super) fn is_contiguous(&self) -> bool {
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
