//! One iteration after another: launched one kernel at a time, or on a GPU recorded once as a graph and replayed.
//!
//! What changes from one iteration to the next lies where the kernels run: the batch and its labels in fixed buffers,
//! the position of the noise and Adam's count on the device. So a replay gives the bits that launching would.

use crate::methods::{Found, Step};
use crate::models::NOISE;
use crate::networks::Networks;
use kernels::cuda::Graph;
use kernels::fill::Draws;
use kernels::philox::Philox;
use tensor::{Device, Result, Shape, Tensor};

/// The networks, what they are given, and what the last iteration found.
pub struct Iterations {
    /// What is trained.
    pub networks: Networks,
    device: Device,
    x: Tensor,
    labels: Tensor<i32>,
    noise: Draws,
    record: bool,
    /// Iterations that were launched: the first loads every kernel and fills the pool, which a recording cannot.
    launched: u64,
    found: Option<Found>,
    recorded: Option<Recorded>,
}

struct Recorded {
    graph: Graph,
    /// By how much it moves [`counts`].
    counted: Vec<u64>,
}

impl Iterations {
    /// Iterations on batches of `shape` `[n,size,size,channels]`, drawing on from where `noise` is. With `record` the
    /// second is recorded, where the device can, and all from it on are replays.
    pub fn new(device: &Device, networks: Networks, shape: impl Into<Shape>, noise: Philox, record: bool) -> Self {
        let shape = shape.into();
        Self {
            networks,
            x: Tensor::uninit(device, shape),
            labels: Tensor::uninit(device, [shape[0]]),
            noise: Draws::new(device, noise),
            device: device.clone(),
            record,
            launched: 0,
            found: None,
            recorded: None,
        }
    }

    /// The images of the next iteration, to write.
    pub fn x(&mut self) -> &mut Tensor {
        &mut self.x
    }

    /// Where the stream of noise is.
    pub fn noise_position(&self) -> u64 {
        self.noise.position()
    }

    /// One iteration on the images that were written and these labels. On a GPU it may still run when this returns.
    ///
    /// # Errors
    /// What failed on a GPU since the last report, where it is known.
    pub fn run(&mut self, labels: &[i32]) -> Result<()> {
        self.labels.write(labels);
        if self.recorded.is_none() {
            if !(self.record && self.launched > 0 && self.device.gpu().is_some()) {
                return self.launch();
            }
            self.recorded = Some(self.capture()?);
        }
        if let Some(Recorded { graph, counted }) = &self.recorded {
            graph.replay();
            let counts = counts(&self.networks, &self.noise);
            set_counts(
                &mut self.networks,
                &mut self.noise,
                counts.iter().zip(counted).map(|(count, more)| count + more).collect(),
            );
        }
        Ok(())
    }

    /// What the last iteration found; `labels` as it was given them.
    ///
    /// # Errors
    /// What failed on a GPU since the last report.
    pub fn read(&self, labels: &[i32]) -> Result<Step> {
        self.found.as_ref().expect("an iteration was run").read(labels)
    }

    fn launch(&mut self) -> Result<()> {
        self.found = None;
        let (device, noise, n) = (&self.device, &mut self.noise, self.labels.numel());
        let z = || {
            let mut z = Tensor::uninit(device, [n, 1, 1, NOISE]);
            noise.normal(device, 0.0, 1.0, &mut z);
            z
        };
        self.found = Some(self.networks.step(&self.x, &self.labels, z)?);
        self.launched += 1;
        Ok(())
    }

    /// Records an iteration; what the host counted meanwhile is taken back, since nothing ran.
    fn capture(&mut self) -> Result<Recorded> {
        let cuda = self.device.gpu().expect("only a GPU records").clone();
        let before = counts(&self.networks, &self.noise);
        let mut launched = Ok(());
        let graph = cuda.capture(|| launched = self.launch())?;
        launched?;
        let after = counts(&self.networks, &self.noise);
        let counted = after.iter().zip(&before).map(|(after, before)| after - before).collect();
        set_counts(&mut self.networks, &mut self.noise, before);
        Ok(Recorded { graph, counted })
    }
}

/// What the host counts of an iteration: the words of noise, and the batches that each network has seen.
fn counts(networks: &Networks, noise: &Draws) -> Vec<u64> {
    [vec![noise.position()], networks.batches()].concat()
}

fn set_counts(networks: &mut Networks, noise: &mut Draws, counts: Vec<u64>) {
    noise.set_position(counts[0]);
    networks.set_batches(&counts[1..]);
}
