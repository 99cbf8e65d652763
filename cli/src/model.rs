//! Arguments that several commands share: model, network, leakage filter. Messages about models.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use hitscribe::leakage::{Settings, Strategy};
use hitscribe::model_store::RESERVED_NAME;
use hitscribe::{
    AllowedNotes, DeviceChoice, Notice, Options, Precision, Transcriber, TranscriberBuilder,
    Warning,
};
use hitscribe_core::features::mt3_family::FrontEndKind;

use crate::{help, values};

/// Which model is used, and how.
#[derive(Clone, clap::Args)]
pub struct ModelArgs {
    /// MT3, MR-MT3 or YourMT3 checkpoint to use, or `auto` to choose by content
    #[arg(long, value_name = "FILE|NAME|auto", conflicts_with = "weights", help_heading = help::MODEL)]
    pub model: Option<String>,
    /// What the audio contains, such as mix, drums, bass or guitar+voice
    #[arg(long, value_name = "SOURCE", value_parser = parse_source, help_heading = help::MODEL)]
    pub source: Option<AllowedNotes>,
    /// Input features for --model [default: those it was trained with]
    #[arg(long, requires = "model", value_name = "NAME", help_heading = help::MODEL,
        value_parser = values::front_end)]
    pub frontend: Option<FrontEndKind>,
    /// Weights of --model: auto, f32, f16 or int8 (CPU only)
    #[arg(long, requires = "model", default_value_t, hide_default_value = true, help_heading = help::MODEL)]
    pub precision: Precision,
    /// Drums as in live sessions: by one network instead of two, three times as fast
    #[arg(long, conflicts_with = "model", help_heading = help::MODEL)]
    pub live: bool,
    #[command(flatten)]
    pub network: NetworkArgs,
}

/// How a network is run.
#[derive(Clone, clap::Args)]
pub struct NetworkArgs {
    /// Weights that replace a built-in network's, drums or pitched
    #[arg(long, value_name = "SAFETENSORS", help_heading = help::MODEL)]
    pub weights: Option<PathBuf>,
    /// Where to compute: auto, cpu, cuda:N or gpu:N
    #[arg(long, default_value_t, help_heading = help::MODEL)]
    pub device: DeviceChoice,
    /// 0: only the surest notes, 1: every candidate
    #[arg(long, default_value_t = 0.5, value_name = "0..1", value_parser = values::fraction,
        help_heading = help::NOTES)]
    pub sensitivity: f32,
}

/// How leaked notes are removed. `transcribe` has another default strategy.
#[derive(Clone, clap::Args)]
pub struct LeakageArgs {
    /// Filter for drum hits transcribed as pitched notes
    #[arg(long = "leakage", default_value_t = Strategy::Auto, value_name = "FILTER",
        help_heading = help::NOTES)]
    pub strategy: Strategy,
    /// Threshold of the confidence filter
    #[arg(long, default_value_t = 0.5, value_name = "0..1", value_parser = values::fraction,
        help_heading = help::NOTES)]
    pub minimum_confidence: f32,
}

impl LeakageArgs {
    /// The settings of the filter.
    pub fn settings(&self) -> Settings {
        Settings {
            strategy: self.strategy,
            minimum_confidence: self.minimum_confidence,
        }
    }
}

fn parse_source(text: &str) -> Result<AllowedNotes, String> {
    text.parse()
}

/// Loads the model that the arguments name.
pub fn load(args: &ModelArgs) -> Result<Transcriber> {
    let mut builder = Transcriber::builder()
        .device(args.network.device.clone())
        .precision(args.precision);
    if let Some(front_end) = args.frontend {
        builder = builder.front_end(front_end);
    }
    let transcriber = match &args.model {
        Some(name) if name == RESERVED_NAME && args.source.is_some() => bail!(
            "--model auto chooses by the content of the audio: it cannot be combined with --source"
        ),
        Some(name) => builder.open(name)?,
        None => load_builtin(builder, args.network.weights.as_deref())?,
    };
    if let Some(reason) = transcriber.fallback_reason() {
        let reason = reason.as_str();
        crate::output::message(&Notice::Fallback { reason }.to_string());
    }
    Ok(transcriber)
}

/// Loads the built-in networks, one of them with the weights of a file.
pub fn load_builtin(builder: TranscriberBuilder, weights: Option<&Path>) -> Result<Transcriber> {
    let Some(path) = weights else {
        return Ok(builder.builtin()?);
    };
    let shown = || path.display().to_string();
    let bytes = std::fs::read(path).with_context(shown)?;
    builder.weights(bytes).builtin().with_context(shown)
}

/// Options for `input` with the source of the arguments. Notices go to standard error.
pub fn options<'a>(transcriber: &'a Transcriber, args: &ModelArgs, input: &'a Path) -> Options<'a> {
    let options = transcriber.options().on_notice(move |notice| match notice {
        Notice::Fallback { .. } => crate::output::message(&notice.to_string()),
        _ => crate::output::message(&format!("{}: {notice}", input.display())),
    });
    let options = options.live(args.live);
    match &args.source {
        Some(source) => options.source(source.clone()),
        None => options,
    }
}

/// A warning with the flag that changes it.
pub fn warning_text(warning: &Warning) -> String {
    match warning {
        Warning::UncertainPitchedNotes { pitched, drums } => format!(
            "{pitched} pitched notes beside {drums} hits were left out: --source mix keeps them"
        ),
        other => other.to_string(),
    }
}
