//! Checkpoints with good metadata whose classifier was changed: other numbers, shapes, types and names.

use crate::checkpoint_meta::measure;
use crate::{piece, pieces};
use ecgan::checkpoint::{self, Meta, Position};
use ecgan::models::{ImageShape, ResNet18};
use ecgan::networks::Networks;
use ecgan::settings::{Method, Partial, Settings};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde_json::Value;
use std::collections::HashMap;
use std::sync::LazyLock;
use tensor::Device;

/// The classes of the data set that [`crate::data_sets`] writes.
pub const CLASSES: [&str; 3] = ["cat", "dog", "fish"];

/// Name, type, shape, bytes.
pub type Stored = (String, Dtype, Vec<usize>, Vec<u8>);

/// A good checkpoint of the smallest classifier, taken apart.
pub struct Parts {
    pub meta: Value,
    pub tensors: Vec<Stored>,
}

static PARTS: LazyLock<Parts> = LazyLock::new(|| {
    let given = Partial { width: Some(1), method: Some(Method::Classifier), ..Partial::default() };
    let settings = Settings::resolve(given).expect("within their ranges");
    let image = ImageShape { channels: 3, size: 32 };
    let networks = Networks::new(&Device::cpu(), &settings, &ResNet18 { width: 1 }, image, CLASSES.len());
    let path = crate::path("good");
    let meta = Meta::new(&settings, &CLASSES.map(String::from));
    checkpoint::save(&path, &networks, Position::default(), &meta).expect("a temporary folder");
    let bytes = std::fs::read(&path).expect("just written");
    let file = SafeTensors::deserialize(&bytes).expect("just written");
    let mut tensors: Vec<Stored> =
        file.iter().map(|(name, t)| (name.to_owned(), t.dtype(), t.shape().to_vec(), t.data().to_vec())).collect();
    tensors.sort_by(|a, b| a.0.cmp(&b.0));
    Parts { meta: serde_json::to_value(meta).expect("JSON"), tensors }
});

pub fn parts() -> &'static Parts {
    &PARTS
}

impl Parts {
    /// A file of those tensors whose bytes fit their shapes.
    pub fn serialize(tensors: &[Stored], meta: String) -> Vec<u8> {
        let views = tensors.iter().filter_map(|(name, dtype, shape, bytes)| {
            Some((name, TensorView::new(*dtype, shape.clone(), bytes).ok()?))
        });
        safetensors::serialize(views, Some(HashMap::from([("ecgan".to_owned(), meta)]))).expect("lengths that fit")
    }
}

/// Each piece is a change: what, where, and with which bytes.
pub fn read(data: &[u8]) {
    let mut tensors = parts().tensors.clone();
    let mut meta = parts().meta.clone();
    for change in pieces(data) {
        let [what, which, at, rest @ ..] = change else { continue };
        let which = usize::from(*which) % tensors.len();
        if what % 8 == 5 && tensors.len() > 1 {
            tensors.remove(which);
            continue;
        }
        let tensor = &mut tensors[which];
        match what % 8 {
            0 => {
                let at = usize::from(*at) * 4 % tensor.3.len().max(1);
                tensor.3.iter_mut().skip(at).zip(rest).for_each(|(to, from)| *to = *from);
            }
            1 => tensor.2.insert(usize::from(*at) % (tensor.2.len() + 1), 1),
            2 => tensor.2.reverse(),
            3 => {
                (tensor.1, tensor.2) = (Dtype::I64, Vec::new());
                tensor.3 = rest.iter().copied().chain([0; 8]).take(8).collect();
            }
            4 => tensor.0 = String::from_utf8_lossy(rest).into_owned(),
            6 => meta["width"] = usize::from(*at).into(),
            7 => tensor.3 = tensor.3.chunks_exact(4).flat_map(|_| [*at, *at, *at, *at]).collect(),
            _ => {}
        }
    }
    measure(&Parts::serialize(&tensors, meta.to_string()), 0);
}

pub fn seeds() -> Vec<Vec<u8>> {
    let number = |value: f32| piece(&[&[0, 5, 0], &value.to_le_bytes()[..]].concat());
    let mut seeds: Vec<Vec<u8>> = [1.0, 1e38, -1e-40, f32::NAN, f32::INFINITY].map(number).into();
    seeds.extend((1..8).map(|what| piece(&[what, 9, 2, b'a', b'b'])));
    seeds
}
