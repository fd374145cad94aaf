//! The binary from outside: what it leaves behind, what it prints, how it ends.

mod bad_checkpoints;
mod bad_data;
mod bench;
mod binary;
mod data_sets;
mod endings;
mod eval;
mod generate;
mod messages;
mod own_data;
mod repeatable;
mod sweep;
mod usage;
mod whole_runs;
