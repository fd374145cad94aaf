//! Where an iteration's time goes: one row a kernel and geometry, and one for the time in no kernel.

use kernels::profile::Row;
use serde::{Deserialize, Serialize};

/// The kernels of one name and geometry in one iteration, or the time outside of all.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProfileRow {
    /// The kernel, as `conv2d.forward`; [`ProfileRow::OUTSIDE`] for the rest of the iteration.
    pub op: String,
    /// Its geometry, as `32x32 16-16 k3 s1`; empty for the rest, and where geometries are summed.
    pub shape: String,
    /// Calls an iteration.
    pub calls: f64,
    /// Milliseconds an iteration, of all its calls.
    pub ms: f64,
    /// Floating-point operations by the definition, in 10^9 a second; `None` where memory is the bound.
    pub gflops: Option<f64>,
    /// Operands read and written, each once, in 10^9 bytes a second; `None` for the rest.
    pub gbs: Option<f64>,
}

impl ProfileRow {
    /// The name of the last row: the tape, buffers, copies, labels, and the profile itself.
    pub const OUTSIDE: &str = "outside kernels";

    /// The rows of `steps` iterations that took `seconds` together, the slowest first, the time outside last: they add
    /// up to an iteration.
    pub(crate) fn all(kernels: &[Row], steps: usize, seconds: f64) -> Vec<Self> {
        let n = steps as f64;
        let mut rows: Vec<_> = kernels
            .iter()
            .map(|row| Self {
                op: row.op.to_owned(),
                shape: row.shape.clone(),
                calls: row.calls as f64 / n,
                ms: 1e3 * row.seconds / n,
                gflops: rate(row.flops, row.seconds),
                gbs: rate(row.bytes, row.seconds),
            })
            .collect();
        let inside: f64 = kernels.iter().map(|row| row.seconds).sum();
        let op = Self::OUTSIDE.to_owned();
        let ms = 1e3 * (seconds - inside) / n;
        rows.push(Self { op, shape: String::new(), calls: 0.0, ms, gflops: None, gbs: None });
        rows
    }

    /// The same rows with all geometries of a kernel summed, in the same order.
    pub fn by_op(rows: &[Self]) -> Vec<Self> {
        let mut sums: Vec<Self> = Vec::new();
        for row in rows {
            match sums.iter_mut().find(|sum| sum.op == row.op) {
                Some(sum) => sum.join(row),
                None => sums.push(Self { shape: String::new(), ..row.clone() }),
            }
        }
        let outside = |row: &Self| row.op == Self::OUTSIDE;
        sums.sort_by(|a, b| outside(a).cmp(&outside(b)).then(b.ms.total_cmp(&a.ms)));
        sums
    }

    fn join(&mut self, row: &Self) {
        let ms = self.ms + row.ms;
        let mean = |a: Option<f64>, b: Option<f64>| {
            (a.is_some() || b.is_some()).then(|| (a.unwrap_or(0.0) * self.ms + b.unwrap_or(0.0) * row.ms) / ms)
        };
        (self.gflops, self.gbs) = (mean(self.gflops, row.gflops), mean(self.gbs, row.gbs));
        (self.ms, self.calls) = (ms, self.calls + row.calls);
    }
}

/// 10^9 a second.
fn rate(amount: f64, seconds: f64) -> Option<f64> {
    (amount > 0.0 && seconds > 0.0).then(|| amount / seconds / 1e9)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(op: &'static str, shape: &str, calls: u64, flops: f64, bytes: f64, seconds: f64) -> Row {
        Row { op, shape: shape.to_owned(), calls, flops, bytes, seconds }
    }

    #[test]
    fn rows_add_up_to_an_iteration_and_join_by_name() {
        let kernels = [
            row("conv", "a", 4, 8e9, 1e9, 2.0),
            row("add", "x", 2, 0.0, 3e9, 1.5),
            row("conv", "b", 2, 10e9, 2e9, 1.0),
        ];
        let rows = ProfileRow::all(&kernels, 2, 5.0);
        let what: Vec<_> = rows.iter().map(|r| (r.op.as_str(), r.calls, r.ms, r.gflops, r.gbs)).collect();
        let outside = (ProfileRow::OUTSIDE, 0.0, 250.0, None, None);
        assert_eq!(what[0], ("conv", 2.0, 1000.0, Some(4.0), Some(0.5)));
        assert_eq!(what[1], ("add", 1.0, 750.0, None, Some(2.0)));
        assert_eq!(what[3], outside);
        assert_eq!(rows.iter().map(|row| row.ms).sum::<f64>(), 2500.0);

        let sums = ProfileRow::by_op(&rows);
        let what: Vec<_> = sums.iter().map(|r| (r.op.as_str(), r.calls, r.ms, r.gflops, r.gbs)).collect();
        assert_eq!(what[0], ("conv", 3.0, 1500.0, Some(6.0), Some(1.0)), "18 GFLOP and 3 GB in 3 s");
        assert_eq!(what[1..], [("add", 1.0, 750.0, None, Some(2.0)), outside]);
    }
}
