//! The model menu and the status of the selected model.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use egui::{ComboBox, RichText, Ui};
use hitscribe::ModelChoice;
use hitscribe_core::model_store::Store;
use hitscribe_live::{ModelPhase, ModelStatus};
use hitscribe_models::generate::family_of;
use parking_lot::Mutex;

use crate::editor::problem::{Problem, Repair};
use crate::editor::style::palette;
use crate::params::HitscribeParams;

/// Menu entry of the built-in models.
const BUILT_IN: &str = "Built-in";
/// The store is read this often while the menu is open.
const REFRESH_INTERVAL: Duration = Duration::from_secs(3);

/// A model in the store.
#[derive(Clone, Debug, PartialEq)]
struct Listed {
    choice: ModelChoice,
    /// Name of its family, or why it is not a model.
    family: Result<&'static str, String>,
}

/// The models in the user's store when it was last read.
#[derive(Default)]
pub struct Models {
    listed: Arc<Mutex<Vec<Listed>>>,
    is_reading: Arc<AtomicBool>,
    last_read: Option<Instant>,
}

impl Models {
    /// Reads the store on a background thread, if the list is out of date.
    fn refresh(&mut self) {
        let is_fresh = self
            .last_read
            .is_some_and(|at| at.elapsed() < REFRESH_INTERVAL);
        if is_fresh || self.is_reading.swap(true, Ordering::AcqRel) {
            return;
        }
        self.last_read = Some(Instant::now());
        let (listed, is_reading) = (self.listed.clone(), self.is_reading.clone());
        let spawned = std::thread::Builder::new()
            .name("hitscribe-models".to_owned())
            .spawn(move || {
                let known = listed.lock().clone();
                *listed.lock() =
                    Store::for_user().map_or_else(|_| Vec::new(), |s| list(&s, &known));
                is_reading.store(false, Ordering::Release);
            });
        if spawned.is_err() {
            self.is_reading.store(false, Ordering::Release);
        }
    }
}

/// The models in a store. Those in `known` are not opened again.
fn list(store: &Store, known: &[Listed]) -> Vec<Listed> {
    let stored = store.list().unwrap_or_default();
    let stored = stored.into_iter().filter_map(|(_, model)| model.ok());
    stored
        .map(|model| {
            let choice = ModelChoice::from(&model);
            let before = known.iter().find(|known| known.choice == choice);
            let family = || match family_of(&store.weights_path(&model)) {
                Ok(family) => Ok(family.name()),
                Err(error) => Err(error.to_string()),
            };
            let family = before.map_or_else(family, |before| before.family.clone());
            Listed { choice, family }
        })
        .collect()
}

/// Draws the menu.
pub fn choose(ui: &mut Ui, params: &HitscribeParams, models: &mut Models) {
    let chosen = params.model.chosen();
    let name = chosen.as_ref().map_or(BUILT_IN, |choice| &choice.name);
    let label = ui.label(RichText::new("Model").color(palette(ui).faint));
    let hint = "The model that transcribes this track: the built-in ones, or an imported MT3, MR-MT3 or \
                YourMT3. A change takes effect when the transport is stopped and changes the delay.";
    let combo = ComboBox::from_id_salt("Model").selected_text(name);
    let shown = combo.show_ui(ui, |ui| {
        models.refresh();
        if ui.selectable_label(chosen.is_none(), BUILT_IN).clicked() {
            params.model.choose(None);
        }
        let listed = models.listed.lock().clone();
        for Listed { choice, family } in &listed {
            let is_chosen = chosen.as_ref() == Some(choice);
            let text = match family {
                Ok(family) => format!("{} ({family})", choice.name),
                Err(_) => format!("{} (not a model)", choice.name),
            };
            let label = egui::Button::selectable(is_chosen, text);
            let response = ui.add_enabled(family.is_ok(), label);
            let response = match family {
                Ok(_) => response,
                Err(reason) => response.on_disabled_hover_text(reason),
            };
            if response.clicked() {
                params.model.choose(Some(choice.clone()));
            }
        }
        if listed.is_empty() {
            let text = "To import another model, run in a terminal:\nhitscribe models fetch mt3\n\
                        hitscribe models add FILE";
            ui.label(RichText::new(text).color(palette(ui).faint));
        }
    });
    shown.response.labelled_by(label.id).on_hover_text(hint);
}

/// Display name of a device.
pub fn device_name(device: &str) -> &str {
    if device == "cpu" { "CPU" } else { device }
}

/// Draws the status of an imported model.
pub fn status_label(ui: &mut Ui, choice: &ModelChoice, status: Option<&ModelStatus>) {
    let name = &choice.name;
    let Some(status) = status else {
        let text = format!("{name}: loads when the transport stops");
        ui.label(RichText::new(text).color(palette(ui).faint));
        return;
    };
    let (text, is_bad, hint) = match status.phase {
        ModelPhase::Loading => (format!("Loading {name}…"), false, None),
        ModelPhase::Missing => (format!("{name} is not installed"), true, None),
        ModelPhase::Damaged => (format!("{name} cannot be used"), true, None),
        ModelPhase::Ready => {
            let family = status.family.map_or("", |family| family.name());
            let mut text = format!("{family}, {}", device_name(&status.device));
            if status.reason.is_some() {
                text += " ℹ";
            }
            let factor = status.real_time_factor.unwrap_or(0.0);
            if factor > 0.0 {
                text += &format!(", uses {:.0} % of real time", 100.0 * factor);
            }
            let is_slow = factor >= 1.0;
            let hint =
                "Slower than real time, so live notes are late. Offline rendering waits for them.";
            (text, is_slow, is_slow.then_some(hint))
        }
    };
    let color = match is_bad {
        true => palette(ui).alarm,
        false => palette(ui).text,
    };
    let label = ui.label(RichText::new(text).color(color));
    if let Some(hint) = status.reason.as_deref().or(hint) {
        label.on_hover_text(hint);
    }
}

/// The problem if an imported model cannot be used.
pub fn problem(choice: &ModelChoice, status: &ModelStatus) -> Option<Problem> {
    let state = match status.phase {
        ModelPhase::Missing => "is not installed",
        ModelPhase::Damaged => "cannot be used",
        ModelPhase::Loading | ModelPhase::Ready => return None,
    };
    let name = &choice.name;
    Some(Problem {
        text: format!("The model \"{name}\" {state}, so nothing is transcribed."),
        detail: status.reason.clone(),
        repair: Some(Repair::UseBuiltIn),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use hitscribe_core::model_store::Transfer;
    use std::path::Path;

    #[test]
    fn the_list_names_families_and_marks_files_that_are_not_models() {
        let folder = std::env::temp_dir().join(format!("hitscribe-list-{}", std::process::id()));
        let store = Store::at(folder.clone());
        assert!(list(&store, &[]).is_empty());
        let engine = Path::new(env!("CARGO_MANIFEST_DIR")).join("../engine");
        for (file, name) in [
            ("models/tests/data/mt3_family/tiny.pth", "tiny"),
            ("core/tests/data/ping.flac", "ping"),
        ] {
            store
                .add(&engine.join(file), Some(name), Transfer::Copy)
                .unwrap();
        }
        let listed = list(&store, &[]);
        let names: Vec<_> = listed.iter().map(|m| m.choice.name.as_str()).collect();
        assert_eq!(names, ["ping", "tiny"]);
        assert!(listed[0].family.is_err());
        assert_eq!(listed[1].family, Ok("MT3"));
        std::fs::remove_file(folder.join("tiny/weights.pth")).unwrap();
        assert_eq!(
            list(&store, &listed),
            listed,
            "known models are not opened again"
        );
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn only_an_unusable_model_is_a_problem() {
        let choice = ModelChoice {
            name: "mt3".to_owned(),
            sha256: "5".repeat(64),
        };
        let status = |phase| ModelStatus {
            phase,
            reason: Some("the GPU is gone".to_owned()),
            ..ModelStatus::default()
        };
        assert_eq!(problem(&choice, &status(ModelPhase::Ready)), None);
        assert_eq!(problem(&choice, &status(ModelPhase::Loading)), None);
        let found = problem(&choice, &status(ModelPhase::Missing)).unwrap();
        let text = "The model \"mt3\" is not installed";
        assert!(found.text.starts_with(text), "{}", found.text);
        assert_eq!(found.detail.as_deref(), Some("the GPU is gone"));
    }
}
