//! Writing checkpoints.

use super::meta::KEY;
use super::{Meta, Position};
use crate::Error;
use crate::methods::Thresholds;
use crate::networks::Networks;
use crate::run_folder::write_bytes;
use crate::settings::NetworkName;
use nn::{Network, StateDict, StateTensor};
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use std::collections::HashMap;
use std::path::Path;

/// What the names of spectral norm's two directions end in.
const LEFT: &str = ".weight_u";

/// As [`LEFT`]; in files for PyTorch alone.
const RIGHT: &str = ".weight_v";

/// The moving average that thresholds by class come from.
pub(super) const CLASS_AVERAGE: &str = "state.class_average";

/// Writes a checkpoint; it appears whole or not at all.
///
/// # Errors
/// [`Error::Io`], and what failed on a GPU.
pub fn save(path: &Path, networks: &Networks, position: Position, meta: &Meta) -> Result<(), Error> {
    let mut tensors: Vec<Stored> = Vec::new();
    let averages = networks.averages();
    for (name, network, adam) in networks.named() {
        // What is used is the average; what trains on lies with the optimizer.
        match averages.iter().find(|(of, _)| *of == name) {
            Some((_, average)) => {
                store(&mut tensors, name, average.state_dict()?);
                store(&mut tensors, &format!("optimizer.{name}.weights"), network.state_dict()?);
            }
            None => store(&mut tensors, name, network.state_dict()?),
        }
        for (moment, flat) in [("m", &adam.m), ("v", &adam.v)] {
            store(&mut tensors, &format!("optimizer.{name}.{moment}"), network.as_state_dict(flat)?);
        }
        tensors.push(Stored::count(format!("optimizer.{name}.t"), adam.t()?));
    }
    if let Some(average) = networks.thresholds().and_then(Thresholds::average) {
        let average: Vec<f64> = average.to_vec()?.into_iter().map(f64::from).collect();
        tensors.push(Stored::numbers(CLASS_AVERAGE.into(), vec![average.len()], &average));
    }
    position.store(&mut tensors);
    write(path, &tensors, Some(meta))
}

/// Writes one network alone, under PyTorch's names as they are: a state dict. Without `meta`, nothing else is in the file.
///
/// # Errors
/// As [`save`].
pub fn save_one(path: &Path, name: NetworkName, network: &Network, meta: Option<&Meta>) -> Result<(), Error> {
    let tensors: Vec<Stored> = with_right_directions(network.state_dict()?).into_iter().map(Stored::new).collect();
    let meta = meta.map(|meta| Meta { network: Some(name), images: Vec::new(), names: String::new(), ..meta.clone() });
    write(path, &tensors, meta.as_ref())
}

/// With the `weight_v` that PyTorch's `spectral_norm` keeps beside `weight_u`, though it follows from it: W^T u / |W^T u|.
fn with_right_directions(state: StateDict) -> StateDict {
    let of = |name: &str| match state.iter().find(|(other, _)| other == name) {
        Some((_, StateTensor::Real(_, values))) => Some(values),
        _ => None,
    };
    let directions = state.iter().filter_map(|(name, _)| {
        let layer = name.strip_suffix(LEFT)?;
        let (w, u) = (of(&format!("{layer}.weight_orig"))?, of(name)?);
        let mut v = vec![0.0; w.len() / u.len()];
        for (w, u) in w.chunks_exact(v.len()).zip(u) {
            v.iter_mut().zip(w).for_each(|(v, w)| *v += w * u);
        }
        let sigma = v.iter().map(|v| v * v).sum::<f64>().sqrt();
        v.iter_mut().for_each(|v| *v /= sigma);
        Some((format!("{layer}{RIGHT}"), StateTensor::Real(vec![v.len()], v)))
    });
    let directions: StateDict = directions.collect();
    state.into_iter().chain(directions).collect()
}

/// Without what the other way round was added.
pub(super) fn without_right_directions(state: &mut StateDict) {
    let layers: Vec<String> = state.iter().filter_map(|(name, _)| Some(name.strip_suffix(LEFT)?.to_owned())).collect();
    state.retain(|(name, _)| !name.strip_suffix(RIGHT).is_some_and(|layer| layers.iter().any(|other| other == layer)));
}

fn write(path: &Path, tensors: &[Stored], meta: Option<&Meta>) -> Result<(), Error> {
    let views = tensors.iter().map(|t| {
        let view = TensorView::new(t.dtype, t.shape.clone(), &t.bytes).expect("as many bytes as the shape says");
        (t.name.as_str(), view)
    });
    let json = |meta| serde_json::to_string(meta).expect("numbers and words are JSON");
    let metadata = meta.map(|meta| HashMap::from([(KEY.to_owned(), json(meta))]));
    let bytes = safetensors::serialize(views, metadata)
        .map_err(|error| Error::BadFile { path: path.to_path_buf(), problem: error.to_string() })?;
    write_bytes(path, bytes)
}

/// A tensor as it is written.
pub(super) struct Stored {
    name: String,
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl Stored {
    pub(super) fn count(name: String, value: u64) -> Self {
        Self { name, dtype: Dtype::I64, shape: Vec::new(), bytes: (value as i64).to_le_bytes().to_vec() }
    }

    pub(super) fn numbers(name: String, shape: Vec<usize>, values: &[f64]) -> Self {
        Self {
            name,
            dtype: Dtype::F64,
            shape,
            bytes: values.iter().map(|v| v.to_le_bytes()).collect::<Vec<_>>().into_flattened(),
        }
    }

    fn new((name, tensor): (String, StateTensor)) -> Self {
        match tensor {
            StateTensor::Count(count) => Self::count(name, count as u64),
            StateTensor::Real(shape, values) => {
                let bytes: Vec<[u8; 4]> = values.iter().map(|&v| (v as f32).to_le_bytes()).collect();
                Self { name, dtype: Dtype::F32, shape, bytes: bytes.into_flattened() }
            }
        }
    }
}

fn store(tensors: &mut Vec<Stored>, prefix: &str, state: StateDict) {
    tensors.extend(state.into_iter().map(|(name, tensor)| Stored::new((format!("{prefix}.{name}"), tensor))));
}
