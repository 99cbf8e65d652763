//! `hitscribe models`: the store of imported and downloaded checkpoints.

#[cfg(feature = "fetch")]
mod fetch;

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::Subcommand;
use hitscribe_core::model_store::{
    Integrity, KNOWN_MODELS, Store, StoredModel, Transfer, known_by_name,
};
use hitscribe_models::generate::family_of;

use crate::help;
use crate::output::outln;

/// List, add, download, check and remove MT3-family models
#[derive(clap::Args)]
#[command(after_help = help::MANUAL)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// List the stored models and the published ones that can be downloaded
    List,
    /// Copy a checkpoint into the store
    Add {
        /// Checkpoint: .pth, .ckpt or .safetensors
        file: PathBuf,
        /// Name in the store [default: that of the file]
        #[arg(long = "as", value_name = "NAME")]
        name: Option<String>,
    },
    /// Check stored models against their checksums
    Verify {
        /// Model to check [default: all]
        name: Option<String>,
    },
    /// Delete a model from the store
    Remove {
        /// Name in the store
        name: String,
    },
    #[cfg(feature = "fetch")]
    Fetch(fetch::Args),
}

pub fn run(args: &Args) -> Result<()> {
    let store = Store::for_user()?;
    match &args.action {
        Action::List => list(&store),
        Action::Add { file, name } => {
            // Otherwise a wrong file would fail only when it is used.
            if file.is_file() {
                family_of(file)?;
            }
            let model = store.add(file, name.as_deref(), Transfer::Copy)?;
            outln!("added {}", describe(&model));
            Ok(())
        }
        Action::Verify { name } => verify(&store, name.as_deref()),
        Action::Remove { name } => {
            store.remove(name)?;
            outln!("removed {name}");
            Ok(())
        }
        #[cfg(feature = "fetch")]
        Action::Fetch(args) => fetch::run(&store, args),
    }
}

fn describe(model: &StoredModel) -> String {
    let origin = match model.published_as.as_deref().and_then(known_by_name) {
        Some(known) => format!("published: {}", known.title),
        None => "not a known published file".to_owned(),
    };
    format!(
        "{}  {:.1} MB  sha256 {}  {origin}",
        model.name,
        model.size_bytes as f64 / 1e6,
        model.sha256
    )
}

fn list(store: &Store) -> Result<()> {
    let stored = store.list()?;
    outln!("In {}:", store.folder().display());
    if stored.is_empty() {
        outln!("  no models");
    }
    for (name, model) in &stored {
        match model {
            Ok(model) => outln!("  {}", describe(model)),
            Err(error) => outln!("  {name}  damaged: {error}"),
        }
    }
    outln!("Published; to download one: `hitscribe models fetch NAME`");
    for known in &KNOWN_MODELS {
        let aliases = if known.aliases.is_empty() {
            String::new()
        } else {
            format!(" ({})", known.aliases.join(", "))
        };
        outln!(
            "  {}{aliases}  {}  {}",
            known.name,
            known.size_about,
            known.title
        );
        outln!("    {}", known.pages.join("  "));
        outln!("    licence: {}", known.licence);
        outln!("    sha256 {}", known.sha256);
    }
    Ok(())
}

fn verify(store: &Store, name: Option<&str>) -> Result<()> {
    let names = match name {
        Some(name) => vec![name.to_owned()],
        None => store.list()?.into_iter().map(|(name, _)| name).collect(),
    };
    let mut bad = Vec::new();
    for name in names {
        match store.verify(&name)? {
            Integrity::Intact => outln!("{name}: good"),
            Integrity::Changed { sha256 } => {
                outln!("{name}: changed, its sha256 is now {sha256}");
                bad.push(name);
            }
            Integrity::Unreadable { reason } => {
                outln!("{name}: cannot be read: {reason}");
                bad.push(name);
            }
        }
    }
    if !bad.is_empty() {
        bail!("damaged: {}; add or fetch them again", bad.join(", "));
    }
    Ok(())
}
