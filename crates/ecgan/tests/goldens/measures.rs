//! Frechet and kernel distances against NumPy and SciPy.

use crate::formula::Entry;
use crate::results::read;
use ecgan::measure::{Features, frechet_distance, squared_discrepancy};
use serde::Deserialize;
use tensor::{Device, Simd};

#[derive(Deserialize)]
struct File {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    a: Entry,
    b: Entry,
    frechet_distance: f64,
    squared_discrepancy: f64,
    frechet_distance_to_itself: f64,
    squared_discrepancy_to_itself: f64,
}

fn features(entry: &Entry) -> Features {
    Features::new(entry.values(), entry.shape[1])
}

#[test]
fn distances_match_on_every_path() {
    let File { cases } = read("measures.json");
    assert_eq!(cases.len(), 5);
    for simd in Simd::available() {
        let device = Device::cpu_with(simd).expect("available");
        for case in &cases {
            let (a, b) = (features(&case.a), features(&case.b));
            // Both are differences of such numbers.
            let of = |x: &Features| x.values.iter().map(|v| v * v).sum::<f64>() / x.n() as f64;
            let (squares, d) = (of(&a).max(of(&b)), a.d as f64);
            let check = |what: &str, got: f64, want: f64, scale: f64| {
                let wrong = format!("{simd} {}: {what}: {got}, expected {want}", case.name);
                assert!((got - want).abs() < 1e-13 * scale, "{wrong}");
            };
            for (what, other, frechet, discrepancy) in [
                ("to b", &b, case.frechet_distance, case.squared_discrepancy),
                ("to itself", &a, case.frechet_distance_to_itself.max(0.0), case.squared_discrepancy_to_itself),
            ] {
                check(what, frechet_distance(&a, other, &device), frechet, squares);
                check(what, squared_discrepancy(&a, other, &device), discrepancy, (squares / d + 1.0).powi(3));
            }
            assert!(case.frechet_distance_to_itself.abs() < 1e-12 * squares, "{}", case.name);
        }
    }
}
