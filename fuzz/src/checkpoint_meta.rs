//! Checkpoints with a good classifier and any metadata, or any settings in them, measured on a small data folder.

use crate::checkpoint_tensors::{CLASSES, Parts, parts};
use crate::data_sets;
use ecgan::ErrorKind;
use ecgan::checkpoint::Checkpoint;
use ecgan::evaluate::evaluate_read;
use ecgan::settings::{Partial, Settings, SplitName};
use std::path::PathBuf;
use std::sync::LazyLock;
use tensor::Device;

static DATA: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = crate::path("data");
    data_sets::pets(&folder);
    folder
});

/// The first byte chooses the split, and whether the others are the settings or all metadata.
pub fn read(data: &[u8]) {
    let Some((&choice, data)) = data.split_first() else { return };
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Parts { meta, tensors } = parts();
    let meta = if choice & 4 == 0 {
        text.to_owned()
    } else {
        let mut meta = meta.clone();
        meta["config"] = text.into();
        meta.to_string()
    };
    measure(&Parts::serialize(tensors, meta), choice);
}

/// Measures a checkpoint of these bytes on the split that `choice` says.
pub fn measure(checkpoint: &[u8], choice: u8) {
    let split = [SplitName::Test, SplitName::Train, SplitName::Val][usize::from(choice & 3).min(2)];
    let path = crate::file("checkpoint", checkpoint);
    let data = DATA.to_str().expect("plain names");
    let measured =
        Checkpoint::read(&path).and_then(|read| evaluate_read(&read, Some(data), split, &Device::cpu(), &mut |_| ()));
    match measured {
        Ok((found, _)) => {
            assert!(found.total > 0 && found.correct <= found.total && found.per_class.len() == CLASSES.len())
        }
        Err(error) => assert!(matches!(error.kind(), ErrorKind::Data | ErrorKind::Usage), "{error:?}"),
    }
}

pub fn seeds() -> Vec<Vec<u8>> {
    let config = |given| Settings::resolve(given).expect("within their ranges").to_toml();
    let partial = Partial { val_fraction: Some(0.2), per_class: Some(5), ..Partial::default() };
    let mut seeds: Vec<Vec<u8>> =
        (0..3).map(|choice| [&[choice], parts().meta.to_string().as_bytes()].concat()).collect();
    seeds.extend((4..7).map(|choice| [&[choice], config(partial.clone()).as_bytes()].concat()));
    seeds.push(b"\x05fraction = 0.5\nval_fraction = 0.3\nsubset = \"first\"".to_vec());
    seeds
}
