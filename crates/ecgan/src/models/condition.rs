//! The class as an input of generator and discriminator (Mirza and Osindero 2014).

use crate::settings::ClassCode;
use nn::Pass;
use serde::{Deserialize, Serialize};
use tensor::ops::{self, Coding};
use tensor::{Real, Result, Var};

/// What a conditional network is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Condition {
    /// Number of classes.
    pub classes: usize,
    /// How one is written.
    pub code: ClassCode,
}

impl Condition {
    /// The classes that `n` images are made for where none is asked for: each in turn.
    pub fn in_turn(self, n: usize) -> Vec<usize> {
        (0..n).map(|i| i % self.classes).collect()
    }

    fn coding(self) -> Coding {
        match self.code {
            ClassCode::Scalar => Coding::Scalar,
            ClassCode::OneHot => Coding::OneHot,
        }
    }

    /// Channels that the class takes.
    pub fn channels(self) -> usize {
        self.coding().channels(self.classes)
    }

    /// x `[n,h,w,c]` with the pass's classes behind its channels.
    pub(super) fn append<T: Real>(self, pass: &Pass<'_, T>, x: &Var<T>) -> Result<Var<T>> {
        ops::class_planes(x, pass.labels(), self.classes, self.coding())
    }
}
