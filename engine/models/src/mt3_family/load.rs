//! Reads a network's tensors from a checkpoint and records missing and unused ones.

use std::collections::BTreeSet;

use burn_tensor::backend::Backend;
use burn_tensor::{Device, Tensor, TensorData};
use hitscribe_core::checkpoint::Checkpoint;
use hitscribe_core::error::{Error, Result};

use crate::compact::Format;

/// The tensors of a checkpoint that a network uses, and the others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoadReport {
    /// Number of tensors used.
    pub used: usize,
    /// Names of the tensors that the network does not have.
    pub unused: Vec<String>,
}

/// Reads the tensors of one network. [`Weights::finish`] reports all missing and mis-shaped tensors
/// at once.
pub struct Weights<'a, B: Backend> {
    /// How the linear maps are kept that are read next; `None` in full precision.
    pub format: Option<Format>,
    checkpoint: &'a Checkpoint,
    prefix: String,
    device: Device<B>,
    used: BTreeSet<String>,
    missing: Vec<String>,
    misshaped: Vec<String>,
    failure: Option<Error>,
}

impl<'a, B: Backend> Weights<'a, B> {
    /// For a network whose keys all begin with `prefix`, which may be empty.
    pub fn new(checkpoint: &'a Checkpoint, prefix: &str, device: &Device<B>) -> Self {
        Self {
            format: None,
            checkpoint,
            prefix: prefix.to_owned(),
            device: device.clone(),
            used: BTreeSet::new(),
            missing: Vec::new(),
            misshaped: Vec::new(),
            failure: None,
        }
    }

    /// The device that the tensors go to.
    pub fn device(&self) -> &Device<B> {
        &self.device
    }

    /// The values of the tensor `name`, which must have `shape`; zeros if it is missing.
    pub fn values(&mut self, name: &str, shape: &[usize]) -> Vec<f32> {
        let key = format!("{}{name}", self.prefix);
        let zeros = || vec![0.0; shape.iter().product()];
        match self.checkpoint.shape(&key) {
            None => {
                self.missing.push(key);
                zeros()
            }
            Some(found) if found != shape => {
                self.misshaped
                    .push(format!("{key} is {found:?} instead of {shape:?}"));
                zeros()
            }
            Some(_) => {
                let values = self.checkpoint.read_f32(&key);
                self.used.insert(key);
                values.unwrap_or_else(|error| {
                    self.failure.get_or_insert(error);
                    zeros()
                })
            }
        }
    }

    /// The tensor `name` of the given shape.
    pub fn tensor<const D: usize>(&mut self, name: &str, shape: [usize; D]) -> Tensor<B, D> {
        let values = self.values(name, &shape);
        Tensor::from_data(TensorData::new(values, shape), &self.device)
    }

    /// Counts tensors whose names satisfy `test` as used: aliases and buffers that need no reading.
    pub fn ignore(&mut self, test: impl Fn(&str) -> bool) {
        let prefix = self.prefix.as_str();
        let known = self
            .checkpoint
            .keys()
            .filter(|key| key.strip_prefix(prefix).is_some_and(&test));
        self.used.extend(known.map(str::to_owned));
    }

    /// Reports on the tensors read.
    ///
    /// # Errors
    /// [`Error::Model`] that names the missing and mis-shaped tensors, or the first read error.
    pub fn finish(self) -> Result<LoadReport> {
        if let Some(error) = self.failure {
            return Err(error);
        }
        let unused: Vec<String> = self
            .checkpoint
            .keys()
            .filter(|key| !self.used.contains(*key))
            .map(str::to_owned)
            .collect();
        let mut reasons = Vec::new();
        if !self.missing.is_empty() {
            reasons.push(format!(
                "{} tensors are missing: {}",
                self.missing.len(),
                some_of(&self.missing)
            ));
        }
        if !self.misshaped.is_empty() {
            reasons.push(format!(
                "{} have another shape: {}",
                self.misshaped.len(),
                some_of(&self.misshaped)
            ));
        }
        if !reasons.is_empty() {
            if !unused.is_empty() {
                reasons.push(format!(
                    "{} are unknown: {}",
                    unused.len(),
                    some_of(&unused)
                ));
            }
            return Err(Error::Model {
                model: self.checkpoint.path().display().to_string(),
                reason: reasons.join("; "),
            });
        }
        Ok(LoadReport {
            used: self.used.len(),
            unused,
        })
    }
}

/// The first names of a list.
fn some_of(names: &[String]) -> String {
    const SHOWN: usize = 12;
    let shown = names[..names.len().min(SHOWN)].join(", ");
    if names.len() > SHOWN {
        format!("{shown}, ...")
    } else {
        shown
    }
}
