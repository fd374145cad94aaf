use super::*;
use crate::data::{Chosen, Images};

fn images(options: SyntheticOptions, part: Part, format: Format) -> Images {
    Images::read(Chosen::all(options.open(part).unwrap()), format, usize::MAX).unwrap()
}

const RGB: Format = Format { size: 32, channels: 3 };

/// A larger set begins with the smaller one; seeds and parts differ.
#[test]
fn an_image_depends_on_seed_part_and_number_only() {
    let options = SyntheticOptions { seed: 5, train: 40, test: 40 };
    let train = images(options, Part::Train, RGB);
    assert_eq!(train.labels[..12], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]);
    let fewer = images(SyntheticOptions { train: 20, ..options }, Part::Train, RGB);
    assert_eq!(fewer.pixels().unwrap(), &train.pixels().unwrap()[..20 * RGB.bytes()]);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
    assert_eq!(pool.install(|| images(options, Part::Train, RGB)).pixels(), train.pixels());
    let other = images(SyntheticOptions { seed: 6, ..options }, Part::Train, RGB);
    let test = images(options, Part::Test, RGB);
    for i in 0..40 {
        assert_ne!(train.batch(&[i]).unwrap(), other.batch(&[i]).unwrap());
        assert_ne!(train.batch(&[i]).unwrap(), test.batch(&[i]).unwrap());
        assert!((0..i).all(|j| train.batch(&[i]).unwrap() != train.batch(&[j]).unwrap()), "image {i} repeats");
    }
}

/// Grey is the luma of the colours, and 64 pixels show the same scene as 32: averaged 2x2 they agree but for noise.
#[test]
fn every_format_shows_the_same_scene() {
    let options = SyntheticOptions { seed: 2, train: 50, test: 10 };
    let rgb = images(options, Part::Train, RGB);
    let grey = images(options, Part::Train, Format { size: 32, channels: 1 });
    let large = images(options, Part::Train, Format { size: 64, channels: 1 });
    assert!(
        rgb.pixels().unwrap().chunks_exact(3).zip(grey.pixels().unwrap()).all(|(p, &v)| luma([p[0], p[1], p[2]]) == v)
    );
    let mut difference = 0.0;
    for i in 0..grey.len() {
        let large_image = large.batch(&[i]).unwrap();
        for (k, &v) in grey.batch(&[i]).unwrap().iter().enumerate() {
            let at = |dy: usize, dx: usize| f64::from(large_image[(k / 32 * 2 + dy) * 64 + k % 32 * 2 + dx]);
            let mean = (at(0, 0) + at(0, 1) + at(1, 0) + at(1, 1)) / 4.0;
            difference += (mean - f64::from(v)).abs() / grey.pixels().unwrap().len() as f64;
        }
    }
    assert!(difference < 6.0, "mean difference {difference} grey levels");
}

/// Shapes must be needed to tell the digits apart, not brightness at fixed places: multinomial logistic regression
/// (softmax(W x + b), plain gradient descent on the mean cross-entropy) learns little, yet something.
#[test]
fn a_linear_classifier_does_not_solve_it() {
    let options = SyntheticOptions { seed: 1, train: 4000, test: 2000 };
    let grey = Format { size: 32, channels: 1 };
    let centred = |part| {
        let images = images(options, part, grey);
        let x: Vec<f32> = images.pixels().unwrap().iter().map(|&v| f32::from(v) / 127.5 - 1.0).collect();
        (x, images.labels)
    };
    let (x, labels) = centred(Part::Train);
    let mut w = vec![0.0f32; 10 * 1025];
    for epoch in 0..20 {
        let rate = 0.02 / (1.0 + 0.3 * epoch as f32);
        for (x, labels) in x.chunks(64 * 1024).zip(labels.chunks(64)) {
            let mut dw = vec![0.0f32; w.len()];
            for (x, &label) in x.chunks(1024).zip(labels) {
                let mut p = logits(&w, x).map(f32::exp);
                let sum: f32 = p.iter().sum();
                p.iter_mut().for_each(|p| *p /= sum);
                p[label as usize] -= 1.0;
                for (dw, p) in dw.chunks_mut(1025).zip(p) {
                    dw[1024] += p;
                    dw.iter_mut().zip(x).for_each(|(dw, x)| *dw += p * x);
                }
            }
            w.iter_mut().zip(&dw).for_each(|(w, dw)| *w -= rate / labels.len() as f32 * dw);
        }
    }
    let (x, labels) = centred(Part::Test);
    let right = x.chunks(1024).zip(&labels).filter(|(x, label)| {
        let logits = logits(&w, x);
        (0..10).max_by(|&a, &b| logits[a].total_cmp(&logits[b])) == Some(**label as usize)
    });
    let accuracy = right.count() as f64 / labels.len() as f64 * 100.0;
    assert!((12.0..40.0).contains(&accuracy), "{accuracy} %");
}

fn logits(w: &[f32], x: &[f32]) -> [f32; 10] {
    let mut logits = [0.0; 10];
    for (logit, w) in logits.iter_mut().zip(w.chunks(1025)) {
        // Eight sums, so that the compiler can use its vector registers.
        let mut sums = [0.0f32; 8];
        for (w, x) in w.chunks_exact(8).zip(x.chunks_exact(8)) {
            (0..8).for_each(|k| sums[k] += w[k] * x[k]);
        }
        *logit = w[1024] + sums.iter().sum::<f32>();
    }
    logits
}

#[test]
fn numbers_of_images_are_checked() {
    for (train, test) in [(9, 10), (10, 0), (1_000_001, 10)] {
        let error = found(&SyntheticOptions { seed: 0, train, test }).err().unwrap();
        assert!(error.to_string().contains("expected 10 (one of each digit)"), "{error}");
    }
}
