//! What one source says, so that two of its names for one thing cannot contradict each other.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use super::super::origin::{Origin, Problem, Slot};
use super::super::setting::Setting;
use super::super::settings::Settings;

/// The settings of one source, and which line of it said what.
#[derive(Debug, Default)]
pub(super) struct Layer {
    settings: Settings,
    said: BTreeMap<Slot, (Origin, Vec<OsString>)>,
}

impl Layer {
    /// What the command line says.
    pub(super) fn of_flags(flags: &Settings) -> Self {
        let mut said: BTreeMap<_, (Origin, Vec<_>)> = BTreeMap::new();
        for setting in Setting::all() {
            for value in flags.values(setting) {
                let origin = Origin::Flag(setting.flag());
                let slot = Slot::of(setting, &value);
                said.entry(slot)
                    .or_insert((origin, Vec::new()))
                    .1
                    .push(value);
            }
        }
        Self {
            settings: flags.clone(),
            said,
        }
    }

    /// Whether `setting` was said already.
    pub(super) fn has(&self, setting: Setting) -> bool {
        self.said.keys().any(|slot| slot.setting == setting)
    }

    /// Which slots are taken, by whom.
    pub(super) fn origins(&self) -> impl Iterator<Item = (&Slot, &Origin)> {
        self.said.iter().map(|(slot, (origin, _))| (slot, origin))
    }

    pub(super) fn into_settings(self) -> Settings {
        self.settings
    }

    /// A path, whatever its bytes.
    pub(super) fn put_path(&mut self, setting: Setting, path: PathBuf, origin: Origin) {
        let value = path.clone().into_os_string();
        self.settings.put_path(setting, path);
        let slot = Slot::of(setting, &value);
        self.said.insert(slot, (origin, vec![value]));
    }

    /// Sets what `texts` say. A problem if they cannot be read, or if another name said otherwise.
    pub(super) fn assign(
        &mut self,
        setting: Setting,
        texts: &[String],
        origin: &Origin,
    ) -> Vec<Problem> {
        // Each lifetime belongs to another operation.
        let parts = if setting == Setting::Lifetime {
            texts.chunks(1)
        } else {
            texts.chunks(texts.len().max(1))
        };
        parts
            .filter_map(|texts| self.assign_one(setting, texts, origin).err())
            .map(|reason| Problem {
                origin: origin.clone(),
                reason,
            })
            .collect()
    }

    fn assign_one(
        &mut self,
        setting: Setting,
        texts: &[String],
        origin: &Origin,
    ) -> Result<(), String> {
        let mut alone = Settings::default();
        alone.put(setting, texts)?;
        let values = alone.values(setting);
        let Some(first) = values.first() else {
            return Ok(());
        };
        let slot = Slot::of(setting, first);
        match self.said.get(&slot) {
            None => {
                self.settings.put(setting, texts)?;
                self.said.insert(slot, (origin.clone(), values));
                Ok(())
            }
            Some((_, same)) if *same == values => Ok(()),
            Some((other, otherwise)) => Err(format!(
                "{} is {} here and {} by {other}; keep one of the two",
                slot.name(),
                shown(&values),
                shown(otherwise)
            )),
        }
    }
}

fn shown(values: &[OsString]) -> String {
    let texts: Vec<_> = values.iter().map(|value| value.to_string_lossy()).collect();
    texts.join(" ")
}
