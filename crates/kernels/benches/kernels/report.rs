//! The table at the end of a run, from criterion's own result files: every kernel's time, its share of the ceilings,
//! and the rivals.
//!
//! Floating-point kernels are held against the better of the two `ceiling/fma`; those bound by memory against the copy
//! that no cache holds, and against the copy of as many bytes as they move themselves (rounded up to a power of two).
//! The same rows go to `kernels.json` beside criterion's files. A kernel's time is the median of its samples, a
//! ceiling's the least. What ran on a GPU is a table of its own, and `cuda` in `kernels.json`.

use crate::ceiling::{COPY, FMA, LARGE, copy_of};
use crate::{Work, results};
use kernels::Simd;
use serde::Deserialize;
use serde_json::{Value, json};
use std::path::Path;
use std::time::SystemTime;
use std::{fs, io};

/// A criterion result: `benchmark.json`, and its time.
#[derive(Deserialize)]
struct Measured {
    #[serde(rename = "group_id")]
    kernel: String,
    /// Whose, where it is not ours.
    #[serde(rename = "function_id")]
    rival: Option<String>,
    #[serde(rename = "value_str")]
    shape: String,
    #[serde(rename = "throughput")]
    work: Work,
    #[serde(skip)]
    seconds: f64,
}

impl Measured {
    /// FLOP/s or bytes/s.
    fn rate(&self) -> f64 {
        let (Work::Flops(n) | Work::Bytes(n)) = self.work;
        n as f64 / self.seconds
    }

    fn unit(&self) -> &'static str {
        if matches!(self.work, Work::Flops(_)) { "GFLOP/s" } else { "GB/s" }
    }

    /// The precision, empty where it has none, of a kernel that ran on a GPU.
    fn on_gpu(&self) -> Option<&str> {
        let name = self.rival.as_deref()?.strip_prefix("cuda")?;
        Some(name.trim_start_matches('-'))
    }
}

/// Prints the table of what was measured since `start`, and writes `kernels.json`; nothing where nothing was.
pub fn report(simd: Simd, start: SystemTime) {
    let mut found = Vec::new();
    collect(&results(), start, &mut found).expect("criterion's result files");
    if found.is_empty() {
        return;
    }
    found.sort_by_key(|&(when, _)| when);
    let measured: Vec<Measured> = found.into_iter().map(|(_, measured)| measured).collect();
    let rows: Vec<Value> = measured.iter().filter(|m| m.rival.is_none()).map(|m| row(m, &measured)).collect();
    let cuda: Vec<Value> = measured.iter().filter_map(on_gpu).collect();
    let threads = rayon::current_num_threads();
    println!(
        "\nSIMD path {simd}, {threads} threads. Shares are of `ceiling/fma` or of the copy of {} MiB;",
        LARGE >> 20
    );
    println!(
        "\"own size\": of the copy of the power of two from the kernel's bytes up. Ratio: the rival's time by ours.\n"
    );
    println!("| kernel | shape | time | rate | share of ceiling | own size | rival | ratio |");
    println!("|---|---|---|---|---|---|---|---|");
    rows.iter().for_each(print);
    if !cuda.is_empty() {
        println!("\nOn the GPU; operands that its cache holds lie there.\n");
        println!("| kernel | shape | precision | time | rate |");
        println!("|---|---|---|---|---|");
        cuda.iter().for_each(print_on_gpu);
    }
    let table = json!({"simd": simd.name(), "threads": threads, "rows": rows, "cuda": cuda});
    fs::write(results().join("kernels.json"), format!("{table:#}\n")).expect("kernels.json");
}

/// Every `new/` folder below `path` that was written after `start`, with the time of writing.
fn collect(path: &Path, start: SystemTime, found: &mut Vec<(SystemTime, Measured)>) -> io::Result<()> {
    let Ok(entries) = fs::read_dir(path) else { return Ok(()) };
    for entry in entries {
        let path = entry?.path();
        let (benchmark, estimates) = (path.join("benchmark.json"), path.join("estimates.json"));
        if path.ends_with("new") && benchmark.exists() {
            let written = fs::metadata(&estimates)?.modified()?;
            if written >= start {
                let mut measured: Measured = serde_json::from_slice(&fs::read(benchmark)?)?;
                measured.seconds = 1e-9
                    * if [FMA, COPY].contains(&&measured.kernel[..]) {
                        least(&read(&path.join("sample.json"))?)
                    } else {
                        number(&read(&estimates)?["median"]["point_estimate"])
                    };
                found.push((written, measured));
            }
        } else if path.is_dir() {
            collect(&path, start, found)?;
        }
    }
    Ok(())
}

fn read(path: &Path) -> io::Result<Value> {
    Ok(serde_json::from_slice(&fs::read(path)?)?)
}

fn number(value: &Value) -> f64 {
    value.as_f64().expect("a number in criterion's result files")
}

/// Time of an iteration in the fastest sample, nanoseconds.
fn least(sample: &Value) -> f64 {
    let all = |key: &str| sample[key].as_array().into_iter().flatten().map(number).collect::<Vec<f64>>();
    all("times").iter().zip(all("iters")).map(|(time, n)| time / n).fold(f64::INFINITY, f64::min)
}

/// A row of the table: null where there is nothing to compare with.
fn row(ours: &Measured, measured: &[Measured]) -> Value {
    let share = |ceiling: &dyn Fn(&Measured) -> bool| {
        let highest = measured.iter().filter(|m| ceiling(m)).map(Measured::rate).reduce(f64::max);
        highest.map(|rate| ours.rate() / rate)
    };
    let copy = |bytes: usize| share(&|m| m.kernel == COPY && m.shape == bytes.to_string());
    let (share, own_size) = match ours.work {
        Work::Flops(_) => (share(&|m| m.kernel == FMA), None),
        Work::Bytes(bytes) => (copy(LARGE), copy(copy_of(bytes))),
    };
    let rivals: Vec<Value> = measured
        .iter()
        .filter(|m| m.rival.is_some() && m.on_gpu().is_none() && m.kernel == ours.kernel && m.shape == ours.shape)
        .map(|m| json!({"name": m.rival, "ms": m.seconds * 1e3, "ratio": m.seconds / ours.seconds}))
        .collect();
    json!({
        "kernel": ours.kernel, "shape": ours.shape, "ms": ours.seconds * 1e3, "rate": ours.rate() * 1e-9, "unit": ours.unit(),
        "share": share, "own_size": own_size, "rivals": rivals,
    })
}

/// A row of the GPU's table, if it is one.
fn on_gpu(m: &Measured) -> Option<Value> {
    let precision = m.on_gpu()?;
    Some(json!({
        "kernel": m.kernel, "shape": m.shape, "precision": precision, "ms": m.seconds * 1e3, "rate": m.rate() * 1e-9,
        "unit": m.unit(),
    }))
}

fn print_on_gpu(row: &Value) {
    let text = |key: &str| row[key].as_str().unwrap_or_default();
    let (time, rate) = (time(&row["ms"]), number(&row["rate"]));
    let cells = [text("kernel"), text("shape"), text("precision"), &time, &format!("{rate:.1} {}", text("unit"))];
    println!("| {} |", cells.join(" | "));
}

fn print(row: &Value) {
    let text = |key: &str| row[key].as_str().unwrap_or_default();
    let percent = |key: &str| row[key].as_f64().map(|share| format!("{:.0} %", 100.0 * share)).unwrap_or_default();
    let rivals = |cell: fn(&Value) -> String| {
        let cells: Vec<String> = row["rivals"].as_array().into_iter().flatten().map(cell).collect();
        cells.join(", ")
    };
    println!(
        "| {} | {} | {} | {:.1} {} | {} | {} | {} | {} |",
        text("kernel"),
        text("shape"),
        time(&row["ms"]),
        number(&row["rate"]),
        text("unit"),
        percent("share"),
        percent("own_size"),
        rivals(|r| format!("{} {}", r["name"].as_str().unwrap_or_default(), time(&r["ms"]))),
        rivals(|r| format!("{:.2}", number(&r["ratio"]))),
    );
}

fn time(ms: &Value) -> String {
    match number(ms) {
        ms if ms < 1e-3 => format!("{:.1} ns", ms * 1e6),
        ms if ms < 0.1 => format!("{:.2} us", ms * 1e3),
        ms => format!("{ms:.3} ms"),
    }
}
