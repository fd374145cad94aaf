//! The shapes of the digits: centre lines of pen strokes, in four skeletons of our own design.
//!
//! Coordinates are x to the right and y downwards in the unit square; the pen and the face decide how wide, how thick
//! and how slanted that becomes.

use std::sync::LazyLock;

type Point = [f32; 2];

/// A straight piece of a stroke: x0, y0, x1, y1.
pub type Segment = [f32; 4];

/// A digit's strokes in straight pieces.
pub struct Glyph {
    /// Width of the unit square, relative to the face's.
    pub width: f32,
    pub segments: Vec<Segment>,
}

/// A family of shapes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Skeleton {
    Plain,
    Serif,
    Hand,
    Block,
}

/// The glyph of `digit`.
pub fn glyph(skeleton: Skeleton, digit: usize) -> &'static Glyph {
    static GLYPHS: LazyLock<[[Glyph; 10]; 4]> = LazyLock::new(|| [PLAIN, SERIF, HAND, BLOCK].map(|s| s.map(flatten)));
    &GLYPHS[skeleton as usize][digit]
}

/// Width and pen strokes of a digit, separated by `;`. `L` is straight from point to point, `C` cubic Bezier pieces (a
/// start, then two control points and an end for each), `O` an ellipse (its centre, then its radii).
type Shape = (f32, &'static str);

const PLAIN: [Shape; 10] = [
    (1.0, "O .5 .5, .5 .5"),
    (0.45, "L 0 .2, .75 0, .75 1"),
    (1.0, "C .02 .28, .05 .08, .25 0, .5 0, .78 0, .97 .12, .97 .3, .97 .52, .5 .68, 0 1; L 0 1, 1 1"),
    (
        1.0,
        "C .04 .16, .15 .05, .3 0, .48 0, .76 0, .93 .1, .93 .24, .93 .4, .75 .48, .38 .48; C .38 .48, .8 \
         .48, 1 .58, 1 .74, 1 .91, .78 1, .5 1, .28 1, .12 .95, 0 .83",
    ),
    (1.0, "L .74 1, .74 0, 0 .7, 1 .7"),
    (
        1.0,
        "L .92 0, .14 0, .07 .46; C .07 .46, .2 .38, .33 .35, .48 .35, .8 .35, 1 .47, 1 .67, 1 .88, .78 1, \
         .48 1, .28 1, .12 .95, 0 .85",
    ),
    (1.0, "O .5 .68, .5 .32; C 0 .68, 0 .25, .25 0, .6 0, .72 0, .83 .03, .92 .11"),
    (1.0, "L 0 0, 1 0, .35 1"),
    (1.0, "O .5 .235, .43 .235; O .5 .735, .5 .265"),
    (1.0, "O .5 .32, .5 .32; C 1 .32, 1 .75, .75 1, .4 1, .28 1, .17 .97, .08 .89"),
];

const SERIF: [Shape; 10] = [
    (0.95, "O .5 .5, .5 .5"),
    (0.6, "L .1 .16, .5 0, .5 1; L 0 1, 1 1"),
    (
        1.0,
        "O .1 .24, .05 .03; C .05 .25, .08 .08, .25 0, .48 0, .76 0, .93 .12, .93 .28, .93 .5, .4 .7, 0 1; L \
         0 1, .95 1, 1 .8",
    ),
    (
        1.0,
        "O .12 .2, .05 .03; C .06 .2, .12 .06, .28 0, .46 0, .72 0, .88 .1, .88 .22, .88 .37, .7 .46, .34 \
         .47; C .34 .47, .78 .46, 1 .56, 1 .73, 1 .9, .76 1, .46 1, .24 1, .06 .94, .03 .8; O .08 .82, .05 \
         .03",
    ),
    (1.0, "L .72 1, .72 0, 0 .72, 1 .72; L .48 1, .96 1"),
    (
        1.0,
        "L .94 0, .16 0, .1 .44; C .1 .44, .24 .36, .36 .34, .48 .34, .8 .34, 1 .46, 1 .66, 1 .88, .76 1, .44 \
         1, .22 1, .06 .95, .03 .82; O .09 .83, .05 .03",
    ),
    (1.0, "O .5 .69, .5 .31; C 0 .69, 0 .35, .35 .04, .9 0"),
    (1.0, "L 0 .2, .04 0, 1 0; C 1 0, .6 .4, .4 .6, .36 1"),
    (0.95, "O .5 .23, .4 .23; O .5 .73, .5 .27"),
    (1.0, "O .5 .31, .5 .31; C 1 .31, 1 .65, .65 .96, .1 1"),
];

const HAND: [Shape; 10] = [
    (1.0, "C .62 .02, .2 -.04, 0 .3, 0 .6, 0 .88, .2 1, .42 1, .8 1, 1 .7, 1 .38, 1 .12, .82 0, .55 .03"),
    (0.3, "L .5 0, .5 1"),
    (1.0, "C .08 .2, .2 .02, .4 0, .55 0, .8 0, .95 .15, .88 .36, .76 .62, .3 .72, 0 1, .2 .88, .55 1.04, 1 .93"),
    (1.0, "L .08 0, .95 0, .42 .4; C .42 .4, .8 .38, 1 .52, 1 .7, 1 .9, .76 1, .46 1, .26 1, .1 .96, 0 .86"),
    (1.0, "L .22 0, 0 .58, 1 .58; L .72 .3, .66 1"),
    (1.0, "L .95 0, .22 .02, .14 .4; C .14 .4, .5 .3, .98 .4, .96 .7, .94 .98, .4 1.08, 0 .92"),
    (
        1.0,
        "C .72 0, .3 .15, 0 .45, 0 .72, 0 .9, .2 1, .46 1, .78 1, .98 .88, .98 .72, .98 .55, .75 .46, .5 .48, \
         .25 .5, .08 .6, .02 .78",
    ),
    (1.0, "L .02 0, 1 0, .3 1; L .28 .5, .92 .5"),
    (1.0, "C .9 .12, .7 -.04, .1 -.06, .1 .24, .1 .5, 1 .46, 1 .76, 1 1.08, 0 1.08, 0 .76, 0 .5, .7 .45, .9 .12"),
    (
        0.95,
        "C .96 .26, .9 .08, .7 0, .48 0, .2 0, 0 .12, 0 .29, 0 .46, .2 .55, .45 .55, .75 .55, .92 .44, .96 \
         .26; L .98 .05, .84 1",
    ),
];

const BLOCK: [Shape; 10] = [
    (1.0, "L .2 0, .8 0, 1 .12, 1 .88, .8 1, .2 1, 0 .88, 0 .12, .2 0"),
    (0.5, "L .1 0, .6 0, .6 1"),
    (1.0, "L 0 0, 1 0, 1 .48, 0 .52, 0 1, 1 1"),
    (1.0, "L 0 0, 1 0, 1 1, 0 1; L .2 .5, 1 .5"),
    (1.0, "L 0 0, 0 .56, 1 .56; L .86 0, .86 1"),
    (1.0, "L 1 0, 0 0, 0 .46, .85 .46, 1 .56, 1 .9, .85 1, 0 1"),
    (1.0, "L 1 0, .15 0, 0 .1, 0 1, 1 1, 1 .48, 0 .48"),
    (1.0, "L 0 .14, 0 0, 1 0, 1 .3, .5 .6, .5 1"),
    (1.0, "L 0 0, 1 0, 1 1, 0 1, 0 0; L 0 .48, 1 .48"),
    (1.0, "L 0 1, .85 1, 1 .9, 1 0, 0 0, 0 .52, 1 .52"),
];

/// Straight pieces of one cubic: at a height of 64 pixels they stay within 0.2 pixels of the curve.
const PIECES: usize = 6;

/// Control points of a quarter circle of radius 1 lie this far along its tangents: (4/3) tan(pi/8).
const QUARTER: f32 = 0.552_284_8;

fn flatten((width, strokes): Shape) -> Glyph {
    let mut segments = Vec::new();
    for stroke in strokes.split(';') {
        let (kind, points) = stroke.trim().split_at(1);
        let points: Vec<Point> = points.split(',').map(point).collect();
        match kind {
            "L" => segments.extend(points.windows(2).map(|p| [p[0][0], p[0][1], p[1][0], p[1][1]])),
            "C" => points.windows(4).step_by(3).for_each(|p| cubic([p[0], p[1], p[2], p[3]], &mut segments)),
            "O" => oval(points[0], points[1], &mut segments),
            _ => unreachable!("stroke kind {kind}"),
        }
    }
    Glyph { width, segments }
}

fn point(text: &str) -> Point {
    let mut numbers = text.split_whitespace().map(|number| number.parse().expect("a coordinate"));
    [(); 2].map(|()| numbers.next().expect("two coordinates"))
}

fn oval([x, y]: Point, [rx, ry]: Point, segments: &mut Vec<Segment>) {
    for [u, v] in [[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]] {
        // The quarter from direction (u, v) to (-v, u).
        let quarter = [[u, v], [u - QUARTER * v, v + QUARTER * u], [-v + QUARTER * u, u + QUARTER * v], [-v, u]];
        cubic(quarter.map(|[u, v]| [x + rx * u, y + ry * v]), segments);
    }
}

/// B(t) = (1-t)^3 a + 3 (1-t)^2 t b + 3 (1-t) t^2 c + t^3 d.
fn cubic([a, b, c, d]: [Point; 4], segments: &mut Vec<Segment>) {
    let at = |i: usize| {
        let t = i as f32 / PIECES as f32;
        let s = 1.0 - t;
        let blend = |k: usize| s * s * s * a[k] + 3.0 * s * t * (s * b[k] + t * c[k]) + t * t * t * d[k];
        [blend(0), blend(1)]
    };
    for i in 0..PIECES {
        let ([x0, y0], [x1, y1]) = (at(i), at(i + 1));
        segments.push([x0, y0, x1, y1]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every stroke stays in the unit square, every digit is as tall as it, and curves are joined.
    #[test]
    fn digits_fill_their_square() {
        for skeleton in [Skeleton::Plain, Skeleton::Serif, Skeleton::Hand, Skeleton::Block] {
            for digit in 0..10 {
                let what = format!("{skeleton:?} {digit}");
                let points: Vec<Point> =
                    glyph(skeleton, digit).segments.iter().flat_map(|s| [[s[0], s[1]], [s[2], s[3]]]).collect();
                let bound = |k: usize, pick: fn(f32, f32) -> f32| points.iter().map(|p| p[k]).reduce(pick).unwrap();
                assert!(bound(0, f32::min) >= -0.03 && bound(0, f32::max) <= 1.03, "{what} sticks out sideways");
                assert!(bound(1, f32::min).abs() < 0.03 && (bound(1, f32::max) - 1.0).abs() < 0.03, "{what} height");
            }
        }
    }

    #[test]
    fn an_oval_is_an_ellipse() {
        let glyph = flatten((1.0, "O 1 2, 3 4"));
        assert_eq!(glyph.segments.len(), 4 * PIECES);
        for [x, y, ..] in glyph.segments {
            let radius = ((x - 1.0) / 3.0).powi(2) + ((y - 2.0) / 4.0).powi(2);
            assert!((radius - 1.0).abs() < 1e-3, "({x}, {y})");
        }
    }
}
