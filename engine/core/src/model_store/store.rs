//! The folder of imported models: one folder per model, with its weights and a JSON entry.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::atomic_file::{temporary, write_atomically};
use crate::error::{Error, Result};
use crate::model_store::hash::{copy_with_hash, sha256_of_file};
use crate::model_store::known::{known_by_hash, known_by_name};
use crate::model_store::names::{check_name, file_name_for, name_from};

/// Environment variable with the path of the store.
const FOLDER_VARIABLE: &str = "HITSCRIBE_MODELS";
const ENTRY_FILE: &str = "model.json";
/// First character of the folders of models that are being added or removed.
const HIDDEN: char = '.';

/// The entry of a stored model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredModel {
    /// Name in the store.
    pub name: String,
    /// File name of the weights in the folder of the model.
    pub file_name: String,
    /// Length of the weights in bytes.
    pub size_bytes: u64,
    /// SHA-256 of the weights when they were added, as lowercase hexadecimal digits.
    pub sha256: String,
    /// Name in the catalogue of published checkpoints, if the weights are listed there.
    pub published_as: Option<String>,
}

/// The result of comparing stored weights with their entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Integrity {
    /// The weights are unchanged since they were added.
    Intact,
    /// The weights have changed since they were added.
    Changed {
        /// SHA-256 of the weights now.
        sha256: String,
    },
    /// The weights or their entry cannot be read.
    Unreadable {
        /// Why they cannot be read.
        reason: String,
    },
}

/// How a file is added to the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transfer {
    /// The original is kept.
    Copy,
    /// The original is moved, without copying if it is on the same volume.
    Move,
}

/// The local model store. Adding and removing are atomic: a model is listed with its weights and
/// its entry, or not at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Store {
    folder: PathBuf,
}

impl Store {
    /// The store of the current user: the folder in the environment variable `HITSCRIBE_MODELS`, or
    /// `hitscribe/models` in the data folder of the platform.
    ///
    /// # Errors
    /// [`Error::Store`] if the platform has no data folder.
    pub fn for_user() -> Result<Self> {
        if let Some(folder) = std::env::var_os(FOLDER_VARIABLE).filter(|f| !f.is_empty()) {
            return Ok(Self::at(folder.into()));
        }
        let data = dirs::data_dir().ok_or_else(|| Error::Store {
            path: PathBuf::new(),
            reason: format!(
                "the system has no data folder for this user; set {FOLDER_VARIABLE} to a folder"
            ),
        })?;
        Ok(Self::at(data.join("hitscribe").join("models")))
    }

    /// The store in `folder`, which need not exist yet.
    pub fn at(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// The folder of the store.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Path of the weights of a stored model.
    pub fn weights_path(&self, model: &StoredModel) -> PathBuf {
        self.folder.join(&model.name).join(&model.file_name)
    }

    /// Creates the folder of the store if it does not exist.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be created.
    pub fn create_folder(&self) -> Result<()> {
        fs::create_dir_all(&self.folder).map_err(|source| Error::io(&self.folder, source))
    }

    /// All stored models, sorted by name: the name, and the entry or why it cannot be read.
    ///
    /// # Errors
    /// [`Error::Io`] if the folder of the store exists and cannot be read.
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
    /// # Errors
    /// [`Error::Store`] if there is no such model or its entry is damaged, [`Error::Io`] if the
    /// entry cannot be read.
    pub fn get(&self, name: &str) -> Result<StoredModel> {
        check_name(name)?;
        let path = self.folder.join(name).join(ENTRY_FILE);
        if !self.folder.join(name).is_dir() {
            return Err(self.missing(name));
        }
        let text = fs::read_to_string(&path).map_err(|source| Error::io(&path, source))?;
        let model: StoredModel = serde_json::from_str(&text).map_err(|e| {
            Error::store(
                &path,
                format!("is damaged ({e}); remove the model and add it again"),
            )
        })?;
        // A manipulated entry must not point outside of its folder.
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

    /// Adds a file and returns its entry. Without `name` the model gets its catalogue name or a
    /// name derived from the file name. If the model is already stored with the same bytes, its
    /// entry is returned.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be read or the store cannot be written, [`Error::Store`] if
    /// the name is invalid or belongs to another model, or if `file` is not a file.
    pub fn add(&self, file: &Path, name: Option<&str>, transfer: Transfer) -> Result<StoredModel> {
        let metadata = fs::metadata(file).map_err(|source| Error::io(file, source))?;
        if !metadata.is_file() {
            return Err(Error::store(
                file,
                "is not a file; give the path of the checkpoint".to_owned(),
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
            let stored = self.get(&model.name)?;
            if stored.sha256 != model.sha256 {
                let reason = format!(
                    "already has another model {:?}; choose a name with --as, or remove that model",
                    stored.name
                );
                return Err(Error::store(&self.folder, reason));
            }
            if matches!(self.verify(&model.name)?, Integrity::Intact) {
                return Ok(stored);
            }
            // The stored weights are damaged: replace them.
            self.remove(&model.name)?;
        }
        self.put(file, &model, transfer)?;
        Ok(model)
    }

    /// Makes the folder of a model in a hidden place, then renames it.
    fn put(&self, file: &Path, model: &StoredModel, transfer: Transfer) -> Result<()> {
        self.create_folder()?;
        let staging = self.hidden_folder("adding")?;
        let entry = staging.path().join(ENTRY_FILE);
        let text =
            serde_json::to_string_pretty(model).map_err(|e| Error::store(&entry, e.to_string()))?;
        write_atomically(&entry, text.as_bytes())?;
        let weights = staging.path().join(&model.file_name);
        let is_moved = transfer == Transfer::Move && fs::rename(file, &weights).is_ok();
        if !is_moved && copy_with_hash(file, &weights)? != model.sha256 {
            return Err(Error::store(
                file,
                "changed while it was being added; try again".to_owned(),
            ));
        }
        let target = self.folder.join(&model.name);
        if let Err(source) = fs::rename(staging.path(), &target) {
            if is_moved && fs::rename(&weights, file).is_err() {
                // The only copy of the weights must survive.
                let _ = staging.keep();
            }
            return Err(Error::io(&target, source));
        }
        if transfer == Transfer::Move && !is_moved {
            fs::remove_file(file).map_err(|source| Error::io(file, source))?;
        }
        Ok(())
    }

    /// A new folder in the store that is not listed, and is removed when dropped.
    fn hidden_folder(&self, purpose: &str) -> Result<tempfile::TempDir> {
        let prefix = format!("{HIDDEN}{purpose}-");
        temporary(&prefix, 0o777)
            .tempdir_in(&self.folder)
            .map_err(|source| Error::io(&self.folder, source))
    }

    /// Reads the weights of a model and compares them with its entry.
    ///
    /// # Errors
    /// [`Error::Store`] if there is no such model.
    pub fn verify(&self, name: &str) -> Result<Integrity> {
        let model = match self.get(name) {
            Ok(model) => model,
            Err(error) if self.folder.join(name).is_dir() => {
                return Ok(Integrity::Unreadable {
                    reason: error.to_string(),
                });
            }
            Err(error) => return Err(error),
        };
        Ok(match sha256_of_file(&self.weights_path(&model)) {
            Err(error) => Integrity::Unreadable {
                reason: error.to_string(),
            },
            Ok((sha256, _)) if sha256 == model.sha256 => Integrity::Intact,
            Ok((sha256, _)) => Integrity::Changed { sha256 },
        })
    }

    /// Removes a model, even if it is damaged.
    ///
    /// # Errors
    /// [`Error::Store`] if there is no such model, [`Error::Io`] if it cannot be removed.
    pub fn remove(&self, name: &str) -> Result<()> {
        check_name(name)?;
        let folder = self.folder.join(name);
        if !folder.is_dir() {
            return Err(self.missing(name));
        }
        // Rename first, so that a partly removed model is never listed.
        let hidden = self.hidden_folder("removing")?;
        fs::rename(&folder, hidden.path().join(name))
            .map_err(|source| Error::io(&folder, source))?;
        hidden.close().map_err(|source| Error::io(&folder, source))
    }

    /// Path of the weights that a user means: by the name of a stored model, by the catalogue name
    /// of a model that is stored under another name, or by a path.
    ///
    /// # Errors
    /// [`Error::Store`] if there is no such model or file, with how to get it; [`Error::Io`] if the
    /// store cannot be read.
    pub fn find(&self, name_or_path: &str) -> Result<PathBuf> {
        if check_name(name_or_path).is_ok() {
            if self.folder.join(name_or_path).is_dir() {
                return self
                    .get(name_or_path)
                    .map(|model| self.weights_path(&model));
            }
            let matches = |m: &StoredModel| {
                m.published_as
                    .as_deref()
                    .and_then(known_by_name)
                    .is_some_and(|k| k.has_name(name_or_path))
            };
            let stored = self.list()?.into_iter().filter_map(|(_, model)| model.ok());
            if let Some(model) = stored.into_iter().find(matches) {
                return Ok(self.weights_path(&model));
            }
        }
        let path = Path::new(name_or_path);
        if path.exists() {
            return Ok(path.to_owned());
        }
        let reason = match known_by_name(name_or_path) {
            Some(known) => format!(
                "is not in the model store; `hitscribe models fetch {}` downloads it ({}), \
                 `hitscribe models add FILE` imports a copy",
                known.name, known.size_about
            ),
            None => "is neither a file nor a stored model; see `hitscribe models list`".to_owned(),
        };
        Err(Error::store(path, reason))
    }

    fn missing(&self, name: &str) -> Error {
        let reason = format!("has no model {name:?}; see `hitscribe models list`");
        Error::store(&self.folder, reason)
    }
}
