//! One network of a checkpoint on numbers of your own:
//! `cargo run -p ecgan --example forward -- CHECKPOINT generator|discriminator|classifier <input >output`
//!
//! Input and output are little-endian f32 in PyTorch's order: noise `[n,100]`, images `[n,channels,size,size]` in [-1, 1],
//! logits `[n,classes]` or `[n]`; a conditional network is given the classes 0, 1, .. in turn, the discriminator of a method
//! with one trunk the classifier's features. `tools/export-check` compares what other programs make of an exported network with it.

use ecgan::checkpoint::Checkpoint;
use ecgan::models::NOISE;
use ecgan::settings::{Architecture, NetworkName};
use nn::state_dict::{to_external, to_internal};
use std::error::Error;
use std::io::{Read, Write, stdin, stdout};
use std::path::Path;
use tensor::{Device, Shape, Tensor};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [file, name] = arguments.as_slice() else { return Err("usage: forward CHECKPOINT NETWORK".into()) };
    let name: NetworkName = name.parse()?;
    let checkpoint = Checkpoint::read(Path::new(file))?;
    let device = Device::cpu();
    let mut network = checkpoint.network(&device, name)?;

    let mut bytes = Vec::new();
    stdin().read_to_end(&mut bytes)?;
    let values: Vec<f32> = bytes.as_chunks::<4>().0.iter().map(|&b| f32::from_le_bytes(b)).collect();
    // The engine's own order is NHWC; a state dict's functions know both.
    let (image, meta) = (checkpoint.image(), &checkpoint.meta);
    let one = match (name, meta.architecture) {
        (NetworkName::Generator, _) => vec![1, 1, NOISE],
        (NetworkName::Discriminator, Architecture::ResNet18) if meta.shared => vec![8 * meta.width],
        (NetworkName::Discriminator, Architecture::Dcgan) if meta.shared => vec![4, 4, 8 * image.size],
        _ => vec![image.size, image.size, image.channels],
    };
    let n = values.len() / one.iter().product::<usize>();
    let shape = Shape::from(&[vec![n], one].concat()[..]);
    let classes: Vec<i32> = (0..n).map(|i| (i % meta.classes.len()) as i32).collect();
    let classes = Tensor::from_slice(&device, [n], &classes)?;
    let y =
        network.evaluate_given(Tensor::from_slice(&device, shape, &to_internal(shape, &values))?, Some(&classes))?;
    let bytes: Vec<u8> = to_external(y.shape(), &y.to_vec()?).iter().flat_map(|v| v.to_le_bytes()).collect();
    Ok(stdout().write_all(&bytes)?)
}
