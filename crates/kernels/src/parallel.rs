//! Splitting work over threads by shape alone, so that results never depend on the number of threads.

use rayon::prelude::*;

/// Up to so many elements [`chunks_mut`] stays on the calling thread.
pub const SMALL: usize = 1 << 13;

/// Elements of one task of an elementwise kernel: 64 KiB of f32, so that a task's operands sit in L2.
pub const CHUNK: usize = 1 << 14;

/// Runs `task(0) .. task(n - 1)`, in parallel where there are several. Each task must write its own output.
pub fn for_each(n: usize, task: impl Fn(usize) + Sync + Send) {
    if n == 1 {
        task(0);
    } else {
        (0..n).into_par_iter().with_max_len(1).for_each(task);
    }
}

/// Calls `task(start, chunk)` on consecutive chunks of `out`, in parallel; `start` is the chunk's first index.
pub fn chunks_mut<T: Send>(out: &mut [T], chunk: usize, task: impl Fn(usize, &mut [T]) + Sync + Send) {
    if out.len() <= chunk.max(SMALL) {
        for (i, part) in out.chunks_mut(chunk).enumerate() {
            task(i * chunk, part);
        }
    } else {
        out.par_chunks_mut(chunk).enumerate().for_each(|(i, part)| task(i * chunk, part));
    }
}

/// Operands that can be cut in two at an item: slices, [`Rows`] of slices, options and tuples of those.
pub trait Split: Send + Sized {
    /// Items `0..at`, and the rest.
    fn split(self, at: usize) -> (Self, Self);
}

/// A slice whose items are rows of so many elements; the last row may be shorter.
pub struct Rows<S>(pub S, pub usize);

impl<T: Sync> Split for &[T] {
    fn split(self, at: usize) -> (Self, Self) {
        self.split_at(at)
    }
}

impl<T: Send> Split for &mut [T] {
    fn split(self, at: usize) -> (Self, Self) {
        self.split_at_mut(at)
    }
}

impl<T: Sync> Split for Rows<&[T]> {
    fn split(self, at: usize) -> (Self, Self) {
        let (a, b) = self.0.split_at((at * self.1).min(self.0.len()));
        (Rows(a, self.1), Rows(b, self.1))
    }
}

impl<T: Send> Split for Rows<&mut [T]> {
    fn split(self, at: usize) -> (Self, Self) {
        let at = (at * self.1).min(self.0.len());
        let (a, b) = self.0.split_at_mut(at);
        (Rows(a, self.1), Rows(b, self.1))
    }
}

impl<S: Split> Split for Option<S> {
    fn split(self, at: usize) -> (Self, Self) {
        self.map(|operand| operand.split(at)).unzip()
    }
}

macro_rules! split_tuple {
    ($($name:ident)*) => {
        impl<$($name: Split),*> Split for ($($name,)*) {
            #[expect(non_snake_case, reason = "a variable a type")]
            fn split(self, at: usize) -> (Self, Self) {
                let ($($name,)*) = self;
                $(let $name = $name.split(at);)*
                (($($name.0,)*), ($($name.1,)*))
            }
        }
    };
}
split_tuple!(A B);
split_tuple!(A B C);
split_tuple!(A B C D);
split_tuple!(A B C D E);

/// Calls `task(start, part)` on consecutive parts of `chunk` items (the last may be shorter), in parallel where
/// there are several; `start` is the part's first item. Each part is `operands` cut to those items.
///
/// The parts depend on `items` and `chunk` alone. Nothing is allocated.
pub fn split<S: Split>(operands: S, items: usize, chunk: usize, task: impl Fn(usize, S) + Sync) {
    fn part<S: Split>(operands: S, start: usize, items: usize, chunk: usize, task: &(impl Fn(usize, S) + Sync)) {
        if items <= chunk {
            return task(start, operands);
        }
        let half = items.div_ceil(chunk) / 2 * chunk;
        let (a, b) = operands.split(half);
        rayon::join(|| part(a, start, half, chunk, task), || part(b, start + half, items - half, chunk, task));
    }
    part(operands, 0, items, chunk, &task);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn split_covers_every_item_once_in_parts_of_the_chunk() {
        for items in [0, 1, 4, 5, 9, 64, 101] {
            let x: Vec<usize> = (0..items).collect();
            let rows: Vec<usize> = (0..(items * 3).saturating_sub(1)).collect(); // the last row is short
            let mut y = vec![usize::MAX; items];
            let operands = (&x[..], Some(Rows(&rows[..], 3)), &mut y[..], None::<&mut [u8]>);
            split(operands, items, 4, |start, (x, rows, y, none)| {
                assert!(start % 4 == 0 && x.len() <= 4 && none.is_none());
                assert!(x.len() == 4 || start + x.len() == items, "only the last part is short");
                let rows = rows.expect("given").0;
                let end = ((start + x.len()) * 3).min((items * 3).saturating_sub(1));
                assert!(rows.iter().copied().eq(start * 3..end));
                for (i, (y, &x)) in y.iter_mut().zip(x).enumerate() {
                    assert_eq!(x, start + i);
                    *y = x;
                }
            });
            assert_eq!(x, y);
        }
    }
}
