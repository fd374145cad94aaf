//! Reverse-mode differentiation on a linear tape.
//!
//! Forward functions append one node each, so the order of recording is already topological: the reverse
//! pass pops nodes from the end, and what a node saved goes back to the pool at once. For y = f(x) a node
//! turns dL/dy into dL/dx = (df/dx)^T dL/dy and adds it to what x has gathered from its other uses.

mod gradients;

use crate::error::check;
use crate::params::GradientSink;
use crate::{Device, Real, Result, Shape, Tensor};
use gradients::Gathered;
pub use gradients::{Gradients, Grads};
use kernels::view::View;
use std::cell::RefCell;
use std::rc::Rc;

/// The reverse of one op; its fields are exactly what the reverse keeps alive.
pub trait Backward<T: Real> {
    /// Given `dy`, the gradient of the output, adds each wanted input's gradient to `grads`.
    fn backward(self: Box<Self>, dy: Tensor<T>, grads: &mut Grads<'_, T>);
}

/// What the gradient of one recorded value belongs to.
enum Slot<T: Real> {
    /// An op's output, or an input whose gradient was asked for.
    Value,
    /// A trainable parameter: its gradient accumulates in the network's flat gradient buffer.
    Param(GradientSink<T>),
}

struct Node<T: Real> {
    output: usize,
    inputs: Vec<Option<(usize, Shape)>>,
    op: Box<dyn Backward<T>>,
}

struct Record<T: Real> {
    /// Values of earlier passes: what begins this one has this number.
    before: usize,
    slots: Vec<Slot<T>>,
    nodes: Vec<Node<T>>,
}

impl<T: Real> Record<T> {
    /// An empty one, after so many values.
    fn after(before: usize) -> Self {
        Self { before, slots: Vec::new(), nodes: Vec::new() }
    }

    /// The number of the next value.
    fn end(&self) -> usize {
        self.before + self.slots.len()
    }
}

/// Records ops for a reverse pass, or nothing at all ([`Tape::off`]).
#[derive(Clone)]
pub struct Tape<T: Real = f32> {
    device: Device,
    record: Option<Rc<RefCell<Record<T>>>>,
}

impl<T: Real> Tape<T> {
    /// A tape that records.
    pub fn new(device: &Device) -> Self {
        Self { device: device.clone(), record: Some(Rc::new(RefCell::new(Record::after(0)))) }
    }

    /// A tape that records nothing: for evaluation and sampling.
    pub fn off(device: &Device) -> Self {
        Self { device: device.clone(), record: None }
    }

    /// Where values live.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// A value that needs no gradient.
    pub fn constant(&self, value: Tensor<T>) -> Var<T> {
        Var { value, slot: None, tape: self.clone(), moments: None }
    }

    /// A value whose gradient [`Gradients::get`] will return.
    pub fn input(&self, value: Tensor<T>) -> Var<T> {
        self.leaf(value, Slot::Value)
    }

    /// A trainable parameter.
    pub(crate) fn param(&self, value: Tensor<T>, sink: GradientSink<T>) -> Var<T> {
        self.leaf(value, Slot::Param(sink))
    }

    fn leaf(&self, value: Tensor<T>, kind: Slot<T>) -> Var<T> {
        let slot = self.record.as_ref().map(|record| {
            let mut record = record.borrow_mut();
            record.slots.push(kind);
            record.end() - 1
        });
        Var { value, slot, tape: self.clone(), moments: None }
    }

    /// Wraps an op's output. `op` is called, and its node recorded, only if some input needs a gradient.
    ///
    /// # Panics
    /// Where an input needs a gradient and is of another tape, or from before a reverse pass emptied this one: it would get none.
    pub fn record<B: Backward<T> + 'static>(
        &self,
        value: Tensor<T>,
        inputs: &[&Var<T>],
        op: impl FnOnce() -> B,
    ) -> Var<T> {
        if inputs.iter().all(|x| x.slot.is_none()) {
            return self.constant(value);
        }
        assert!(
            inputs.iter().all(|x| self.has(x)),
            "an input of another tape, or from before the reverse pass of this one"
        );
        let y = self.leaf(value, Slot::Value);
        if let (Some(record), Some(output)) = (&self.record, y.slot) {
            let inputs = inputs.iter().map(|x| x.slot.map(|slot| (slot, x.shape()))).collect();
            record.borrow_mut().nodes.push(Node { output, inputs, op: Box::new(op()) });
        }
        y
    }

    /// Whether a value that needs a gradient can get it here.
    fn has(&self, x: &Var<T>) -> bool {
        let Some(slot) = x.slot else { return true };
        match (&self.record, &x.tape.record) {
            (Some(own), Some(of_x)) => Rc::ptr_eq(own, of_x) && slot >= own.borrow().before,
            _ => false,
        }
    }

    /// The reverse pass from a scalar: d loss / d everything, parameters into their flat gradients.
    ///
    /// # Errors
    /// As [`Tape::backward_from`].
    pub fn backward(&self, loss: &Var<T>) -> Result<Gradients<T>> {
        check(loss.value.numel() == 1, "backward", "a scalar", &[&loss.shape()])?;
        self.backward_from(vec![(loss, Tensor::full(&self.device, loss.shape(), T::ONE))])
    }

    /// The reverse pass from any outputs with given gradients `dy` of their own shapes. Empties the tape.
    ///
    /// # Errors
    /// A `dy` of another shape; an output of another tape, or from before a reverse pass emptied this one.
    pub fn backward_from(&self, outputs: Vec<(&Var<T>, Tensor<T>)>) -> Result<Gradients<T>> {
        let Some(record) = &self.record else {
            return Ok(Gradients { values: Vec::new(), before: 0, tape: self.clone() });
        };
        for (y, dy) in &outputs {
            check(y.shape() == dy.shape(), "backward", "dy of y's shape", &[&y.shape(), &dy.shape()])?;
            check(self.has(y), "backward", "an output of this tape since its last reverse pass", &[&y.shape()])?;
        }
        let end = record.borrow().end();
        let Record { before, slots, mut nodes } = record.replace(Record::after(end));
        let mut gathered = Gathered { before, values: slots.iter().map(|_| None).collect(), slots, aside: None };
        for (y, dy) in outputs {
            if let Some(slot) = y.slot {
                gathered.give(slot, dy);
            }
        }
        while let Some(Node { output, inputs, op }) = nodes.pop() {
            if let Some(dy) = gathered.value(output).take() {
                let mut grads = Grads { device: &self.device, inputs: &inputs, gathered: &mut gathered };
                op.backward(dy, &mut grads);
            }
        }
        gathered.aside = None;
        Ok(Gradients { values: gathered.values, before, tape: self.clone() })
    }
}

/// A value on a tape.
#[derive(Clone)]
pub struct Var<T: Real = f32> {
    value: Tensor<T>,
    slot: Option<usize>,
    tape: Tape<T>,
    moments: Option<Moments<T>>,
}

/// What the op that made a value found on the way of the mean and biased variance of each channel (its last dimension).
#[derive(Clone)]
pub enum Moments<T: Real> {
    /// Both, `[c]` each.
    Whole {
        /// The means.
        mean: Tensor<T>,
        /// The variances.
        var: Tensor<T>,
    },
    /// Those of parts of the rows, which a batch norm of this many groups can join.
    Parts {
        /// As [`kernels::conv2d::forward_with_parts`] has them.
        parts: Tensor<T>,
        /// Rows of each part.
        rows: usize,
        /// Groups of equally many rows, in each of which lie whole parts.
        groups: usize,
    },
}

impl<T: Real> Var<T> {
    /// The same with its moments, if the op that made it found them on the way.
    pub(crate) fn with_moments(self, moments: Option<Moments<T>>) -> Self {
        Self { moments, ..self }
    }

    /// Its moments, if they are known.
    pub(crate) fn moments(&self) -> Option<&Moments<T>> {
        self.moments.as_ref()
    }

    /// The tensor.
    pub fn value(&self) -> &Tensor<T> {
        &self.value
    }

    /// The tensor's extents.
    pub fn shape(&self) -> Shape {
        self.value.shape()
    }

    /// The elements for kernels, row-major.
    pub fn view(&self) -> View<'_, T> {
        self.value.view()
    }

    /// The elements, row-major; panics where they lie on a GPU.
    pub fn as_slice(&self) -> &[T] {
        self.value.as_slice()
    }

    /// The tape.
    pub fn tape(&self) -> &Tape<T> {
        &self.tape
    }

    /// The device.
    pub fn device(&self) -> &Device {
        &self.tape.device
    }

    /// The tensor, if `other` needs a gradient, which is made of it; without, the reverse need not keep it.
    pub(crate) fn kept_for(&self, other: &Self) -> Option<Tensor<T>> {
        other.slot.is_some().then(|| self.value.clone())
    }

    /// An output tensor on the same device; contents unspecified.
    pub(crate) fn output(&self, shape: impl Into<Shape>) -> Tensor<T> {
        Tensor::uninit(self.device(), shape)
    }
}

#[cfg(test)]
mod tests;
