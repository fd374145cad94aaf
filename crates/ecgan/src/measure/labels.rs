//! How good the labels of generated images are: which the run's classifier would keep, and whether a judge agrees with them.

use serde::Serialize;

/// A generated image's label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Label {
    /// The class it would be trained as.
    pub class: usize,
    /// Whether the classifier is sure enough of that class.
    pub kept: bool,
}

/// The labels of all generated images.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Labels {
    /// An image is kept where the probability of its label is above this: the run's own threshold.
    pub threshold: f64,
    /// The part that is kept.
    pub kept_fraction: f64,
    /// With whom the judge agrees.
    #[serde(flatten)]
    pub agreement: Agreement,
    /// The same class by class.
    pub per_class: Vec<ClassLabels>,
}

/// The images of one label.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ClassLabels {
    /// The class name.
    pub class: String,
    /// How many generated images have it for a label.
    pub labelled: usize,
    /// How many of these are kept.
    pub kept: usize,
    /// With whom the judge agrees.
    #[serde(flatten)]
    pub agreement: Agreement,
}

/// The part of labels that are what the judge takes the image for, in percent; none without a judge, or without an image.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Agreement {
    /// Of the kept images.
    pub kept_accuracy: Option<f64>,
    /// Of all images.
    pub all_accuracy: Option<f64>,
}

impl Labels {
    /// Counts labels, of which there is one at least; `judged` is what the judge takes each image for.
    pub fn new(labels: &[Label], judged: Option<&[usize]>, classes: &[String], threshold: f64) -> Self {
        let of_class = |(k, class): (usize, &String)| {
            let of = |label: &Label| label.class == k;
            ClassLabels {
                class: class.clone(),
                labelled: labels.iter().filter(|label| of(label)).count(),
                kept: labels.iter().filter(|label| of(label) && label.kept).count(),
                agreement: Agreement::new(labels, judged, of),
            }
        };
        Self {
            threshold,
            kept_fraction: labels.iter().filter(|label| label.kept).count() as f64 / labels.len() as f64,
            agreement: Agreement::new(labels, judged, |_| true),
            per_class: classes.iter().enumerate().map(of_class).collect(),
        }
    }
}

impl Agreement {
    fn new(labels: &[Label], judged: Option<&[usize]>, counts: impl Fn(&Label) -> bool) -> Self {
        let accuracy = |counts: &dyn Fn(&Label) -> bool| {
            let pairs = labels.iter().zip(judged?).filter(|(label, _)| counts(label));
            let (right, all) =
                pairs.fold((0, 0), |(r, n), (label, &judged)| (r + usize::from(label.class == judged), n + 1));
            (all > 0).then(|| 100.0 * right as f64 / all as f64)
        };
        Self { kept_accuracy: accuracy(&|label| label.kept && counts(label)), all_accuracy: accuracy(&counts) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kept_and_all_are_counted_by_label() {
        let label = |class, kept| Label { class, kept };
        let labels = [label(0, true), label(0, true), label(0, false), label(1, true), label(1, false)];
        let names = ["a", "b", "c"].map(String::from);
        let found = Labels::new(&labels, Some(&[0, 1, 0, 1, 0]), &names, 0.7);
        assert_eq!((found.threshold, found.kept_fraction), (0.7, 0.6));
        let percent = |right: f64, of: f64| Some(100.0 * right / of);
        let agreement = |kept_accuracy, all_accuracy| Agreement { kept_accuracy, all_accuracy };
        assert_eq!(found.agreement, agreement(percent(2.0, 3.0), percent(3.0, 5.0)));
        let expected = [
            (3, 2, agreement(percent(1.0, 2.0), percent(2.0, 3.0))),
            (2, 1, agreement(percent(1.0, 1.0), percent(1.0, 2.0))),
            (0, 0, agreement(None, None)),
        ];
        for ((class, name), (labelled, kept, agreement)) in found.per_class.iter().zip(names.clone()).zip(expected) {
            assert_eq!(*class, ClassLabels { class: name, labelled, kept, agreement });
        }
        assert_eq!(Labels::new(&labels, None, &names, 0.7).agreement, agreement(None, None));
    }
}
