//! A reader of ONNX files that knows the wire format and the few fields that the tests look at.

use std::collections::HashMap;

/// A size of an input or output.
#[derive(Clone, Debug, PartialEq)]
pub enum Sizes {
    Fixed(u64),
    Free(String),
}

pub struct Node {
    pub operator: String,
    pub inputs: Vec<String>,
    pub output: String,
}

/// What is in a file.
pub struct Model {
    pub ir_version: u64,
    pub opset: u64,
    pub producer: String,
    pub metadata: HashMap<String, String>,
    pub nodes: Vec<Node>,
    /// Shape and bytes.
    pub weights: HashMap<String, (Vec<usize>, Vec<u8>)>,
    pub inputs: Vec<(String, Vec<Sizes>)>,
    pub outputs: Vec<(String, Vec<Sizes>)>,
}

impl Model {
    pub fn read(bytes: &[u8]) -> Self {
        let model = Message::read(bytes);
        let graph = model.messages(7).remove(0);
        let pair = |entry: Message| (entry.text(1), entry.text(2));
        let node =
            |node: Message| Node { operator: node.text(4), inputs: node.texts(1), output: node.texts(2).join(" ") };
        let weight = |tensor: Message| {
            let shape = tensor.numbers(1).iter().map(|&size| size as usize).collect();
            (tensor.text(8), (shape, tensor.bytes(9).concat()))
        };
        Self {
            ir_version: model.numbers(1)[0],
            opset: model.messages(8)[0].numbers(2)[0],
            producer: model.text(2),
            metadata: model.messages(14).into_iter().map(pair).collect(),
            nodes: graph.messages(1).into_iter().map(node).collect(),
            weights: graph.messages(5).into_iter().map(weight).collect(),
            inputs: graph.messages(11).iter().map(value).collect(),
            outputs: graph.messages(12).iter().map(value).collect(),
        }
    }
}

/// Name and shape of a `ValueInfoProto`, which must be of `f32`, classes of `i64`.
fn value(value: &Message) -> (String, Vec<Sizes>) {
    let tensor = value.messages(2)[0].messages(1).remove(0);
    assert_eq!(tensor.numbers(1), [if value.text(1) == "class" { 7 } else { 1 }], "FLOAT or INT64");
    let size = |dim: Message| dim.numbers(1).first().map_or_else(|| Sizes::Free(dim.text(2)), |&n| Sizes::Fixed(n));
    (value.text(1), tensor.messages(2)[0].messages(1).into_iter().map(size).collect())
}

enum Field {
    Number(u64),
    Bytes(Vec<u8>),
}

/// Fields in their order, those of 32 bits left out.
struct Message(Vec<(u64, Field)>);

impl Message {
    fn read(mut bytes: &[u8]) -> Self {
        let mut fields = Vec::new();
        while !bytes.is_empty() {
            let key = varint(&mut bytes);
            match key & 7 {
                0 => fields.push((key >> 3, Field::Number(varint(&mut bytes)))),
                2 => {
                    let length = varint(&mut bytes) as usize;
                    fields.push((key >> 3, Field::Bytes(bytes.split_off(..length).unwrap().to_vec())));
                }
                5 => drop(bytes.split_off(..4).unwrap()),
                wire => panic!("wire type {wire}"),
            }
        }
        Self(fields)
    }

    fn numbers(&self, field: u64) -> Vec<u64> {
        let number = |(at, value): &(u64, Field)| match value {
            Field::Number(number) if *at == field => Some(*number),
            _ => None,
        };
        self.0.iter().filter_map(number).collect()
    }

    fn bytes(&self, field: u64) -> Vec<&[u8]> {
        let mut found = Vec::new();
        for (at, value) in &self.0 {
            match value {
                Field::Bytes(bytes) if *at == field => found.push(bytes.as_slice()),
                _ => {}
            }
        }
        found
    }

    fn messages(&self, field: u64) -> Vec<Self> {
        self.bytes(field).into_iter().map(Self::read).collect()
    }

    fn texts(&self, field: u64) -> Vec<String> {
        self.bytes(field).into_iter().map(|bytes| String::from_utf8(bytes.to_vec()).unwrap()).collect()
    }

    fn text(&self, field: u64) -> String {
        self.texts(field).concat()
    }
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..).step_by(7) {
        let byte = *bytes.split_off_first().unwrap();
        value |= u64::from(byte & 0x7F) << shift;
        if byte < 0x80 {
            break;
        }
    }
    value
}
