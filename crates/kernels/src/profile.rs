//! Where the time goes: seconds, calls, operations and bytes of every kernel, by name and geometry.
//!
//! A kernel opens a [`Span`] with [`Device::span`] as its first statement; the span's end adds the time since to its row.
//! On a device without a profile that is one branch, and no [`Work`] is described.
//!
//! Of nested spans the outermost counts alone, for the whole profile: a kernel built on another appears under its own
//! name once, and the rows never add up to more than the time that passed. So one thread at a time should call kernels
//! on a profiled device; what they do on several is theirs.
//!
//! On a GPU a span waits for it at both ends, so each row has the time of a launch (several microseconds) in it.

use crate::Device;
use crate::conv2d::Conv2d;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// What one call of a kernel does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Work {
    /// Floating-point operations by the definition: a matrix product's and a convolution's, two for each product; 0 for
    /// everything that memory bounds.
    pub flops: usize,
    /// Bytes of the operands, each read or written once ([`Store::Add`](crate::Store::Add) does both).
    pub bytes: usize,
    /// The geometry: calls of one name and geometry share a row.
    pub shape: String,
}

impl Work {
    /// Work that memory bounds.
    pub fn memory(shape: impl ToString, bytes: usize) -> Self {
        Self { flops: 0, bytes, shape: shape.to_string() }
    }

    /// A pass of a convolution that moves these bytes; "32x32 16-16 k3 s1" is x's size, the channels, the kernel, the
    /// stride.
    pub fn conv2d(g: &Conv2d, bytes: usize) -> Self {
        Self::convolution(g, [g.h, g.w], [g.c, g.o], bytes)
    }

    /// The same of a transposed convolution, whose input is the y of `g`.
    pub fn conv_transpose2d(g: &Conv2d, bytes: usize) -> Self {
        Self::convolution(g, [g.oh, g.ow], [g.o, g.c], bytes)
    }

    fn convolution(g: &Conv2d, [h, w]: [usize; 2], [inputs, outputs]: [usize; 2], bytes: usize) -> Self {
        let pair = |[a, b]: [usize; 2]| if a == b { a.to_string() } else { format!("{a}x{b}") };
        let shape = format!("{h}x{w} {inputs}-{outputs} k{} s{}", pair(g.kernel), pair(g.stride));
        Self { flops: g.flops(), bytes, shape }
    }

    /// A matrix product `[m, k] [k, n]`, "mxnxk".
    pub fn gemm([m, n, k]: [usize; 3], bytes: usize) -> Self {
        Self { flops: 2 * m * n * k, bytes, shape: format!("{m}x{n}x{k}") }
    }
}

/// What all calls of one name and geometry did.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The kernel, as `conv2d.forward`.
    pub op: &'static str,
    /// Its geometry.
    pub shape: String,
    /// Calls.
    pub calls: u64,
    /// Floating-point operations of all calls.
    pub flops: f64,
    /// Bytes of all calls.
    pub bytes: f64,
    /// Time of all calls.
    pub seconds: f64,
}

/// The rows gathered so far. Devices made from one [`Device::profiled`] by cloning share it.
#[derive(Default)]
pub struct Profile {
    /// Whether a span is open.
    open: AtomicBool,
    rows: Mutex<HashMap<(&'static str, String), Row>>,
}

impl Profile {
    /// The rows, the slowest first; the profile is empty afterwards.
    pub fn take(&self) -> Vec<Row> {
        let mut rows: Vec<_> = self.rows().drain().map(|(_, row)| row).collect();
        rows.sort_by(|a, b| b.seconds.total_cmp(&a.seconds));
        rows
    }

    fn add(&self, op: &'static str, work: &Work, seconds: f64) {
        let mut rows = self.rows();
        let row = rows.entry((op, work.shape.clone())).or_insert_with(|| Row {
            op,
            shape: work.shape.clone(),
            calls: 0,
            flops: 0.0,
            bytes: 0.0,
            seconds: 0.0,
        });
        row.calls += 1;
        row.flops += work.flops as f64;
        row.bytes += work.bytes as f64;
        row.seconds += seconds;
    }

    fn rows(&self) -> MutexGuard<'_, HashMap<(&'static str, String), Row>> {
        // A row is whole even where a thread died between two of them.
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The time from [`Device::span`] to the end of the scope, if the device has a profile and no span is open yet.
#[must_use = "a span ends where it is dropped"]
pub struct Span<'a>(Option<Open<'a>>);

struct Open<'a> {
    device: &'a Device,
    profile: &'a Profile,
    op: &'static str,
    work: Work,
    began: Instant,
}

impl Device {
    /// Opens a span of the kernel `op`. `work` is called only where the span will be recorded.
    #[inline]
    pub fn span(&self, op: &'static str, work: impl FnOnce() -> Work) -> Span<'_> {
        let Some(profile) = self.profile() else { return Span(None) };
        if profile.open.swap(true, Ordering::Relaxed) {
            return Span(None);
        }
        let work = work();
        self.wait();
        Span(Some(Open { device: self, profile, op, work, began: Instant::now() }))
    }
}

impl Drop for Span<'_> {
    #[inline]
    fn drop(&mut self) {
        if let Some(Open { device, profile, op, work, began }) = &self.0 {
            device.wait();
            profile.add(op, work, began.elapsed().as_secs_f64());
            profile.open.store(false, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Store, conv_transpose2d, fill, relu};
    use std::thread::sleep;
    use std::time::Duration;

    #[test]
    fn spans_of_one_name_and_geometry_add_up() {
        const PAUSE: Duration = Duration::from_millis(2);
        let device = Device::cpu().profiled();
        let began = Instant::now();
        for shape in ["a", "a", "b"] {
            let clone = device.clone();
            let _span = clone.span("op", || Work { flops: 3, ..Work::memory(shape, 8) });
            sleep(PAUSE);
        }
        let all = began.elapsed().as_secs_f64();
        let mut rows = device.profile().unwrap().take();
        // Which of them took longest is the machine's affair.
        rows.sort_by(|a, b| a.shape.cmp(&b.shape));
        let what: Vec<_> = rows.iter().map(|r| (r.op, r.shape.as_str(), r.calls, r.flops, r.bytes)).collect();
        assert_eq!(what, [("op", "a", 2, 6.0, 16.0), ("op", "b", 1, 3.0, 8.0)]);
        let seconds: f64 = rows.iter().map(|row| row.seconds).sum();
        let pause = PAUSE.as_secs_f64();
        assert!(rows[0].seconds >= 2.0 * pause && rows[1].seconds >= pause && seconds <= all, "{rows:?}");
        assert!(device.profile().unwrap().take().is_empty(), "taken");
    }

    #[test]
    fn the_slowest_row_is_first() {
        let profile = Profile::default();
        for (shape, seconds) in [("a", 1.0), ("b", 3.0), ("c", 2.0), ("a", 1.5)] {
            profile.add("op", &Work::memory(shape, 8), seconds);
        }
        let rows = profile.take();
        let order: Vec<_> = rows.iter().map(|row| (row.shape.as_str(), row.seconds)).collect();
        assert_eq!(order, [("b", 3.0), ("a", 2.5), ("c", 2.0)]);
    }

    #[test]
    fn of_nested_spans_the_outermost_counts() {
        let device = Device::cpu().profiled();
        for _ in 0..2 {
            let _outer = device.span("outer", || Work::memory("", 1));
            let _inner = device.span("inner", || unreachable!("not recorded"));
        }
        drop(device.span("inner", || Work::memory("", 1)));
        let mut rows = device.profile().unwrap().take();
        rows.sort_by(|a, b| b.op.cmp(a.op));
        assert_eq!(rows.iter().map(|r| (r.op, r.calls)).collect::<Vec<_>>(), [("outer", 2), ("inner", 1)]);
    }

    #[test]
    fn kernels_record_their_operations_and_bytes_under_their_own_name() {
        let device = Device::cpu().profiled();
        let g = Conv2d::transposed(2, 4, 4, 8, 3, [4, 4], [2, 2], [1, 1], [0, 0]).unwrap();
        let (x, w, mut y) = (vec![0.0f32; g.y_len()], vec![0.0; g.w_len()], vec![0.0; g.x_len()]);
        conv_transpose2d::forward(&device, &g, &x, &w, &mut y, Store::Add);
        let rows = device.profile().unwrap().take();
        assert_eq!(rows.len(), 1, "{rows:?}");
        assert_eq!((rows[0].op, rows[0].shape.as_str()), ("conv_transpose2d.forward", "4x4 8-3 k4 s2"));
        // 2 x 16 input pixels x 16 taps x 24 channel pairs, twice; 256 read, 384 read, 384 read and written.
        assert_eq!((rows[0].flops, rows[0].bytes), (24_576.0, 4.0 * (256.0 + 384.0 + 2.0 * 384.0)));
    }

    #[test]
    fn a_device_without_a_profile_describes_and_records_nothing() {
        let device = Device::cpu();
        let profiled = device.profiled();
        drop(device.span("op", || unreachable!("described")));
        let mut x = [1.0f32; 4];
        fill::constant(&device, 2.0, &mut x);
        relu::forward(&device, &x.clone(), &mut x);
        assert!(device.profile().is_none() && profiled.profile().unwrap().take().is_empty());
    }
}
