//! Sweeps: a training run for each combination of settings and each seed, and what they say together.
//!
//! A run is known by its [`Identity`], the settings that its numbers depend on, and lies in a folder named after it. So a sweep
//! begins where it was left, runs that two sweeps share are trained once, and shards that share a folder need no coordination but
//! the locks of its files.

mod axis;
mod baseline;
mod data;
mod folder;
mod ledger;
mod plot;
mod runs;
mod statistics;
mod table;

pub use axis::{ARM, Axis, Value};
pub use baseline::Baseline;
pub use data::Sets;
pub(crate) use data::place;
pub use folder::{check_folder, ledger_in};
pub use ledger::{Ledger, Line};
pub use runs::{Outcome, Runs, outcome};
pub use statistics::Mean;
pub use table::{By, Row, Table};

use crate::Error;
use crate::digest::Digest;
use crate::run_folder::plain;
use crate::settings::{Lower, Method, Partial, Preset, Settings};
use std::collections::{BTreeSet, HashSet};
use std::path::PathBuf;

/// The settings that a run's numbers depend on, as far as they are not those of preset `paper`; all but the seed. What a method
/// does not use is left out, the data is its name alone, and device, threads and event files do not count.
pub type Identity = toml::Table;

/// Bytes of the labels in the name of a run's folder: of the 255 that a name can have they leave room for seed and key.
const LONGEST_LABELS: usize = 200;

/// One combination of settings.
#[derive(Clone, Debug)]
pub struct Cell {
    /// The value it has on each axis.
    pub labels: Vec<(String, String)>,
    /// Its settings, the seed being the first.
    pub settings: Settings,
    identity: Identity,
    key: String,
}

impl Cell {
    /// With these labels and settings.
    pub fn new(labels: Vec<(String, String)>, settings: Settings) -> Self {
        let identity = identity(&settings);
        let key = key(&identity);
        Self { labels, settings, identity, key }
    }

    /// What its runs are known by.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Its identity in short, as the folders of its runs are named.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The identity of the bare classifier with the same settings.
    pub fn bare_identity(&self) -> Identity {
        identity(&Settings { method: Method::Classifier, ..self.settings.clone() })
    }

    /// Its settings with a seed, for a run in this folder. The run notes where its data lies, from whatever folder one looks.
    pub fn with_seed(&self, seed: u64, out: PathBuf) -> Settings {
        let settings = self.settings.clone();
        let place = place(&settings.data).and_then(|place| place.into_os_string().into_string().ok());
        Settings { seed, out: Some(out), data: place.unwrap_or(settings.data), ..settings }
    }

    /// Its labels, for the name of a folder, as far as file systems have room for them; where nothing is varied the method, as a name
    /// that begins with a dash is taken for a flag.
    fn plain_labels(&self) -> String {
        let mut name = match &self.labels[..] {
            [] => self.settings.method.to_string(),
            labels => labels.iter().map(|(_, label)| plain(label)).collect::<Vec<_>>().join("-"),
        };
        name.truncate(name.floor_char_boundary(LONGEST_LABELS));
        name
    }
}

/// Of cells whose runs are the same the first.
pub fn distinct(cells: &[Cell]) -> Vec<&Cell> {
    let mut known = HashSet::new();
    cells.iter().filter(|cell| known.insert(cell.key())).collect()
}

/// Every combination of the axes' values, the last axis changing fastest. With the `flags`, over which they win key by key, they are
/// one source; `lower` is what the sources below it say.
///
/// # Errors
/// [`Error::Setting`] where two axes vary one setting or two data sets have one name, and where settings that resolve to a run do not come about.
pub fn cells(flags: &Partial, lower: &Lower, axes: &[Axis]) -> Result<Vec<Cell>, Error> {
    check_keys(axes)?;
    let mut found: Vec<(Vec<(String, String)>, Partial)> = vec![(Vec::new(), flags.clone())];
    for axis in axes {
        found = found
            .into_iter()
            .flat_map(|(labels, given)| {
                axis.values.iter().map(move |value| {
                    let label = (axis.name.clone(), value.label.clone());
                    ([labels.clone(), vec![label]].concat(), value.given.clone().or(given.clone()))
                })
            })
            .collect();
    }
    let cell = |(labels, given): (_, Partial)| Ok(Cell::new(labels, lower.resolve(given)?));
    let cells = found.into_iter().map(cell).collect::<Result<Vec<_>, Error>>()?;
    data::check_names(&cells)?;
    Ok(cells)
}

/// Of two axes that vary one setting, the labels of the first would say what is not so.
fn check_keys(axes: &[Axis]) -> Result<(), Error> {
    let mut taken = BTreeSet::new();
    for mut keys in axes.iter().map(Axis::keys) {
        if let Some(&twice) = keys.intersection(&taken).next() {
            let expected = "a setting that no other --grid or --arm gives".into();
            return Err(Error::Setting { name: "grid", expected, got: twice.into() });
        }
        taken.append(&mut keys);
    }
    Ok(())
}

fn identity(settings: &Settings) -> Identity {
    let mut settings = settings.numbers();
    settings.data = settings.data_name();
    let paper = Settings::complete(Preset::Paper.values()).expect("a preset is complete");
    // The classifier's own are settings of themselves.
    if !settings.method.has_gan() {
        (settings.lr, settings.weight_decay) = (paper.lr, paper.weight_decay);
    }
    if !settings.method.learns_from_fakes() {
        settings.preset = Preset::Paper;
    }
    let unused = settings.method.unused();
    let table = |settings: &Settings| toml::Table::try_from(settings.to_partial()).expect("settings are TOML");
    let (mut table, paper) = (table(&settings), table(&paper));
    table.retain(|key, value| {
        ["data", "method"].contains(&key)
            || (!["seed", "device", "simd"].contains(&key) && !unused.contains(&key) && paper.get(key) != Some(value))
    });
    table
}

fn key(identity: &Identity) -> String {
    Digest::new().with(identity.to_string().as_bytes()).to_string()
}

#[cfg(test)]
mod tests;
