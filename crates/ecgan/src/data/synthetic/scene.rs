//! What one image shows: everything random but the noise is drawn here, in units of the image's side.

use super::canvas::{Canvas, Colour, Mask};
use super::chance;
use super::glyphs::Segment;
use super::lettering::Lettering;
use kernels::philox::Philox;

/// Everything about one image but its noise.
pub struct Scene {
    wall: Colour,
    ink: Colour,
    number: Lettering,
    /// Shadow or relief: offset x, y, its brightness and opacity.
    shadow: Option<([f32; 2], f32, f32)>,
    /// Straight things across the picture, behind the number and before it: a frame, a board, a cable.
    behind: Option<Bar>,
    before: Option<Bar>,
    /// Stains: a lattice of brightness, bilinear between.
    stains: [[f32; 5]; 5],
    /// Boards or bricks: waves per image side across x and y, phase, amplitude.
    stripes: Option<([f32; 2], f32, f32)>,
    /// Light falling on wall and number: change per image side in x and y.
    light: [f32; 2],
    /// The edge of a cast shadow, a x + b y > c, and the brightness beyond it.
    shade: Option<([f32; 3], f32)>,
    /// Blur in units of 1/32 of the side (standard deviation), and noise in grey levels.
    blur: f32,
    noise: f32,
}

impl Scene {
    pub fn draw(random: &mut Philox, digit: usize) -> Self {
        let (wall, ink) = colours(random);
        let number = Lettering::draw(random, digit);
        let shadow = chance(random, 0.35).then(|| {
            let offset = [random.range(-0.06, 0.06), random.range(-0.04, 0.07)];
            (offset, random.range(0.0, 255.0), random.range(0.2, 0.7))
        });
        let behind = chance(random, 0.35).then(|| Bar::draw(random, wall, 0.06));
        let before = chance(random, 0.15).then(|| Bar::draw(random, wall, 0.025));
        let stain = random.range(0.0, 20.0);
        let stains = [(); 5].map(|()| [(); 5].map(|()| random.range(-stain, stain)));
        let stripes = chance(random, 0.25).then(|| {
            let waves = random.range(2.5, 8.0);
            let across = if chance(random, 0.7) { [0.0, waves] } else { [waves, 0.0] };
            (across, random.uniform(), random.range(3.0, 16.0))
        });
        let light = [random.range(-40.0, 40.0), random.range(-40.0, 40.0)];
        let shade = chance(random, 0.2).then(|| {
            let [a, b] = [random.range(-1.0, 1.0), random.range(-1.0, 1.0)];
            ([a, b, random.range(0.2, 0.8) * a + random.range(0.2, 0.8) * b], random.range(-50.0, -20.0))
        });
        let (blur, noise) = (random.range(0.3, 1.2), random.range(1.0, 9.0));
        Self { wall, ink, number, shadow, behind, before, stains, stripes, light, shade, blur, noise }
    }

    /// The picture at `size` x `size` pixels. Blur follows the size; noise, drawn from `random`, is a pixel's own.
    pub fn render(&self, random: &mut Philox, size: usize) -> Canvas {
        let side = size as f32;
        let mask = |strokes: &[Segment], [dx, dy]: [f32; 2], pen: f32, flat: f32| {
            let strokes: Vec<Segment> =
                strokes.iter().map(|s| [s[0] + dx, s[1] + dy, s[2] + dx, s[3] + dy].map(|v| v * side)).collect();
            Mask::strokes(size, &strokes, pen * side, flat)
        };
        let Lettering { strokes, pen, flat } = &self.number;
        let mut canvas = Canvas::new(size, self.wall);
        canvas.light(|x, y| self.texture(x, y));
        if let Some(bar) = &self.behind {
            canvas.paint(&mask(&[bar.stroke], [0.0; 2], bar.pen, 1.0), bar.colour, 0.9);
        }
        if let Some((offset, brightness, opacity)) = self.shadow {
            let colour = self.wall.map(|v| 0.5 * (v + brightness));
            canvas.paint(&mask(strokes, offset, *pen, *flat), colour, opacity);
        }
        canvas.paint(&mask(strokes, [0.0; 2], *pen, *flat), self.ink, 1.0);
        if let Some(bar) = &self.before {
            canvas.paint(&mask(&[bar.stroke], [0.0; 2], bar.pen, 1.0), bar.colour, 0.8);
        }
        canvas.light(|x, y| self.lighting(x, y));
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

    fn lighting(&self, x: f32, y: f32) -> f32 {
        let slope = self.light[0] * (x - 0.5) + self.light[1] * (y - 0.5);
        match self.shade {
            Some(([a, b, c], brightness)) if a * x + b * y > c => slope + brightness,
            _ => slope,
        }
    }
}

/// Wall and ink: a brightness, a contrast that is sometimes low, more often light on dark than dark on light, tints.
fn colours(random: &mut Philox) -> (Colour, Colour) {
    let contrast = if chance(random, 0.15) { random.range(30.0, 50.0) } else { random.range(50.0, 140.0) };
    let dark = random.range(15.0, 240.0 - contrast);
    let (wall, ink) = if chance(random, 0.62) { (dark, dark + contrast) } else { (dark + contrast, dark) };
    let mut tint = |brightness: f32, strength: f32| {
        let warm = random.range(-strength, strength);
        let green = random.range(-0.4 * strength, 0.4 * strength);
        [brightness + warm, brightness + green, brightness - warm]
    };
    (tint(wall, 38.0), tint(ink, 30.0))
}

/// A straight bar from one side of the picture to the other, nearly upright or level.
struct Bar {
    stroke: Segment,
    /// Half its width.
    pen: f32,
    colour: Colour,
}

impl Bar {
    fn draw(random: &mut Philox, wall: Colour, thickest: f32) -> Self {
        let (start, end) = (random.uniform(), random.range(-0.3, 0.3));
        let stroke = match random.below(2) {
            0 => [-0.2, start, 1.2, start + end],
            _ => [start, -0.2, start + end, 1.2],
        };
        let change = random.range(-80.0, 80.0);
        Self { stroke, pen: random.range(0.01, thickest), colour: wall.map(|v| v + change) }
    }
}
