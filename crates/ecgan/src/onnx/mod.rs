//! Networks as ONNX files, for any runtime that reads them: what they compute in evaluation, batch norm by its running
//! statistics.
//!
//! Images are NCHW and weights as in the state dict, PyTorch's layouts, which are ONNX's too. The number of images is free.
//! The graphs say the same as the `forward` functions in `models/`; `tools/export-check` runs them and compares.

mod layers;
mod message;

use crate::checkpoint::Meta;
use crate::models::{Condition, NOISE, modules_of_hidden};
use crate::settings::{Architecture, ClassCode, NetworkName, NormD};
use layers::Layers;
use message::{Attribute, DataType, Dim, Graph, value, value_of};
use nn::StateDict;

/// An ONNX file of the network of this name and these weights, of the architecture that `meta` describes.
///
/// # Panics
/// If `state` is not the state dict of that network.
pub fn model(name: NetworkName, state: &StateDict, meta: &Meta) -> Vec<u8> {
    let mut layers = Layers::new(state);
    let images = [Dim::Batch, Dim::Fixed(meta.channels), Dim::Fixed(meta.image_size), Dim::Fixed(meta.image_size)];
    let classes = || [Dim::Batch, Dim::Fixed(meta.classes.len())];
    let (inputs, outputs) = match name {
        NetworkName::Classifier => {
            match meta.architecture {
                Architecture::ResNet18 => resnet18(&mut layers),
                Architecture::Dcgan => dcgan(&mut layers, hidden_layers(meta)),
            }
            layers.node("Softmax", &["logits"], "probabilities", &[Attribute::int("axis", 1)]);
            let logits = value("logits", &classes(), "before the softmax");
            let probabilities =
                value("probabilities", &classes(), "they sum to 1; `classes` in the metadata names them");
            (vec![value("images", &images, PREPROCESSING)], vec![logits, probabilities])
        }
        NetworkName::Generator => {
            generator(&mut layers, hidden_layers(meta), meta.condition);
            let noise = value("noise", &[Dim::Batch, Dim::Fixed(NOISE)], "standard normal");
            let inputs = [noise].into_iter().chain(meta.condition.map(class_input)).collect();
            (inputs, vec![value("images", &images, "pixels in 0..255 are (value + 1) * 127.5, rounded")])
        }
        NetworkName::Discriminator if meta.shared => {
            let input = real_head(&mut layers, meta);
            (vec![input], vec![value("logits", &[Dim::Batch], "positive is real")])
        }
        NetworkName::Discriminator => {
            let x = trunk(&mut layers, meta.image_size, hidden_layers(meta), meta.condition, meta.norm_d);
            let last = format!("main.{}", modules_of_hidden(meta.norm_d) * hidden_layers(meta));
            let x = match meta.norm_d {
                NormD::Batch => layers.conv(&x, &last, 1, 0), // [n,1,1,1]
                NormD::Spectral => layers.spectral_conv(&x, &last, 1, 0),
            };
            one_each(&mut layers, &x);
            let images = value("images", &images, PREPROCESSING);
            let inputs = [images].into_iter().chain(meta.condition.map(class_input)).collect();
            (inputs, vec![value("logits", &[Dim::Batch], "positive is real")])
        }
    };
    let Layers { nodes, initializers, .. } = layers;
    let graph = Graph { name: name.name(), nodes, initializers, inputs, outputs };
    message::model(&graph, &format!("The {name} of an EC-GAN"), &properties(name, meta))
}

/// From pixels to what a network takes.
const PREPROCESSING: &str = "pixel / 127.5 - 1 of 8-bit pixels, NCHW";

/// What the file says about itself beside the graph.
fn properties(name: NetworkName, meta: &Meta) -> [(&'static str, String); 5] {
    let colours = if meta.channels == 1 { "grey (Rec. 601 luma)" } else { "RGB" };
    let size = meta.image_size;
    [
        ("network", name.to_string()),
        ("classes", serde_json::to_string(&meta.classes).expect("words are JSON")),
        ("image_size", size.to_string()),
        ("channels", meta.channels.to_string()),
        (
            "preprocessing",
            format!("{colours}, resized to {size}x{size} by an antialiased triangle filter, {PREPROCESSING}"),
        ),
    ]
}

/// Hidden layers of generator and discriminator: each halves or doubles, down to or up from 4x4.
fn hidden_layers(meta: &Meta) -> usize {
    (meta.image_size / 4).ilog2() as usize
}

/// What a conditional network is given beside its input.
fn class_input(condition: Condition) -> Vec<u8> {
    value_of(DataType::Int64, "class", &[Dim::Batch], &format!("from 0 to {}", condition.classes - 1))
}

/// A class's numbers, as [`ClassCode`] has them: `[n,k]`.
fn codes(layers: &mut Layers<'_>, condition: Condition) -> String {
    let axis = layers.integers("code.axis", &[1]);
    let class = layers.node("Unsqueeze", &["class", &axis], "code.class", &[]); // [n,1]
    let float = |layers: &mut Layers<'_>, x: &str, name: &str| {
        layers.node("Cast", &[x], name, &[Attribute::int("to", DataType::Float as u64)])
    };
    let classes = condition.classes as i64;
    match condition.code {
        ClassCode::OneHot => {
            let all = layers.integers("code.all", &(0..classes).collect::<Vec<_>>());
            let equal = layers.node("Equal", &[&class, &all], "code.equal", &[]); // [n,classes]
            float(layers, &equal, "code")
        }
        ClassCode::Scalar => {
            // (2 class - last) / last, of which only the quotient is no integer.
            let last = (classes - 1).max(1);
            let (two, last) = (layers.integers("code.two", &[2]), layers.integers("code.last", &[last]));
            let twice = layers.node("Mul", &[&class, &two], "code.twice", &[]);
            let above = layers.node("Sub", &[&twice, &last], "code.above", &[]);
            let (above, last) = (float(layers, &above, "code.numerator"), float(layers, &last, "code.denominator"));
            layers.node("Div", &[&above, &last], "code", &[])
        }
    }
}

/// As [`crate::models::ResNet18`].
fn resnet18(layers: &mut Layers<'_>) {
    let x = layers.conv("images", "conv1", 1, 1);
    let mut h = batch_norm_relu(layers, &x, "bn1"); // [n,w,32,32]
    for stage in 0..4 {
        for block in 0..2 {
            let stride = if stage > 0 && block == 0 { 2 } else { 1 };
            h = basic_block(layers, &h, &format!("layer{}.{block}", stage + 1), stride);
        }
    }
    let pooled = layers.node("GlobalAveragePool", &[&h], "pooled", &[]); // [n,8w,1,1]
    let features = layers.node("Flatten", &[&pooled], "features", &[Attribute::int("axis", 1)]); // [n,8w]
    layers.linear(&features, "linear", "logits"); // [n,classes]
}

/// As [`nn::BasicBlock`]; a block with a stride, and only such a one, changes the channels.
fn basic_block(layers: &mut Layers<'_>, x: &str, block: &str, stride: usize) -> String {
    let h = layers.conv(x, &format!("{block}.conv1"), stride, 1);
    let h = batch_norm_relu(layers, &h, &format!("{block}.bn1"));
    let h = layers.conv(&h, &format!("{block}.conv2"), 1, 1);
    let h = layers.batch_norm(&h, &format!("{block}.bn2"));
    let shortcut = if stride == 1 {
        x.to_owned()
    } else {
        let projected = layers.conv(x, &format!("{block}.shortcut.0"), stride, 0);
        layers.batch_norm(&projected, &format!("{block}.shortcut.1"))
    };
    let sum = layers.node("Add", &[&h, &shortcut], &format!("{block}.sum"), &[]);
    layers.node("Relu", &[&sum], &format!("{block}.relu"), &[])
}

fn batch_norm_relu(layers: &mut Layers<'_>, x: &str, layer: &str) -> String {
    let h = layers.batch_norm(x, layer);
    layers.node("Relu", &[&h], &format!("{layer}.relu"), &[])
}

/// As [`crate::models::generator`], whose `main` has an activation after each batch norm.
fn generator(layers: &mut Layers<'_>, hidden: usize, condition: Option<Condition>) {
    let given = match condition {
        None => "noise".to_owned(),
        Some(condition) => {
            let code = codes(layers, condition);
            layers.node("Concat", &["noise", &code], "given", &[Attribute::int("axis", 1)])
        }
    };
    let axes = layers.integers("axes", &[2, 3]);
    let mut h = layers.node("Unsqueeze", &[&given, &axes], "z", &[]); // [n,100,1,1]
    for i in 0..hidden {
        let (stride, padding) = if i == 0 { (1, 0) } else { (2, 1) };
        let x = layers.conv_transpose(&h, &format!("main.{}", 3 * i), stride, padding);
        let x = layers.batch_norm(&x, &format!("main.{}", 3 * i + 1));
        h = layers.node("Relu", &[&x], &format!("main.{}", 3 * i + 2), &[]);
    }
    let x = layers.conv_transpose(&h, &format!("main.{}", 3 * hidden), 2, 1); // [n,3,32,32]
    layers.node("Tanh", &[&x], "images", &[]);
}

/// The hidden layers of [`crate::models::discriminator`]: features `[n,256,4,4]`.
fn trunk(layers: &mut Layers<'_>, size: usize, hidden: usize, condition: Option<Condition>, norm: NormD) -> String {
    let (mut h, modules) = ("images".to_owned(), modules_of_hidden(norm));
    for i in 0..hidden {
        let at = modules * i;
        let x = match norm {
            NormD::Batch => {
                let x = layers.conv(&h, &format!("main.{at}"), 2, 1);
                layers.batch_norm(&x, &format!("main.{}", at + 1))
            }
            NormD::Spectral => layers.spectral_conv(&h, &format!("main.{at}"), 2, 1),
        };
        let activation = format!("main.{}", at + modules - 1);
        h = layers.node("LeakyRelu", &[&x], &activation, &[Attribute::float("alpha", 0.2)]);
        if let Some(condition) = condition.filter(|_| i == 0) {
            let code = codes(layers, condition);
            let axes = layers.integers("code.axes", &[2, 3]);
            let code = layers.node("Unsqueeze", &[&code, &axes], "code.pixel", &[]); // [n,k,1,1]
            let shape = layers.integers("code.shape", &[1, 1, size as i64 / 2, size as i64 / 2]);
            let planes = layers.node("Expand", &[&code, &shape], "code.planes", &[]); // [n,k,16,16]
            h = layers.node("Concat", &[&h, &planes], "given", &[Attribute::int("axis", 1)]);
        }
    }
    h
}

/// As [`crate::models::Dcgan`].
fn dcgan(layers: &mut Layers<'_>, hidden: usize) {
    let features = trunk(layers, 0, hidden, None, NormD::Batch);
    let x = layers.conv(&features, &format!("main.{}", 3 * hidden), 1, 0); // [n,classes,1,1]
    layers.node("Flatten", &[&x], "logits", &[Attribute::int("axis", 1)]);
}

/// As [`crate::models::Classifier::real_head`]; its input.
fn real_head(layers: &mut Layers<'_>, meta: &Meta) -> Vec<u8> {
    let (shape, x) = match meta.architecture {
        Architecture::ResNet18 => (vec![8 * meta.width], layers.linear("features", "real", "real")),
        Architecture::Dcgan => (vec![32 << hidden_layers(meta), 4, 4], layers.conv("features", "real", 1, 0)),
    };
    one_each(layers, &x);
    let shape: Vec<Dim> = [Dim::Batch].into_iter().chain(shape.into_iter().map(Dim::Fixed)).collect();
    value("features", &shape, "what the classifier's last layer is applied to")
}

/// Logits `[n]`.
fn one_each(layers: &mut Layers<'_>, x: &str) {
    let shape = layers.integers("shape", &[-1]);
    layers.node("Reshape", &[x, &shape], "logits", &[]);
}
