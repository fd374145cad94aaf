//! Safetensors files taken apart and put together by hand: `u64 length | JSON | bytes`.

use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::Path;

/// A tensor.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    pub dtype: String,
    pub shape: Vec<usize>,
    pub bytes: Vec<u8>,
}

/// What is in a file.
#[derive(Clone)]
pub struct TensorsFile {
    pub metadata: Option<HashMap<String, String>>,
    pub tensors: BTreeMap<String, Stored>,
}

impl TensorsFile {
    pub fn read(path: &Path) -> Self {
        let bytes = fs::read(path).unwrap();
        let (length, rest) = bytes.split_first_chunk().unwrap();
        let (header, data) = rest.split_at(u64::from_le_bytes(*length) as usize);
        let mut header: Map<String, Value> = serde_json::from_slice(header).unwrap();
        let metadata = header.remove("__metadata__").map(|metadata| serde_json::from_value(metadata).unwrap());
        let tensor = |(name, about): (String, Value)| {
            let numbers = |key: &str| serde_json::from_value::<Vec<usize>>(about[key].clone()).unwrap();
            let [from, to] = numbers("data_offsets")[..] else { panic!("{about}") };
            let dtype = about["dtype"].as_str().unwrap().to_owned();
            (name, Stored { dtype, shape: numbers("shape"), bytes: data[from..to].to_vec() })
        };
        Self { metadata, tensors: header.into_iter().map(tensor).collect() }
    }

    /// Writes the tensors; their lengths are made to fit their shapes.
    pub fn write(&self, path: &Path) {
        let (mut header, mut data) = (Map::new(), Vec::new());
        if let Some(metadata) = &self.metadata {
            header.insert("__metadata__".into(), json!(metadata));
        }
        for (name, Stored { dtype, shape, bytes }) in &self.tensors {
            let from = data.len();
            data.extend(bytes);
            data.resize(from + shape.iter().product::<usize>() * if dtype.ends_with("64") { 8 } else { 4 }, 0);
            header.insert(name.clone(), json!({"dtype": dtype, "shape": shape, "data_offsets": [from, data.len()]}));
        }
        let header = serde_json::to_vec(&header).unwrap();
        fs::write(path, [&(header.len() as u64).to_le_bytes()[..], &header, &data].concat()).unwrap();
    }

    /// Puts `prefix` before every name.
    pub fn prefix(&mut self, prefix: &str) {
        self.tensors =
            std::mem::take(&mut self.tensors).into_iter().map(|(name, t)| (format!("{prefix}{name}"), t)).collect();
    }
}
