//! The text under a sample: `name 98%`, the name shortened to fit, or the class's number where no name will do.

use super::font;

/// What a name that is too long has in place of its middle: names of many classes often differ at their ends alone.
const LEFT_OUT: &str = "..";

/// The name of `class`, an index into `classes`, and a confidence (in 0..1) in at most `letters` letters. Where not even the
/// class's number fits, the confidence stands alone.
///
/// # Panics
/// If there is no such class.
pub fn caption(classes: &[String], class: usize, confidence: f32, letters: usize) -> String {
    // Never 100 % for less than certainty.
    let percent = if confidence >= 1.0 { 100.0 } else { (100.0 * confidence).round().clamp(0.0, 99.0) };
    let percent = format!("{percent:.0}%");
    let room = letters.saturating_sub(percent.len() + 1);
    let name = name(classes, class, room);
    if name.len() > room { percent } else { format!("{name} {percent}") }
}

/// The name of `class`, an index into `classes`, on one line; of one that is longer than `letters`, beginning and end. A
/// class whose name has letters that cannot be drawn, or is too long and then looks like another one's, is its number: `#3`.
///
/// # Panics
/// If there is no such class.
pub fn name(classes: &[String], class: usize, letters: usize) -> String {
    let (name, number) = (&classes[class], format!("#{class}"));
    if !can_be_drawn(name) {
        return number;
    }
    // Of ASCII from here on: a letter is a byte.
    if name.len() <= letters {
        return name.clone();
    }
    let kept = letters.saturating_sub(LEFT_OUT.len());
    let (first, last) = (&name[..kept.div_ceil(2)], &name[name.len() - kept / 2..]);
    let alike = |other: &&String| other.len() > letters && other.starts_with(first) && other.ends_with(last);
    let ambiguous = classes.iter().filter(alike).nth(1).is_some();
    if kept < 2 || ambiguous { number } else { format!("{first}{LEFT_OUT}{last}") }
}

/// Whether all letters of a name can be drawn; a class of another name is its number in pictures.
pub fn can_be_drawn(name: &str) -> bool {
    name.chars().all(font::has)
}

#[cfg(test)]
mod tests {
    use super::{caption, name};

    fn classes(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn names_are_shortened_to_fit() {
        let alone = |class: &str, confidence, letters| caption(&classes(&[class]), 0, confidence, letters);
        assert_eq!(alone("7", 0.984, 16), "7 98%");
        assert_eq!(alone("7", 0.9999, 16), "7 99%");
        assert_eq!(alone("7", 1.0, 16), "7 100%");
        assert_eq!(alone("automobile", 0.5, 14), "automobile 50%");
        assert_eq!(alone("automobile", 0.5, 13), "auto..ile 50%");
        assert_eq!(alone("automobile", 0.5, 8), "a..e 50%");
        assert_eq!(alone("automobile", 0.5, 7), "#0 50%");
        assert_eq!(alone("automobile", 0.5, 5), "50%");
        assert_eq!(alone("dog", f32::NAN, 9), "dog NaN%");
        let pets = classes(&["dog", "horse"]);
        assert_eq!(
            (name(&pets, 0, 3), name(&pets, 1, 4), name(&pets, 1, 3)),
            ("dog".into(), "h..e".into(), "#1".into())
        );
    }

    #[test]
    fn a_class_without_a_name_that_can_be_drawn_is_its_number() {
        let classes = classes(&["猫", "狗", "Käse", "a\nb", "R&D (new)"]);
        let names: Vec<String> = (0..5).map(|class| name(&classes, class, 15)).collect();
        assert_eq!(names, ["#0", "#1", "#2", "#3", "R&D (new)"]);
        assert_eq!(caption(&classes, 1, 0.5, 15), "#1 50%");
    }

    #[test]
    fn classes_that_differ_stay_different() {
        let numbered: Vec<String> = (0..100).map(|k| format!("class-number-{k}")).collect();
        assert_eq!([17, 18].map(|class| caption(&numbered, class, 0.5, 15)), ["class..r-17 50%", "class..r-18 50%"]);
        // What is left of them is the same.
        let middles = classes(&["animal-cat-photograph", "animal-dog-photograph", "animal-and-its-tracks"]);
        assert_eq!([0, 1, 2].map(|class| name(&middles, class, 12)), ["#0", "#1", "anima..racks"]);
    }
}
