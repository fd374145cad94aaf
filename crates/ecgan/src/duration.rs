//! Times as people say them.

/// Seconds as `45 s`, `2 min 05 s` or `3 h 07 min`.
pub fn duration(seconds: f64) -> String {
    // What is below 0 or no number becomes 0, what is beyond u64 its largest.
    let seconds = seconds.round() as u64;
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        _ => format!("{} h {:02} min", seconds / 3600, seconds / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::duration;

    #[test]
    fn durations_are_short() {
        for (seconds, text) in [(0.4, "0 s"), (59.6, "1 min 00 s"), (125.0, "2 min 05 s"), (11_225.0, "3 h 07 min")] {
            assert_eq!(duration(seconds), text);
        }
        assert_eq!([-3.0, f64::NAN].map(duration), ["0 s", "0 s"]);
        assert_eq!(duration(1e300), "5124095576030431 h 00 min");
    }
}
