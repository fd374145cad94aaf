//! Collects a network's named parameters while its layers are made, then allocates and initialises them.
//!
//! Initialisation is PyTorch's default: weights of convolutions and linear layers, and biases of the latter,
//! uniform in +-1/sqrt(fan_in) (He et al. 2015 with a = sqrt 5), batch norm at gamma 1, beta 0.

use kernels::philox::Philox;
use std::collections::BTreeSet;
use tensor::params::Named;
use tensor::{Device, ParamId, Params, Real, Shape};

/// How a tensor begins.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Init {
    /// Uniform in [-bound, bound).
    Uniform(f64),
    /// One value everywhere.
    Constant(f64),
}

/// What a name in the state dict refers to, in PyTorch's order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    Param(ParamId),
    Buffer(ParamId),
    /// A batch norm's `num_batches_tracked`, by its full name.
    BatchesTracked(String),
}

struct Spec {
    name: String,
    shape: Shape,
    init: Init,
}

/// Gives layers their parameters, under dotted names: `layer1.0.conv1.weight`.
#[derive(Default)]
pub struct Builder {
    prefix: String,
    params: Vec<Spec>,
    buffers: Vec<Spec>,
    entries: Vec<Entry>,
    names: BTreeSet<String>,
}

impl Builder {
    /// Makes layers under a further part of the name: `scope("main.0", |b| Conv2d::new(b, ..))`.
    pub fn scope<R>(&mut self, name: impl AsRef<str>, make: impl FnOnce(&mut Self) -> R) -> R {
        let length = self.prefix.len();
        self.prefix.push_str(name.as_ref());
        self.prefix.push('.');
        let made = make(self);
        self.prefix.truncate(length);
        made
    }

    /// A trainable parameter: [`Pass::param`](crate::Pass::param) has it.
    ///
    /// # Panics
    /// Where the name is taken: a state dict has one tensor a name.
    pub fn param(&mut self, name: &str, shape: impl Into<Shape>, init: Init) -> ParamId {
        let (id, name) = (Named::<f32>::id(self.params.len()), self.name(name));
        self.params.push(Spec { name, shape: shape.into(), init });
        self.entries.push(Entry::Param(id));
        id
    }

    /// A tensor that is saved but not trained, a running statistic: [`Pass::buffers`](crate::Pass::buffers) has it.
    ///
    /// # Panics
    /// As [`Builder::param`].
    pub fn buffer(&mut self, name: &str, shape: impl Into<Shape>, init: Init) -> ParamId {
        let (id, name) = (Named::<f32>::id(self.buffers.len()), self.name(name));
        self.buffers.push(Spec { name, shape: shape.into(), init });
        self.entries.push(Entry::Buffer(id));
        id
    }

    /// The count of batches that a batch norm has seen, an entry of PyTorch's state dicts.
    ///
    /// # Panics
    /// As [`Builder::param`].
    pub fn batches_tracked(&mut self) {
        let name = self.name("num_batches_tracked");
        self.entries.push(Entry::BatchesTracked(name));
    }

    /// A tensor's name in full.
    fn name(&mut self, name: &str) -> String {
        let name = format!("{}{name}", self.prefix);
        assert!(self.names.insert(name.clone()), "two tensors are called {name}: give each layer a scope of its own");
        name
    }

    /// The elements of all parameters and buffers so far: what a network will take, before it takes it.
    pub fn numel(&self) -> usize {
        self.params.iter().chain(&self.buffers).map(|spec| spec.shape.numel()).sum()
    }

    pub(crate) fn finish<T: Real>(self, device: &Device, mut random: Philox) -> (Params<T>, Named<T>, Vec<Entry>) {
        let mut fill = |specs: &[Spec]| {
            let mut named = Named::new(device, specs.iter().map(|s| (s.name.as_str(), s.shape)));
            for (index, spec) in specs.iter().enumerate() {
                let out = named.view_mut(Named::<T>::id(index));
                match spec.init {
                    Init::Constant(value) => kernels::fill::constant(device, T::from_f64(value), out),
                    Init::Uniform(bound) => {
                        let bound = T::from_f64(bound);
                        kernels::fill::uniform(device, &mut random, -bound, bound, out);
                    }
                }
            }
            named
        };
        let (params, buffers) = (fill(&self.params), fill(&self.buffers));
        (Params::new(params), buffers, self.entries)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Conv2d, Linear};

    #[test]
    #[should_panic(expected = "two tensors are called main.0.weight: give each layer a scope of its own")]
    fn layers_have_scopes_of_their_own() {
        let mut b = Builder::default();
        b.scope("main.1", |b| Conv2d::new(b, 3, 4, 3, 1, 1));
        b.scope("main.0", |b| (Conv2d::new(b, 3, 4, 3, 1, 1), Linear::new(b, 4, 2)));
    }
}
