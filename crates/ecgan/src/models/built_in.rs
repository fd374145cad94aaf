//! The classifiers that settings can ask for by name.

use super::{Classifier, Dcgan, ImageShape, ResNet18};
use crate::settings::Architecture;
use nn::{Builder, Module};
use tensor::Real;

/// An architecture by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BuiltIn {
    /// Which.
    pub architecture: Architecture,
    /// Channels of a [`ResNet18`]'s first stage.
    pub width: usize,
}

impl Classifier for BuiltIn {
    fn build<T: Real>(&self, b: &mut Builder, image: ImageShape, classes: usize) -> Box<dyn Module<T>> {
        match self.architecture {
            Architecture::ResNet18 => ResNet18 { width: self.width }.build(b, image, classes),
            Architecture::Dcgan => Dcgan.build(b, image, classes),
        }
    }

    fn real_head<T: Real>(&self, b: &mut Builder, image: ImageShape, classes: usize) -> Box<dyn Module<T>> {
        match self.architecture {
            Architecture::ResNet18 => ResNet18 { width: self.width }.real_head(b, image, classes),
            Architecture::Dcgan => Dcgan.real_head(b, image, classes),
        }
    }

    fn is_built_in(&self) -> bool {
        true
    }
}
