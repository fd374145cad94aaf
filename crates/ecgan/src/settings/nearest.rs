//! The known name nearest to a misspelt one, by edit distance (insertions, deletions, substitutions; Levenshtein 1966).

/// The candidate nearest to `name`, where it takes at most a third of its letters (at least one) to change.
pub fn nearest<'a>(name: &str, candidates: &[&'a str]) -> Option<&'a str> {
    let plain = |name: &str| name.to_lowercase().replace('-', "_");
    let name = plain(name);
    let (distance, best) = candidates.iter().map(|candidate| (distance(&name, &plain(candidate)), *candidate)).min()?;
    (distance <= (name.chars().count() / 3).max(1)).then_some(best)
}

/// Row by row: `d[i][j] = min(d[i-1][j] + 1, d[i][j-1] + 1, d[i-1][j-1] + [a_i != b_j])`.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, &cb) in b.iter().enumerate() {
            let cost = (diagonal + usize::from(ca != cb)).min(row[j] + 1).min(row[j + 1] + 1);
            diagonal = std::mem::replace(&mut row[j + 1], cost);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_of_known_pairs() {
        for (a, b, d) in [("kitten", "sitting", 3), ("", "abc", 3), ("abc", "", 3), ("lambda", "lambda", 0)] {
            assert_eq!(distance(a, b), d, "{a} {b}");
        }
    }

    #[test]
    fn near_names_are_found_and_far_ones_are_not() {
        let known = ["lambda", "lr", "lr_c", "val_fraction"];
        assert_eq!(nearest("lamda", &known), Some("lambda"));
        assert_eq!(nearest("val-fraction", &known), Some("val_fraction"));
        assert_eq!(nearest("LR", &known), Some("lr"));
        assert_eq!(nearest("Ecgan", &["classifier", "ec-gan"]), Some("ec-gan"));
        assert_eq!(nearest("momentum", &known), None);
    }
}
