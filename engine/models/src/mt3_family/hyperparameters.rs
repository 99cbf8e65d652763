//! Hyperparameters that do not follow from a checkpoint's shapes: attention heads, length and
//! variant of the memory, front end.

use std::path::Path;
use std::str::FromStr;

use hitscribe_core::checkpoint::Checkpoint;
use hitscribe_core::error::{Error, Result};
use hitscribe_core::features::mt3_family::FrontEndKind;
use serde_json::Value;

/// The variants of MR-MT3 with memory. Their tensors are the same; they differ in what the memory
/// holds before the first segment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MemoryVariant {
    /// A segment without notes: a tie token and EOS. The reference's `T5SegMemV2WithPrev`.
    #[default]
    V2WithPrev,
    /// Nothing but EOS. The reference's `T5SegMemV2`.
    V2,
}

impl MemoryVariant {
    /// The variant that a configuration names: under `memory_variant`, or anywhere at its top level
    /// or one level below as the class of the network or its trainer, such as `T5SegMemV2` or
    /// `tasks.mt3_net_segmem_v2_with_prev.MT3NetSegMemV2WithPrev`, Hydra's `_target_`.
    fn from_json(json: &Value) -> Option<Self> {
        if let Some(name) = json["memory_variant"].as_str() {
            return name.parse().ok();
        }
        let of_value = |value: &Value| match value {
            Value::Array(values) => values.iter().find_map(Self::of_class),
            Value::Object(values) => values.values().find_map(Self::of_class),
            other => Self::of_class(other),
        };
        json.as_object()?.values().find_map(of_value)
    }

    fn of_class(name: &Value) -> Option<Self> {
        let letters = name.as_str()?.chars().filter(char::is_ascii_alphanumeric);
        let name = letters.collect::<String>().to_ascii_lowercase();
        name.contains("segmemv2")
            .then(|| match name.contains("withprev") {
                true => Self::V2WithPrev,
                false => Self::V2,
            })
    }
}

impl FromStr for MemoryVariant {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        match text {
            "v2-with-prev" => Ok(Self::V2WithPrev),
            "v2" => Ok(Self::V2),
            _ => Err("unknown variant; use v2-with-prev or v2".to_owned()),
        }
    }
}

/// Hyperparameters that a checkpoint's shapes leave open; `None` where unknown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hyperparameters {
    /// Attention heads of the T5 blocks.
    pub heads: Option<usize>,
    /// Width of a T5 attention head.
    pub head_size: Option<usize>,
    /// Rows of MR-MT3's memory.
    pub memory_rows: Option<usize>,
    /// The variant of MR-MT3's memory.
    pub memory_variant: Option<MemoryVariant>,
    /// The front end that the weights were trained with.
    pub front_end: Option<FrontEndKind>,
    /// Attention heads of YourMT3's encoder.
    pub encoder_heads: Option<usize>,
}

impl Hyperparameters {
    /// Reads the configuration of a T5 model (`num_heads`, `d_kv`, `segmem_length`, the name of
    /// MR-MT3's class, `front_end`) or of YourMT3 (`model_cfg`), at the top level or under `config`.
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
                memory_variant: None,
                front_end: None,
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
            memory_variant: MemoryVariant::from_json(inner)
                .or_else(|| MemoryVariant::from_json(json)),
            front_end: [&inner["front_end"], &json["front_end"]]
                .into_iter()
                .find_map(|value| value.as_str()?.parse().ok()),
            encoder_heads: None,
        }
    }

    /// These values, and those of `other` where unknown.
    pub fn or(self, other: Self) -> Self {
        Self {
            heads: self.heads.or(other.heads),
            head_size: self.head_size.or(other.head_size),
            memory_rows: self.memory_rows.or(other.memory_rows),
            memory_variant: self.memory_variant.or(other.memory_variant),
            front_end: self.front_end.or(other.front_end),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_names_the_variant_of_the_memory() {
        use MemoryVariant::{V2, V2WithPrev};
        let variant = |text: &str| {
            let json: Value = serde_json::from_str(text).unwrap();
            Hyperparameters::from_json(&json).memory_variant
        };
        for (text, want) in [
            (
                r#"{"segmem_length": 16, "model_type": "t5", "version": "v2"}"#,
                None,
            ),
            (r#"{"memory_variant": "v2"}"#, Some(V2)),
            (
                r#"{"config": {"memory_variant": "v2-with-prev"}}"#,
                Some(V2WithPrev),
            ),
            (r#"{"architectures": ["T5SegMemV2"]}"#, Some(V2)),
            (
                r#"{"architectures": ["T5SegMemV2WithPrev"]}"#,
                Some(V2WithPrev),
            ),
            (
                r#"{"model": {"_target_": "tasks.mt3_net_segmem_v2.MT3NetSegMemV2"}}"#,
                Some(V2),
            ),
            (
                r#"{"_target_": "tasks.mt3_net_segmem_v2_with_prev.MT3NetSegMemV2WithPrev",
                    "config": {"num_heads": 6}}"#,
                Some(V2WithPrev),
            ),
        ] {
            assert_eq!(variant(text), want, "{text}");
        }
        assert!("V2".parse::<MemoryVariant>().is_err());
    }

    #[test]
    fn a_configuration_names_the_front_end() {
        for (json, want) in [
            (
                serde_json::json!({"segmem_length": 64, "front_end": "mt3"}),
                Some(FrontEndKind::Mt3),
            ),
            (
                serde_json::json!({"config": {"front_end": "mr-mt3"}}),
                Some(FrontEndKind::MrMt3),
            ),
            (serde_json::json!({"front_end": "wavelets"}), None),
            (serde_json::json!({"num_heads": 6}), None),
        ] {
            assert_eq!(Hyperparameters::from_json(&json).front_end, want, "{json}");
        }
    }
}
