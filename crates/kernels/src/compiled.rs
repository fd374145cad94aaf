//! The large kernels as functions of each type, so that they are compiled here.
//!
//! A generic function is compiled where it is used, in each crate and each test anew. Products and convolutions are some
//! hundred kernels for each type and SIMD path: most of the code of whatever calls them.

use crate::batch_norm::{self, BatchStatistics, Normalize};
use crate::conv2d::{self, Conv2d, Pass};
use crate::gemm::{self, Transpose};
use crate::{Device, Store};

/// A method for each kernel, and for both types the method that calls it.
macro_rules! compiled {
    ($($(#[$meta:meta])* fn $name:ident($($arg:ident: $ty:ty),* $(,)?) $(-> $ret:ty)? = $kernel:path;)*) => {
        /// What [`Real`](crate::Real)'s types have compiled; call [`gemm`](gemm::gemm), [`conv2d`] and [`batch_norm`], which do
        /// more than this.
        pub trait Compiled: Sized {
            $($(#[$meta])* fn $name($($arg: $ty),*) $(-> $ret)?;)*
        }
        impl Compiled for f32 {
            $(fn $name($($arg: $ty),*) $(-> $ret)? { $kernel($($arg),*) })*
        }
        impl Compiled for f64 {
            $(fn $name($($arg: $ty),*) $(-> $ret)? { $kernel($($arg),*) })*
        }
    };
}

compiled! {
    /// [`gemm`](gemm::gemm) of m, n, k on a CPU.
    fn gemm(
        device: &Device,
        transposes: (Transpose, Transpose),
        sizes: [usize; 3],
        operands: [&[Self]; 2],
        c: &mut [Self],
        store: Store,
    ) = gemm::cpu;

    /// A pass of a convolution on a CPU: of the operands and the result in the order in which that pass names them.
    fn conv2d(
        device: &Device,
        pass: Pass,
        g: &Conv2d,
        operands: [&[Self]; 2],
        out: &mut [Self],
        store: Store,
    ) = conv2d::cpu::pass;

    /// [`forward_with_statistics`](conv2d::forward_with_statistics) of x and w to y, mean and variance, on a CPU.
    fn conv2d_with_statistics(
        device: &Device,
        g: &Conv2d,
        operands: [&[Self]; 2],
        y: &mut [Self],
        moments: [&mut [Self]; 2],
    ) -> bool = conv2d::cpu::forward_with_statistics;

    /// [`statistics`](batch_norm::statistics) on a CPU, the running ones left alone.
    fn batch_norm_statistics(
        device: &Device,
        channels: usize,
        x: &[Self],
        mean: &mut [Self],
        var: &mut [Self],
    ) = batch_norm::statistics::cpu;

    /// [`batch_norm::forward`] on a CPU.
    fn batch_norm_forward(
        device: &Device,
        normalize: Normalize<Self>,
        x: &[Self],
        vectors: [&[Self]; 4],
        residual: Option<&[Self]>,
        y: &mut [Self],
    ) = batch_norm::forward::cpu;

    /// [`batch_norm::backward`] on a CPU.
    fn batch_norm_backward(
        device: &Device,
        normalize: Normalize<Self>,
        statistics: BatchStatistics,
        x: &[Self],
        y: Option<&[Self]>,
        dy: &mut [Self],
        vectors: [&[Self]; 4],
        dgamma: Option<(&mut [Self], Store)>,
        dbeta: Option<(&mut [Self], Store)>,
        dresidual: Option<&mut [Self]>,
    ) = batch_norm::backward::cpu;
}
