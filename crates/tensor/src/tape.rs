//! Reverse-mode differentiation on a linear tape.
//!
//! Forward functions append one node each, so the order of recording is already topological: the reverse
//! pass pops nodes from the end, and what a node saved goes back to the pool at once. For y = f(x) a node
//! turns dL/dy into dL/dx = (df/dx)^T dL/dy and adds it to what x has gathered from its other uses.

use crate::error::check;
use crate::params::GradientSink;
use crate::{Device, Real, Result, Shape, Store, Tensor};
use kernels::cuda::Meeting;
use kernels::view::{View, ViewMut};
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

    /// An output tensor on the same device; contents unspecified.
    pub(crate) fn output(&self, shape: impl Into<Shape>) -> Tensor<T> {
        Tensor::uninit(self.device(), shape)
    }
}

/// Gradients gathered so far, by slot.
struct Gathered<T: Real> {
    /// The number of the first.
    before: usize,
    slots: Vec<Slot<T>>,
    values: Vec<Option<Tensor<T>>>,
    aside: Option<Aside<T>>,
}

/// What runs beside the reverse pass: the gradient of one parameter, from `_dy`, which nobody may change meanwhile, nor is it
/// handed out again before the lanes have met.
struct Aside<T: Real> {
    sink: GradientSink<T>,
    _meeting: Meeting,
    _dy: Tensor<T>,
}

impl<T: Real> Gathered<T> {
    /// The flat gradient's part, if the slot is a parameter; nothing else writes it by now.
    fn sink(&mut self, slot: usize) -> Option<&GradientSink<T>> {
        let Slot::Param(sink) = &self.slots[slot - self.before] else { return None };
        self.aside.take_if(|aside| aside.sink.overlaps(sink));
        Some(sink)
    }

    /// What a value has gathered.
    fn value(&mut self, slot: usize) -> &mut Option<Tensor<T>> {
        &mut self.values[slot - self.before]
    }

    fn give(&mut self, slot: usize, dx: Tensor<T>) {
        if let Some(sink) = self.sink(slot) {
            sink.with(|out| kernels::add::accumulate(dx.device(), &dx, out));
        } else if let Some(sum) = self.value(slot) {
            sum.unshare();
            kernels::add::accumulate(dx.device(), &dx, sum);
        } else {
            *self.value(slot) = Some(dx);
        }
    }
}

/// Where a [`Backward`] puts its inputs' gradients.
pub struct Grads<'a, T: Real> {
    device: &'a Device,
    inputs: &'a [Option<(usize, Shape)>],
    gathered: &'a mut Gathered<T>,
}

/// A gradient taken out to be written by a kernel that fills several at once.
struct Target<T: Real> {
    /// The buffer to write.
    dx: Tensor<T>,
    /// How to write it: added where it is the sum so far.
    store: Store,
}

impl<T: Real> Grads<'_, T> {
    /// Whether input `i`'s gradient is needed; work for others can be skipped.
    pub fn wants(&self, i: usize) -> bool {
        self.inputs[i].is_some()
    }

    /// Has `kernel` write input `i`'s gradient, if it is wanted, straight to where it gathers.
    pub fn add(&mut self, i: usize, kernel: impl FnOnce(ViewMut<T>, Store)) {
        let Some((slot, _)) = self.inputs[i] else { return };
        if let Some(sink) = self.gathered.sink(slot) {
            sink.with(|out| kernel(out, Store::Add));
        } else if let Some(mut target) = self.take(i) {
            kernel(target.dx.view_mut(), target.store);
            self.put(i, target);
        }
    }

    /// [`Grads::add`] of two inputs by kernels that read `dy`, of which the reverse pass waits for the second only: on a GPU the
    /// first runs aside ([`Device::aside`]), a parameter's until the next such one, another's beside the second.
    pub fn add_aside(
        &mut self,
        dy: &Tensor<T>,
        (i, aside): (usize, impl FnOnce(ViewMut<T>, Store)),
        (j, kernel): (usize, impl FnOnce(ViewMut<T>, Store)),
    ) {
        // Without the second there is nothing to run beside, but for what runs aside already.
        let Some((slot, _)) = self.inputs[i].filter(|_| self.wants(j)) else {
            self.add(i, aside);
            return self.add(j, kernel);
        };
        self.gathered.aside = None;
        if let Some(sink) = self.gathered.sink(slot).cloned() {
            let ((), meeting) = self.device.aside(|| sink.with(|out| aside(out, Store::Add)));
            self.gathered.aside = meeting.map(|meeting| Aside { sink, _meeting: meeting, _dy: dy.clone() });
            self.add(j, kernel);
        } else if let Some(mut target) = self.take(i) {
            self.device.concurrently(|| aside(target.dx.view_mut(), target.store), || self.add(j, kernel));
            self.put(i, target);
        }
    }

    /// Has `kernel`, which runs in any case, write the gradients of two inputs that are wanted, straight to where they gather.
    pub fn add_two(
        &mut self,
        [i, j]: [usize; 2],
        kernel: impl FnOnce(Option<(ViewMut<T>, Store)>, Option<(ViewMut<T>, Store)>),
    ) {
        let mut sink = |i: usize| self.inputs[i].and_then(|(slot, _)| self.gathered.sink(slot).cloned());
        if let (Some(first), Some(second)) = (sink(i), sink(j))
            && first.lies_before(&second)
        {
            return first.with_next(&second, |a, b| kernel(Some((a, Store::Add)), Some((b, Store::Add))));
        }
        let [mut first, mut second] = [self.take(i), self.take(j)];
        kernel(first.as_mut().map(|t| (t.dx.view_mut(), t.store)), second.as_mut().map(|t| (t.dx.view_mut(), t.store)));
        for (i, target) in [(i, first), (j, second)] {
            if let Some(target) = target {
                self.put(i, target);
            }
        }
    }

    /// Takes input `i`'s gradient out, if it is wanted, for a kernel that writes several; [`Grads::put`] it back.
    fn take(&mut self, i: usize) -> Option<Target<T>> {
        let (slot, shape) = self.inputs[i]?;
        Some(match self.gathered.value(slot).take() {
            Some(mut dx) => {
                dx.unshare();
                Target { dx, store: Store::Add }
            }
            None => Target { dx: Tensor::uninit(self.device, shape), store: Store::Set },
        })
    }

    /// Puts back what [`Grads::take`] took, written.
    fn put(&mut self, i: usize, target: Target<T>) {
        let Some((slot, _)) = self.inputs[i] else { return };
        if target.store == Store::Set {
            return self.gathered.give(slot, target.dx);
        }
        // Where two inputs are one value, the other's part may have come meanwhile.
        if let Some(other) = self.gathered.value(slot).replace(target.dx) {
            self.gathered.give(slot, other);
        }
    }

    /// Gives a finished gradient of input `i`, of any shape with as many elements.
    ///
    /// # Panics
    /// Where it has not.
    pub fn give(&mut self, i: usize, dx: Tensor<T>) {
        if let Some((slot, shape)) = self.inputs[i] {
            self.gathered.give(slot, dx.reshape(shape).expect("a gradient has its input's size"));
        }
    }
}

/// The gradients of a tape's inputs after the reverse pass.
pub struct Gradients<T: Real> {
    values: Vec<Option<Tensor<T>>>,
    /// The number of the first.
    before: usize,
    tape: Tape<T>,
}

impl<T: Real> Gradients<T> {
    /// The gradient of an input made by [`Tape::input`]; `None` where no output depends on it, as none does on one of another
    /// tape or another pass.
    pub fn get(&self, x: &Var<T>) -> Option<&Tensor<T>> {
        let (own, of_x) = (self.tape.record.as_ref()?, x.tape.record.as_ref()?);
        self.values.get(x.slot?.checked_sub(self.before)?)?.as_ref().filter(|_| Rc::ptr_eq(own, of_x))
    }
}

#[cfg(test)]
mod tests;
