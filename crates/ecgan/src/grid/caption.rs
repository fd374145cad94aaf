//! The text under a sample: `name 98%`, the name shortened to fit.

/// Class and confidence (in 0..1) in at most `letters` letters. A name that is too long ends in a dot; where not
/// even one letter of it fits, the confidence stands alone.
pub fn caption(class: &str, confidence: f32, letters: usize) -> String {
    // Never 100 % for less than certainty.
    let percent = if confidence >= 1.0 { 100.0 } else { (100.0 * confidence).round().clamp(0.0, 99.0) };
    let percent = format!("{percent:.0}%");
    let room = letters.saturating_sub(percent.len() + 1);
    match class.chars().count() {
        n if n > room && room < 2 => percent,
        _ => format!("{} {percent}", name(class, room)),
    }
}

/// A class alone, on one line; a name that is too long ends in a dot.
pub fn name(class: &str, letters: usize) -> String {
    let class = class.chars().map(|letter| if letter.is_control() { ' ' } else { letter });
    if class.clone().count() <= letters {
        return class.collect();
    }
    class.take(letters.saturating_sub(1)).chain(['.']).collect()
}

#[cfg(test)]
mod tests {
    use super::{caption, name};

    #[test]
    fn names_are_shortened_to_fit() {
        assert_eq!(caption("7", 0.984, 16), "7 98%");
        assert_eq!(caption("7", 0.9999, 16), "7 99%");
        assert_eq!(caption("7", 1.0, 16), "7 100%");
        assert_eq!(caption("automobile", 0.5, 14), "automobile 50%");
        assert_eq!(caption("automobile", 0.5, 13), "automobi. 50%");
        assert_eq!(caption("ärzte", 0.5, 7), "är. 50%");
        assert_eq!(caption("dog", 0.5, 5), "50%");
        assert_eq!(caption("dog", f32::NAN, 9), "dog NaN%");
        assert_eq!(caption("a\nb", 0.5, 9), "a b 50%");
        assert_eq!((name("dog", 3), name("horse", 3)), ("dog".into(), "ho.".into()));
    }
}
