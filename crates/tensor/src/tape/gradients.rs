//! What a reverse pass gathers: by value, and straight into parameters' flat gradients.

use super::{Slot, Tape, Var};
use crate::params::GradientSink;
use crate::{Device, Real, Shape, Store, Tensor};
use kernels::cuda::Meeting;
use kernels::view::ViewMut;
use std::rc::Rc;

/// Gradients gathered so far, by slot.
pub(super) struct Gathered<T: Real> {
    /// The number of the first.
    pub before: usize,
    pub slots: Vec<Slot<T>>,
    pub values: Vec<Option<Tensor<T>>>,
    pub aside: Option<Aside<T>>,
}

/// What runs beside the reverse pass: the gradient of one parameter, from `_dy`, which nobody may change meanwhile, nor is it
/// handed out again before the lanes have met.
pub(super) struct Aside<T: Real> {
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
    pub fn value(&mut self, slot: usize) -> &mut Option<Tensor<T>> {
        &mut self.values[slot - self.before]
    }

    pub fn give(&mut self, slot: usize, dx: Tensor<T>) {
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

/// Where a [`Backward`](super::Backward) puts its inputs' gradients.
pub struct Grads<'a, T: Real> {
    pub(super) device: &'a Device,
    pub(super) inputs: &'a [Option<(usize, Shape)>],
    pub(super) gathered: &'a mut Gathered<T>,
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
    pub(super) values: Vec<Option<Tensor<T>>>,
    /// The number of the first.
    pub(super) before: usize,
    pub(super) tape: Tape<T>,
}

impl<T: Real> Gradients<T> {
    /// The gradient of an input made by [`Tape::input`]; `None` where no output depends on it, as none does on one of another
    /// tape or another pass.
    pub fn get(&self, x: &Var<T>) -> Option<&Tensor<T>> {
        let (own, of_x) = (self.tape.record.as_ref()?, x.tape.record.as_ref()?);
        self.values.get(x.slot?.checked_sub(self.before)?)?.as_ref().filter(|_| Rc::ptr_eq(own, of_x))
    }
}
