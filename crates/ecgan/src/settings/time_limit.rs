//! A length of time as people write it: `90s`, `30m`, `2h`, `1h30m`.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// Seconds of each unit, the largest first.
const UNITS: [(char, u64); 4] = [('d', 86_400), ('h', 3600), ('m', 60), ('s', 1)];

/// A whole number of seconds, at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimeLimit(Duration);

impl TimeLimit {
    /// The same as a duration.
    pub fn duration(self) -> Duration {
        self.0
    }
}

/// The seconds of numbers with a unit each, no unit twice and the larger ones first.
fn seconds(text: &str) -> Option<u64> {
    let (mut rest, mut sum) = (text, 0u64);
    for (unit, seconds) in UNITS {
        let Some((number, after)) = rest.split_once(unit) else { continue };
        if !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        sum = sum.checked_add(number.parse::<u64>().ok()?.checked_mul(seconds)?)?;
        rest = after;
    }
    // Later than any clock shows is hardly meant.
    (rest.is_empty() && (1..=u64::from(u32::MAX)).contains(&sum)).then_some(sum)
}

impl FromStr for TimeLimit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("expected a time such as 90s, 30m, 2h or 1h30m, got {text}");
        seconds(text).map(|seconds| Self(Duration::from_secs(seconds))).ok_or_else(wrong)
    }
}

impl fmt::Display for TimeLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0.as_secs();
        for (unit, seconds) in UNITS {
            if rest >= seconds {
                write!(f, "{}{unit}", rest / seconds)?;
                rest %= seconds;
            }
        }
        Ok(())
    }
}

impl Serialize for TimeLimit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TimeLimit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_and_written_back() {
        for (text, seconds, written) in
            [("90s", 90, "1m30s"), ("30m", 1800, "30m"), ("2h", 7200, "2h"), ("1d1h30m", 91_800, "1d1h30m")]
        {
            let limit: TimeLimit = text.parse().unwrap();
            assert_eq!((limit.duration().as_secs(), limit.to_string().as_str()), (seconds, written));
            assert_eq!(written.parse(), Ok(limit));
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in ["", "0s", "90", "h", "1.5h", "-1s", "1s1h", "1h1h", "2 h", "99999999999999999999s", "4294967296s"]
        {
            let message = text.parse::<TimeLimit>().unwrap_err();
            assert_eq!(message, format!("expected a time such as 90s, 30m, 2h or 1h30m, got {text}"));
        }
    }
}
