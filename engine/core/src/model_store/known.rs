//! The catalogue of published checkpoints.

use serde::Serialize;

/// A published checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct KnownModel {
    /// Name on the command line.
    pub name: &'static str,
    /// Other names of this model.
    pub aliases: &'static [&'static str],
    /// Display name.
    pub title: &'static str,
    /// File name of the published checkpoint.
    pub file_name: &'static str,
    /// SHA-256 of the file as 64 lowercase hexadecimal digits.
    pub sha256: &'static str,
    /// Exact length of the file in bytes, if known.
    pub size_bytes: Option<u64>,
    /// Rounded size for display.
    pub size_about: &'static str,
    /// Download addresses in order of preference. All serve the same bytes.
    pub urls: &'static [&'static str],
    /// Pages about the model.
    pub pages: &'static [&'static str],
    /// The authors' terms of use.
    pub licence: &'static str,
    /// Address of the paper.
    pub paper: &'static str,
}

impl KnownModel {
    /// Whether `name` is the name or an alias of this model.
    pub fn has_name(&self, name: &str) -> bool {
        self.name == name || self.aliases.contains(&name)
    }
}

/// The published checkpoints that Hitscribe supports.
pub const KNOWN_MODELS: [KnownModel; 2] = [
    KnownModel {
        name: "mt3",
        aliases: &["mt3-pytorch", "mr-mt3"],
        title: "MT3 multi-instrument, as MT3-PyTorch and MR-MT3 distribute it (one and the same file)",
        file_name: "mt3.pth",
        sha256: "b8a3807ed265059abd25ad7f68142c06c35e8f6144dcaa45bd55946a3745398f",
        size_bytes: Some(183_672_643),
        size_about: "184 MB",
        urls: &[
            "https://huggingface.co/gudgud1014/MR-MT3/resolve/main/mt3.pth",
            "https://media.githubusercontent.com/media/kunato/mt3-pytorch/master/pretrained/mt3.pth",
        ],
        pages: &[
            "https://huggingface.co/gudgud1014/MR-MT3",
            "https://github.com/gudgud96/MR-MT3",
            "https://github.com/kunato/mt3-pytorch",
        ],
        licence: "not stated for the weights; the code of MR-MT3 is MIT, that of Magenta's MT3, from which the \
                  weights were converted, Apache-2.0; MT3-PyTorch declares none",
        paper: "https://arxiv.org/abs/2111.03017",
    },
    KnownModel {
        name: "yourmt3",
        aliases: &["yptf-moe-multi-nops"],
        title: "YourMT3+, YPTF.MoE+Multi (noPS)",
        file_name: "last.ckpt",
        sha256: "ae38e415c79efd5592dcb9b658cdb99ddb11d4c4e1eaa364cab04a052473fc25",
        size_bytes: None,
        size_about: "536 MB",
        urls: &[
            "https://huggingface.co/spaces/mimbres/YourMT3/resolve/main/amt/logs/2024/\
                 mc13_256_g4_all_v7_mt3f_sqr_rms_moe_wf4_n8k2_silu_rope_rp_b36_nops/checkpoints/last.ckpt",
        ],
        pages: &[
            "https://huggingface.co/spaces/mimbres/YourMT3",
            "https://github.com/mimbres/YourMT3",
        ],
        licence: "Apache-2.0 (the Hugging Face space that publishes it)",
        paper: "https://arxiv.org/abs/2407.04822",
    },
];

/// The published checkpoint with this name or alias.
pub fn known_by_name(name: &str) -> Option<&'static KnownModel> {
    KNOWN_MODELS.iter().find(|m| m.has_name(name))
}

/// The published checkpoint with this SHA-256.
pub fn known_by_hash(sha256: &str) -> Option<&'static KnownModel> {
    KNOWN_MODELS
        .iter()
        .find(|m| m.sha256.eq_ignore_ascii_case(sha256))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_models_are_valid_and_found_by_name_and_hash() {
        for model in &KNOWN_MODELS {
            assert_eq!(model.sha256.len(), 64);
            assert!(
                model
                    .sha256
                    .bytes()
                    .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
            );
            assert!(
                model
                    .urls
                    .iter()
                    .all(|u| u.starts_with("https://") && !u.contains(char::is_whitespace))
            );
            assert_eq!(known_by_hash(&model.sha256.to_uppercase()), Some(model));
            for name in model.aliases.iter().chain([&model.name]) {
                assert_eq!(known_by_name(name), Some(model));
            }
        }
        assert_eq!(known_by_name("unknown"), None);
    }
}
