//! The protobuf messages of an ONNX file, as far as they are written here. Field numbers are those of `onnx.proto`.
//! <https://github.com/onnx/onnx/blob/main/onnx/onnx.proto>

use crate::protobuf::{bytes, float, number};

/// What version of the file format this is (`ir_version`): the one that came with [`OPSET`].
const IR_VERSION: u64 = 8;

/// What version of the operators the graph is made of.
pub const OPSET: u64 = 17;

/// `TensorProto.DataType`.
#[derive(Clone, Copy)]
pub enum DataType {
    /// `f32`.
    Float = 1,
    /// `i64`.
    Int64 = 7,
}

/// A size of an input or output.
pub enum Dim {
    /// The same always.
    Fixed(usize),
    /// As many as there are images: any number.
    Batch,
}

/// An `AttributeProto`.
pub struct Attribute(Vec<u8>);

impl Attribute {
    /// A number.
    pub fn float(name: &str, value: f32) -> Self {
        Self::new(name, 1, |message| float(message, 2, value))
    }

    /// An integer.
    pub fn int(name: &str, value: u64) -> Self {
        Self::new(name, 2, |message| number(message, 3, value))
    }

    /// A list of integers.
    pub fn ints(name: &str, values: &[usize]) -> Self {
        Self::new(name, 7, |message| values.iter().for_each(|&value| number(message, 8, value as u64)))
    }

    fn new(name: &str, kind: u64, value: impl FnOnce(&mut Vec<u8>)) -> Self {
        let mut message = Vec::new();
        bytes(&mut message, 1, name.as_bytes());
        value(&mut message);
        number(&mut message, 20, kind);
        Self(message)
    }
}

/// A `NodeProto` of one output, whose name is the node's too.
pub fn node(operator: &str, inputs: &[&str], output: &str, attributes: &[Attribute]) -> Vec<u8> {
    let mut message = Vec::new();
    inputs.iter().for_each(|input| bytes(&mut message, 1, input.as_bytes()));
    bytes(&mut message, 2, output.as_bytes());
    bytes(&mut message, 3, output.as_bytes());
    bytes(&mut message, 4, operator.as_bytes());
    attributes.iter().for_each(|attribute| bytes(&mut message, 5, &attribute.0));
    message
}

/// A `TensorProto` of little-endian elements.
pub fn tensor(name: &str, shape: &[usize], kind: DataType, elements: &[u8]) -> Vec<u8> {
    let mut message = Vec::new();
    shape.iter().for_each(|&size| number(&mut message, 1, size as u64));
    number(&mut message, 2, kind as u64);
    bytes(&mut message, 8, name.as_bytes());
    bytes(&mut message, 9, elements);
    message
}

/// A `ValueInfoProto` of `f32`: an input or output of the graph.
pub fn value(name: &str, shape: &[Dim], says: &str) -> Vec<u8> {
    value_of(DataType::Float, name, shape, says)
}

/// The same of any type.
pub fn value_of(kind_of: DataType, name: &str, shape: &[Dim], says: &str) -> Vec<u8> {
    let mut dims = Vec::new();
    for dim in shape {
        let mut message = Vec::new();
        match dim {
            Dim::Fixed(size) => number(&mut message, 1, *size as u64),
            Dim::Batch => bytes(&mut message, 2, b"batch"),
        }
        bytes(&mut dims, 1, &message);
    }
    let (mut tensor, mut kind, mut message) = (Vec::new(), Vec::new(), Vec::new());
    number(&mut tensor, 1, kind_of as u64);
    bytes(&mut tensor, 2, &dims);
    bytes(&mut kind, 1, &tensor);
    bytes(&mut message, 1, name.as_bytes());
    bytes(&mut message, 2, &kind);
    bytes(&mut message, 3, says.as_bytes());
    message
}

/// A `GraphProto`.
pub struct Graph<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its nodes, each after those whose output it takes.
    pub nodes: Vec<Vec<u8>>,
    /// Its weights.
    pub initializers: Vec<Vec<u8>>,
    /// What it takes.
    pub inputs: Vec<Vec<u8>>,
    /// What it gives.
    pub outputs: Vec<Vec<u8>>,
}

/// A `ModelProto`; `properties` are its `metadata_props`.
pub fn model(graph: &Graph<'_>, says: &str, properties: &[(&str, String)]) -> Vec<u8> {
    let mut message = Vec::new();
    number(&mut message, 1, IR_VERSION);
    bytes(&mut message, 2, b"ecgan");
    bytes(&mut message, 3, env!("CARGO_PKG_VERSION").as_bytes());
    bytes(&mut message, 6, says.as_bytes());
    let mut contents = Vec::new();
    graph.nodes.iter().for_each(|node| bytes(&mut contents, 1, node));
    bytes(&mut contents, 2, graph.name.as_bytes());
    graph.initializers.iter().for_each(|tensor| bytes(&mut contents, 5, tensor));
    graph.inputs.iter().for_each(|input| bytes(&mut contents, 11, input));
    graph.outputs.iter().for_each(|output| bytes(&mut contents, 12, output));
    bytes(&mut message, 7, &contents);
    let mut operators = Vec::new();
    bytes(&mut operators, 1, b""); // the operators of ONNX itself
    number(&mut operators, 2, OPSET);
    bytes(&mut message, 8, &operators);
    for (key, value) in properties {
        let mut entry = Vec::new();
        bytes(&mut entry, 1, key.as_bytes());
        bytes(&mut entry, 2, value.as_bytes());
        bytes(&mut message, 14, &entry);
    }
    message
}
