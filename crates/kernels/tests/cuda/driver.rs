//! The driver's side without a GPU: each machine that something is wrong with, by a library in the driver's place.
//!
//! A library is loaded once a process, so each case runs in a process of its own: this binary again, with the fake
//! library's folder in `LD_LIBRARY_PATH`, asked for [`in_the_fake`] alone.

use kernels::cuda::{Cuda, CudaError, Precision, devices};
use kernels::{Device, fill, relu};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder of a `libcuda.so.1`, compiled with these flags.
fn library(name: &str, flags: &[&str]) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(&folder).unwrap();
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cuda/fake_driver.cpp");
    let mut command = Command::new("g++");
    command.args(["-shared", "-fPIC", "-O1"]).args(flags).arg(source).arg("-o").arg(folder.join("libcuda.so.1"));
    assert!(command.status().expect("g++, which the feature cuda-host needs").success());
    folder
}

/// What [`in_the_fake`] prints when run over that library.
fn over(folder: &Path, case: &str) -> String {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "driver::in_the_fake", "--nocapture"]);
    let output = command.env("LD_LIBRARY_PATH", folder).env("FAKE_CUDA", case).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{case}: {text}{}", String::from_utf8_lossy(&output.stderr));
    let lines = text.lines().filter_map(|line| line.split_once("fake: "));
    lines.map(|(_, said)| said).collect::<Vec<_>>().join("\n")
}

/// The inner process.
#[test]
fn in_the_fake() {
    let Ok(case) = std::env::var("FAKE_CUDA") else { return };
    match Cuda::open(1) {
        Err(error) => println!("\nfake: {error}"),
        Ok(cuda) if case == "fault" => fault(&cuda),
        Ok(cuda) if case == "lanes" => lanes(&cuda),
        Ok(cuda) => fine(&cuda),
    }
}

fn fine(cuda: &Cuda) {
    println!("\nfake: {} of {}", cuda.name(), devices().unwrap().len());
    assert_eq!(Cuda::open(2).unwrap_err(), CudaError::Ordinal { ordinal: 2, count: 2 });
    let x = cuda.memory_of(&[1.0f32, 2.0, 3.0]).unwrap();
    assert_eq!(cuda.download::<f32>(x.slice().slice(1..)).unwrap(), [2.0, 3.0]);
    println!("fake: {}", cuda.alloc(1 << 30).err().unwrap());
    let step = |y: &mut kernels::cuda::Memory| {
        cuda.fill_zero(y.slice_mut::<f32>());
        relu::cuda::forward(cuda, x.slice(), y.slice_mut());
    };
    let mut y = cuda.memory_of(&[5.0f32; 3]).unwrap();
    println!("fake: {}", cuda.capture(|| step(&mut y)).err().unwrap());
    step(&mut y);
    let graph = cuda.capture(|| step(&mut y)).unwrap();
    drop(y);
    graph.replay();
    cuda.synchronize().unwrap();
}

fn fault(cuda: &Cuda) {
    let (x, mut y) = (cuda.memory_of(&[1.0f32]).unwrap(), cuda.memory_of(&[1.0f32]).unwrap());
    relu::cuda::forward(cuda, x.slice(), y.slice_mut());
    println!("\nfake: {}", cuda.download::<f32>(y.slice()).unwrap_err());
    cuda.synchronize().unwrap();
}

/// Before, in the lane beside, in one beside that, in the lane itself, and after; then recorded.
fn lanes(cuda: &Cuda) {
    let device = Device::cuda(cuda.clone(), Precision::F32).unwrap();
    let launch = || {
        let mut y = device.buffer::<f32>(3);
        fill::constant(&device, 1.0, y.view_mut());
    };
    let step = || {
        launch();
        device.concurrently(|| device.concurrently(launch, launch), launch);
        launch();
    };
    step();
    cuda.capture(step).unwrap().replay();
    let in_turn = device.in_turn();
    launch();
    in_turn.concurrently(|| in_turn.concurrently(launch, launch), launch);
    launch();
    cuda.synchronize().unwrap();
}

/// A stream waits for the one it parts from before anything is launched on it, and that one for it before it goes on;
/// in a recording too, which begins and ends on the first.
#[test]
fn lanes_part_and_meet_by_events() {
    let step = "launch on 0\nevent 0 on stream 0\nstream 1 waits for event 0\n\
                event 0 on stream 1\nstream 3 waits for event 0\nlaunch on 3\nlaunch on 1\n\
                event 1 on stream 3\nstream 1 waits for event 1\nlaunch on 0\n\
                event 1 on stream 1\nstream 0 waits for event 1\nlaunch on 0\n";
    let said = over(&library("lanes_driver", &[]), "lanes");
    let streams = "priority -5 for 0\npriority -4 for 1\npriority 0 for 2\npriority 0 for 3\n";
    let in_turn = "launch on 0\n".repeat(5);
    assert_eq!(
        said,
        format!("{streams}{step}recording begins on 0\n{step}recording ends on 0\nreplay on 0\n{in_turn}").trim_end()
    );
}

#[test]
fn each_machine_gets_the_error_that_fits() {
    let (whole, lacking) = (library("fake_driver", &[]), library("lacking_driver", &["-DLACKING"]));
    let cpu = "or use --device cpu";
    let cases = [
        (
            &lacking,
            "fine",
            "cuda: the NVIDIA driver is too old (it has no cuCtxGetCurrent; CUDA 12.4 is needed): install driver 550 or newer, ",
        ),
        (
            &whole,
            "old",
            "cuda: the NVIDIA driver is too old (CUDA 12.3; CUDA 12.4 is needed): install driver 550 or newer, ",
        ),
        (
            &whole,
            "none",
            "cuda: the driver (CUDA 13.0) found no GPU: see that `nvidia-smi` lists one and CUDA_VISIBLE_DEVICES does not hide it, ",
        ),
        (
            &whole,
            "empty",
            "cuda: the driver (CUDA 13.0) found no GPU: see that `nvidia-smi` lists one and CUDA_VISIBLE_DEVICES does not hide it, ",
        ),
    ];
    for (folder, case, text) in cases {
        assert_eq!(over(folder, case), format!("{text}{cpu}"), "{case}");
    }
    assert_eq!(over(&whole, "broken"), "cuda: cuInit failed: CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE");
    assert_eq!(over(&whole, "volta"), "cuda: Fake has compute capability 7.0, the backend needs 7.5 or more");
    assert_eq!(over(&whole, "fault"), "cuda: relu_forward failed: CUDA_ERROR_ILLEGAL_ADDRESS");
    assert_eq!(
        over(&whole, "fine"),
        "Fake of 2\n\
         cuda: out of memory: 1073741824 bytes wanted, 1000 of 1048576 free: lower --batch or --width\n\
         cuda: the first use of relu_forward inside a captured step"
    );
}
