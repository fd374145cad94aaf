//! A network's numbers under PyTorch's names and in PyTorch's layouts.
//!
//! Inside the engine, weights of convolutions are `[o,kh,kw,i]` and of transposed ones `[i,kh,kw,o]`; PyTorch has
//! OIHW and IOHW. Both are the same permutation (0,3,1,2), so a 4-dimensional tensor is permuted, others are not.

use crate::Network;
use crate::builder::Entry;
use std::collections::BTreeMap;
use tensor::{Named, ParamId, Real, Result, Shape, Tensor, params};

/// One entry of a state dict.
#[derive(Clone, Debug, PartialEq)]
pub enum StateTensor {
    /// Floating-point numbers: shape (PyTorch's), elements.
    Real(Vec<usize>, Vec<f64>),
    /// A count, of shape `[]`.
    Count(i64),
}

/// Names and tensors, in PyTorch's order of the modules.
pub type StateDict = Vec<(String, StateTensor)>;

/// A state dict that does not fit the network.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum StateError {
    /// The network has a tensor that the state dict lacks.
    #[error("`{0}` is missing")]
    Missing(String),
    /// The state dict has a tensor that the network lacks.
    #[error("`{0}` is not part of this network")]
    Unexpected(String),
    /// A tensor of another shape or type.
    #[error("`{name}`: expected {expected}, got {got}")]
    Mismatch {
        /// The tensor.
        name: String,
        /// Its shape and type in the network.
        expected: String,
        /// What the state dict has.
        got: String,
    },
    /// A NaN or an infinity, or a number so large that the network's type has an infinity for it.
    #[error("`{name}` holds {value:e} at element {index}; expected finite numbers{}", within(*value))]
    NotFinite {
        /// The tensor.
        name: String,
        /// Which element.
        index: usize,
        /// What it is.
        value: f64,
    },
}

/// Which finite numbers are expected, where the given one is finite too.
fn within(value: f64) -> &'static str {
    if value.is_finite() { " of the network's type" } else { "" }
}

/// PyTorch's shape of a tensor of the engine's shape.
fn external_shape(shape: Shape) -> Vec<usize> {
    match shape[..] {
        [a, kh, kw, b] => vec![a, b, kh, kw],
        _ => shape.to_vec(),
    }
}

/// Reorders from the engine's layout to PyTorch's; `shape` is the engine's.
pub fn to_external<T: Copy>(shape: Shape, values: &[T]) -> Vec<T> {
    match shape[..] {
        [_, kh, kw, b] => transposed(values, kh * kw, b),
        _ => values.to_vec(),
    }
}

/// Reorders from PyTorch's layout to the engine's; `shape` is the engine's.
pub fn to_internal<T: Copy>(shape: Shape, values: &[T]) -> Vec<T> {
    match shape[..] {
        [_, kh, kw, b] => transposed(values, b, kh * kw),
        _ => values.to_vec(),
    }
}

/// Matrices one after the other, each of `rows` by `columns`, transposed.
fn transposed<T: Copy>(matrices: &[T], rows: usize, columns: usize) -> Vec<T> {
    let mut transposed = Vec::with_capacity(matrices.len());
    for matrix in matrices.chunks_exact(rows * columns) {
        for column in 0..columns {
            transposed.extend((0..rows).map(|row| matrix[row * columns + column]));
        }
    }
    transposed
}

impl<T: Real> Network<T> {
    /// Parameters and running statistics.
    ///
    /// # Errors
    /// What failed on a GPU since the last report.
    pub fn state_dict(&self) -> Result<StateDict> {
        let (params, buffers) = (self.params().values(), &self.buffers);
        let (values, statistics) = (params.flat().to_vec()?, buffers.flat().to_vec()?);
        let of = |named: &Named<T>, flat: &[T], id: ParamId| {
            let entry = &named.entries()[id.index()];
            external(entry, &flat[entry.range.clone()])
        };
        let entries = self.entries.iter().map(|entry| match entry {
            Entry::Param(id) => of(params, &values, *id),
            Entry::Buffer(id) => of(buffers, &statistics, *id),
            Entry::BatchesTracked(name) => (name.clone(), StateTensor::Count(self.batches_tracked as i64)),
        });
        Ok(entries.collect())
    }

    /// Numbers laid out as the flat parameters (an optimizer's moments), under the parameters' names.
    ///
    /// # Errors
    /// As [`Network::state_dict`].
    pub fn as_state_dict(&self, flat: &Tensor<T>) -> Result<StateDict> {
        let flat = flat.to_vec()?;
        let entries = self.params().values().entries().iter();
        Ok(entries.map(|entry| external(entry, &flat[entry.range.clone()])).collect())
    }

    /// The opposite of [`Network::as_state_dict`]: what `state` has under exactly the parameters' names, flat; all finite.
    ///
    /// # Errors
    /// [`StateError`] names the tensor that does not fit.
    pub fn from_state_dict(&self, state: &StateDict) -> std::result::Result<Vec<T>, StateError> {
        let mut given = by_name(state);
        let params = self.params().values();
        let mut flat = vec![T::default(); params.flat().numel()];
        for entry in params.entries() {
            let values = take_real::<T>(&mut given, &entry.name, entry.shape)?;
            flat[entry.range.clone()].copy_from_slice(&values);
        }
        nothing_left(&given)?;
        Ok(flat)
    }

    /// Takes the numbers of a state dict with exactly this network's names and shapes; all finite.
    /// On an error the network is unchanged.
    pub fn load_state_dict(&mut self, state: &StateDict) -> std::result::Result<(), StateError> {
        let mut given = by_name(state);
        let mut reals = Vec::new();
        let mut batches_tracked = self.batches_tracked;
        for entry in &self.entries {
            let (named, id, trained) = match entry {
                Entry::Param(id) => (self.params().values(), id, true),
                Entry::Buffer(id) => (&self.buffers, id, false),
                Entry::BatchesTracked(name) => {
                    batches_tracked = take_count(&mut given, name)?;
                    continue;
                }
            };
            let tensor = &named.entries()[id.index()];
            reals.push((*id, trained, take_real::<T>(&mut given, &tensor.name, tensor.shape)?));
        }
        nothing_left(&given)?;
        for (id, trained, values) in reals {
            let named = if trained { self.params_mut().values_mut() } else { &mut self.buffers };
            named.write(id, &values);
        }
        self.batches_tracked = batches_tracked;
        Ok(())
    }
}

fn by_name(state: &StateDict) -> BTreeMap<&str, &StateTensor> {
    state.iter().map(|(name, tensor)| (name.as_str(), tensor)).collect()
}

fn nothing_left(given: &BTreeMap<&str, &StateTensor>) -> std::result::Result<(), StateError> {
    given.keys().next().map_or(Ok(()), |name| Err(StateError::Unexpected((*name).to_owned())))
}

/// One tensor under its name, in PyTorch's layout.
fn external<T: Real>(entry: &params::Entry, values: &[T]) -> (String, StateTensor) {
    let values: Vec<f64> = values.iter().map(|v| v.to_f64()).collect();
    (entry.name.clone(), StateTensor::Real(external_shape(entry.shape), to_external(entry.shape, &values)))
}

fn take_count(given: &mut BTreeMap<&str, &StateTensor>, name: &str) -> std::result::Result<u64, StateError> {
    match given.remove(name) {
        None => Err(StateError::Missing(name.to_owned())),
        Some(StateTensor::Count(count)) if *count >= 0 => Ok(*count as u64),
        Some(other) => Err(mismatch(name, "a count of at least 0".to_owned(), other)),
    }
}

fn take_real<T: Real>(
    given: &mut BTreeMap<&str, &StateTensor>,
    name: &str,
    shape: Shape,
) -> std::result::Result<Vec<T>, StateError> {
    let expected = external_shape(shape);
    match given.remove(name) {
        None => Err(StateError::Missing(name.to_owned())),
        Some(StateTensor::Real(got, values)) if *got == expected && values.len() == shape.numel() => {
            let cast: Vec<T> = values.iter().map(|&v| T::from_f64(v)).collect();
            if let Some(index) = cast.iter().position(|v| !v.to_f64().is_finite()) {
                return Err(StateError::NotFinite { name: name.to_owned(), index, value: values[index] });
            }
            Ok(to_internal(shape, &cast))
        }
        Some(other) => Err(mismatch(name, format!("real numbers of shape {expected:?}"), other)),
    }
}

fn mismatch(name: &str, expected: String, got: &StateTensor) -> StateError {
    let got = match got {
        StateTensor::Real(shape, _) => format!("real numbers of shape {shape:?}"),
        StateTensor::Count(count) => format!("the integer {count}"),
    };
    StateError::Mismatch { name: name.to_owned(), expected, got }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BatchNorm2d, Conv2d, Linear, Module, Pass};
    use tensor::ops::Activation;
    use tensor::rng::Stream;
    use tensor::{Device, Var};

    struct Identity;

    impl<T: Real> Module<T> for Identity {
        fn forward(&self, _: &Pass<'_, T>, x: &Var<T>) -> Result<Var<T>> {
            Ok(x.clone())
        }
    }

    fn network(seed: u64) -> Network<f32> {
        Network::new(&Device::cpu(), Stream::Init.start(seed), |b| {
            b.scope("conv", |b| Conv2d::new(b, 2, 3, 3, 1, 1));
            b.scope("bn", |b| BatchNorm2d::new(b, 3, Activation::Relu));
            b.scope("linear", |b| Linear::new(b, 3, 2));
            Box::new(Identity)
        })
    }

    #[test]
    fn names_and_layouts_are_pytorchs() {
        let state = network(1).state_dict().unwrap();
        let names: Vec<&str> = state.iter().map(|(name, _)| name.as_str()).collect();
        let bn = ["bn.weight", "bn.bias", "bn.running_mean", "bn.running_var", "bn.num_batches_tracked"];
        assert_eq!(names, [&["conv.weight"][..], &bn, &["linear.weight", "linear.bias"]].concat());
        let StateTensor::Real(shape, _) = &state[0].1 else { panic!("a weight is real") };
        assert_eq!(shape[..], [3, 2, 3, 3]);
        // [o=1, kh=1, kw=2, i=2]: position p, channel c holds 10 p + c.
        let external = to_external(Shape::from([1, 1, 2, 2]), &[0, 1, 10, 11]);
        assert_eq!(external, [0, 10, 1, 11]);
        assert_eq!(to_internal(Shape::from([1, 1, 2, 2]), &external), [0, 1, 10, 11]);
    }

    #[test]
    fn loading_restores_and_checks() {
        let (one, mut two) = (network(1), network(2));
        let state = one.state_dict().unwrap();
        assert_ne!(two.state_dict().unwrap(), state);
        two.load_state_dict(&state).unwrap();
        assert_eq!(two.state_dict().unwrap(), state);

        let flat = one.params().values().flat();
        let moments = one.as_state_dict(flat).unwrap();
        assert_eq!(network(2).from_state_dict(&moments).unwrap(), flat.as_slice());
        assert_eq!(
            network(2).from_state_dict(&moments[1..].to_vec()).unwrap_err().to_string(),
            "`conv.weight` is missing"
        );
        assert!(
            matches!(network(2).from_state_dict(&state), Err(StateError::Unexpected(_))),
            "statistics are no moments"
        );

        let refuse = |edit: &dyn Fn(&mut StateDict)| {
            let mut edited = state.clone();
            edit(&mut edited);
            let error = network(2).load_state_dict(&edited).unwrap_err();
            let mut unchanged = network(2);
            assert!(unchanged.load_state_dict(&edited).is_err());
            assert_eq!(unchanged.state_dict().unwrap(), network(2).state_dict().unwrap());
            error.to_string()
        };
        assert_eq!(refuse(&|s| drop(s.remove(1))), "`bn.weight` is missing");
        assert_eq!(refuse(&|s| s.push(("extra".into(), StateTensor::Count(0)))), "`extra` is not part of this network");
        assert_eq!(
            refuse(&|s| s[0].1 = StateTensor::Real(vec![3, 3, 3, 2], vec![0.0; 54])),
            "`conv.weight`: expected real numbers of shape [3, 2, 3, 3], got real numbers of shape [3, 3, 3, 2]"
        );
        assert_eq!(
            refuse(&|s| s[7].1 = StateTensor::Real(vec![2], vec![0.0, f64::NAN])),
            "`linear.bias` holds NaN at element 1; expected finite numbers"
        );
        assert_eq!(
            refuse(&|s| s[7].1 = StateTensor::Real(vec![2], vec![1e39, 0.0])),
            "`linear.bias` holds 1e39 at element 0; expected finite numbers of the network's type"
        );
        assert_eq!(
            refuse(&|s| s[5].1 = StateTensor::Count(-1)),
            "`bn.num_batches_tracked`: expected a count of at least 0, got the integer -1"
        );
    }
}
