//! Hyperparameters that do not follow from a checkpoint's shapes: attention heads, length of the
//! memory.

use std::path::Path;

use hitscribe_core::checkpoint::Checkpoint;
use hitscribe_core::error::{Error, Result};
use serde_json::Value;

/// Hyperparameters that a checkpoint's shapes leave open; `None` where unknown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hyperparameters {
    /// Attention heads of the T5 blocks.
    pub heads: Option<usize>,
    /// Width of a T5 attention head.
    pub head_size: Option<usize>,
    /// Rows of MR-MT3's memory.
    pub memory_rows: Option<usize>,
    /// Attention heads of YourMT3's encoder.
    pub encoder_heads: Option<usize>,
}

impl Hyperparameters {
    /// Reads the configuration of a T5 model (`num_heads`, `d_kv`, `segmem_length`) or of YourMT3
    /// (`model_cfg`), at the top level or under `config`.
    pub fn from_json(json: &Value) -> Self {
        let number = |value: &Value| {
            value
                .as_u64()
                .and_then(|n| usize::try_from(n).ok())
                .filter(|&n| n > 0)
        };
        if json["model_cfg"].is_object() {
            let model = &json["model_cfg"];
            let decoder = &model["decoder"]["multi-t5"];
            return Self {
                heads: number(&decoder["num_heads"]),
                head_size: number(&decoder["d_kv"]),
                memory_rows: None,
                encoder_heads: number(
                    &model["encoder"]["perceiver-tf"]["num_self_attention_heads"],
                ),
            };
        }
        let inner = if json["config"].is_object() {
            &json["config"]
        } else {
            json
        };
        let memory_rows = [&inner["segmem_length"], &json["segmem_length"]]
            .into_iter()
            .find_map(|value| value.as_u64().and_then(|n| usize::try_from(n).ok()));
        Self {
            heads: number(&inner["num_heads"]),
            head_size: number(&inner["d_kv"]),
            memory_rows,
            encoder_heads: None,
        }
    }

    /// These values, and those of `other` where unknown.
    pub fn or(self, other: Self) -> Self {
        Self {
            heads: self.heads.or(other.heads),
            head_size: self.head_size.or(other.head_size),
            memory_rows: self.memory_rows.or(other.memory_rows),
            encoder_heads: self.encoder_heads.or(other.encoder_heads),
        }
    }

    /// The hyperparameters of a checkpoint: from the file `explicit` if given, else from the
    /// checkpoint itself, else from `config.json` or `manifest.json` in its folder.
    ///
    /// # Errors
    /// [`Error::Io`] or [`Error::Model`] if `explicit` cannot be read. Files in the checkpoint's
    /// folder that are not JSON are ignored.
    pub fn find(checkpoint: &Checkpoint, explicit: Option<&Path>) -> Result<Self> {
        if let Some(path) = explicit {
            let text = std::fs::read_to_string(path).map_err(|source| Error::Io {
                path: path.to_owned(),
                source,
            })?;
            let json = serde_json::from_str(&text).map_err(|error| Error::Model {
                model: path.display().to_string(),
                reason: format!("is not JSON: {error}"),
            })?;
            return Ok(Self::from_json(&json));
        }
        let mut found = Self::from_json(checkpoint.hyper_parameters());
        for name in ["config.json", "manifest.json"] {
            let path = checkpoint.path().with_file_name(name);
            let json = std::fs::read_to_string(path)
                .ok()
                .and_then(|text| serde_json::from_str(&text).ok());
            if let Some(json) = json {
                found = found.or(Self::from_json(&json));
            }
        }
        Ok(found)
    }

    /// The number of heads for attention of total width `inner`. If unknown, heads have the
    /// published models' width of 64, provided that it divides `inner`.
    ///
    /// # Errors
    /// The reason, in one line.
    pub(crate) fn heads_for(&self, inner: usize) -> Result<usize, String> {
        let fits = |heads: usize| heads > 0 && inner.is_multiple_of(heads);
        match (self.heads, self.head_size) {
            (Some(heads), _) if fits(heads) => Ok(heads),
            (None, Some(size)) if size > 0 && inner.is_multiple_of(size) => Ok(inner / size),
            (None, None) if inner.is_multiple_of(64) && inner > 0 => Ok(inner / 64),
            (None, None) => Err(format!(
                "the file does not have the number of heads for an attention width of {inner}: \
                 give a config.json"
            )),
            _ => Err(format!(
                "the configured heads do not divide the attention width of {inner}"
            )),
        }
    }
}
