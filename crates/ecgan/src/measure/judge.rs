//! The judge: a classifier that had no part in the run.

use crate::Error;
use crate::checkpoint::Checkpoint;
use crate::evaluate::difference;
use crate::models::ImageShape;
use nn::Network;
use std::path::Path;
use tensor::Device;

/// The classifier of another checkpoint, which must be one for the run's images and classes.
///
/// # Errors
/// [`Error::Io`]; [`Error::BadFile`] naming what differs.
pub fn read(path: &Path, run: &Checkpoint, device: &Device) -> Result<Network, Error> {
    let mut judge = Checkpoint::read(path)?;
    if judge.is_bare() {
        // It leaves open the size of its images and the names of its classes.
        judge = Checkpoint::read_for(path, Some(run.meta.image_size))?;
    }
    let whose = "the run that it is to judge";
    let (is, expected) = (judge.image(), run.image());
    if is != expected {
        let images = |image: ImageShape| format!("{0}x{0}x{1}", image.size, image.channels);
        return Err(judge.bad(format!("for images of {}; {whose} has {}", images(is), images(expected))));
    }
    let (trained, classes) = (&judge.meta.classes, &run.meta.classes);
    let problem = if judge.is_bare() {
        let (has, expected) = (trained.len(), classes.len());
        (has != expected).then(|| format!("{has} classes; {whose} has {expected}"))
    } else {
        difference(trained, classes, whose, "that run", "give --judge a classifier of the run's classes")
    };
    problem.map_or_else(|| judge.classifier(device), |problem| Err(judge.bad(problem)))
}
