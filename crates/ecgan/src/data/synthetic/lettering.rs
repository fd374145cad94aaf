//! A house number in one of six faces, as strokes on the image.

use super::chance;
use super::glyphs::{Segment, Skeleton, glyph};
use kernels::philox::Philox;

/// A typeface; ranges are drawn from uniformly. Widths and thicknesses are relative to the digit's height.
pub struct Face {
    skeleton: Skeleton,
    width: (f32, f32),
    thickness: (f32, f32),
    slant: (f32, f32),
    /// Thickness of horizontal strokes, relative to vertical ones.
    pub flat: f32,
}

const FACES: [Face; 6] = [
    // plain
    Face { skeleton: Skeleton::Plain, width: (0.48, 0.64), thickness: (0.09, 0.16), slant: (-0.08, 0.08), flat: 1.0 },
    // condensed
    Face { skeleton: Skeleton::Plain, width: (0.33, 0.44), thickness: (0.08, 0.14), slant: (-0.08, 0.08), flat: 1.0 },
    // bold
    Face { skeleton: Skeleton::Plain, width: (0.58, 0.74), thickness: (0.19, 0.27), slant: (-0.08, 0.08), flat: 0.85 },
    // serif
    Face { skeleton: Skeleton::Serif, width: (0.50, 0.66), thickness: (0.10, 0.18), slant: (-0.05, 0.05), flat: 0.6 },
    // italic
    Face { skeleton: Skeleton::Hand, width: (0.46, 0.62), thickness: (0.08, 0.15), slant: (0.05, 0.36), flat: 0.9 },
    // block
    Face { skeleton: Skeleton::Block, width: (0.44, 0.60), thickness: (0.09, 0.17), slant: (-0.08, 0.16), flat: 1.0 },
];

/// The strokes of a number, in 0..1 of the image's side.
pub struct Lettering {
    pub strokes: Vec<Segment>,
    /// Half of the strokes' width, in the same units.
    pub pen: f32,
    /// The pen's height over its width.
    pub flat: f32,
}

impl Lettering {
    /// `digit` in the middle, and often neighbours at its sides.
    pub fn draw(random: &mut Philox, digit: usize) -> Self {
        let face = &FACES[random.below(FACES.len() as u32) as usize];
        let height = random.range(0.58, 0.86);
        let slant = random.range(face.slant.0, face.slant.1);
        let view = View::draw(random, height, slant);
        let thickness = random.range(face.thickness.0, face.thickness.1);
        let width = (random.range(face.width.0, face.width.1) - thickness).max(0.12);
        let gap = thickness + random.range(0.03, 0.18);
        // The pen adds its height to the outline that the unit square spans, so the outline is 1 high.
        let tall = 1.0 - thickness * face.flat;
        let wide = |digit: usize| width * glyph(face.skeleton, digit).width;
        let mut strokes = Vec::new();
        let mut place = |random: &mut Philox, digit: usize, middle: f32| {
            let bend = Bend::draw(random);
            let at = |x: f32, y: f32| {
                let [x, y] = bend.point(x - 0.5, y - 0.5);
                view.point(middle + x * wide(digit), y * tall)
            };
            strokes.extend(glyph(face.skeleton, digit).segments.iter().map(|&[x0, y0, x1, y1]| {
                let ([x0, y0], [x1, y1]) = (at(x0, y0), at(x1, y1));
                [x0, y0, x1, y1]
            }));
        };
        for side in [-1.0, 1.0] {
            if chance(random, 0.55) {
                let neighbour = random.below(10) as usize;
                place(random, neighbour, side * (0.5 * (wide(digit) + wide(neighbour)) + gap));
            }
        }
        place(random, digit, 0.0);
        Self { strokes, pen: 0.5 * thickness * height, flat: face.flat }
    }
}

/// An unsteady hand: a smooth deformation of one digit, (x, y) in -1/2..1/2.
struct Bend([f32; 6]);

impl Bend {
    fn draw(random: &mut Philox) -> Self {
        Self([(); 6].map(|()| random.range(-0.22, 0.22)))
    }

    fn point(&self, x: f32, y: f32) -> [f32; 2] {
        let [a, b, c, d, e, f] = self.0;
        [
            x + a * x * y + b * (y * y - 0.125) + c * x * x,
            y + 0.6 * (d * x * y + e * (x * x - 0.125) + f * (y * y - 0.125)),
        ]
    }
}

/// From the plane of the number (origin in the middle of the labelled digit, its height 1) to the image.
struct View {
    /// Columns of x and y, then the offset.
    matrix: [[f32; 2]; 3],
    /// Perspective: a point is divided by 1 + p x + q y.
    perspective: [f32; 2],
}

impl View {
    fn draw(random: &mut Philox, height: f32, slant: f32) -> Self {
        // With t = tan(angle / 2), cos = (1 - t^2) / (1 + t^2) and sin = 2t / (1 + t^2): no library functions.
        let t = random.range(-0.11, 0.11);
        let (cos, sin) = ((1.0 - t * t) / (1.0 + t * t), 2.0 * t / (1.0 + t * t));
        let offset = [random.range(-0.08, 0.08), random.range(-0.07, 0.07)];
        Self {
            // y is downwards, so a slant to the right moves the upper half (y < 0) to positive x.
            matrix: [
                [height * cos, height * sin],
                [height * (-sin - slant * cos), height * (cos - slant * sin)],
                [0.5 + offset[0], 0.5 + offset[1]],
            ],
            perspective: [random.range(-0.25, 0.25), random.range(-0.15, 0.15)],
        }
    }

    fn point(&self, x: f32, y: f32) -> [f32; 2] {
        let depth = 1.0 / (1.0 + self.perspective[0] * x + self.perspective[1] * y).max(0.5);
        let [a, b, offset] = self.matrix;
        [0, 1].map(|k| (a[k] * x + b[k] * y) * depth + offset[k])
    }
}
