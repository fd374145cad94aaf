//! Whole iterations, checkpoints and evaluation on a GPU, or on the CPU stand-in for one (feature `cuda-host`).

mod devices;
mod full_size;
mod iterations;
mod recorded;
