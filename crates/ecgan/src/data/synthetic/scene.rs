//! What one image shows: everything random is drawn here, in units of the image's side; pixels come later.

use super::canvas::{Canvas, Colour, Mask};
use super::glyphs::{Segment, Skeleton, glyph};
use kernels::philox::Philox;

/// A typeface; ranges are drawn from uniformly. Widths and thicknesses are relative to the digit's height.
struct Face {
    skeleton: Skeleton,
    width: (f32, f32),
    thickness: (f32, f32),
    slant: (f32, f32),
    /// Thickness of horizontal strokes, relative to vertical ones.
    flat: f32,
}

const FACES: [Face; 6] = [
    // plain
    Face { skeleton: Skeleton::Plain, width: (0.50, 0.62), thickness: (0.10, 0.16), slant: (-0.05, 0.05), flat: 1.0 },
    // condensed
    Face { skeleton: Skeleton::Plain, width: (0.34, 0.44), thickness: (0.09, 0.14), slant: (-0.05, 0.05), flat: 1.0 },
    // bold
    Face { skeleton: Skeleton::Plain, width: (0.58, 0.72), thickness: (0.19, 0.25), slant: (-0.05, 0.05), flat: 0.85 },
    // serif
    Face { skeleton: Skeleton::Serif, width: (0.52, 0.64), thickness: (0.11, 0.17), slant: (-0.03, 0.03), flat: 0.6 },
    // italic
    Face { skeleton: Skeleton::Hand, width: (0.48, 0.60), thickness: (0.09, 0.15), slant: (0.08, 0.32), flat: 0.9 },
    // block
    Face { skeleton: Skeleton::Block, width: (0.46, 0.58), thickness: (0.10, 0.17), slant: (-0.05, 0.12), flat: 1.0 },
];

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
        let t = random.range(-0.075, 0.075);
        let (cos, sin) = ((1.0 - t * t) / (1.0 + t * t), 2.0 * t / (1.0 + t * t));
        let offset = [random.range(-0.06, 0.06), random.range(-0.05, 0.05)];
        Self {
            // y is downwards, so a slant to the right moves the upper half (y < 0) to positive x.
            matrix: [
                [height * cos, height * sin],
                [height * (-sin - slant * cos), height * (cos - slant * sin)],
                [0.5 + offset[0], 0.5 + offset[1]],
            ],
            perspective: [random.range(-0.18, 0.18), random.range(-0.12, 0.12)],
        }
    }

    fn point(&self, x: f32, y: f32) -> [f32; 2] {
        let depth = 1.0 / (1.0 + self.perspective[0] * x + self.perspective[1] * y).max(0.5);
        let [a, b, offset] = self.matrix;
        [0, 1].map(|k| (a[k] * x + b[k] * y) * depth + offset[k])
    }
}

/// Everything about one image but its noise.
pub struct Scene {
    wall: Colour,
    ink: Colour,
    /// The digits' strokes, in 0..1 of the image's side.
    strokes: Vec<Segment>,
    /// Half of the strokes' width, in the same units.
    pen: f32,
    flat: f32,
    /// Shadow or relief: offset x, y, its brightness and opacity.
    shadow: Option<([f32; 2], f32, f32)>,
    /// An edge across the wall (a frame, a board): strokes, half width and colour.
    edge: Option<(Vec<Segment>, f32, Colour)>,
    /// Stains: a lattice of brightness, bilinear between.
    stains: [[f32; 5]; 5],
    /// Boards or bricks: waves per image side across x and y, phase, amplitude.
    stripes: Option<([f32; 2], f32, f32)>,
    /// Light falling on wall and number: change per image side in x and y.
    light: [f32; 2],
    /// Blur in units of 1/32 of the side (standard deviation), and noise in grey levels.
    blur: f32,
    noise: f32,
}

impl Scene {
    pub fn draw(random: &mut Philox, digit: usize) -> Self {
        let (wall, ink) = colours(random);
        let face = &FACES[random.below(FACES.len() as u32) as usize];
        let height = random.range(0.62, 0.82);
        let slant = random.range(face.slant.0, face.slant.1);
        let view = View::draw(random, height, slant);
        let thickness = random.range(face.thickness.0, face.thickness.1);
        let strokes = number(random, digit, face, thickness, &view);
        let shadow = chance(random, 0.3).then(|| {
            let offset = [random.range(-0.05, 0.05), random.range(-0.03, 0.06)];
            (offset, random.range(0.0, 255.0), random.range(0.2, 0.6))
        });
        let edge = chance(random, 0.25).then(|| edge(random, wall));
        let stain = random.range(0.0, 16.0);
        let stains = [(); 5].map(|()| [(); 5].map(|()| random.range(-stain, stain)));
        let stripes = chance(random, 0.2).then(|| {
            let waves = random.range(2.5, 8.0);
            let across = if chance(random, 0.7) { [0.0, waves] } else { [waves, 0.0] };
            (across, random.uniform(), random.range(3.0, 14.0))
        });
        Self {
            wall,
            ink,
            strokes,
            pen: 0.5 * thickness * height,
            flat: face.flat,
            shadow,
            edge,
            stains,
            stripes,
            light: [random.range(-45.0, 45.0), random.range(-45.0, 45.0)],
            blur: random.range(0.2, 1.0),
            noise: random.range(0.5, 8.0),
        }
    }

    /// The picture at `size` x `size` pixels. The scene does not depend on the size; blur follows it, noise is a pixel's.
    pub fn render(&self, random: &mut Philox, size: usize) -> Canvas {
        let side = size as f32;
        let pixels = |strokes: &[Segment], [dx, dy]: [f32; 2]| -> Vec<Segment> {
            strokes.iter().map(|s| [s[0] + dx, s[1] + dy, s[2] + dx, s[3] + dy].map(|v| v * side)).collect()
        };
        let mut canvas = Canvas::new(size, self.wall);
        canvas.light(|x, y| self.texture(x, y));
        if let Some((strokes, pen, colour)) = &self.edge {
            canvas.paint(&Mask::strokes(size, &pixels(strokes, [0.0; 2]), pen * side, 1.0), *colour, 0.9);
        }
        if let Some((offset, brightness, opacity)) = self.shadow {
            let mask = Mask::strokes(size, &pixels(&self.strokes, offset), self.pen * side, self.flat);
            let shade = self.wall.map(|v| 0.5 * (v + brightness));
            canvas.paint(&mask, shade, opacity);
        }
        let mask = Mask::strokes(size, &pixels(&self.strokes, [0.0; 2]), self.pen * side, self.flat);
        canvas.paint(&mask, self.ink, 1.0);
        canvas.light(|x, y| self.light[0] * (x - 0.5) + self.light[1] * (y - 0.5));
        let deviation = self.blur * side / 32.0;
        canvas.blur(deviation * deviation);
        canvas.noise(random, self.noise);
        canvas
    }

    fn texture(&self, x: f32, y: f32) -> f32 {
        let (u, v) = (x * 4.0, y * 4.0);
        let (i, j) = ((u as usize).min(3), (v as usize).min(3));
        let (u, v) = (u - i as f32, v - j as f32);
        let row = |j: usize| self.stains[j][i] * (1.0 - u) + self.stains[j][i + 1] * u;
        let stain = row(j) * (1.0 - v) + row(j + 1) * v;
        let Some((waves, phase, amplitude)) = self.stripes else { return stain };
        // A triangle wave between -1 and 1.
        let t = waves[0] * x + waves[1] * y + phase;
        stain + amplitude * (4.0 * (t - t.floor() - 0.5).abs() - 1.0)
    }
}

fn chance(random: &mut Philox, probability: f32) -> bool {
    random.uniform() < probability
}

/// Wall and ink: a brightness, a contrast that is sometimes low, more often light on dark than dark on light, tints.
fn colours(random: &mut Philox) -> (Colour, Colour) {
    let contrast = if chance(random, 0.15) { random.range(32.0, 55.0) } else { random.range(55.0, 150.0) };
    let dark = random.range(12.0, 240.0 - contrast);
    let (wall, ink) = if chance(random, 0.62) { (dark, dark + contrast) } else { (dark + contrast, dark) };
    let mut tint = |brightness: f32, strength: f32| {
        let warm = random.range(-strength, strength);
        let green = random.range(-0.4 * strength, 0.4 * strength);
        [brightness + warm, brightness + green, brightness - warm]
    };
    (tint(wall, 38.0), tint(ink, 30.0))
}

/// The strokes of the digit and, often, of its neighbours in the number.
fn number(random: &mut Philox, digit: usize, face: &Face, thickness: f32, view: &View) -> Vec<Segment> {
    let width = random.range(face.width.0, face.width.1);
    let gap = thickness + random.range(0.06, 0.2);
    // The pen adds its thickness to the outline that the unit square spans, so the height of 1 holds for the outline.
    let tall = 1.0 - thickness * face.flat;
    let wide = |digit: usize| (width - thickness).max(0.1) * glyph(face.skeleton, digit).width;
    let mut strokes = Vec::new();
    let mut place = |digit: usize, middle: f32| {
        let at = |x: f32, y: f32| view.point(middle + (x - 0.5) * wide(digit), (y - 0.5) * tall);
        strokes.extend(glyph(face.skeleton, digit).segments.iter().map(|&[x0, y0, x1, y1]| {
            let ([x0, y0], [x1, y1]) = (at(x0, y0), at(x1, y1));
            [x0, y0, x1, y1]
        }));
    };
    for side in [-1.0, 1.0] {
        if chance(random, 0.5) {
            let neighbour = random.below(10) as usize;
            place(neighbour, side * (0.5 * (wide(digit) + wide(neighbour)) + gap));
        }
    }
    place(digit, 0.0);
    strokes
}

/// A straight edge near one border of the image, nearly parallel to it.
fn edge(random: &mut Philox, wall: Colour) -> (Vec<Segment>, f32, Colour) {
    let (near, tilt) = (random.range(-0.02, 0.1), random.range(-0.06, 0.06));
    let (a, b) = ([-0.2, near - tilt], [1.2, near + tilt]);
    let strokes = match random.below(4) {
        0 => vec![[a[0], a[1], b[0], b[1]]],
        1 => vec![[a[0], 1.0 - a[1], b[0], 1.0 - b[1]]],
        2 => vec![[a[1], a[0], b[1], b[0]]],
        _ => vec![[1.0 - a[1], a[0], 1.0 - b[1], b[0]]],
    };
    let change = random.range(-70.0, 70.0);
    (strokes, random.range(0.01, 0.05), wall.map(|v| v + change))
}
