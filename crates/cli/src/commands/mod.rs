//! One file a command: its flags, and how its result is printed.

pub mod bench;
pub mod compare;
pub mod completions;
pub mod config;
pub mod data;
pub mod devices;
pub mod eval;
pub mod export;
pub mod generate;
pub mod measure;
pub mod predict;
pub mod report;
pub mod reproduce;
pub mod sweep;
pub mod train;
