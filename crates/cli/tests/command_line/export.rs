//! `ecgan export`, and state dicts in place of checkpoints.

use crate::binary::{ecgan, entries, json, refused, stderr, train};
use crate::data_sets::pets;
use crate::onnx_file::{Model, Sizes};
use crate::tensors_file::TensorsFile;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

const CHECKPOINT: &str = "run/checkpoints/last.safetensors";
const NETWORKS: [&str; 3] = ["classifier", "generator", "discriminator"];

/// A folder with a run on the pets: width 1, 32x32, three channels, three classes.
fn trained(arguments: &[&str]) -> tempfile::TempDir {
    let here = tempfile::tempdir().unwrap();
    pets(&here.path().join("pets"));
    train(here.path(), &[&["--data", "pets", "--out", "run", "--max-steps", "2"], arguments].concat());
    here
}

fn export(folder: &Path, checkpoint: &str, net: &str, out: &str) -> Value {
    json(&ecgan(folder, &["export", "--checkpoint", checkpoint, "--net", net, "--out", out, "--json"]))
}

fn eval(folder: &Path, checkpoint: &str) -> Value {
    json(&ecgan(folder, &["eval", "--checkpoint", checkpoint, "--data", "pets", "--threads", "1", "--json"]))
}

/// A classifier's state dict as PyTorch would have saved it: without our metadata.
fn state_dict(folder: &Path, name: &str) {
    export(folder, CHECKPOINT, "classifier", name);
    let mut file = TensorsFile::read(&folder.join(name));
    file.metadata = None;
    file.write(&folder.join(name));
}

#[test]
fn a_state_dict_has_the_checkpoints_tensors_without_the_prefix() {
    let here = trained(&[]);
    let folder = here.path();
    let checkpoint = TensorsFile::read(&folder.join(CHECKPOINT));
    for net in NETWORKS {
        let report = export(folder, CHECKPOINT, net, &format!("new/{net}.safetensors"));
        let file = TensorsFile::read(&folder.join("new").join(format!("{net}.safetensors")));
        let prefix = format!("{net}.");
        let of_net = |name: &String| name.starts_with(&prefix);
        let expected: Vec<_> = checkpoint.tensors.iter().filter(|(name, _)| of_net(name)).collect();
        assert_eq!(file.tensors.len(), expected.len());
        for (name, tensor) in expected {
            assert_eq!(file.tensors.get(&name[prefix.len()..]), Some(tensor), "{name}");
        }
        let meta: Value = serde_json::from_str(&file.metadata.unwrap()["ecgan"]).unwrap();
        assert_eq!((&meta["network"], &meta["classes"]), (&json!(net), &json!(["cat", "dog", "fish"])));
        assert_eq!((&meta["image_size"], &meta["channels"], &meta["width"]), (&json!(32), &json!(3), &json!(1)));
        let length = fs::metadata(folder.join(report["path"].as_str().unwrap())).unwrap().len();
        let said = [&report["format"], &report["network"], &report["bytes"], &report["classes"]];
        assert_eq!(said, [&json!("safetensors"), &json!(net), &json!(length), &meta["classes"]]);
    }
    assert_eq!(entries(&folder.join("new")), 3);
    let shape = |file: &str, name: &str| {
        TensorsFile::read(&folder.join("new").join(format!("{file}.safetensors"))).tensors[name].shape.clone()
    };
    assert_eq!(shape("classifier", "conv1.weight"), [1, 3, 3, 3]);
    assert_eq!(shape("classifier", "layer2.0.shortcut.0.weight"), [2, 1, 1, 1]);
    assert_eq!(shape("classifier", "bn1.num_batches_tracked"), [0; 0]);
    assert_eq!(shape("generator", "main.0.weight"), [100, 256, 4, 4]);
    assert_eq!(shape("discriminator", "main.9.weight"), [1, 256, 4, 4]);
}

#[test]
fn an_exported_classifier_takes_a_checkpoints_place() {
    let here = trained(&["--val-fraction", "0.4"]);
    let folder = here.path();
    export(folder, CHECKPOINT, "classifier", "c.safetensors");
    assert_eq!(eval(folder, "c.safetensors"), eval(folder, CHECKPOINT));
    let val =
        |file| json(&ecgan(folder, &["eval", "--checkpoint", file, "--data", "pets", "--split", "val", "--json"]));
    assert_eq!(val("c.safetensors"), val(CHECKPOINT), "it knows the run's settings");
    export(folder, "c.safetensors", "classifier", "again.safetensors");
    export(folder, "c.safetensors", "classifier", "a.onnx");
    export(folder, CHECKPOINT, "classifier", "b.onnx");
    let same = |a, b| assert!(fs::read(folder.join(a)).unwrap() == fs::read(folder.join(b)).unwrap(), "{a}, {b}");
    same("again.safetensors", "c.safetensors");
    same("a.onnx", "b.onnx");
    let message = "c.safetensors: no generator; the file holds a classifier alone";
    refused(folder, &["generate", "--checkpoint", "c.safetensors", "--grid", "x.png"], 3, message);
    export(folder, CHECKPOINT, "generator", "g.safetensors");
    let message = "g.safetensors: no classifier; the file holds a generator alone";
    refused(folder, &["predict", "--checkpoint", "g.safetensors", "pets"], 3, message);
}

#[test]
fn a_state_dict_of_pytorch_is_measured_and_predicts() {
    let here = trained(&["--image-size", "64"]);
    let folder = here.path();
    state_dict(folder, "theirs.safetensors");
    let with = |command: &'static str| [command, "--checkpoint", "theirs.safetensors"];
    let size = ["--image-size", "64", "--json"];
    let measured = json(&ecgan(folder, &[&with("eval")[..], &["--data", "pets"], &size].concat()));
    assert_eq!(measured, eval(folder, CHECKPOINT), "class names from the data");

    let predict = |checkpoint: &[&str]| {
        let output = ecgan(folder, &[&["predict", "pets/test/cat/0.png"], checkpoint].concat());
        (stderr(&output), json(&output))
    };
    let (said, theirs) = predict(&[&with("")[1..], &size].concat());
    assert!(
        said.starts_with("warning: theirs.safetensors: no class names in it; classes are numbers, from 0"),
        "{said}"
    );
    assert_eq!(theirs["classes"], json!(["0", "1", "2"]));
    let (_, ours) = predict(&["--checkpoint", CHECKPOINT, "--json"]);
    let top = |report: &Value| report["predictions"][0]["top"][0]["confidence"].clone();
    assert_eq!(top(&theirs), top(&ours));

    export(folder, "theirs.safetensors", "classifier", "again.safetensors");
    assert!(TensorsFile::read(&folder.join("again.safetensors")).metadata.is_none(), "no names were made up");

    let eval = |arguments: &[&'static str]| [&with("eval")[..], arguments].concat();
    let message = "split: expected test or all, as a state dict does not say which images it was trained on, got val";
    refused(folder, &eval(&["--data", "pets", "--split", "val"]), 2, message);
    let message = "theirs.safetensors: 3 classes; synthetic has 10: 0, 1, 2,";
    refused(folder, &eval(&["--data", "synthetic"]), 3, message);
    let message = "image_size: expected 64, which the checkpoint is for, got 32";
    let command = ["predict", "--checkpoint", CHECKPOINT, "--image-size", "32", "pets"];
    refused(folder, &command, 2, message);
    let message = "theirs.safetensors: no generator; the file holds a classifier alone";
    refused(folder, &[&with("export")[..], &["--net", "generator", "--out", "g.onnx"]].concat(), 3, message);
}

#[test]
fn what_pytorch_saved_otherwise_is_told_of() {
    let here = trained(&["--method", "classifier"]);
    let folder = here.path();
    state_dict(folder, "theirs.safetensors");
    let theirs = TensorsFile::read(&folder.join("theirs.safetensors"));
    let edited = |edit: &dyn Fn(&mut TensorsFile), message: &str| {
        let mut file = theirs.clone();
        edit(&mut file);
        file.write(&folder.join("edited.safetensors"));
        refused(folder, &["predict", "--checkpoint", "edited.safetensors", "pets"], 3, message);
    };
    let expected = "edited.safetensors: no `ecgan` in the metadata; expected a checkpoint written by `ecgan train`, or \
                    the state dict of its classifier (`conv1.weight`, .., `linear.bias`)";
    edited(&|file| drop(file.tensors.remove("linear.bias")), expected);
    edited(&|file| file.prefix("module."), expected);
    edited(&|file| drop(file.tensors.remove("bn1.bias")), "edited.safetensors: classifier: `bn1.bias` is missing");
    edited(
        &|file| file.tensors.get_mut("conv1.weight").unwrap().shape = vec![1, 1, 3, 9],
        "classifier: `conv1.weight`: expected real numbers of shape [1, 1, 3, 3], got real numbers of shape [1, 1, 3, 9]",
    );
    edited(
        &|file| file.tensors.get_mut("conv1.weight").unwrap().shape = vec![27, 1, 1, 1],
        "`conv1.weight`: expected real numbers of shape [27, 1, 3, 3], got real numbers of shape [27, 1, 1, 1]",
    );
    edited(
        &|file| file.tensors.get_mut("conv1.weight").unwrap().shape = vec![1, 9, 1, 3],
        "edited.safetensors: tensors: channels: expected 1 or 3, got 9",
    );
    fs::write(folder.join("model.pt"), b"PK\x03\x04 and more of an archive").unwrap();
    let message =
        "model.pt: not a safetensors file but one of torch.save or another archive; safetensors.torch.save_file(";
    refused(folder, &["predict", "--checkpoint", "model.pt", "pets"], 3, message);
}

/// Of one trunk the discriminator is a weight a feature, whatever the width.
#[test]
fn a_wide_shared_discriminator_reads_back() {
    let here = trained(&["--method", "shared-resnet", "--width", "40"]);
    export(here.path(), CHECKPOINT, "discriminator", "d.safetensors");
    export(here.path(), "d.safetensors", "discriminator", "again.safetensors");
    let tensors = |name: &str| TensorsFile::read(&here.path().join(name)).tensors;
    assert_eq!(tensors("again.safetensors"), tensors("d.safetensors"));
}

#[test]
fn what_cannot_be_exported_is_refused() {
    let here = trained(&["--method", "classifier"]);
    let folder = here.path();
    let with = |net, out| ["export", "--checkpoint", CHECKPOINT, "--net", net, "--out", out];
    for net in ["generator", "discriminator"] {
        let message = format!("last.safetensors: no {net}; expected a checkpoint of a method with a GAN");
        refused(folder, &with(net, "x/new.onnx"), 3, &message);
        refused(folder, &with(net, "x/new.safetensors"), 3, &message);
    }
    for out in ["c.pt", "c", "onnx", "c.onnx.txt"] {
        let message = format!("out: expected a name that ends in .safetensors or .onnx, got {out}");
        refused(folder, &with("classifier", out), 2, &message);
    }
    refused(folder, &with("critic", "c.onnx"), 2, "[possible values: generator, discriminator, classifier]");
    let missing = ["export", "--checkpoint", "none", "--net", "classifier", "--out", "c.onnx"];
    refused(folder, &missing, 3, "none: cannot read: ");
    let before = fs::read(folder.join(CHECKPOINT)).unwrap();
    fs::write(folder.join("there.onnx"), "").unwrap();
    let message = "out: expected a file that is not there yet, or --force to replace it, got there.onnx";
    refused(folder, &with("classifier", "there.onnx"), 2, message);
    fs::remove_file(folder.join("there.onnx")).unwrap();
    // Not even so, and by no other path.
    for itself in [CHECKPOINT, "run/../run/checkpoints/last.safetensors"] {
        let message = "out: expected another file than --checkpoint, of which it would keep one network, got run/";
        refused(folder, &[&with("classifier", itself)[..], &["--force"]].concat(), 2, message);
    }
    assert!(fs::read(folder.join(CHECKPOINT)).unwrap() == before);
    fs::create_dir(folder.join("folder.onnx")).unwrap();
    let command = [&with("classifier", "folder.onnx")[..], &["--force"]].concat();
    refused(folder, &command, 3, "folder.onnx: cannot write: there is something that is no regular file");
    assert_eq!(entries(folder), 3, "pets, run and the folder");

    fs::write(folder.join("C.ONNX"), "older").unwrap();
    refused(folder, &with("classifier", "C.ONNX"), 2, "--force");
    assert!(ecgan(folder, &[&with("classifier", "C.ONNX")[..], &["--force"]].concat()).status.success());
    assert!(fs::read(folder.join("C.ONNX")).unwrap() != b"older");
}

#[test]
fn a_graph_is_whole_and_has_the_state_dicts_tensors() {
    let here = trained(&["--image-size", "64", "--channels", "1"]);
    let folder = here.path();
    let n = || Sizes::Free("batch".into());
    let fixed =
        |sizes: &[u64]| [&[n()][..], &sizes.iter().map(|&size| Sizes::Fixed(size)).collect::<Vec<_>>()].concat();
    let (images, noise) = (("images", fixed(&[1, 64, 64])), ("noise", fixed(&[100])));
    let classes = vec![("logits", fixed(&[3])), ("probabilities", fixed(&[3]))];
    for (net, input, outputs, operators) in [
        ("classifier", &images, classes, &[("Conv", 20), ("BatchNormalization", 20), ("Relu", 17), ("Add", 8)][..]),
        ("generator", &noise, vec![images.clone()], &[("ConvTranspose", 5), ("BatchNormalization", 4), ("Relu", 4)]),
        ("discriminator", &images, vec![("logits", vec![n()])], &[("Conv", 5), ("LeakyRelu", 4)]),
    ] {
        export(folder, CHECKPOINT, net, &format!("{net}.onnx"));
        export(folder, CHECKPOINT, net, &format!("{net}.safetensors"));
        let model = Model::read(&fs::read(folder.join(format!("{net}.onnx"))).unwrap());
        assert_eq!((model.ir_version, model.opset, model.producer.as_str()), (8, 17, "ecgan"));
        let owned = |values: &[(&str, Vec<Sizes>)]| -> Vec<_> {
            values.iter().map(|(name, sizes)| ((*name).to_owned(), sizes.clone())).collect()
        };
        assert_eq!((&model.inputs, &model.outputs), (&owned(std::slice::from_ref(input)), &owned(&outputs)));
        for (operator, count) in operators {
            assert_eq!(
                model.nodes.iter().filter(|node| node.operator == *operator).count(),
                *count,
                "{net}: {operator}"
            );
        }
        // Whatever a node takes is an input, a weight, or what an earlier node gave; every weight is taken once.
        let mut known = vec![input.0];
        for node in &model.nodes {
            for taken in &node.inputs {
                let weight = model.weights.contains_key(taken);
                assert!(weight || known.contains(&taken.as_str()), "{net}: {taken}");
            }
            known.push(&node.output);
        }
        outputs.iter().for_each(|(name, _)| assert!(known.contains(name), "{net}: {name}"));
        let state = TensorsFile::read(&folder.join(format!("{net}.safetensors")));
        for (name, tensor) in state.tensors.iter().filter(|(name, _)| !name.ends_with("num_batches_tracked")) {
            assert!(model.weights[name] == (tensor.shape.clone(), tensor.bytes.clone()), "{net}: {name}");
            assert_eq!(model.nodes.iter().flat_map(|node| &node.inputs).filter(|taken| *taken == name).count(), 1);
        }
        assert_eq!(model.metadata["classes"], "[\"cat\",\"dog\",\"fish\"]");
        assert_eq!((&model.metadata["network"][..], &model.metadata["image_size"][..]), (net, "64"));
        assert!(model.metadata["preprocessing"].starts_with("grey (Rec. 601 luma), resized to 64x64"));
    }
}

/// The weights of preset `best`'s discriminator are over their largest singular value, as evaluation finds it.
#[test]
fn a_graph_has_spectral_weights_as_evaluation_takes_them() {
    for (method, inputs) in [("conditional", &["images", "class"][..]), ("ec-gan", &["images"])] {
        let here = trained(&["--preset", "best", "--method", method, "--width", "1"]);
        let folder = here.path();
        export(folder, CHECKPOINT, "discriminator", "d.onnx");
        export(folder, CHECKPOINT, "discriminator", "d.safetensors");
        let model = Model::read(&fs::read(folder.join("d.onnx")).unwrap());
        let state = TensorsFile::read(&folder.join("d.safetensors")).tensors;
        assert_eq!(model.inputs.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), inputs);
        let operators = |operator: &str| model.nodes.iter().filter(|node| node.operator == operator).count();
        assert_eq!(["Conv", "LeakyRelu", "BatchNormalization"].map(operators), [4, 3, 0], "{method}");
        let real = |bytes: &[u8]| -> Vec<f64> {
            bytes.as_chunks().0.iter().map(|&b| f64::from(f32::from_le_bytes(b))).collect()
        };
        for layer in [0, 2, 4, 6].map(|at| format!("main.{at}")) {
            let [weight, bias] = ["weight", "bias"].map(|name| format!("{layer}.{name}"));
            let node = model.nodes.iter().find(|node| node.output == layer).unwrap();
            assert_eq!(node.inputs[1..], [weight.clone(), bias.clone()], "{method}");
            assert!(model.weights[&bias] == (state[&bias].shape.clone(), state[&bias].bytes.clone()), "{bias}");
            let [original, u] = ["weight_orig", "weight_u"].map(|name| &state[&format!("{layer}.{name}")]);
            let (w, u) = (real(&original.bytes), real(&u.bytes));
            let columns = w.len() / u.len();
            let v = (0..columns).map(|j| u.iter().zip(w.chunks(columns)).map(|(u, w)| u * w[j]).sum::<f64>());
            let sigma = v.map(|v| v * v).sum::<f64>().sqrt();
            let (shape, bytes) = &model.weights[&weight];
            assert_eq!(shape, &original.shape, "{weight}");
            for (got, w) in real(bytes).iter().zip(&w) {
                assert!((got - w / sigma).abs() <= 1e-6 * (w / sigma).abs(), "{weight}: {got}, {w} over {sigma}");
            }
        }
    }
}

#[test]
fn nothing_is_exported_into_the_data() {
    let here = trained(&[]);
    let folder = here.path();
    let message = "out: expected a name outside pets, whose images it could be taken for, got pets/train/new/c.onnx";
    let command =
        |checkpoint| ["export", "--checkpoint", checkpoint, "--net", "classifier", "--out", "pets/train/new/c.onnx"];
    refused(folder, &command(CHECKPOINT), 2, message);
    // What was exported knows the data too, what PyTorch saved does not.
    export(folder, CHECKPOINT, "classifier", "one.safetensors");
    refused(folder, &command("one.safetensors"), 2, message);
    assert!(!folder.join("pets/new").exists());
    state_dict(folder, "theirs.safetensors");
    assert!(ecgan(folder, &command("theirs.safetensors")).status.success());
}
