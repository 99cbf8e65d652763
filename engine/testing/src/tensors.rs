//! Tensors of golden files, and their comparison with tolerances.

use std::path::Path;

use hitscribe_core::checkpoint::Checkpoint;

/// A tensor.
pub struct Values {
    /// Dimensions.
    pub shape: Vec<usize>,
    /// Elements, row-major.
    pub values: Vec<f32>,
}

impl Values {
    /// The elements at index `i` of the first dimension.
    pub fn row(&self, i: usize) -> &[f32] {
        let size: usize = self.shape[1..].iter().product();
        &self.values[i * size..(i + 1) * size]
    }

    /// The elements as integers.
    pub fn ids(&self) -> Vec<i32> {
        self.values.iter().map(|&id| id as i32).collect()
    }
}

/// A file of named tensors.
pub struct Pack(Checkpoint);

impl Pack {
    /// Opens a file.
    pub fn open(path: &Path) -> Self {
        Self(Checkpoint::open(path).expect("the file opens"))
    }

    /// The tensor `name`.
    pub fn get(&self, name: &str) -> Values {
        let shape = self
            .0
            .shape(name)
            .unwrap_or_else(|| panic!("no tensor {name}"))
            .to_vec();
        Values {
            shape,
            values: self.0.read_f32(name).expect("the tensor is readable"),
        }
    }
}

/// Statistics of absolute differences.
pub struct Difference {
    /// Mean.
    pub mean: f32,
    /// Maximum.
    pub max: f32,
    /// The 99.9th percentile.
    pub p999: f32,
}

/// Compares two lists of the same length, element by element, and prints the differences.
pub fn difference(name: &str, got: &[f32], want: &[f32]) -> Difference {
    assert_eq!(got.len(), want.len(), "{name}: number of elements");
    let mut all: Vec<f32> = got.iter().zip(want).map(|(a, b)| (a - b).abs()).collect();
    assert!(all.iter().all(|d| d.is_finite()), "{name}: not finite");
    all.sort_by(f32::total_cmp);
    let mean = all.iter().map(|&d| f64::from(d)).sum::<f64>() / all.len() as f64;
    let out = Difference {
        mean: mean as f32,
        max: all[all.len() - 1],
        p999: all[(all.len() - 1) * 999 / 1000],
    };
    eprintln!(
        "{name}: mean {:.2e}, 99.9 % {:.2e}, max {:.2e}",
        out.mean, out.p999, out.max
    );
    out
}

/// Asserts that features differ by at most 1e-4 in the mean and 5e-3 at most.
pub fn assert_features(name: &str, got: &[f32], want: &[f32]) {
    let d = difference(name, got, want);
    assert!(
        d.mean <= 1e-4 && d.max <= 5e-3,
        "{name}: features differ: mean {:e}, max {:e}",
        d.mean,
        d.max
    );
}

/// Asserts that no element differs by more than `tolerance`.
pub fn assert_max(name: &str, got: &[f32], want: &[f32], tolerance: f32) {
    let d = difference(name, got, want);
    assert!(
        d.max <= tolerance,
        "{name}: differs by {:e}, more than {tolerance:e}",
        d.max
    );
}
