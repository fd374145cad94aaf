//! Files that are not checkpoints of ours, or not any more: an error that names the file and the field, never a panic.

use crate::{Silent, settings};
use ecgan::checkpoint::{self, Checkpoint, Meta, Position};
use ecgan::evaluate::evaluate_read;
use ecgan::models::{ImageShape, ResNet18};
use ecgan::networks::Networks;
use ecgan::run_folder::RunFolder;
use ecgan::settings::{DeviceChoice, Partial, SplitName};
use ecgan::train::train_with;
use ecgan::{Error, ErrorKind};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::PathBuf;
use tempfile::TempDir;
use tensor::Device;

/// A good checkpoint, taken apart.
#[derive(Clone)]
struct Parts {
    meta: Value,
    tensors: BTreeMap<String, (Dtype, Vec<usize>, Vec<u8>)>,
}

struct Files {
    folder: TempDir,
    bytes: Vec<u8>,
    parts: Parts,
}

impl Files {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let settings = settings(Partial { width: Some(1), ..Partial::default() });
        let image = ImageShape { channels: 3, size: 32 };
        let networks = Networks::new(&Device::cpu(), &settings, &ResNet18 { width: 1 }, image, 10);
        let classes: Vec<String> = (0..10).map(|digit| digit.to_string()).collect();
        let path = folder.path().join("good.safetensors");
        checkpoint::save(&path, &networks, Position::default(), &Meta::new(&settings, &classes)).expect("saved");
        let bytes = fs::read(&path).expect("written");
        let file = SafeTensors::deserialize(&bytes).expect("a safetensors file");
        let (_, header) = SafeTensors::read_metadata(&bytes).expect("a safetensors file");
        let meta = &header.metadata().as_ref().expect("metadata")["ecgan"];
        let tensor = |view: TensorView<'_>| (view.dtype(), view.shape().to_vec(), view.data().to_vec());
        let tensors = file.iter().map(|(name, view)| (name.to_owned(), tensor(view))).collect();
        let parts = Parts { meta: serde_json::from_str(meta).expect("JSON"), tensors };
        Self { folder, bytes, parts }
    }

    /// The path of a new file of these bytes.
    fn write(&self, bytes: &[u8]) -> PathBuf {
        let path = self.folder.path().join("bad.safetensors");
        fs::write(&path, bytes).expect("written");
        path
    }

    /// The message of opening classifier and generator from these bytes, without the file's name that it begins with.
    fn refusal(&self, bytes: &[u8]) -> String {
        let path = self.write(bytes);
        let device = Device::cpu();
        let opened = Checkpoint::read(&path)
            .and_then(|read| read.classifier(&device).map(|_| read))
            .and_then(|read| read.generator(&device));
        let error = opened.err().expect("a checkpoint that must be refused");
        assert!(matches!(error, Error::BadFile { .. }) && error.kind() == ErrorKind::Data, "{error:?}");
        let evaluated = Checkpoint::read(&path)
            .and_then(|read| evaluate_read(&read, Some("synthetic"), SplitName::Val, &device, &mut |_| ()));
        assert!(evaluated.is_ok() || evaluated.unwrap_err().kind() == ErrorKind::Data);
        let (message, name) = (error.to_string(), path.display().to_string());
        message.strip_prefix(&name).unwrap_or_else(|| panic!("`{message}` does not begin with the file")).to_owned()
    }

    /// The same after a change to the good checkpoint's parts.
    fn edited(&self, edit: impl FnOnce(&mut Parts)) -> String {
        let mut parts = self.parts.clone();
        edit(&mut parts);
        self.refusal(&parts.serialize())
    }
}

impl Parts {
    fn serialize(&self) -> Vec<u8> {
        let metadata = HashMap::from([("ecgan".to_owned(), self.meta.to_string())]);
        self.serialize_with(Some(metadata))
    }

    fn serialize_with(&self, metadata: Option<HashMap<String, String>>) -> Vec<u8> {
        let views = self.tensors.iter().map(|(name, (dtype, shape, bytes))| {
            (name, TensorView::new(*dtype, shape.clone(), bytes).expect("as many bytes as the shape says"))
        });
        safetensors::serialize(views, metadata).expect("serialises")
    }

    fn tensor(&mut self, name: &str) -> &mut (Dtype, Vec<usize>, Vec<u8>) {
        self.tensors.get_mut(name).unwrap_or_else(|| panic!("no {name}"))
    }
}

#[test]
fn what_is_not_a_safetensors_file_is_refused() {
    let files = Files::new();
    assert!(Checkpoint::read(&files.write(&files.parts.serialize())).is_ok(), "taken apart and put together");
    let lying_length = [&u64::MAX.to_le_bytes()[..], &files.bytes[8..]].concat();
    let text = b"these are not the weights you are looking for".to_vec();
    let mut longer = files.bytes.clone();
    longer.push(0);
    for bytes in [Vec::new(), vec![0; 7], text, lying_length, longer] {
        let message = files.refusal(&bytes);
        assert!(message.contains("safetensors") && message.contains("expected a checkpoint"), "{message}");
    }
    let header = u64::from_le_bytes(files.bytes[..8].try_into().expect("eight")) as usize + 8;
    let lengths = (0..header).step_by(997).chain((header..files.bytes.len()).step_by(1 << 20));
    for length in lengths.chain([header - 1, header, files.bytes.len() - 1]) {
        let message = files.refusal(&files.bytes[..length]);
        assert!(message.contains("not a safetensors file"), "cut to {length} bytes: {message}");
    }
    let missing = files.folder.path().join("none.safetensors");
    let error = Checkpoint::read(&missing).err().expect("not there");
    assert!(matches!(error, Error::Io { .. }) && error.to_string().contains("none.safetensors"), "{error}");
}

#[test]
fn metadata_that_is_not_ours_is_refused() {
    let files = Files::new();
    for metadata in [None, Some(HashMap::from([("format".to_owned(), "pt".to_owned())]))] {
        let message = files.refusal(&files.parts.serialize_with(metadata));
        assert!(message.contains("no `ecgan` in the metadata"), "{message}");
    }
    let garbled = Some(HashMap::from([("ecgan".to_owned(), "{".to_owned())]));
    assert!(files.refusal(&files.parts.serialize_with(garbled)).contains("`ecgan` in the metadata: EOF"));
    for (field, value, expected) in [
        ("format", json!(2), "metadata: format: expected 1, got 2"),
        ("width", json!(0), "metadata: width: expected 1 to 1024, got 0"),
        ("width", json!(-1), "invalid value: integer `-1`"),
        ("image_size", json!(48), "metadata: image_size: expected 32 or 64, got 48"),
        ("channels", json!(4), "metadata: channels: expected 1 or 3, got 4"),
        ("classes", json!([]), "metadata: classes: expected 1 to 100000, got 0"),
        ("classes", json!(["a", "b"]), "linear.weight`"),
        ("channels", json!(1), "conv1.weight`"),
        // 11 GB: never asked for.
        ("width", json!(1024), ": metadata: width 1024 and 10 classes: 2856737802 numbers, the file has 3141 of them"),
        ("width", json!(2), "conv1.weight`"),
        ("image_size", json!(64), "generator: `main.0.weight`: expected real numbers of shape [100, 512, 4, 4]"),
    ] {
        let message = files.edited(|parts| parts.meta[field] = value.clone());
        assert!(message.contains(expected), "{field} {value}: {message}");
    }
    let message = files.edited(|parts| drop(parts.meta.as_object_mut().expect("fields").remove("width")));
    assert!(message.contains("missing field `width`"), "{message}");

    let mut parts = files.parts.clone();
    parts.meta["config"] = json!("lr = 'fast'");
    let error = Checkpoint::read(&files.write(&parts.serialize()))
        .and_then(|read| evaluate_read(&read, Some("synthetic"), SplitName::Val, &Device::cpu(), &mut |_| ()))
        .unwrap_err();
    assert!(error.to_string().contains("bad.safetensors: metadata: config:"), "{error}");
}

#[test]
fn tensors_that_do_not_fit_are_named() {
    let files = Files::new();
    let weight = "classifier.layer2.0.conv1.weight";
    let refusal = |edit: &dyn Fn(&mut Parts)| files.edited(edit);
    let nan = refusal(&|p| p.tensor(weight).2[4..8].copy_from_slice(&f32::NAN.to_le_bytes()));
    assert_eq!(nan, ": classifier: `layer2.0.conv1.weight` holds NaN at element 1; expected finite numbers");
    let infinite = refusal(&|p| p.tensor("generator.main.1.running_var").2[..4].copy_from_slice(&[0, 0, 0x80, 0x7F]));
    assert_eq!(infinite, ": generator: `main.1.running_var` holds inf at element 0; expected finite numbers");
    assert_eq!(
        refusal(&|p| p.tensor(weight).1 = vec![2, 3, 3, 1]),
        ": classifier: `layer2.0.conv1.weight`: expected real numbers of shape [2, 1, 3, 3], got real numbers of \
         shape [2, 3, 3, 1]"
    );
    assert_eq!(
        refusal(&|p| drop(p.tensors.remove("classifier.bn1.running_mean"))),
        ": classifier: `bn1.running_mean` is missing"
    );
    assert_eq!(
        refusal(&|p| drop(p.tensors.remove("classifier.bn1.num_batches_tracked"))),
        ": classifier: `bn1.num_batches_tracked` is missing"
    );
    assert_eq!(
        refusal(&|p| drop(p.tensors.insert("classifier.extra".into(), (Dtype::F32, vec![1], vec![0; 4])))),
        ": classifier: `extra` is not part of this network"
    );
    let bytes = refusal(&|p| *p.tensor(weight) = (Dtype::U8, vec![2, 1, 3, 3], vec![0; 18]));
    let expected = "expected F32, F16 or BF16, or I64 of shape [], got U8 of shape [2, 1, 3, 3]";
    assert_eq!(bytes, format!(": `{weight}`: {expected}"));
    let no_generator = refusal(&|p| p.tensors.retain(|name, _| !name.starts_with("generator.")));
    assert_eq!(no_generator, ": no generator; expected a checkpoint of a method with a GAN");
    let nothing = refusal(&|p| p.tensors.clear());
    assert!(nothing.contains("`conv1.weight` is missing"), "{nothing}");
}

/// An allocation that fails would end the process without a word.
#[test]
fn a_classifier_beyond_the_memory_of_any_machine_is_refused() {
    let settings = settings(Partial { device: Some(DeviceChoice::Cpu), ..Partial::default() });
    let root = tempfile::tempdir().expect("a temporary folder");
    let folder = RunFolder::create(None, root.path(), settings.method, "synthetic").expect("a new folder");
    let error = train_with(&ResNet18 { width: 1 << 16 }, &settings, &folder, &mut Silent).expect_err("refused");
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert!(error.to_string().starts_with("width: expected a classifier that fits into the "), "{error}");
}
