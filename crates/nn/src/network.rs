//! A network: an architecture and its numbers.

use crate::builder::{Builder, Entry};
use kernels::philox::Philox;
use std::cell::{RefCell, RefMut};
use std::ops::DerefMut;
use tensor::params::Named;
use tensor::{Device, ParamId, Params, Real, Result, Tape, Tensor, Var};

/// What batch norm does in a forward pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Normalise by the batch and update the running statistics: training.
    Train,
    /// Normalise by the batch and leave the running statistics alone.
    FrozenStatistics,
    /// Normalise by the running statistics: evaluation, sampling.
    RunningStatistics,
    /// The batch is two of equal size, one after the other, each normalised by itself; both update the running statistics, or
    /// only the first does. In one pass what [`Mode::Train`] and then that or [`Mode::FrozenStatistics`] give in two.
    Both {
        /// Whether the second one updates them too.
        second_updates: bool,
    },
}

/// An architecture: layers and how they connect. Implement it for a network of your own.
///
/// On a GPU training may pass two batches as one ([`Mode::Both`]); only batch norm has to know.
pub trait Module<T: Real>: Send + Sync {
    /// From input activations (NHWC for images) to the output.
    fn forward(&self, pass: &Pass<'_, T>, x: &Var<T>) -> Result<Var<T>>;

    /// What is done once an iteration, before its passes, with the parameters and the buffers. Nothing, for most.
    fn prepare(&self, _params: &Named<T>, _buffers: &mut Named<T>) {}

    /// The features, to which the last layer is applied, and the output. An architecture that does not say has its output
    /// for features.
    fn forward_with_features(&self, pass: &Pass<'_, T>, x: &Var<T>) -> Result<[Var<T>; 2]> {
        let y = self.forward(pass, x)?;
        Ok([y.clone(), y])
    }
}

/// One forward pass: the parameters on its tape, and the batch norm mode.
pub struct Pass<'a, T: Real> {
    params: Vec<Var<T>>,
    buffers: RefCell<&'a mut Named<T>>,
    mode: Mode,
    labels: Option<&'a Tensor<i32>>,
}

impl<T: Real> Pass<'_, T> {
    /// A parameter, on the tape of this pass.
    pub fn param(&self, id: ParamId) -> &Var<T> {
        &self.params[id.index()]
    }

    /// What is saved but not trained, to read and to write.
    ///
    /// # Panics
    /// While it is borrowed already.
    pub fn buffers(&self) -> impl DerefMut<Target = Named<T>> {
        RefMut::map(self.buffers.borrow_mut(), |buffers| &mut **buffers)
    }

    /// What batch norm does.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// The classes `[n]` that a conditional network is given with its input; panics where the pass has none.
    pub fn labels(&self) -> &Tensor<i32> {
        self.labels.expect("a conditional network's pass has labels")
    }
}

/// An architecture with its parameters, running statistics and their names.
pub struct Network<T: Real = f32> {
    module: Box<dyn Module<T>>,
    params: Params<T>,
    pub(crate) buffers: Named<T>,
    pub(crate) entries: Vec<Entry>,
    /// Batches that updated the running statistics so far: every batch norm's `num_batches_tracked`.
    pub(crate) batches_tracked: u64,
}

impl<T: Real> Network<T> {
    /// Builds an architecture and draws its initial parameters from `random`.
    ///
    /// # Panics
    /// Where two of its tensors have one name ([`Builder::param`]).
    pub fn new(device: &Device, random: Philox, build: impl FnOnce(&mut Builder) -> Box<dyn Module<T>>) -> Self {
        let mut builder = Builder::default();
        let module = build(&mut builder);
        let (params, buffers, entries) = builder.finish(device, random);
        Self { module, params, buffers, entries, batches_tracked: 0 }
    }

    /// What the architecture does once an iteration, before its passes: [`Module::prepare`].
    pub fn prepare(&mut self) {
        self.module.prepare(self.params.values(), &mut self.buffers);
    }

    /// One forward pass on x's tape. Where not `trainable`, the parameters' gradients are not computed.
    pub fn forward(&mut self, x: &Var<T>, mode: Mode, trainable: bool) -> Result<Var<T>> {
        self.forward_given(x, None, mode, trainable)
    }

    /// The same of a conditional network, which is given the classes `labels` `[n]` too; others do not look at them.
    pub fn forward_given(
        &mut self,
        x: &Var<T>,
        labels: Option<&Tensor<i32>>,
        mode: Mode,
        trainable: bool,
    ) -> Result<Var<T>> {
        self.pass(x, labels, mode, trainable, |module, pass| module.forward(pass, x))
    }

    /// The features and the output: [`Module::forward_with_features`].
    pub fn forward_with_features(&mut self, x: &Var<T>, mode: Mode, trainable: bool) -> Result<[Var<T>; 2]> {
        self.pass(x, None, mode, trainable, |module, pass| module.forward_with_features(pass, x))
    }

    fn pass<R>(
        &mut self,
        x: &Var<T>,
        labels: Option<&Tensor<i32>>,
        mode: Mode,
        trainable: bool,
        forward: impl FnOnce(&dyn Module<T>, &Pass<'_, T>) -> Result<R>,
    ) -> Result<R> {
        let params = self.params.bind(x.tape(), trainable);
        let pass = Pass { params, buffers: RefCell::new(&mut self.buffers), mode, labels };
        let output = forward(&*self.module, &pass)?;
        self.batches_tracked += match mode {
            Mode::Train => 1,
            Mode::Both { second_updates } => 1 + u64::from(second_updates),
            Mode::FrozenStatistics | Mode::RunningStatistics => 0,
        };
        Ok(output)
    }

    /// The output for `x` with running statistics, recording nothing.
    pub fn evaluate(&mut self, x: Tensor<T>) -> Result<Tensor<T>> {
        self.evaluate_given(x, None)
    }

    /// The same of a conditional network.
    pub fn evaluate_given(&mut self, x: Tensor<T>, labels: Option<&Tensor<i32>>) -> Result<Tensor<T>> {
        let tape = Tape::off(x.device());
        Ok(self.forward_given(&tape.constant(x), labels, Mode::RunningStatistics, false)?.value().clone())
    }

    /// The features and the output for `x` with running statistics, recording nothing.
    pub fn evaluate_with_features(&mut self, x: Tensor<T>) -> Result<[Tensor<T>; 2]> {
        let tape = Tape::off(x.device());
        let both = self.forward_with_features(&tape.constant(x), Mode::RunningStatistics, false)?;
        Ok(both.map(|var| var.value().clone()))
    }

    /// The trainable parameters.
    pub fn params(&self) -> &Params<T> {
        &self.params
    }

    /// The trainable parameters, to step.
    pub fn params_mut(&mut self) -> &mut Params<T> {
        &mut self.params
    }

    /// The running statistics.
    pub fn buffers(&self) -> &Named<T> {
        &self.buffers
    }

    /// The running statistics, to write.
    pub fn buffers_mut(&mut self) -> &mut Named<T> {
        &mut self.buffers
    }

    /// Batches that updated the running statistics so far.
    pub fn batches_tracked(&self) -> u64 {
        self.batches_tracked
    }

    /// Counts on from `passes`, where a recorded step made some.
    pub fn set_batches_tracked(&mut self, passes: u64) {
        self.batches_tracked = passes;
    }

    /// The number of trainable parameters.
    pub fn parameter_count(&self) -> usize {
        self.params.values().count()
    }
}
