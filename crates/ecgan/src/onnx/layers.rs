//! The layers as nodes of a graph: a layer's node has the layer's name, its weights are those of the state dict.

use super::message::{self, Attribute, DataType, node};
use kernels::spectral_norm;
use nn::{BatchNorm2d, StateDict, StateTensor};
use tensor::Device;

/// Nodes and weights so far. Every function takes the name of a value and returns that of its result.
pub struct Layers<'a> {
    state: &'a StateDict,
    /// The nodes, in order.
    pub nodes: Vec<Vec<u8>>,
    /// What they take beside one another's results.
    pub initializers: Vec<Vec<u8>>,
}

impl<'a> Layers<'a> {
    /// No layers yet, of a network with these weights.
    pub fn new(state: &'a StateDict) -> Self {
        Self { state, nodes: Vec::new(), initializers: Vec::new() }
    }

    /// A convolution: `[n,c,h,w]` to `[n,o,oh,ow]`.
    pub fn conv(&mut self, x: &str, layer: &str, stride: usize, padding: usize) -> String {
        self.convolution("Conv", x, layer, stride, padding)
    }

    /// A transposed convolution: `[n,c,h,w]` to `[n,o,(h-1) stride - 2 padding + kernel,..]`.
    pub fn conv_transpose(&mut self, x: &str, layer: &str, stride: usize, padding: usize) -> String {
        self.convolution("ConvTranspose", x, layer, stride, padding)
    }

    /// A convolution with bias whose weight is divided as [`nn::SpectralConv2d`] does it, once and for all.
    pub fn spectral_conv(&mut self, x: &str, layer: &str, stride: usize, padding: usize) -> String {
        let (shape, w) = self.state(&format!("{layer}.weight_orig"));
        let (_, u) = self.state(&format!("{layer}.weight_u"));
        let size = [shape[0], w.len() / shape[0]];
        let (mut v, mut sigma, mut divided) = (vec![0.0; size[1]], [0.0], vec![0.0; w.len()]);
        spectral_norm::forward(&Device::cpu(), size, w, u, &mut v, &mut sigma, &mut divided);
        let weight = self.initializer(format!("{layer}.weight"), shape, &divided);
        let (bias, _) = self.weight(layer, "bias");
        self.node("Conv", &[x, &weight, &bias], layer, &geometry(shape, stride, padding))
    }

    fn convolution(&mut self, operator: &str, x: &str, layer: &str, stride: usize, padding: usize) -> String {
        let (weight, shape) = self.weight(layer, "weight");
        self.node(operator, &[x, &weight], layer, &geometry(shape, stride, padding))
    }

    /// Batch norm by the running statistics.
    pub fn batch_norm(&mut self, x: &str, layer: &str) -> String {
        let [gamma, beta, mean, variance] =
            ["weight", "bias", "running_mean", "running_var"].map(|name| self.weight(layer, name).0);
        let epsilon = Attribute::float("epsilon", BatchNorm2d::EPS as f32);
        self.node("BatchNormalization", &[x, &gamma, &beta, &mean, &variance], layer, &[epsilon])
    }

    /// A fully connected layer: `[n,inputs]` to `[n,outputs]`.
    pub fn linear(&mut self, x: &str, layer: &str, output: &str) -> String {
        let [weight, bias] = ["weight", "bias"].map(|name| self.weight(layer, name).0);
        self.node("Gemm", &[x, &weight, &bias], output, &[Attribute::int("transB", 1)])
    }

    /// Any operator, whose weights are in `inputs` already.
    pub fn node(&mut self, operator: &str, inputs: &[&str], output: &str, attributes: &[Attribute]) -> String {
        self.nodes.push(node(operator, inputs, output, attributes));
        output.to_owned()
    }

    /// A list of integers for operators that take one as an input.
    pub fn integers(&mut self, name: &str, values: &[i64]) -> String {
        let elements: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.initializers.push(message::tensor(name, &[values.len()], DataType::Int64, &elements));
        name.to_owned()
    }

    /// Takes a tensor of the state dict into the graph; its name and shape.
    fn weight(&mut self, layer: &str, name: &str) -> (String, &'a [usize]) {
        let name = format!("{layer}.{name}");
        let (shape, values) = self.state(&name);
        (self.initializer(name, shape, values), shape)
    }

    /// Takes a tensor into the graph; its name.
    fn initializer(&mut self, name: String, shape: &[usize], values: &[f64]) -> String {
        let elements: Vec<u8> = values.iter().flat_map(|&value| (value as f32).to_le_bytes()).collect();
        self.initializers.push(message::tensor(&name, shape, DataType::Float, &elements));
        name
    }

    /// A tensor of the state dict: shape and elements.
    fn state(&self, name: &str) -> (&'a [usize], &'a [f64]) {
        let (_, tensor) = self.state.iter().find(|(known, _)| known == name).expect("the network has this layer");
        let StateTensor::Real(shape, values) = tensor else { panic!("{name}: a weight is real") };
        (shape, values)
    }
}

/// The attributes of a convolution with a weight of this shape.
fn geometry(shape: &[usize], stride: usize, padding: usize) -> [Attribute; 3] {
    [
        Attribute::ints("kernel_shape", &shape[2..]),
        Attribute::ints("strides", &[stride; 2]),
        Attribute::ints("pads", &[padding; 4]),
    ]
}
