//! The arguments that choose a model, and the messages about it.

use std::path::Path;

use anyhow::{Context, Result, bail};
use hitscribe::model_store::RESERVED_NAME;
use hitscribe::{AllowedNotes, DeviceChoice, Notice, Options, Transcriber, Warning};
use hitscribe_core::features::mt3_family::FrontEndKind;

use crate::help;

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
        value_parser = crate::values::front_end)]
    pub frontend: Option<FrontEndKind>,
}

fn parse_source(text: &str) -> Result<AllowedNotes, String> {
    text.parse()
}

/// Loads the model that the arguments name. `weights` is a weights file for one of the built-in
/// networks.
pub fn load(args: &ModelArgs, weights: Option<&Path>, device: DeviceChoice) -> Result<Transcriber> {
    let mut builder = Transcriber::builder().device(device);
    if let Some(front_end) = args.frontend {
        builder = builder.front_end(front_end);
    }
    let transcriber = match (&args.model, weights) {
        (Some(name), _) if name == RESERVED_NAME && args.source.is_some() => bail!(
            "--model auto chooses by the content of the audio: it cannot be combined with --source"
        ),
        (Some(name), _) => builder.open(name)?,
        (None, None) => builder.builtin()?,
        (None, Some(path)) => {
            let shown = || path.display().to_string();
            let bytes = std::fs::read(path).with_context(shown)?;
            builder.weights(bytes).builtin().with_context(shown)?
        }
    };
    if let Some(reason) = transcriber.fallback_reason() {
        let reason = reason.as_str();
        crate::output::message(&Notice::Fallback { reason }.to_string());
    }
    Ok(transcriber)
}

/// Options for `input` with the source of the arguments. Notices go to standard error.
pub fn options<'a>(transcriber: &'a Transcriber, args: &ModelArgs, input: &'a Path) -> Options<'a> {
    let options = transcriber.options().on_notice(move |notice| match notice {
        Notice::Fallback { .. } => crate::output::message(&notice.to_string()),
        _ => crate::output::message(&format!("{}: {notice}", input.display())),
    });
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
