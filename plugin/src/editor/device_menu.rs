//! The device menu: the CPU, and the GPUs that this computer has.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use egui::{ComboBox, RichText, Ui};
use hitscribe_models::device::{FoundDevice, search};
use nice_plug::prelude::ParamSetter;
use parking_lot::Mutex;

use crate::editor::controls;
use crate::editor::style::palette;
use crate::params::HitscribeParams;
use crate::params::choices::DeviceParam;

const HINT: &str = "The device that runs the models, for all tracks of this host. Auto: the built-in \
                    model on the CPU, imported ones on a GPU if one works. The current device stays in \
                    use until the model is loaded on the new one.";

/// The GPUs of this computer, once they were looked for.
#[derive(Default)]
pub struct Devices {
    gpus: Arc<Mutex<Option<Vec<String>>>>,
    is_searching: Arc<AtomicBool>,
}

impl Devices {
    /// Looks for GPUs on a background thread, once: drivers take a while to start.
    fn refresh(&self) {
        if self.is_searching.swap(true, Ordering::AcqRel) {
            return;
        }
        let gpus = self.gpus.clone();
        // Without the thread the menu offers the first GPU, whatever its name.
        let _ = std::thread::Builder::new()
            .name("hitscribe-devices".to_owned())
            .spawn(move || *gpus.lock() = Some(names(&search().devices)));
    }
}

/// The names of the GPUs, each once although it may be reached in several ways. Software is left
/// out: the CPU itself is faster.
fn names(devices: &[FoundDevice]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    let gpus = devices.iter().filter(|device| device.api.is_some());
    for gpu in gpus.filter(|gpu| !gpu.is_software) {
        if !names.contains(&gpu.name) {
            names.push(gpu.name.clone());
        }
    }
    names
}

/// Draws the menu.
pub fn choose(
    ui: &mut Ui,
    setter: Option<&ParamSetter>,
    params: &HitscribeParams,
    devices: &Devices,
) {
    let device = params.device.value();
    let name = params.gpu_name.lock().clone();
    let is_gpu = device == DeviceParam::Gpu;
    let shown = match device {
        DeviceParam::Auto => "Auto",
        DeviceParam::Cpu => "CPU",
        DeviceParam::Gpu if name.is_empty() => "GPU",
        DeviceParam::Gpu => &name,
    };
    let label = ui.label(RichText::new("Device").color(palette(ui).faint));
    let mut chosen = None;
    let menu = ComboBox::from_id_salt("Device").selected_text(shown);
    let shown = menu.show_ui(ui, |ui| {
        devices.refresh();
        let mut entry = |ui: &mut Ui, is_chosen, text: &str, choice, gpu: &str| {
            if ui.selectable_label(is_chosen, text).clicked() {
                chosen = Some((choice, gpu.to_owned()));
            }
        };
        let is_auto = device == DeviceParam::Auto;
        entry(ui, is_auto, "Auto", DeviceParam::Auto, "");
        entry(ui, device == DeviceParam::Cpu, "CPU", DeviceParam::Cpu, "");
        let gpus = devices.gpus.lock().clone();
        let found = gpus.as_deref().unwrap_or_default();
        for gpu in found {
            entry(ui, is_gpu && name == *gpu, gpu, DeviceParam::Gpu, gpu);
        }
        // What the project names stays on offer, on whichever computer it is opened.
        if is_gpu && !found.contains(&name) {
            let text = match name.is_empty() {
                true => "GPU".to_owned(),
                false => format!("{name} (not found)"),
            };
            entry(ui, true, &text, DeviceParam::Gpu, &name);
        }
        let note = match gpus {
            None => "Looking for GPUs…",
            Some(gpus) if gpus.is_empty() => {
                "No GPU found. `hitscribe devices --explain` says why."
            }
            Some(_) => return,
        };
        ui.label(RichText::new(note).color(palette(ui).faint));
    });
    shown.response.labelled_by(label.id).on_hover_text(HINT);
    if let Some((choice, gpu)) = chosen {
        *params.gpu_name.lock() = gpu;
        controls::set(setter, &params.device, choice);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hitscribe_models::device::DeviceChoice;

    #[test]
    fn each_gpu_is_offered_once_and_software_not_at_all() {
        let device = |choice: &str, name: &str, api, is_software| FoundDevice {
            choice: choice.parse().unwrap(),
            name: name.to_owned(),
            api,
            memory_bytes: None,
            is_software,
        };
        let found = [
            device("cpu", "8 threads", None, false),
            device("cuda:0", "GeForce", Some("CUDA"), false),
            device("gpu:0", "GeForce", Some("Vulkan"), false),
            device("gpu:1", "Iris", Some("Vulkan"), false),
            device("gpu:2", "llvmpipe", Some("Vulkan"), true),
        ];
        assert_eq!(found[0].choice, DeviceChoice::Cpu);
        assert_eq!(names(&found), ["GeForce", "Iris"]);
    }
}
