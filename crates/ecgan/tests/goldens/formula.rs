//! Numbers that PyTorch's side and this one make alike, so that the files hold results only:
//! value_i = offset + scale u_i, u_i = (mix(fnv1a64(name) + (i + 1) 0x9E3779B97F4A7C15) >> 11) 2^-52 - 1 in [-1, 1),
//! mix being SplitMix64's finalizer (Steele, Lea and Flood 2014); i is the flat index in PyTorch's layout.

use nn::state_dict::to_internal;
use serde::Deserialize;
use tensor::{Device, Real, Shape, Tensor};

/// A tensor that the formula fills.
#[derive(Clone, Debug, Deserialize)]
pub struct Entry {
    /// What the numbers are made from.
    pub name: String,
    /// PyTorch's shape.
    pub shape: Vec<usize>,
    offset: f64,
    pub scale: f64,
}

impl Entry {
    /// The elements in PyTorch's layout.
    pub fn values(&self) -> Vec<f64> {
        uniform(&self.name).take(self.shape.iter().product()).map(|u| self.offset + self.scale * u).collect()
    }

    /// The tensor in the engine's layout.
    pub fn tensor<T: Real>(&self, device: &Device) -> Tensor<T> {
        let shape = internal_shape(&self.shape);
        let values: Vec<T> = self.values().into_iter().map(T::from_f64).collect();
        Tensor::from_slice(device, shape, &to_internal(shape, &values)).expect("as many elements as the shape says")
    }
}

/// The engine's shape of what is `shape` in PyTorch: NCHW to NHWC, OIHW to `[o,kh,kw,i]`, IOHW to `[i,kh,kw,o]`.
pub fn internal_shape(shape: &[usize]) -> Shape {
    match *shape {
        [a, b, h, w] => [a, h, w, b].into(),
        _ => shape.into(),
    }
}

/// u_0, u_1, ... of a name.
pub fn uniform(name: &str) -> impl Iterator<Item = f64> + use<> {
    const STEP: u64 = 0x9E37_79B9_7F4A_7C15;
    let mut state = fnv1a64(name);
    std::iter::repeat_with(move || {
        state = state.wrapping_add(STEP);
        (mix(state) >> 11) as f64 * 2f64.powi(-52) - 1.0
    })
}

fn fnv1a64(name: &str) -> u64 {
    name.bytes().fold(0xCBF2_9CE4_8422_2325, |h, byte| (h ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3))
}

fn mix(mut s: u64) -> u64 {
    s = (s ^ (s >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    s = (s ^ (s >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    s ^ (s >> 31)
}

#[test]
fn layouts_are_converted_as_defined() {
    use nn::state_dict::to_external;
    let (n, c, h, w) = (2, 3, 4, 5);
    let nchw: Vec<usize> = (0..n * c * h * w).collect();
    let shape = internal_shape(&[n, c, h, w]);
    let nhwc = to_internal(shape, &nchw);
    for (i, &value) in nhwc.iter().enumerate() {
        let (image, row, column, channel) = (i / c / w / h, i / c / w % h, i / c % w, i % c);
        assert_eq!(value, ((image * c + channel) * h + row) * w + column);
    }
    assert_eq!(to_external(shape, &nhwc), nchw);
}
