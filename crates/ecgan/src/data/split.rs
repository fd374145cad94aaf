//! Which training images are used: a labelled budget, part of it for validation.
//!
//! Both cuts are stratified. The classes' shares of n images are n c_k / sum(c), rounded by largest remainder (the
//! lower class first on a tie) with at least one each, so they sum to n exactly.

use super::DataError;
use crate::counts::many;
use crate::metrics::MOST_CLASSES;
use std::path::Path;
use tensor::rng::Stream;

/// How many labelled images a run may use, validation included.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Budget {
    /// All there are.
    All,
    /// This many, in the classes' proportions.
    Samples(usize),
    /// This fraction of them, in (0, 1], in the classes' proportions.
    Fraction(f64),
    /// This many of each class.
    PerClass(usize),
}

/// Which images of a class are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// The first of each class, in file order.
    First,
    /// Drawn with this seed. Of each class, budgets with one seed take the first of one order, so where the larger one takes
    /// no fewer of any class, the smaller one is a part of it: always by [`Budget::PerClass`], and where all classes have
    /// the same number. Otherwise largest remainders may take an image from a class as the budget grows: of 6, 6 and 2
    /// images a budget of 10 takes 4, 4 and 2, one of 11 takes 5, 5 and 1.
    Seed(u64),
}

/// Indices into the training images, ascending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// What the networks train on.
    pub train: Vec<usize>,
    /// What chooses the best checkpoint.
    pub val: Vec<usize>,
}

/// Chooses the labelled budget out of the training images of `data` with these `labels`, indices into `classes`, and
/// `val_fraction` of it (rounded, in each class's proportion, in [0, 1)) for validation: of the images chosen in each
/// class, the last.
///
/// # Errors
/// More classes than a test can count, a class without images, a budget larger than what there is or smaller than one image a class, a validation
/// part that rounds to nothing or leaves a class without a training image. They name the data and the class.
///
/// # Panics
/// If a label is not in `0..classes.len()`.
pub fn split(
    data: &str,
    labels: &[i32],
    classes: &[String],
    budget: Budget,
    order: Order,
    val_fraction: f64,
) -> Result<Split, DataError> {
    let mut members = vec![Vec::new(); classes.len()];
    for (i, &label) in labels.iter().enumerate() {
        members[label as usize].push(i);
    }
    let counts: Vec<usize> = members.iter().map(Vec::len).collect();
    can_train(data, &counts, classes)?;
    if let Order::Seed(seed) = order {
        let mut random = Stream::Split.start(seed);
        members.iter_mut().for_each(|class| random.shuffle(class));
    }
    let of_data = |refusal: Refusal| DataError::split(format!("{data}: {}", refusal.wrong), refusal.expected);
    let taken = budget_per_class(&counts, classes, budget).map_err(of_data)?;
    let held_out = validation_per_class(&taken, val_fraction).map_err(of_data)?;
    let mut split = Split { train: Vec::new(), val: Vec::new() };
    for (class, (&n, &v)) in members.iter().zip(taken.iter().zip(&held_out)) {
        split.train.extend(&class[..n - v]);
        split.val.extend(&class[n - v..n]);
    }
    split.train.sort_unstable();
    split.val.sort_unstable();
    Ok(split)
}

/// Refuses training images of `data`, so many of each class, where there are more classes than a test can count, or one has no image.
///
/// # Errors
/// They name the data, and the first class without an image.
pub(super) fn can_train(data: &str, counts: &[usize], classes: &[String]) -> Result<(), DataError> {
    if classes.len() > MOST_CLASSES {
        let expected = format!("at most {MOST_CLASSES}, as the test counts each against each");
        return Err(DataError::unfit(Path::new(data), format!("{} classes", classes.len()), expected));
    }
    let mut without = counts.iter().zip(classes).filter(|(count, _)| **count == 0).map(|(_, class)| class);
    let Some(class) = without.next() else { return Ok(()) };
    let others = match without.count() {
        0 => String::new(),
        n => format!(", nor of {}", many(n, "other")),
    };
    let wrong = format!("no training image of class `{class}`{others}");
    Err(DataError::unfit(Path::new(data), wrong, "at least one of each class"))
}

/// Refuses training images of `data`, so many of each class, of which this fraction cannot validate.
///
/// # Errors
/// As [`split`].
pub(super) fn can_validate(data: &str, counts: &[usize], fraction: f64) -> Result<(), DataError> {
    let refused = |refusal: Refusal| DataError::split(format!("{data}: {}", refusal.wrong), refusal.expected);
    validation_per_class(counts, fraction).map(drop).map_err(refused)
}

/// What cannot be given of some data, and what could be.
struct Refusal {
    wrong: String,
    expected: String,
}

fn refusal<T>(wrong: String, expected: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal { wrong, expected: expected.into() })
}

fn budget_per_class(counts: &[usize], classes: &[String], budget: Budget) -> Result<Vec<usize>, Refusal> {
    let total: usize = counts.iter().sum();
    let (samples, setting) = match budget {
        Budget::All => return Ok(counts.to_vec()),
        Budget::Samples(n) => (n, "samples".into()),
        Budget::Fraction(f) if f > 0.0 && f <= 1.0 => ((f * total as f64).round() as usize, format!("fraction {f}")),
        Budget::Fraction(f) => return refusal(format!("a fraction of {f}"), "more than 0, at most 1"),
        Budget::PerClass(n) => {
            let (class, &fewest) = counts.iter().enumerate().min_by_key(|(_, n)| **n).expect("at least one class");
            return if (1..=fewest).contains(&n) {
                Ok(vec![n; counts.len()])
            } else {
                let expected = format!("1 to {fewest}, which is what class `{}` has", classes[class]);
                refusal(format!("per_class asks for {n} images per class"), expected)
            };
        }
    };
    if samples > total || samples < counts.len() {
        let expected = format!("{} (one per class) to {total} (all there are)", counts.len());
        return refusal(format!("{setting} asks for a budget of {samples} images"), expected);
    }
    Ok(shares(counts, samples, 1, |k| counts[k]))
}

/// What to do where nothing can be spared.
const NO_VALIDATION: &str = "--val-fraction 0 for no validation";

fn validation_per_class(taken: &[usize], fraction: f64) -> Result<Vec<usize>, Refusal> {
    let total: usize = taken.iter().sum();
    if !(0.0..1.0).contains(&fraction) {
        return refusal(format!("a validation fraction of {fraction}"), "at least 0, less than 1");
    }
    let wanted = (fraction * total as f64).round() as usize;
    let most = total - taken.len();
    let wrong = format!("val_fraction {fraction} of {total} images: {wanted} for validation");
    if wanted > most {
        let classes = taken.len();
        let expected =
            format!("at most {most}, so that each of {classes} classes keeps a training image ({NO_VALIDATION})");
        return refusal(wrong, expected);
    }
    if wanted == 0 && fraction > 0.0 {
        return refusal(wrong, format!("at least 1 ({NO_VALIDATION})"));
    }
    Ok(shares(taken, wanted, 0, |k| taken[k] - 1))
}

/// Shares of `n` in proportion to `counts`, each at least `least` and at most `most(k)`, by largest remainder.
fn shares(counts: &[usize], n: usize, least: usize, most: impl Fn(usize) -> usize) -> Vec<usize> {
    let total: usize = counts.iter().sum();
    // In u128 the products cannot overflow, and the remainders are exact.
    let product = |k: usize| n as u128 * counts[k] as u128;
    let floor = |k: usize| (product(k) / total as u128) as usize;
    let mut shares: Vec<usize> = (0..counts.len()).map(|k| floor(k).clamp(least, most(k))).collect();
    // What a class still lacks (positive) or has too much (negative), in units of 1 / total of an image.
    let lack = |k: usize, share: usize| product(k) as i128 - share as i128 * total as i128;
    loop {
        let given: usize = shares.iter().sum();
        let classes = 0..counts.len();
        if given < n {
            let k = classes.filter(|&k| shares[k] < most(k)).max_by_key(|&k| (lack(k, shares[k]), counts.len() - k));
            shares[k.expect("n is at most the sum of `most`")] += 1;
        } else if given > n {
            let k = classes.filter(|&k| shares[k] > least).min_by_key(|&k| (lack(k, shares[k]), k));
            shares[k.expect("n is at least the sum of `least`")] -= 1;
        } else {
            return shares;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 60, 30 and 10 images, interleaved.
    fn labels() -> Vec<i32> {
        (0..100).map(|i| [0, 1, 0, 0, 1, 0, 0, 1, 0, 2][i % 10]).collect()
    }

    fn counts(labels: &[i32], indices: &[usize]) -> [usize; 3] {
        let mut counts = [0; 3];
        indices.iter().for_each(|&i| counts[labels[i] as usize] += 1);
        counts
    }

    /// Of the data `pets`, with three classes.
    fn cut(labels: &[i32], budget: Budget, order: Order, val: f64) -> Result<Split, DataError> {
        let classes = ["cat", "dog", "fish"].map(str::to_owned);
        split("pets", labels, &classes, budget, order, val)
    }

    fn message(budget: Budget, val: f64) -> String {
        cut(&labels(), budget, Order::First, val).unwrap_err().to_string()
    }

    #[test]
    fn budgets_are_stratified_and_exact() {
        let labels = labels();
        for (budget, train, val) in [
            (Budget::All, [54, 27, 9], [6, 3, 1]),
            (Budget::Samples(50), [27, 13, 5], [3, 2, 0]),
            (Budget::Fraction(0.2), [11, 5, 2], [1, 1, 0]),
            (Budget::PerClass(10), [9, 9, 9], [1, 1, 1]),
        ] {
            for order in [Order::First, Order::Seed(3)] {
                let split = cut(&labels, budget, order, 0.1).unwrap();
                assert_eq!(counts(&labels, &split.train), train, "{budget:?} {order:?}");
                assert_eq!(counts(&labels, &split.val), val, "{budget:?} {order:?}");
                assert!(split.train.is_sorted() && split.val.is_sorted());
                assert!(split.train.iter().all(|i| !split.val.contains(i)), "disjoint");
            }
        }
        // One image a class at least, however rare the class.
        let split = cut(&labels, Budget::Samples(4), Order::First, 0.0).unwrap();
        assert_eq!(counts(&labels, &split.train), [2, 1, 1]);
        assert!(split.val.is_empty());
    }

    #[test]
    fn more_classes_than_a_test_can_count_are_refused() {
        let cut = |n: usize| {
            let classes: Vec<String> = (0..n).map(|class| class.to_string()).collect();
            let labels: Vec<i32> = (0..n as i32).collect();
            split("pets", &labels, &classes, Budget::All, Order::First, 0.0).map_err(|error| error.to_string())
        };
        assert_eq!(cut(MOST_CLASSES).unwrap().train.len(), MOST_CLASSES);
        let expected = "pets: 10001 classes; expected at most 10000, as the test counts each against each";
        assert_eq!(cut(MOST_CLASSES + 1).unwrap_err(), expected);
    }

    #[test]
    fn first_takes_file_order_and_validation_the_last_of_it() {
        let split = cut(&labels(), Budget::PerClass(3), Order::First, 0.34).unwrap();
        assert_eq!(split.train, [0, 1, 2, 4, 9, 19]);
        assert_eq!(split.val, [3, 7, 29]);
    }

    #[test]
    fn draws_repeat_differ_by_seed_and_nest() {
        let labels = labels();
        let draw = |seed, n| cut(&labels, Budget::Samples(n), Order::Seed(seed), 0.0).unwrap().train;
        assert_eq!(draw(1, 50), draw(1, 50));
        assert_ne!(draw(1, 50), draw(2, 50));
        let larger = draw(1, 70);
        assert!(draw(1, 50).iter().all(|i| larger.contains(i)));
    }

    /// The example that [`Order::Seed`] tells of, and what it says of equal classes.
    #[test]
    fn where_budgets_nest_and_where_they_do_not() {
        let uneven: Vec<i32> = (0..14).map(|i| [0, 1, 0, 1, 0, 1, 2][i % 7]).collect();
        let taken = |n| counts(&uneven, &cut(&uneven, Budget::Samples(n), Order::First, 0.0).unwrap().train);
        assert_eq!((taken(10), taken(11)), ([4, 4, 2], [5, 5, 1]));
        let even: Vec<i32> = (0..60).map(|i| i % 3).collect();
        let draw = |n| cut(&even, Budget::Samples(n), Order::Seed(1), 0.0).unwrap().train;
        for n in 3..60 {
            let larger = draw(n + 1);
            assert!(draw(n).iter().all(|i| larger.contains(i)), "{n}");
        }
    }

    #[test]
    fn what_cannot_be_given_is_refused_with_what_there_is() {
        assert_eq!(
            message(Budget::Samples(101), 0.0),
            "pets: samples asks for a budget of 101 images; expected 3 (one per class) to 100 (all there are)"
        );
        assert!(message(Budget::Samples(2), 0.0).contains("3 (one per class)"));
        assert!(
            message(Budget::Fraction(0.01), 0.0).starts_with("pets: fraction 0.01 asks for a budget of 1 images; ")
        );
        assert_eq!(
            message(Budget::PerClass(11), 0.0),
            "pets: per_class asks for 11 images per class; expected 1 to 10, which is what class `fish` has"
        );
        assert!(message(Budget::PerClass(0), 0.0).contains("0 images per class"));
        for fraction in [0.0, -0.1, 1.01, f64::NAN] {
            assert!(message(Budget::Fraction(fraction), 0.0).contains("a fraction of"), "{fraction}");
        }
        for fraction in [-0.1, 1.0, f64::NAN] {
            assert!(message(Budget::All, fraction).contains("a validation fraction of"), "{fraction}");
        }
        assert_eq!(
            message(Budget::PerClass(1), 0.4),
            "pets: val_fraction 0.4 of 3 images: 1 for validation; expected at most 0, so that each of 3 classes keeps a \
         training image (--val-fraction 0 for no validation)"
        );
        assert!(
            message(Budget::PerClass(1), 0.1)
                .contains("of 3 images: 0 for validation; expected at least 1 (--val-fraction 0 for no validation)")
        );
        let empty = cut(&[0, 0, 2], Budget::All, Order::First, 0.0).unwrap_err().to_string();
        assert_eq!(empty, "pets: no training image of class `dog`; expected at least one of each class");
        let empty = cut(&[1], Budget::All, Order::First, 0.0).unwrap_err().to_string();
        assert!(empty.starts_with("pets: no training image of class `cat`, nor of 1 other; expected "), "{empty}");
    }
}
