//! One iteration after another: launched one kernel at a time, or on a GPU recorded once as a graph and replayed.
//!
//! What changes from one iteration to the next lies where the kernels run: the images or, where they do not fit, those of
//! the batch; its indices and labels; the position of the noise; Adam's count; the row that takes what was found. So a
//! replay gives the bits that launching would, and nothing is read back for many iterations.

use crate::Error;
use crate::augment::Staged;
use crate::data::Images;
use crate::methods::{Noise, Step};
use crate::models::NOISE;
use crate::networks::Networks;
use crate::settings::Augment;
use kernels::augment::Pixels;
use kernels::cuda::Graph;
use kernels::fill::Draws;
use kernels::record::COLUMNS;
use kernels::view::View;
use std::collections::VecDeque;
use tensor::ops::DRAWN;
use tensor::rng::Stream;
use tensor::{Device, Result, Tensor};

/// Iterations between two readings on a GPU.
const UNREAD: usize = 50;

/// How batches are made and iterations run.
#[derive(Clone, Copy, Debug)]
pub struct Feed {
    /// Images in a batch.
    pub batch: usize,
    /// What becomes of them.
    pub augment: Augment,
    /// The seed of augmentation and noise.
    pub seed: u64,
    /// Number of classes.
    pub classes: usize,
    /// Whether a GPU replays a recorded iteration.
    pub record: bool,
    /// Bytes of images that a GPU keeps at most, beyond which those of each batch are copied to it; `None` is a quarter of
    /// its free memory, the rest being for activations.
    pub resident: Option<usize>,
}

/// The networks, what they are given, and what was found.
pub struct Iterations {
    /// What is trained.
    pub networks: Networks,
    feed: Feed,
    device: Device,
    pixels: Pixels,
    bytes: Bytes,
    staged: Staged,
    noise: Draws,
    /// The parts of the last iteration, see [`Networks::parts`]. The first one of these parts is launched: it loads every
    /// kernel and fills the pool, which a recording cannot.
    last: Option<(bool, bool)>,
    recorded: Option<Recorded>,
    /// The parts of the iterations that were not read.
    parts: VecDeque<(bool, bool)>,
    /// A row for each iteration that was not read, and the number of the next.
    rows: Tensor,
    next: Tensor<i32>,
    run: u64,
    read: u64,
}

/// Where the kernels find the images' bytes.
enum Bytes {
    /// On the host, as they are.
    Host,
    /// All of them on the GPU.
    Resident(Tensor<u8>),
    /// Those of the batch, where the kernels run.
    Streamed(Tensor<u8>),
}

struct Recorded {
    graph: Graph,
    /// By how much it moves [`counts`].
    counted: Vec<u64>,
}

impl Iterations {
    /// Iterations over these images.
    ///
    /// # Errors
    /// What failed on a GPU.
    pub fn new(device: &Device, networks: Networks, images: &Images, feed: Feed) -> Result<Self> {
        let pixels = Pixels { size: images.size, channels: images.channels };
        let streamed = || Bytes::Streamed(Tensor::uninit(device, [feed.batch * pixels.bytes()]));
        let bytes = match (images.pixels(), device.gpu()) {
            (None, _) => streamed(),
            (Some(_), None) => Bytes::Host,
            (Some(all), Some(cuda)) => {
                let most = feed.resident.map_or_else(|| Ok(cuda.free_memory()? / 4), Ok::<_, tensor::Error>)?;
                if all.len() <= most {
                    Bytes::Resident(Tensor::from_slice(device, [all.len()], all)?)
                } else {
                    streamed()
                }
            }
        };
        let capacity = if device.gpu().is_some() { UNREAD } else { 1 };
        Ok(Self {
            networks,
            feed,
            pixels,
            bytes,
            staged: Staged::new(device, feed.batch),
            noise: Draws::new(device, Stream::Noise.start(feed.seed)),
            last: None,
            recorded: None,
            parts: VecDeque::new(),
            // Read as a whole, also before all of them are written.
            rows: Tensor::zeros(device, [capacity, COLUMNS + feed.classes]),
            next: Tensor::zeros(device, [1]),
            device: device.clone(),
            run: 0,
            read: 0,
        })
    }

    /// Draws noise on from this position; before the first iteration, so that a recorded one finds it.
    pub fn set_noise_position(&mut self, position: u64) {
        assert_eq!(self.last, None, "noise goes on before the first iteration");
        self.noise = Draws::new(&self.device, Stream::Noise.start(self.feed.seed).at(position));
    }

    /// Where the stream of noise is.
    pub fn noise_position(&self) -> u64 {
        self.noise.position()
    }

    /// One iteration on the images at `indices`, as samples `first_sample` on of the run. On a GPU it may still run when
    /// this returns. What it found must be read before more than [`Iterations::must_read`] allows are unread.
    ///
    /// # Errors
    /// What failed on a GPU since the last report, where it is known; an image that cannot be decoded.
    pub fn run(&mut self, images: &Images, indices: &[usize], first_sample: u64) -> std::result::Result<(), Error> {
        assert!(!self.must_read(), "what was found is read before its row is written again");
        let labels: Vec<i32> = indices.iter().map(|&index| images.labels[index]).collect();
        match &mut self.bytes {
            Bytes::Host | Bytes::Resident(_) => self.staged.write(indices.iter().copied(), &labels, first_sample),
            Bytes::Streamed(batch) => {
                batch.write(&images.batch(indices)?);
                self.staged.write(0..indices.len(), &labels, first_sample);
            }
        }
        self.run += 1;
        let parts = self.networks.parts();
        self.parts.push_back(parts);
        let recordable = self.feed.record && self.device.gpu().is_some();
        if self.last.replace(parts) != Some(parts) || !recordable {
            self.recorded = None;
            return Ok(self.launch(images)?);
        }
        if self.recorded.is_none() {
            self.recorded = Some(self.capture(images)?);
        }
        if let Some(Recorded { graph, counted }) = &self.recorded {
            graph.replay();
            let moved = self.counts().iter().zip(counted).map(|(count, more)| count + more).collect();
            self.set_counts(moved);
        }
        Ok(())
    }

    /// Whether every row holds what was not read yet.
    pub fn must_read(&self) -> bool {
        self.run - self.read == self.rows.shape()[0] as u64
    }

    /// What the iterations since the last reading found, in order.
    ///
    /// # Errors
    /// What failed on a GPU since the last report.
    pub fn read(&mut self) -> Result<Vec<Step>> {
        let [capacity, columns] = [self.rows.shape()[0], self.rows.shape()[1]];
        let rows = self.rows.to_vec()?;
        let row = |number: u64| &rows[(number % capacity as u64) as usize * columns..][..columns];
        let numbers = (self.read..self.run).zip(self.parts.drain(..));
        let steps = numbers.map(|(number, (gan, fake))| Step::of_row(row(number), gan, fake)).collect();
        self.read = self.run;
        Ok(steps)
    }

    fn launch(&mut self, images: &Images) -> Result<()> {
        let Self { device, noise, staged, pixels, feed, .. } = self;
        let all = match &self.bytes {
            Bytes::Host => View::from(images.pixels().expect("held, or they would be streamed")),
            Bytes::Resident(bytes) | Bytes::Streamed(bytes) => bytes.view(),
        };
        let x = staged.images(*pixels, all, feed.augment, feed.seed);
        let labels = staged.labels();
        let augments = self.networks.augments();
        let draw = || {
            let mut z = Tensor::uninit(device, [feed.batch, 1, 1, NOISE]);
            noise.normal(device, 0.0, 1.0, &mut z);
            let drawn = augments.then(|| {
                let mut drawn = Tensor::uninit(device, [3 * feed.batch, DRAWN]);
                noise.uniform(device, 0.0, 1.0, &mut drawn);
                drawn
            });
            Noise { z, drawn }
        };
        let found = self.networks.step(&x, &labels, draw)?;
        found.record(&labels, feed.classes, &mut self.rows, &mut self.next);
        Ok(())
    }

    /// Records an iteration. Nothing runs meanwhile: what the host counted is taken back.
    fn capture(&mut self, images: &Images) -> Result<Recorded> {
        let cuda = self.device.gpu().expect("only a GPU records").clone();
        let before = self.counts();
        let mut launched = Ok(());
        let graph = cuda.capture(|| launched = self.launch(images))?;
        launched?;
        let counted = self.counts().iter().zip(&before).map(|(after, before)| after - before).collect();
        self.set_counts(before);
        Ok(Recorded { graph, counted })
    }

    /// What the host counts of an iteration: the words of noise, and the batches that each network has seen.
    fn counts(&self) -> Vec<u64> {
        [vec![self.noise.position()], self.networks.batches()].concat()
    }

    fn set_counts(&mut self, counts: Vec<u64>) {
        self.noise.set_position(counts[0]);
        self.networks.set_batches(&counts[1..]);
    }
}
