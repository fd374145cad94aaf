//! What a sweep leaves in its folder, by name.

use super::{Runs, Table};
use crate::Error;
use crate::run_folder::{check_new_or_empty, write_atomically};
use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

/// The folder of the runs' folders.
pub(super) const RUNS: &str = "runs";
/// The ledger, where no other is named.
const LEDGER: &str = "ledger.jsonl";
/// The table, for people.
const TABLE: &str = "table.md";
/// The same as a picture, where there is a row.
const PLOT: &str = "plot.svg";
/// The same for programs.
const TABLE_JSON: &str = "table.json";

/// The ledger of a sweep that names no other.
pub fn ledger_in(folder: &Path) -> PathBuf {
    folder.join(LEDGER)
}

/// Checks that a sweep may write into `folder`, its `out`: into one of its own, that is, and not over tables of somebody's.
///
/// # Errors
/// [`Error::Setting`] where it holds something else.
pub fn check_folder(folder: &Path) -> Result<(), Error> {
    let ours = ledger_in(folder).exists()
        || Runs::list(folder).is_ok_and(|runs| !runs.is_empty())
        || fs::read(folder.join(TABLE_JSON)).is_ok_and(|text| is_table(&text));
    if ours || check_new_or_empty("out", folder).is_ok() {
        return Ok(());
    }
    let got = format!("{}, which holds something else", folder.display());
    Err(Error::Setting { name: "out", expected: "a new or an empty folder, or one of a sweep".into(), got })
}

/// Whether this is a table of ours, as JSON.
fn is_table(text: &[u8]) -> bool {
    let value: serde_json::Value = serde_json::from_slice(text).unwrap_or_default();
    ["axes", "rows", "unfinished"].iter().all(|key| value.get(key).is_some())
}

impl Table {
    /// Writes it into a sweep's folder in each of its forms, and says where the one for people is.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn write(&self, folder: &Path) -> Result<PathBuf, Error> {
        let json = serde_json::to_string_pretty(self).expect("numbers and words are JSON") + "\n";
        let plot = self.svg().map(|svg| (PLOT, svg));
        // That of a table with rows would stay beside one without.
        if plot.is_none() {
            let old = folder.join(PLOT);
            match fs::remove_file(&old) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(Error::io(&old, "remove")(error)),
                _ => {}
            }
        }
        let tables = [(TABLE, self.markdown()), ("table.csv", self.csv()), (TABLE_JSON, json)];
        for (name, text) in tables.into_iter().chain(plot) {
            write_atomically(&folder.join(name), |file| file.write_all(text.as_bytes()))?;
        }
        Ok(folder.join(TABLE))
    }
}
