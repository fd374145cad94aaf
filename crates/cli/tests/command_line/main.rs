//! The binary from outside: what it leaves behind, what it prints, how it ends.

mod bad_checkpoints;
mod bad_data;
mod bench;
mod binary;
mod compare;
mod data;
mod data_sets;
mod dry_run;
mod endings;
mod eval;
mod export;
mod generate;
#[cfg(unix)]
mod hostile;
mod measure;
mod messages;
mod onnx_file;
mod own_data;
mod predict;
mod repeatable;
mod report;
#[cfg(unix)]
mod resume;
mod resume_usage;
#[cfg(unix)]
mod running;
#[cfg(target_os = "linux")]
mod streams;
mod sweep;
#[cfg(unix)]
mod sweep_ledger;
mod tensors_file;
mod usage;
mod whole_runs;
