//! What chance leaves open of a rate.

/// The 95 % score interval of a rate in percent (Wilson 1927).
pub fn wilson(correct: usize, total: usize) -> [f64; 2] {
    const Z: f64 = 1.96;
    if total == 0 {
        return [0.0, 100.0];
    }
    let n = total as f64;
    let rate = correct as f64 / n;
    let (centre, width) = (rate + Z * Z / (2.0 * n), Z * (rate * (1.0 - rate) / n + Z * Z / (4.0 * n * n)).sqrt());
    [centre - width, centre + width].map(|edge| 100.0 * (edge / (1.0 + Z * Z / n)).clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::wilson;

    #[test]
    fn the_interval_is_wilsons() {
        // p = 0.9, n = 100 by the formula with z = 1.96.
        let [low, high] = wilson(90, 100);
        assert!((low - 82.563).abs() < 0.01 && (high - 94.477).abs() < 0.01, "{low} {high}");
        assert_eq!(wilson(0, 0), [0.0, 100.0]);
        assert!(wilson(5, 5)[1] == 100.0 && wilson(0, 5)[0] == 0.0);
    }
}
