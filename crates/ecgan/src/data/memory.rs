//! How much memory there is, and how much of it decoded images may take where nobody says.

use std::fs;

/// Where the system does not tell.
const UNKNOWN: usize = 1 << 30;

/// A quarter of [`free`], in bytes, or 1 GiB where the system does not tell.
pub fn default_limit() -> usize {
    free().map_or(UNKNOWN, |free| free / 4)
}

/// The memory that can be had without swapping, in bytes: on Linux, of the machine and of the control group.
pub fn free() -> Option<usize> {
    let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| available(&text));
    let group = |name| fs::read_to_string(format!("/sys/fs/cgroup/memory.{name}")).unwrap_or_default();
    let group = left(&group("max"), &group("current"), &group("stat"));
    machine.map(|machine| machine.min(group.unwrap_or(usize::MAX)))
}

/// What a control group with this `memory.max`, `memory.current` and `memory.stat` has left, in bytes; `None` where it has
/// no limit. What was read from files counts as used, but the system gives it up where somebody needs the memory.
fn left(max: &str, current: &str, stat: &str) -> Option<usize> {
    let number = |text: &str| text.trim().parse::<usize>().ok();
    let of = |name| stat.lines().find_map(|line| number(line.strip_prefix(name)?)).unwrap_or(0);
    let files = ["inactive_file ", "active_file ", "slab_reclaimable "].map(of).iter().sum();
    Some(number(max)?.saturating_sub(number(current)?.saturating_sub(files)))
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

    #[test]
    fn files_in_the_cache_take_no_memory_of_a_control_group() {
        let stat = "anon 50\nfile 900\nactive_file 100\ninactive_file 800\n";
        assert_eq!(left("1000\n", "950\n", stat), Some(950));
        assert_eq!(left("1000\n", "950\n", "inactive_file 20\nslab_reclaimable 30\n"), Some(100));
        assert_eq!(left("1000\n", "950\n", ""), Some(50));
        assert_eq!(left("1000\n", "1200\n", "inactive_file 100\n"), Some(0));
        assert_eq!(left("1000\n", "10\n", stat), Some(1000), "read one after the other, they may disagree");
        assert_eq!(left("max\n", "950\n", stat), None);
        assert_eq!(left("", "", ""), None);
    }
}
