//! Shapes of up to four dimensions, row-major.

use std::fmt;
use std::ops::Deref;

/// The extents of a tensor, outermost first. Activations are `[n, h, w, c]`; a scalar is `[]`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Shape {
    dims: [usize; 4],
    rank: usize,
}

impl Shape {
    /// The number of elements.
    pub fn numel(&self) -> usize {
        self.iter().product()
    }
}

impl Deref for Shape {
    type Target = [usize];

    fn deref(&self) -> &[usize] {
        &self.dims[..self.rank]
    }
}

impl From<&[usize]> for Shape {
    /// # Panics
    /// Beyond four dimensions: no operation of this engine has more. And beyond the elements that any memory holds.
    fn from(extents: &[usize]) -> Self {
        assert!(extents.len() <= 4, "a shape has at most four dimensions, got {extents:?}");
        assert!(kernels::length(extents).is_some(), "a shape larger than any memory: {extents:?}");
        let mut dims = [1; 4];
        dims[..extents.len()].copy_from_slice(extents);
        Self { dims, rank: extents.len() }
    }
}

impl<const N: usize> From<[usize; N]> for Shape {
    fn from(extents: [usize; N]) -> Self {
        Self::from(&extents[..])
    }
}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // One line also in `{:#?}`: `[64, 32, 32, 3]`.
        write!(f, "{:?}", &self[..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_print_count_and_compare_by_extents() {
        let shape = Shape::from([2, 3, 5]);
        assert_eq!(format!("{shape:?} {:?}", Shape::from([])), "[2, 3, 5] []");
        assert_eq!((shape.numel(), Shape::from([]).numel()), (30, 1));
        assert_ne!(Shape::from([6]), Shape::from([6, 1]));
        assert_eq!(shape[1], 3);
    }

    #[test]
    #[should_panic(expected = "a shape larger than any memory: [4611686018427387904, 4]")]
    fn a_shape_has_no_more_elements_than_an_address_counts() {
        _ = Shape::from([1 << 62, 4]);
    }

    #[test]
    #[should_panic(expected = "a shape larger than any memory")]
    fn nor_more_than_fit_into_memory() {
        _ = Shape::from([(1 << 62) - 1]);
    }
}
