//! How the host uses the parameters: controllers that are mapped to them, and
//! automation. The editor shows it.

use std::collections::HashMap;

use nice_plug::params::internals::ParamPtr;
use parking_lot::Mutex;

/// Whether the host automates a parameter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Automation {
    /// There is none.
    #[default]
    None,
    /// There is some, which is not running.
    Present,
    /// It is playing.
    Playing,
    /// It is being recorded.
    Recording,
    /// The user overrides it.
    Overriding,
}

/// How the host uses one parameter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Indication {
    /// The name of the controller that is mapped to it, which may be empty.
    pub mapping: Option<String>,
    /// Its automation.
    pub automation: Automation,
    /// Red, green and blue, if the host wants a colour.
    pub color: Option<[u8; 3]>,
}

impl Indication {
    /// In words; none if the host does nothing with it.
    pub fn text(&self) -> Option<String> {
        let automation = match self.automation {
            Automation::None => None,
            Automation::Present => Some("automated"),
            Automation::Playing => Some("automation is playing"),
            Automation::Recording => Some("automation is being recorded"),
            Automation::Overriding => Some("automation is overridden"),
        };
        let mapping = self.mapping.as_deref().map(|name| match name {
            "" => "mapped to a controller".to_owned(),
            name => format!("mapped to {name}"),
        });
        let parts: Vec<String> = mapping
            .into_iter()
            .chain(automation.map(str::to_owned))
            .collect();
        (!parts.is_empty()).then(|| parts.join(", "))
    }
}

/// How the host uses the parameters of an instance. The audio thread never uses it.
#[derive(Default)]
pub struct Indications(Mutex<HashMap<ParamPtr, Indication>>);

impl Indications {
    /// About one parameter.
    pub fn get(&self, param: ParamPtr) -> Indication {
        self.0.lock().get(&param).cloned().unwrap_or_default()
    }

    /// The host uses one parameter in another way from now on.
    pub fn change(&self, param: ParamPtr, change: impl FnOnce(&mut Indication)) {
        change(self.0.lock().entry(param).or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indications_in_words() {
        let mut indication = Indication::default();
        assert_eq!(indication.text(), None);
        indication.automation = Automation::Playing;
        assert_eq!(indication.text().unwrap(), "automation is playing");
        indication.mapping = Some("Knob 3".to_owned());
        let text = "mapped to Knob 3, automation is playing";
        assert_eq!(indication.text().unwrap(), text);
    }
}
