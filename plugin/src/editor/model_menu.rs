//! The choice of the model, and what has become of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use egui::{ComboBox, RichText, Ui};
use hitscribe::ModelChoice;
use hitscribe_core::model_store::Store;
use hitscribe_live::{ModelPhase, ModelStatus};
use hitscribe_models::generate::family_of;
use parking_lot::Mutex;

use crate::editor::style::palette;
use crate::params::HitscribeParams;

/// Name of the models that the plugin comes with.
const BUILT_IN: &str = "Built-in";
/// The store is looked through this often while the list is open.
const LOOK_AGAIN: Duration = Duration::from_secs(3);

/// A model of the store.
#[derive(Clone, Debug, PartialEq)]
struct Listed {
    choice: ModelChoice,
    /// Name of its system, or why it is none.
    family: Result<&'static str, String>,
}

/// What there is in the user's store, as it was last looked through.
#[derive(Default)]
pub struct Models {
    listed: Arc<Mutex<Vec<Listed>>>,
    is_looking: Arc<AtomicBool>,
    looked: Option<Instant>,
}

impl Models {
    /// Looks through the store on a thread of its own, if it is time to.
    fn look(&mut self) {
        let is_fresh = self.looked.is_some_and(|at| at.elapsed() < LOOK_AGAIN);
        if is_fresh || self.is_looking.swap(true, Ordering::AcqRel) {
            return;
        }
        self.looked = Some(Instant::now());
        let (listed, is_looking) = (self.listed.clone(), self.is_looking.clone());
        let spawned = std::thread::Builder::new()
            .name("hitscribe-models".to_owned())
            .spawn(move || {
                let known = listed.lock().clone();
                *listed.lock() = Store::of_user().map_or_else(|_| Vec::new(), |s| list(&s, &known));
                is_looking.store(false, Ordering::Release);
            });
        if spawned.is_err() {
            self.is_looking.store(false, Ordering::Release);
        }
    }
}

/// The models of a store. What is `known` is not opened again.
fn list(store: &Store, known: &[Listed]) -> Vec<Listed> {
    let stored = store.list().unwrap_or_default();
    let stored = stored.into_iter().filter_map(|(_, model)| model.ok());
    stored
        .map(|model| {
            let choice = ModelChoice::from(&model);
            let before = known.iter().find(|known| known.choice == choice);
            let family = || match family_of(&store.weights(&model)) {
                Ok(family) => Ok(family.name()),
                Err(error) => Err(error.to_string()),
            };
            let family = before.map_or_else(family, |before| before.family.clone());
            Listed { choice, family }
        })
        .collect()
}

/// The models to choose from.
pub fn choose(ui: &mut Ui, params: &HitscribeParams, models: &mut Models) {
    let chosen = params.model.chosen();
    let name = chosen.as_ref().map_or(BUILT_IN, |choice| &choice.name);
    ui.label(RichText::new("Model").color(palette(ui).faint));
    let hint = "What hears this track: the built-in models, or one of MT3, MR-MT3 and YourMT3 that was \
                imported. Takes effect when the transport stops, with another latency.";
    let combo = ComboBox::from_id_salt("Model").selected_text(name);
    let shown = combo.show_ui(ui, |ui| {
        models.look();
        if ui.selectable_label(chosen.is_none(), BUILT_IN).clicked() {
            params.model.choose(None);
        }
        let listed = models.listed.lock().clone();
        for Listed { choice, family } in &listed {
            let is_chosen = chosen.as_ref() == Some(choice);
            let text = match family {
                Ok(family) => format!("{} ({family})", choice.name),
                Err(_) => format!("{} (no model)", choice.name),
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
            let text = "No other model is imported yet. In a terminal:\nhitscribe models fetch mt3\n\
                        hitscribe models add FILE";
            ui.label(RichText::new(text).color(palette(ui).faint));
        }
    });
    shown.response.on_hover_text(hint);
}

/// What has become of a published model, in place of the line about the built-in ones.
pub fn line(ui: &mut Ui, choice: &ModelChoice, status: Option<&ModelStatus>) {
    let name = &choice.name;
    let Some(status) = status else {
        let text = format!("{name} when the transport stops");
        ui.label(RichText::new(text).color(palette(ui).faint));
        return;
    };
    let (text, is_bad, hint) = match status.phase {
        ModelPhase::Loading => (format!("Loading {name}…"), false, None),
        ModelPhase::Missing => (format!("{name} is missing"), true, None),
        ModelPhase::Damaged => (format!("{name} cannot be used"), true, None),
        ModelPhase::Ready => {
            let family = status.family.map_or("", |family| family.name());
            let mut text = format!("{family} on {}", status.device);
            if status.reason.is_some() {
                text += " (why?)";
            }
            let factor = status.real_time_factor.unwrap_or(0.0);
            if factor > 0.0 {
                text += &format!(", {factor:.2} of real time");
            }
            let hint = "Decoding takes longer than the sound lasts: notes come late. Renders wait for them.";
            (text, factor >= 1.0, (factor >= 1.0).then_some(hint))
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

/// What is wrong with it and what that means; one line, if there is anything.
pub fn problem(status: &ModelStatus) -> Option<String> {
    let is_bad = matches!(status.phase, ModelPhase::Missing | ModelPhase::Damaged);
    let reason = status.reason.as_deref().filter(|_| is_bad)?;
    Some(format!(
        "Nothing is heard: {reason}. Audio passes and the take is safe; the built-in model can be chosen below."
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hitscribe_core::model_store::Transfer;
    use std::path::Path;

    #[test]
    fn the_store_is_listed_with_families_and_what_is_no_model() {
        let folder = std::env::temp_dir().join(format!("hitscribe-list-{}", std::process::id()));
        let store = Store::at(folder.clone());
        assert!(list(&store, &[]).is_empty());
        let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../engine/models/tests/data");
        for (file, name) in [("mt3_family/tiny.pth", "tiny"), ("ping.flac", "ping")] {
            store
                .add(&data.join(file), Some(name), Transfer::Copy)
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
            "what is known is not opened again"
        );
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn only_what_cannot_be_used_is_a_problem() {
        let status = |phase| ModelStatus {
            phase,
            reason: Some("the GPU is gone".to_owned()),
            ..ModelStatus::default()
        };
        assert_eq!(problem(&status(ModelPhase::Ready)), None);
        assert_eq!(problem(&status(ModelPhase::Loading)), None);
        let text = problem(&status(ModelPhase::Missing)).unwrap();
        assert!(
            text.starts_with("Nothing is heard: the GPU is gone."),
            "{text}"
        );
    }
}
