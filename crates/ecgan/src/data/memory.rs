//! How much memory decoded images may take where nobody says.

use std::fs;

/// Where the system does not tell.
const UNKNOWN: usize = 1 << 30;

/// A quarter of the memory that can be had without swapping, in bytes (Linux: of the machine and of the control group),
/// or 1 GiB where the system does not tell.
pub fn default_limit() -> usize {
    let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| available(&text));
    let group = || {
        let number = |name| fs::read_to_string(format!("/sys/fs/cgroup/memory.{name}")).ok()?.trim().parse().ok();
        let most: usize = number("max")?;
        Some(most.saturating_sub(number("current")?))
    };
    machine.map_or(UNKNOWN, |machine| machine.min(group().unwrap_or(usize::MAX)) / 4)
}

/// `MemAvailable` of `/proc/meminfo`, in bytes.
fn available(text: &str) -> Option<usize> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<usize>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_available_is_read() {
        let text = "MemTotal:       24683520 kB\nMemFree:         1 kB\nMemAvailable:   20000000 kB\n";
        assert_eq!(available(text), Some(20_480_000_000));
        assert_eq!(available("MemTotal: 1 kB\n"), None);
        assert_eq!(available("MemAvailable: many kB\n"), None);
        assert!(default_limit() > 1 << 20);
    }
}
