//! The sizes of a network, read from the shapes of its checkpoint's tensors.

use hitscribe_core::checkpoint::Checkpoint;
use hitscribe_core::error::{Error, Result};

/// The tensors of `checkpoint` whose keys begin with `prefix`.
pub(super) struct Shapes<'a> {
    checkpoint: &'a Checkpoint,
    prefix: &'a str,
    /// What the checkpoint is not when a tensor is missing, such as "an MT3 checkpoint".
    kind: &'static str,
}

impl<'a> Shapes<'a> {
    pub(super) fn new(checkpoint: &'a Checkpoint, prefix: &'a str, kind: &'static str) -> Self {
        Self {
            checkpoint,
            prefix,
            kind,
        }
    }

    /// The error that says what is wrong with the checkpoint.
    pub(super) fn wrong(&self, reason: impl Into<String>) -> Error {
        Error::Model {
            model: self.checkpoint.path().display().to_string(),
            reason: reason.into(),
        }
    }

    pub(super) fn contains(&self, name: &str) -> bool {
        self.checkpoint.contains(&format!("{}{name}", self.prefix))
    }

    /// The shape of a tensor with at least one element.
    pub(super) fn shape(&self, name: &str) -> Result<&'a [usize]> {
        let key = format!("{}{name}", self.prefix);
        match self.checkpoint.shape(&key) {
            Some(shape) if !shape.contains(&0) => Ok(shape),
            Some(shape) => Err(self.wrong(format!("{key} has the shape {shape:?}"))),
            None => Err(self.wrong(format!("{key} is missing: not {}", self.kind))),
        }
    }

    pub(super) fn matrix(&self, name: &str) -> Result<[usize; 2]> {
        let shape = self.shape(name)?;
        <[usize; 2]>::try_from(shape)
            .map_err(|_| self.wrong(format!("{}{name} has the shape {shape:?}", self.prefix)))
    }

    /// The first dimension of a tensor.
    pub(super) fn first(&self, name: &str) -> Result<usize> {
        let first = self.shape(name)?.first().copied();
        first.ok_or_else(|| self.wrong(format!("{}{name} is a single number", self.prefix)))
    }

    /// How many of the tensors `name(0)`, `name(1)`, ... there are.
    pub(super) fn count(&self, name: impl Fn(usize) -> String) -> usize {
        (0..).take_while(|&n| self.contains(&name(n))).count()
    }
}

/// The prefix of a network's keys, given one of them: none, or `model.` as Lightning writes it.
pub(super) fn prefix_of(checkpoint: &Checkpoint, name: &str) -> Option<&'static str> {
    ["", "model."]
        .into_iter()
        .find(|prefix| checkpoint.contains(&format!("{prefix}{name}")))
}
