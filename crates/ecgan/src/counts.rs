//! Numbers of things as people say them.

/// So many of something, as one counts.
pub fn many(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::many;

    #[test]
    fn one_is_not_many() {
        assert_eq!([0, 1, 2].map(|n| many(n, "epoch")), ["0 epochs", "1 epoch", "2 epochs"]);
    }
}
