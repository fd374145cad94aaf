//! What the fuzz targets do: a module a target, with `read`, which is given arbitrary bytes, and `seeds`, small valid
//! inputs made by the project's own writers.
//!
//! `read` fails by panicking: on a panic of the reader itself, or where what was read breaks a promise of the reader.

pub mod checkpoint_header;
pub mod checkpoint_meta;
pub mod checkpoint_tensors;
pub mod cifar;
pub mod idx;
pub mod image;
pub mod mat;
pub mod png;
pub mod run_folder;
pub mod settings;
pub mod svhn;

mod sources;

#[path = "../../crates/cli/tests/command_line/data_sets.rs"]
#[expect(dead_code, reason = "written for the command line's tests, which need more")]
mod data_sets;
#[path = "../../crates/ecgan/src/data/mat/writer.rs"]
mod writer;

use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use tempfile::TempDir;

/// The variable that names a folder for the seeds: a target that finds it writes them there and ends.
const SEEDS: &str = "FUZZ_SEEDS";

/// Where the readers find what was fuzzed; `TMPDIR` says where, best in memory.
static FOLDER: LazyLock<TempDir> = LazyLock::new(|| tempfile::tempdir().expect("a temporary folder"));

/// Writes the seeds where that is asked for, and ends then. Also hides GPUs: a driver is not what is fuzzed. And lets
/// `ecgan::data::read_image` catch a decoder's panic, which it turns into a refusal; any other ends the process.
pub fn begin(seeds: fn() -> Vec<Vec<u8>>) {
    // SAFETY: nothing else runs yet.
    unsafe { std::env::set_var("CUDA_VISIBLE_DEVICES", "-1") };
    let aborts = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !ecgan::data::decoder_panics() {
            aborts(panic);
        }
    }));
    let Some(folder) = std::env::var_os(SEEDS) else { return };
    for (i, seed) in seeds().iter().enumerate() {
        std::fs::write(Path::new(&folder).join(format!("seed-{i:02}")), seed).expect("the folder can be written to");
    }
    std::process::exit(0);
}

/// The path of `name` in this process's own folder.
fn path(name: &str) -> PathBuf {
    FOLDER.path().join(name)
}

/// The path of a file of these bytes.
fn file(name: &str, bytes: &[u8]) -> PathBuf {
    let path = path(name);
    std::fs::write(&path, bytes).expect("the temporary folder can be written to");
    path
}

/// `data` in pieces, each after its length as two bytes, little-endian; the last may be shorter than it says.
fn pieces(mut data: &[u8]) -> Vec<&[u8]> {
    let mut pieces = Vec::new();
    while let Some((length, rest)) = data.split_first_chunk::<2>() {
        let (piece, rest) = rest.split_at(usize::from(u16::from_le_bytes(*length)).min(rest.len()));
        pieces.push(piece);
        data = rest;
    }
    pieces
}

/// A piece as [`pieces`] takes it.
fn piece(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).expect("seeds are small");
    [&length.to_le_bytes()[..], bytes].concat()
}
