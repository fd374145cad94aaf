//! Numbers of things as people say them.

/// So many of something, as one counts.
pub fn many(n: usize, what: &str) -> String {
    let ending = match n {
        1 => "",
        _ if what.ends_with('s') => "es",
        _ => "s",
    };
    format!("{n} {what}{ending}")
}

#[cfg(test)]
mod tests {
    use super::many;

    #[test]
    fn one_is_not_many() {
        assert_eq!([0, 1, 2].map(|n| many(n, "epoch")), ["0 epochs", "1 epoch", "2 epochs"]);
        assert_eq!([1, 3].map(|n| many(n, "class")), ["1 class", "3 classes"]);
    }
}
