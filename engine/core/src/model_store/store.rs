//! The folder of imported models: one folder per model with its file and what we know about it.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::model_store::hash::{copy_with_hash, sha256_of_file};
use crate::model_store::known_by_hash;
use crate::model_store::names::{check_name, file_name_for, name_from};

/// Environment variable that names the folder.
const FOLDER_VARIABLE: &str = "HITSCRIBE_MODELS";
const ENTRY_FILE: &str = "model.json";
/// Folders that begin with this are being made or unmade.
const HIDDEN: char = '.';

/// A model of the store, as its entry describes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredModel {
    /// Name in the store.
    pub name: String,
    /// Name of the weights inside the model's folder.
    pub file_name: String,
    /// Size of the weights.
    pub size_bytes: u64,
    /// SHA-256 of the weights when they were added, lowercase hexadecimal.
    pub sha256: String,
    /// Name in the catalogue, if the weights are a published file.
    pub published_as: Option<String>,
}

/// What has become of a stored file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Check {
    /// It is as it was added, and, if it is a published file, as it was published.
    Good,
    /// Its bytes have changed since it was added.
    Changed {
        /// SHA-256 that it has now.
        sha256: String,
    },
    /// The weights or their entry cannot be read.
    Unreadable {
        /// Why, in words.
        reason: String,
    },
}

/// How a file gets into the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transfer {
    /// The original stays where it is.
    Copy,
    /// The original is moved; on the same volume without copying.
    Move,
}

/// The local store. Its operations are atomic: a model is there with its entry, or it is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Store {
    folder: PathBuf,
}

impl Store {
    /// The user's store: the folder in `HITSCRIBE_MODELS`, else `hitscribe/models` in the platform's data folder.
    ///
    /// Errors: [`Error::Store`] when the system names no such folder.
    pub fn of_user() -> Result<Self> {
        if let Some(folder) = std::env::var_os(FOLDER_VARIABLE).filter(|f| !f.is_empty()) {
            return Ok(Self::at(folder.into()));
        }
        let data = dirs::data_dir().ok_or_else(|| Error::Store {
            path: PathBuf::new(),
            reason: format!("no folder for the user's data is known; set {FOLDER_VARIABLE} to one"),
        })?;
        Ok(Self::at(data.join("hitscribe").join("models")))
    }

    /// A store in this folder, which need not exist yet.
    pub fn at(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Where the models are.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Path of the weights of a stored model.
    pub fn weights(&self, model: &StoredModel) -> PathBuf {
        self.folder.join(&model.name).join(&model.file_name)
    }

    /// Makes the folder if it is not there, for whoever downloads into it.
    pub fn create_folder(&self) -> Result<()> {
        fs::create_dir_all(&self.folder).map_err(|source| Error::io(&self.folder, source))
    }

    /// The names of all stored models with their entries, sorted by name; damaged ones with what is wrong.
    pub fn list(&self) -> Result<Vec<(String, Result<StoredModel>)>> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(Error::io(&self.folder, e)),
        };
        let mut names: Vec<String> = entries
            .filter_map(|e| {
                e.ok()
                    .filter(|e| e.path().is_dir())?
                    .file_name()
                    .into_string()
                    .ok()
            })
            .filter(|name| !name.starts_with(HIDDEN))
            .collect();
        names.sort();
        Ok(names
            .into_iter()
            .map(|name| (name.clone(), self.get(&name)))
            .collect())
    }

    /// The entry of a stored model.
    ///
    /// Errors: [`Error::Store`] when there is no such model or its entry is damaged.
    pub fn get(&self, name: &str) -> Result<StoredModel> {
        check_name(name)?;
        let path = self.folder.join(name).join(ENTRY_FILE);
        if !self.folder.join(name).is_dir() {
            return Err(Error::store(
                &self.folder,
                format!("has no model {name:?}; `hitscribe models list` shows them"),
            ));
        }
        let text = fs::read_to_string(&path).map_err(|source| Error::io(&path, source))?;
        let model: StoredModel = serde_json::from_str(&text).map_err(|e| {
            Error::store(
                &path,
                format!("is damaged ({e}); remove the model and add it again"),
            )
        })?;
        // An entry that was tampered with must not lead out of its folder.
        if model.name != name
            || Path::new(&model.file_name).file_name() != Some(model.file_name.as_ref())
        {
            return Err(Error::store(
                &path,
                "does not belong to its folder; remove the model and add it again".to_owned(),
            ));
        }
        Ok(model)
    }

    /// Adds a file under `name`, or under its own name, and returns its entry. A model that is there already with the
    /// same bytes is returned as it is.
    ///
    /// Errors: [`Error::Io`] when the file cannot be read or the store not written, [`Error::Store`] when the name
    /// cannot be used or belongs to another file.
    pub fn add(&self, file: &Path, name: Option<&str>, transfer: Transfer) -> Result<StoredModel> {
        let metadata = fs::metadata(file).map_err(|source| Error::io(file, source))?;
        if !metadata.is_file() {
            return Err(Error::store(
                file,
                "is not a file; name the checkpoint itself".to_owned(),
            ));
        }
        let (sha256, size_bytes) = sha256_of_file(file)?;
        let known = known_by_hash(&sha256);
        let name = match (name, known) {
            (Some(name), _) => name.to_owned(),
            (None, Some(known)) => known.name.to_owned(),
            (None, None) => name_from(file),
        };
        check_name(&name)?;
        let file_name =
            known.map_or_else(|| file_name_for(file), |known| known.file_name.to_owned());
        let published_as = known.map(|known| known.name.to_owned());
        let model = StoredModel {
            name,
            file_name,
            size_bytes,
            sha256,
            published_as,
        };
        if self.folder.join(&model.name).exists() {
            let there = self.get(&model.name)?;
            if there.sha256 != model.sha256 {
                let reason = format!(
                    "has another model called {:?}; choose a name with --as, or remove it",
                    there.name
                );
                return Err(Error::store(&self.folder, reason));
            }
            if matches!(self.verify(&model.name)?, Check::Good) {
                return Ok(there);
            }
            // The same model, but its stored bytes have gone bad: put the good ones in their place.
            self.remove(&model.name)?;
        }
        self.put(file, &model, transfer)?;
        Ok(model)
    }

    fn put(&self, file: &Path, model: &StoredModel, transfer: Transfer) -> Result<()> {
        self.create_folder()?;
        let making = self.folder.join(format!(
            "{HIDDEN}adding-{}-{}",
            model.name,
            std::process::id()
        ));
        let outcome = self.fill(file, model, transfer, &making).and_then(|()| {
            let target = self.folder.join(&model.name);
            fs::rename(&making, &target).map_err(|source| Error::io(&target, source))
        });
        if outcome.is_err() && transfer == Transfer::Copy {
            // What is left is of no use; that it could not be removed changes nothing about the error.
            let _ = fs::remove_dir_all(&making);
        }
        outcome
    }

    fn fill(
        &self,
        file: &Path,
        model: &StoredModel,
        transfer: Transfer,
        making: &Path,
    ) -> Result<()> {
        if making.exists() {
            fs::remove_dir_all(making).map_err(|source| Error::io(making, source))?;
        }
        fs::create_dir(making).map_err(|source| Error::io(making, source))?;
        let weights = making.join(&model.file_name);
        if transfer == Transfer::Copy || fs::rename(file, &weights).is_err() {
            let copied = copy_with_hash(file, &weights)?;
            if copied != model.sha256 {
                return Err(Error::store(
                    file,
                    "changed while it was being added; try again".to_owned(),
                ));
            }
            if transfer == Transfer::Move {
                fs::remove_file(file).map_err(|source| Error::io(file, source))?;
            }
        }
        let entry = making.join(ENTRY_FILE);
        let text =
            serde_json::to_string_pretty(model).map_err(|e| Error::store(&entry, e.to_string()))?;
        let mut out = File::create(&entry).map_err(|source| Error::io(&entry, source))?;
        out.write_all(text.as_bytes())
            .and_then(|()| out.sync_all())
            .map_err(|source| Error::io(&entry, source))
    }

    /// Reads a stored file again and compares it with its entry.
    pub fn verify(&self, name: &str) -> Result<Check> {
        let model = match self.get(name) {
            Ok(model) => model,
            Err(error) if self.folder.join(name).is_dir() => {
                return Ok(Check::Unreadable {
                    reason: error.to_string(),
                });
            }
            Err(error) => return Err(error),
        };
        Ok(match sha256_of_file(&self.weights(&model)) {
            Err(error) => Check::Unreadable {
                reason: error.to_string(),
            },
            Ok((sha256, _)) if sha256 == model.sha256 => Check::Good,
            Ok((sha256, _)) => Check::Changed { sha256 },
        })
    }

    /// Removes a model, damaged or not.
    pub fn remove(&self, name: &str) -> Result<()> {
        check_name(name)?;
        let folder = self.folder.join(name);
        if !folder.is_dir() {
            return Err(Error::store(
                &self.folder,
                format!("has no model {name:?}; `hitscribe models list` shows them"),
            ));
        }
        // Out of sight first, so that no half-removed model is ever listed.
        let gone = self
            .folder
            .join(format!("{HIDDEN}removing-{name}-{}", std::process::id()));
        fs::rename(&folder, &gone).map_err(|source| Error::io(&folder, source))?;
        fs::remove_dir_all(&gone).map_err(|source| Error::io(&gone, source))
    }

    /// Weights for what a user calls a model: a name in the store, else a path, else a catalogue name that is stored
    /// under another name.
    ///
    /// Errors: [`Error::Store`] that says what can be done.
    pub fn find(&self, name_or_path: &str) -> Result<PathBuf> {
        if check_name(name_or_path).is_ok() {
            if self.folder.join(name_or_path).is_dir() {
                return self.get(name_or_path).map(|model| self.weights(&model));
            }
            let is_meant = |m: &StoredModel| {
                m.published_as
                    .as_deref()
                    .and_then(super::known_by_name)
                    .is_some_and(|k| k.is_called(name_or_path))
            };
            let stored = self.list()?.into_iter().filter_map(|(_, model)| model.ok());
            if let Some(model) = stored.into_iter().find(is_meant) {
                return Ok(self.weights(&model));
            }
        }
        let path = Path::new(name_or_path);
        if path.exists() {
            return Ok(path.to_owned());
        }
        Err(Error::store(
            path,
            match super::known_by_name(name_or_path) {
                Some(known) => format!(
                    "is not in the store; `hitscribe models fetch {}` downloads it ({}), `hitscribe models add FILE` \
                 imports a copy",
                    known.name, known.size_about
                ),
                None => {
                    "is neither a file nor a model of the store; `hitscribe models list` shows them"
                        .to_owned()
                }
            },
        ))
    }
}
