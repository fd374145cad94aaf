//! The runtime: errors instead of panics, recorded steps, and what the stand-in finds.

use crate::common::{device, devices, down, normal, up};
use kernels::cuda::{Cuda, CudaError, Precision};
use kernels::pool::Buffer;
use kernels::{Device, Store, add, fill, relu, scale};
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

#[test]
fn a_machine_without_a_gpu_says_what_it_looked_for() {
    match kernels::cuda::devices() {
        Ok(devices) => {
            let beyond = Cuda::open(devices.len()).unwrap_err();
            assert_eq!(beyond, CudaError::Ordinal { ordinal: devices.len(), count: devices.len() });
        }
        Err(error) => {
            assert_eq!(Cuda::open(0).unwrap_err(), error);
            assert!(error.to_string().contains("--device cpu"), "{error}");
        }
    }
}

#[test]
fn a_recorded_step_gives_the_bits_of_its_launches() {
    for cuda in devices() {
        let x = up(&cuda, &[1.0f32, -2.0, 3.0, -4.0, 5.0]);
        let [y, z] = [(); 2].map(|()| RefCell::new(up(&cuda, &[f32::NAN; 5])));
        let step = || {
            cuda.fill_zero(z.borrow_mut().slice_mut::<f32>());
            relu::cuda::forward(&cuda, x.slice(), y.borrow_mut().slice_mut());
            cuda.copy(y.borrow().slice::<f32>().slice(..3), z.borrow_mut().slice_mut().slice(2..));
        };
        step();
        let want = [1.0f32, 0.0, 3.0, 0.0, 5.0, 0.0, 0.0, 1.0, 0.0, 3.0];
        let both = || [down::<f32>(&cuda, &y.borrow()), down(&cuda, &z.borrow())].concat();
        assert_eq!(both(), want);
        for memory in [&y, &z] {
            cuda.upload(&[7.0f32; 5], memory.borrow_mut().slice_mut()).unwrap();
        }
        let graph = cuda.capture(step).unwrap();
        assert_eq!(both(), [7.0; 10], "recording runs nothing");
        graph.replay();
        assert_eq!(both(), want);
        // What the recording refers to outlives its owner, and one that the step itself dropped.
        let dropping = Cell::new(Some((x, z)));
        let graph2 = cuda.capture(|| {
            let (x, z) = dropping.take().unwrap();
            relu::cuda::forward(&cuda, x.slice(), y.borrow_mut().slice_mut());
            drop((x, z));
        });
        graph.replay();
        drop(graph);
        cuda.upload(&[7.0f32; 5], y.borrow_mut().slice_mut()).unwrap();
        graph2.unwrap().replay();
        assert_eq!(down::<f32>(&cuda, &y.borrow()), want[..5]);
    }
}

/// `n` elements of this value, in the lane that asks.
fn constant(device: &Device, n: usize, value: f32) -> Buffer<f32> {
    let mut y = device.buffer(n);
    fill::constant(device, value, y.view_mut());
    y
}

/// Two chains of kernels with buffers of their own, each of which drops some under way.
#[test]
fn two_lanes_give_the_bits_of_one_after_the_other() {
    const N: usize = 3000;
    let numbers = normal(1, N);
    let positive = |x: f32| if x > 0.0 { x } else { 0.0 };
    let want = [
        numbers.iter().map(|&x| positive(x) + 2.0).collect::<Vec<_>>(),
        numbers.iter().map(|&x| positive(2.0 - x)).collect::<Vec<_>>(),
    ];
    for cuda in devices() {
        let device = device(&cuda);
        let x = up(&cuda, &numbers);
        let out = [(); 2].map(|()| RefCell::new(up(&cuda, &[f32::NAN; N])));
        let constant = |value| constant(&device, N, value);
        let step = || {
            let first = || {
                let mut y = device.buffer::<f32>(N);
                relu::forward(&device, x.slice::<f32>(), y.view_mut());
                add::accumulate(&device, constant(2.0).view(), y.view_mut());
                let mut out = out[0].borrow_mut();
                fill::copy(&device, y.view(), out.slice_mut::<f32>());
            };
            let second = || {
                let mut y = constant(2.0);
                let mut minus = device.buffer::<f32>(N);
                scale::forward(&device, -1.0, x.slice::<f32>(), minus.view_mut(), Store::Set);
                add::accumulate(&device, minus.view(), y.view_mut());
                let mut out = out[1].borrow_mut();
                relu::forward(&device, y.view(), out.slice_mut::<f32>());
            };
            device.concurrently(first, second);
        };
        let both = || [0, 1].map(|i| down::<f32>(&cuda, &out[i].borrow()));
        for _ in 0..2 {
            step();
            assert_eq!(both(), want);
        }
        let allocations = device.pool().allocations();
        out.iter().for_each(|out| cuda.upload(&[7.0f32; N], out.borrow_mut().slice_mut()).unwrap());
        let graph = cuda.capture(step).unwrap();
        graph.replay();
        assert_eq!(both(), want);
        assert_eq!(device.pool().allocations(), allocations, "each lane finds its buffers again");
        let upload = || assert!(cuda.upload(&[1.0f32], out[0].borrow_mut().slice_mut().slice(..1)).is_err());
        device.concurrently(upload, || ());
        assert_eq!(cuda.synchronize().unwrap_err().to_string(), "cuda: an upload of 4 bytes while two lanes run");
    }
}

#[test]
fn what_one_lane_drops_of_the_other_is_not_handed_out_before_they_meet() {
    const N: usize = 3000;
    for cuda in devices() {
        let device = device(&cuda);
        let constant = |value| constant(&device, N, value);
        let mut out = up(&cuda, &[f32::NAN; N]);
        // The one had it before, the other reads it and drops it.
        let of_this = constant(2.0);
        let reads = || {
            fill::copy(&device, of_this.view(), out.slice_mut::<f32>());
            drop(of_this);
        };
        device.concurrently(reads, || constant(9.0));
        assert_eq!(down::<f32>(&cuda, &out), [2.0; N]);
    }
}

/// The second lane had it before, the first reads it, and the second drops it last.
#[test]
fn what_the_second_lane_had_before_is_not_handed_out_while_the_first_reads_it() {
    const N: usize = 3000;
    for cuda in devices() {
        let device = device(&cuda);
        let constant = |value| constant(&device, N, value);
        for recorded in [false, true] {
            let before = || Arc::new(device.concurrently(|| (), || constant(2.0)).1);
            let mut out = up(&cuda, &[f32::NAN; N]);
            let mut step = |shared: Arc<Buffer<f32>>| {
                let other = Arc::clone(&shared);
                let reads = || {
                    fill::copy(&device, shared.view(), out.slice_mut::<f32>());
                    drop(shared);
                };
                let writes = || {
                    drop(other);
                    constant(9.0)
                };
                device.concurrently(reads, writes);
            };
            step(before());
            if recorded {
                let shared = before();
                cuda.capture(|| step(shared)).unwrap().replay();
            }
            assert!(down::<f32>(&cuda, &out).iter().all(|&x| x == 2.0), "{cuda:?}, recorded: {recorded}");
        }
    }
}

/// What a lane had before it parted, or within, is read by the one beside it, dropped by the lane itself, and asked for again.
#[test]
fn what_the_lane_beside_reads_is_not_handed_out_before_they_meet() {
    const N: usize = 3000;
    for cuda in devices() {
        let device = device(&cuda);
        let constant = |value| constant(&device, N, value);
        let part = |value: f32| {
            let mut out = device.buffer::<f32>(N);
            let shared = Arc::new(constant(value));
            let other = Arc::clone(&shared);
            let reads = || {
                fill::copy(&device, shared.view(), out.view_mut());
                drop(shared);
                // Its own, of the same length: free at once, and found again.
                (0..3).for_each(|_| drop(constant(8.0)));
            };
            let goes_on = || {
                drop(other);
                (0..3).for_each(|_| drop(constant(9.0)));
            };
            device.concurrently(reads, goes_on);
            // They have met: what was dropped is free.
            drop(constant(7.0));
            out
        };
        let step = || {
            let of_neither = part(1.0);
            let (first, second) = device.concurrently(|| [part(2.0), part(3.0)], || [part(4.0), part(5.0)]);
            [of_neither].into_iter().chain(first).chain(second).collect::<Vec<_>>()
        };
        let values = |out: Vec<Buffer<f32>>| out.iter().map(|x| fill::to_host(&device, x.view()).unwrap()).collect();
        let want: Vec<_> = (1..=5).map(|value| vec![value as f32; N]).collect();
        let mut allocations = Vec::new();
        for _ in 0..3 {
            let got: Vec<Vec<f32>> = values(step());
            assert!(got == want, "{cuda:?}");
            allocations.push(device.pool().allocations());
        }
        assert_eq!(allocations[1], allocations[2], "each lane finds its buffers again");
        let mut recorded = Vec::new();
        let graph = cuda.capture(|| recorded = step()).unwrap();
        graph.replay();
        let got: Vec<Vec<f32>> = values(recorded);
        assert!(got == want, "{cuda:?}, recorded");
    }
}

#[test]
fn lanes_meet_also_where_a_closure_panics() {
    for cuda in devices() {
        let device = device(&cuda);
        let panics = |in_first: bool| {
            let launch = |panics: bool| {
                let mut y = device.buffer::<f32>(7);
                fill::constant(&device, 2.0, y.view_mut());
                assert!(!panics, "meant");
            };
            let run = || device.concurrently(|| launch(in_first), || launch(!in_first));
            assert!(catch_unwind(AssertUnwindSafe(run)).is_err());
        };
        for in_first in [true, false] {
            panics(in_first);
            let mut y = device.buffer::<f32>(7);
            fill::constant(&device, 3.0, y.view_mut());
            assert_eq!(fill::to_host(&device, y.view()).unwrap(), [3.0; 7]);
            drop(y);
            cuda.capture(|| panics(in_first)).unwrap().replay();
            cuda.synchronize().unwrap();
        }
    }
}

#[test]
fn a_step_that_panics_ends_its_recording() {
    for cuda in devices() {
        let mut memory = up(&cuda, &[1.0f32]);
        let record = || cuda.capture(|| panic!("meant"));
        assert!(catch_unwind(AssertUnwindSafe(record)).is_err());
        cuda.upload(&[2.0f32], memory.slice_mut()).unwrap();
        let graph = cuda.capture(|| cuda.fill_zero(memory.slice_mut::<f32>())).unwrap();
        assert_eq!(down::<f32>(&cuda, &memory), [2.0]);
        graph.replay();
        assert_eq!(down::<f32>(&cuda, &memory), [0.0]);
    }
}

#[test]
fn a_step_that_allocates_or_copies_over_the_bus_cannot_be_recorded() {
    for cuda in devices() {
        let memory = RefCell::new(up(&cuda, &[1.0f32]));
        let refused = |step: &dyn Fn()| cuda.capture(step).map(|_| ()).unwrap_err().to_string();
        let alloc = refused(&|| assert!(cuda.alloc(16).is_err()));
        assert_eq!(alloc, "cuda: an allocation of 16 bytes inside a captured step");
        let upload = refused(&|| assert!(cuda.upload(&[1.0f32], memory.borrow_mut().slice_mut()).is_err()));
        assert_eq!(upload, "cuda: an upload of 4 bytes inside a captured step");
        let download = refused(&|| assert!(cuda.download::<f32>(memory.borrow().slice()).is_err()));
        assert_eq!(download, "cuda: a read-back of 4 bytes inside a captured step");
        let wait = refused(&|| assert!(cuda.synchronize().is_err()));
        assert_eq!(wait, "cuda: waiting inside a captured step");
        assert_eq!(down::<f32>(&cuda, &memory.borrow()), [1.0], "usable afterwards");
    }
}

/// Its module is loaded then, which a recording cannot do.
#[test]
fn a_kernel_runs_before_it_is_recorded() {
    for cuda in devices() {
        let device = device(&cuda);
        let mut y = up(&cuda, &[1.0f32]);
        let mut step = || fill::constant(&device, 2.0, y.slice_mut::<f32>());
        let refused = cuda.capture(&mut step).map(|_| ()).unwrap_err().to_string();
        assert!(refused.starts_with("cuda: the first use of fill_"), "{refused}");
        assert!(refused.ends_with(" inside a captured step"), "{refused}");
        step();
        cuda.capture(&mut step).unwrap().replay();
        assert_eq!(down::<f32>(&cuda, &y), [2.0]);
    }
}

#[cfg(feature = "cuda-host")]
mod stand_in {
    use crate::common::up;
    use kernels::cuda::{Cuda, Grid, Kernel, Order};

    #[test]
    fn a_write_beside_an_allocation_is_found() {
        let cuda = Cuda::host(Order::Ascending);
        let (x, y) = (up(&cuda, &[1.0f32; 8]), up(&cuda, &[1.0f32; 7]));
        let forward = Kernel { module: "relu", name: "relu_forward" };
        // SAFETY: one element too many for y, which the margin takes.
        unsafe { cuda.launch(forward, Grid::elementwise(8), &[&x.slice::<f32>(), &y.slice::<f32>(), &8u64]) };
        let error = cuda.synchronize().unwrap_err().to_string();
        assert_eq!(error, "cuda: the stand-in failed: a kernel wrote beside an allocation of 28 bytes");
    }

    #[test]
    #[should_panic(expected = "relu_forward: sizes of the arguments, and of the parameters")]
    fn arguments_are_those_of_the_kernel() {
        let cuda = Cuda::host(Order::Ascending);
        let x = up(&cuda, &[1.0f32; 8]);
        let forward = Kernel { module: "relu", name: "relu_forward" };
        // SAFETY: never launched: the count is an int, where the kernel takes 64 bits.
        unsafe { cuda.launch(forward, Grid::elementwise(8), &[&x.slice::<f32>(), &x.slice::<f32>(), &8u32]) };
    }
}

#[test]
fn after_an_allocation_that_failed_nothing_runs_and_every_report_says_so() {
    for cuda in devices() {
        let device = Device::cuda(cuda.clone(), Precision::F32).unwrap();
        let mut y = device.buffer::<f32>(16);
        fill::constant(&device, 1.0, y.view_mut());
        device.synchronize().unwrap();
        let mut huge = device.buffer::<f32>(1 << 44);
        fill::constant(&device, 2.0, huge.view_mut().slice(..16));
        fill::constant(&device, 2.0, y.view_mut());
        for report in [device.synchronize(), fill::to_host(&device, y.view()).map(drop), device.synchronize()] {
            let error = report.unwrap_err();
            assert!(matches!(error, CudaError::OutOfMemory { wanted, .. } if wanted == 64 << 40), "{error}");
        }
        drop((y, huge));
    }
}
