//! The shapes of the digits: centre lines of pen strokes, in four skeletons of our own design.
//!
//! Coordinates are x to the right and y downwards in the unit square; the pen and the face decide how wide, how thick
//! and how slanted that becomes.

use std::sync::LazyLock;

type Point = [f32; 2];

/// A pen stroke.
enum Stroke {
    /// Straight pieces from point to point.
    Line(&'static [Point]),
    /// Cubic Bezier pieces: a start, then two control points and an end for each.
    Curve(&'static [Point]),
    /// A whole ellipse: centre x, y and radii x, y.
    Oval([f32; 4]),
}
use Stroke::{Curve, Line, Oval};

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

/// Width and strokes of a digit.
type Shape = (f32, &'static [Stroke]);

const PLAIN: [Shape; 10] = [
    (1.0, &[Oval([0.5, 0.5, 0.5, 0.5])]),
    (0.45, &[Line(&[[0.0, 0.2], [0.75, 0.0], [0.75, 1.0]])]),
    (
        1.0,
        &[
            Curve(&[
                [0.02, 0.28],
                [0.05, 0.08],
                [0.25, 0.0],
                [0.5, 0.0],
                [0.78, 0.0],
                [0.97, 0.12],
                [0.97, 0.3],
                [0.97, 0.52],
                [0.5, 0.68],
                [0.0, 1.0],
            ]),
            Line(&[[0.0, 1.0], [1.0, 1.0]]),
        ],
    ),
    (
        1.0,
        &[
            Curve(&[
                [0.04, 0.16],
                [0.15, 0.05],
                [0.3, 0.0],
                [0.48, 0.0],
                [0.76, 0.0],
                [0.93, 0.1],
                [0.93, 0.24],
                [0.93, 0.4],
                [0.75, 0.48],
                [0.38, 0.48],
            ]),
            Curve(&[
                [0.38, 0.48],
                [0.8, 0.48],
                [1.0, 0.58],
                [1.0, 0.74],
                [1.0, 0.91],
                [0.78, 1.0],
                [0.5, 1.0],
                [0.28, 1.0],
                [0.12, 0.95],
                [0.0, 0.83],
            ]),
        ],
    ),
    (1.0, &[Line(&[[0.74, 1.0], [0.74, 0.0], [0.0, 0.7], [1.0, 0.7]])]),
    (
        1.0,
        &[
            Line(&[[0.92, 0.0], [0.14, 0.0], [0.07, 0.46]]),
            Curve(&[
                [0.07, 0.46],
                [0.2, 0.38],
                [0.33, 0.35],
                [0.48, 0.35],
                [0.8, 0.35],
                [1.0, 0.47],
                [1.0, 0.67],
                [1.0, 0.88],
                [0.78, 1.0],
                [0.48, 1.0],
                [0.28, 1.0],
                [0.12, 0.95],
                [0.0, 0.85],
            ]),
        ],
    ),
    (
        1.0,
        &[
            Oval([0.5, 0.68, 0.5, 0.32]),
            Curve(&[[0.0, 0.68], [0.0, 0.25], [0.25, 0.0], [0.6, 0.0], [0.72, 0.0], [0.83, 0.03], [0.92, 0.11]]),
        ],
    ),
    (1.0, &[Line(&[[0.0, 0.0], [1.0, 0.0], [0.35, 1.0]])]),
    (1.0, &[Oval([0.5, 0.235, 0.43, 0.235]), Oval([0.5, 0.735, 0.5, 0.265])]),
    (
        1.0,
        &[
            Oval([0.5, 0.32, 0.5, 0.32]),
            Curve(&[[1.0, 0.32], [1.0, 0.75], [0.75, 1.0], [0.4, 1.0], [0.28, 1.0], [0.17, 0.97], [0.08, 0.89]]),
        ],
    ),
];

const SERIF: [Shape; 10] = [
    (0.95, &[Oval([0.5, 0.5, 0.5, 0.5])]),
    (0.6, &[Line(&[[0.1, 0.16], [0.5, 0.0], [0.5, 1.0]]), Line(&[[0.0, 1.0], [1.0, 1.0]])]),
    (
        1.0,
        &[
            Oval([0.1, 0.24, 0.05, 0.03]),
            Curve(&[
                [0.05, 0.25],
                [0.08, 0.08],
                [0.25, 0.0],
                [0.48, 0.0],
                [0.76, 0.0],
                [0.93, 0.12],
                [0.93, 0.28],
                [0.93, 0.5],
                [0.4, 0.7],
                [0.0, 1.0],
            ]),
            Line(&[[0.0, 1.0], [0.95, 1.0], [1.0, 0.8]]),
        ],
    ),
    (
        1.0,
        &[
            Oval([0.12, 0.2, 0.05, 0.03]),
            Curve(&[
                [0.06, 0.2],
                [0.12, 0.06],
                [0.28, 0.0],
                [0.46, 0.0],
                [0.72, 0.0],
                [0.88, 0.1],
                [0.88, 0.22],
                [0.88, 0.37],
                [0.7, 0.46],
                [0.34, 0.47],
            ]),
            Curve(&[
                [0.34, 0.47],
                [0.78, 0.46],
                [1.0, 0.56],
                [1.0, 0.73],
                [1.0, 0.9],
                [0.76, 1.0],
                [0.46, 1.0],
                [0.24, 1.0],
                [0.06, 0.94],
                [0.03, 0.8],
            ]),
            Oval([0.08, 0.82, 0.05, 0.03]),
        ],
    ),
    (1.0, &[Line(&[[0.72, 1.0], [0.72, 0.0], [0.0, 0.72], [1.0, 0.72]]), Line(&[[0.48, 1.0], [0.96, 1.0]])]),
    (
        1.0,
        &[
            Line(&[[0.94, 0.0], [0.16, 0.0], [0.1, 0.44]]),
            Curve(&[
                [0.1, 0.44],
                [0.24, 0.36],
                [0.36, 0.34],
                [0.48, 0.34],
                [0.8, 0.34],
                [1.0, 0.46],
                [1.0, 0.66],
                [1.0, 0.88],
                [0.76, 1.0],
                [0.44, 1.0],
                [0.22, 1.0],
                [0.06, 0.95],
                [0.03, 0.82],
            ]),
            Oval([0.09, 0.83, 0.05, 0.03]),
        ],
    ),
    (1.0, &[Oval([0.5, 0.69, 0.5, 0.31]), Curve(&[[0.0, 0.69], [0.0, 0.35], [0.35, 0.04], [0.9, 0.0]])]),
    (1.0, &[Line(&[[0.0, 0.2], [0.04, 0.0], [1.0, 0.0]]), Curve(&[[1.0, 0.0], [0.6, 0.4], [0.4, 0.6], [0.36, 1.0]])]),
    (0.95, &[Oval([0.5, 0.23, 0.4, 0.23]), Oval([0.5, 0.73, 0.5, 0.27])]),
    (1.0, &[Oval([0.5, 0.31, 0.5, 0.31]), Curve(&[[1.0, 0.31], [1.0, 0.65], [0.65, 0.96], [0.1, 1.0]])]),
];

const HAND: [Shape; 10] = [
    (
        1.0,
        &[Curve(&[
            [0.62, 0.02],
            [0.2, -0.04],
            [0.0, 0.3],
            [0.0, 0.6],
            [0.0, 0.88],
            [0.2, 1.0],
            [0.42, 1.0],
            [0.8, 1.0],
            [1.0, 0.7],
            [1.0, 0.38],
            [1.0, 0.12],
            [0.82, 0.0],
            [0.55, 0.03],
        ])],
    ),
    (0.3, &[Line(&[[0.5, 0.0], [0.5, 1.0]])]),
    (
        1.0,
        &[Curve(&[
            [0.08, 0.2],
            [0.2, 0.02],
            [0.4, 0.0],
            [0.55, 0.0],
            [0.8, 0.0],
            [0.95, 0.15],
            [0.88, 0.36],
            [0.76, 0.62],
            [0.3, 0.72],
            [0.0, 1.0],
            [0.2, 0.88],
            [0.55, 1.04],
            [1.0, 0.93],
        ])],
    ),
    (
        1.0,
        &[
            Line(&[[0.08, 0.0], [0.95, 0.0], [0.42, 0.4]]),
            Curve(&[
                [0.42, 0.4],
                [0.8, 0.38],
                [1.0, 0.52],
                [1.0, 0.7],
                [1.0, 0.9],
                [0.76, 1.0],
                [0.46, 1.0],
                [0.26, 1.0],
                [0.1, 0.96],
                [0.0, 0.86],
            ]),
        ],
    ),
    (1.0, &[Line(&[[0.22, 0.0], [0.0, 0.58], [1.0, 0.58]]), Line(&[[0.72, 0.3], [0.66, 1.0]])]),
    (
        1.0,
        &[
            Line(&[[0.95, 0.0], [0.22, 0.02], [0.14, 0.4]]),
            Curve(&[[0.14, 0.4], [0.5, 0.3], [0.98, 0.4], [0.96, 0.7], [0.94, 0.98], [0.4, 1.08], [0.0, 0.92]]),
        ],
    ),
    (
        1.0,
        &[Curve(&[
            [0.72, 0.0],
            [0.3, 0.15],
            [0.0, 0.45],
            [0.0, 0.72],
            [0.0, 0.9],
            [0.2, 1.0],
            [0.46, 1.0],
            [0.78, 1.0],
            [0.98, 0.88],
            [0.98, 0.72],
            [0.98, 0.55],
            [0.75, 0.46],
            [0.5, 0.48],
            [0.25, 0.5],
            [0.08, 0.6],
            [0.02, 0.78],
        ])],
    ),
    (1.0, &[Line(&[[0.02, 0.0], [1.0, 0.0], [0.3, 1.0]]), Line(&[[0.28, 0.5], [0.92, 0.5]])]),
    (
        1.0,
        &[Curve(&[
            [0.9, 0.12],
            [0.7, -0.04],
            [0.1, -0.06],
            [0.1, 0.24],
            [0.1, 0.5],
            [1.0, 0.46],
            [1.0, 0.76],
            [1.0, 1.08],
            [0.0, 1.08],
            [0.0, 0.76],
            [0.0, 0.5],
            [0.7, 0.45],
            [0.9, 0.12],
        ])],
    ),
    (
        0.95,
        &[
            Curve(&[
                [0.96, 0.26],
                [0.9, 0.08],
                [0.7, 0.0],
                [0.48, 0.0],
                [0.2, 0.0],
                [0.0, 0.12],
                [0.0, 0.29],
                [0.0, 0.46],
                [0.2, 0.55],
                [0.45, 0.55],
                [0.75, 0.55],
                [0.92, 0.44],
                [0.96, 0.26],
            ]),
            Line(&[[0.98, 0.05], [0.84, 1.0]]),
        ],
    ),
];

const BLOCK: [Shape; 10] = [
    (
        1.0,
        &[Line(&[
            [0.2, 0.0],
            [0.8, 0.0],
            [1.0, 0.12],
            [1.0, 0.88],
            [0.8, 1.0],
            [0.2, 1.0],
            [0.0, 0.88],
            [0.0, 0.12],
            [0.2, 0.0],
        ])],
    ),
    (0.5, &[Line(&[[0.1, 0.0], [0.6, 0.0], [0.6, 1.0]])]),
    (1.0, &[Line(&[[0.0, 0.0], [1.0, 0.0], [1.0, 0.48], [0.0, 0.52], [0.0, 1.0], [1.0, 1.0]])]),
    (1.0, &[Line(&[[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]), Line(&[[0.2, 0.5], [1.0, 0.5]])]),
    (1.0, &[Line(&[[0.0, 0.0], [0.0, 0.56], [1.0, 0.56]]), Line(&[[0.86, 0.0], [0.86, 1.0]])]),
    (
        1.0,
        &[Line(&[[1.0, 0.0], [0.0, 0.0], [0.0, 0.46], [0.85, 0.46], [1.0, 0.56], [1.0, 0.9], [0.85, 1.0], [0.0, 1.0]])],
    ),
    (1.0, &[Line(&[[1.0, 0.0], [0.15, 0.0], [0.0, 0.1], [0.0, 1.0], [1.0, 1.0], [1.0, 0.48], [0.0, 0.48]])]),
    (1.0, &[Line(&[[0.0, 0.14], [0.0, 0.0], [1.0, 0.0], [1.0, 0.3], [0.5, 0.6], [0.5, 1.0]])]),
    (1.0, &[Line(&[[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0], [0.0, 0.0]]), Line(&[[0.0, 0.48], [1.0, 0.48]])]),
    (1.0, &[Line(&[[0.0, 1.0], [0.85, 1.0], [1.0, 0.9], [1.0, 0.0], [0.0, 0.0], [0.0, 0.52], [1.0, 0.52]])]),
];

/// Straight pieces of one cubic: at a height of 64 pixels they stay within 0.2 pixels of the curve.
const PIECES: usize = 6;

/// Control points of a quarter circle of radius 1 lie this far along its tangents: (4/3) tan(pi/8).
const QUARTER: f32 = 0.552_284_8;

fn flatten((width, strokes): Shape) -> Glyph {
    let mut segments = Vec::new();
    for stroke in strokes {
        match stroke {
            Line(points) => segments.extend(points.windows(2).map(|p| [p[0][0], p[0][1], p[1][0], p[1][1]])),
            Curve(points) => {
                for start in (0..points.len() - 1).step_by(3) {
                    cubic([points[start], points[start + 1], points[start + 2], points[start + 3]], &mut segments);
                }
            }
            Oval([x, y, rx, ry]) => {
                for [u, v] in [[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]] {
                    // The quarter from direction (u, v) to (-v, u).
                    let quarter =
                        [[u, v], [u - QUARTER * v, v + QUARTER * u], [-v + QUARTER * u, u + QUARTER * v], [-v, u]];
                    cubic(quarter.map(|[u, v]| [x + rx * u, y + ry * v]), &mut segments);
                }
            }
        }
    }
    Glyph { width, segments }
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
        let strokes: &[Stroke] = const { &[Oval([1.0, 2.0, 3.0, 4.0])] };
        let glyph = flatten((1.0, strokes));
        assert_eq!(glyph.segments.len(), 4 * PIECES);
        for [x, y, ..] in glyph.segments {
            let radius = ((x - 1.0) / 3.0).powi(2) + ((y - 2.0) / 4.0).powi(2);
            assert!((radius - 1.0).abs() < 1e-3, "({x}, {y})");
        }
    }
}
