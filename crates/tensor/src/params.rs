//! Flat parameters: a network's values are one buffer and its gradients another, each with a table of names.
//!
//! An optimizer is then one kernel over the whole network, zeroing gradients one fill, a checkpoint one write.

use crate::{Device, Real, Result, Shape, Tape, Tensor, Var};
use kernels::view::ViewMut;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

/// Entries begin at multiples of this many elements, so that each is 64-byte aligned in `f32`.
const ALIGN: usize = 16;

/// One named tensor within a flat buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The full dotted name.
    pub name: String,
    /// The shape in the engine's layout.
    pub shape: Shape,
    /// Where the elements lie in the flat buffer.
    pub range: Range<usize>,
}

/// Which entry of a [`Named`] table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParamId(usize);

/// Named tensors in one flat buffer: trainable parameters, or the running statistics of a network.
pub struct Named<T: Real = f32> {
    entries: Vec<Entry>,
    values: Tensor<T>,
}

impl<T: Real> Named<T> {
    /// One flat buffer of zeros for tensors of these names and shapes, in order.
    pub fn new<'a>(device: &Device, tensors: impl IntoIterator<Item = (&'a str, Shape)>) -> Self {
        let mut end = 0;
        let entries: Vec<Entry> = tensors
            .into_iter()
            .map(|(name, shape)| {
                let start = end;
                end = (start + shape.numel()).next_multiple_of(ALIGN);
                Entry { name: name.to_owned(), shape, range: start..start + shape.numel() }
            })
            .collect();
        Self { entries, values: Tensor::zeros(device, [end]) }
    }

    /// The table of names.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The id of the `index`-th tensor.
    pub fn id(index: usize) -> ParamId {
        ParamId(index)
    }

    /// The number of elements without the padding between entries.
    pub fn count(&self) -> usize {
        self.entries.iter().map(|e| e.shape.numel()).sum()
    }

    /// All elements with the padding between entries, which is 0 and stays so where an optimizer leaves zeros at a gradient of 0.
    pub fn flat(&self) -> &Tensor<T> {
        &self.values
    }

    /// All elements, to write.
    pub fn flat_mut(&mut self) -> &mut Tensor<T> {
        &mut self.values
    }

    /// One tensor, sharing the flat memory.
    pub fn get(&self, id: ParamId) -> Tensor<T> {
        let entry = &self.entries[id.0];
        self.values.part(entry.range.start, entry.shape)
    }

    /// Copies values in, as many as the tensor has.
    pub fn write(&mut self, id: ParamId, values: &[T]) {
        let device = self.values.device().clone();
        kernels::fill::from_host(&device, values, self.view_mut(id));
    }

    /// The elements of one tensor, to write.
    pub fn view_mut(&mut self, id: ParamId) -> ViewMut<'_, T> {
        let range = self.entries[id.0].range.clone();
        self.values.view_mut().slice(range)
    }

    /// The elements of two tensors, to write together.
    ///
    /// # Panics
    /// Unless the first lies before the second.
    pub fn views_mut(&mut self, first: ParamId, second: ParamId) -> [ViewMut<'_, T>; 2] {
        let (a, b) = (self.entries[first.0].range.clone(), self.entries[second.0].range.clone());
        assert!(a.end <= b.start, "views_mut: the first tensor lies before the second");
        let (low, high) = self.values.view_mut().split_at(b.start);
        [low.slice(a), high.slice(..b.end - b.start)]
    }
}

/// One parameter's part of the flat gradient.
#[derive(Clone)]
pub(crate) struct GradientSink<T: Real> {
    gradients: Arc<Mutex<Tensor<T>>>,
    range: Range<usize>,
}

impl<T: Real> GradientSink<T> {
    pub(crate) fn with(&self, write: impl FnOnce(ViewMut<T>)) {
        let mut gradients = self.gradients.lock().unwrap_or_else(PoisonError::into_inner);
        write(gradients.view_mut().slice(self.range.clone()));
    }

    /// Whether both are parts of one flat gradient, and share some.
    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        let apart = self.range.end <= other.range.start || other.range.end <= self.range.start;
        Arc::ptr_eq(&self.gradients, &other.gradients) && !apart
    }

    /// Whether both are parts of one flat gradient, this one the earlier.
    pub(crate) fn lies_before(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.gradients, &other.gradients) && self.range.end <= other.range.start
    }

    /// [`GradientSink::with`] of two parts, of which this one [lies before](GradientSink::lies_before) the other.
    pub(crate) fn with_next(&self, other: &Self, write: impl FnOnce(ViewMut<T>, ViewMut<T>)) {
        let mut gradients = self.gradients.lock().unwrap_or_else(PoisonError::into_inner);
        let (low, high) = gradients.view_mut().split_at(other.range.start);
        write(low.slice(self.range.clone()), high.slice(..other.range.len()));
    }
}

/// A network's trainable parameters: values, and gradients that reverse passes accumulate into.
pub struct Params<T: Real = f32> {
    values: Named<T>,
    gradients: Arc<Mutex<Tensor<T>>>,
}

impl<T: Real> Params<T> {
    /// Takes the values; gradients begin at 0.
    pub fn new(values: Named<T>) -> Self {
        let flat = values.flat();
        let gradients = Arc::new(Mutex::new(Tensor::zeros(flat.device(), flat.shape())));
        Self { values, gradients }
    }

    /// The values and their names.
    pub fn values(&self) -> &Named<T> {
        &self.values
    }

    /// The values, to write.
    pub fn values_mut(&mut self) -> &mut Named<T> {
        &mut self.values
    }

    /// Puts every parameter on a tape. Where not `trainable`, gradients pass through to earlier layers but the
    /// parameters' own are not computed. Reverse passes into the parameters of one network take turns: on two tasks of one
    /// rayon pool, where a task may wait within another, they would wait for each other forever.
    pub fn bind(&self, tape: &Tape<T>, trainable: bool) -> Vec<Var<T>> {
        let ids = (0..self.values.entries.len()).map(ParamId);
        ids.map(|id| {
            let value = self.values.get(id);
            if !trainable {
                return tape.constant(value);
            }
            let range = self.values.entries[id.0].range.clone();
            tape.param(value, GradientSink { gradients: Arc::clone(&self.gradients), range })
        })
        .collect()
    }

    /// A copy of one parameter's gradient.
    ///
    /// # Errors
    /// As [`Tensor::to_vec`].
    pub fn gradient(&self, entry: &Entry) -> Result<Vec<T>> {
        let gradients = self.gradients.lock().unwrap_or_else(PoisonError::into_inner);
        gradients.part(entry.range.start, entry.shape).to_vec()
    }

    /// Calls `update` with the flat values and gradients, both to write: the optimizer's step.
    pub fn with_gradients<R>(&mut self, update: impl FnOnce(ViewMut<T>, ViewMut<T>) -> R) -> R {
        let mut gradients = self.gradients.lock().unwrap_or_else(PoisonError::into_inner);
        update(self.values.values.view_mut(), gradients.view_mut())
    }
}

impl ParamId {
    /// The position in the table, and in what [`Params::bind`] returns.
    pub fn index(self) -> usize {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_one_gradient_overlap_where_they_share_numbers() {
        let device = Device::cpu();
        let gradients = || Arc::new(Mutex::new(Tensor::<f32>::zeros(&device, [9])));
        let (one, other) = (gradients(), gradients());
        let part = |of: &Arc<_>, range| GradientSink { gradients: Arc::clone(of), range };
        assert!(part(&one, 0..3).overlaps(&part(&one, 2..5)) && part(&one, 2..5).overlaps(&part(&one, 0..3)));
        assert!(!part(&one, 0..3).overlaps(&part(&one, 3..5)) && !part(&one, 3..5).overlaps(&part(&one, 0..3)));
        assert!(!part(&one, 0..3).overlaps(&part(&other, 0..3)));
    }
}
