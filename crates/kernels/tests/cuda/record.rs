//! Rows of what iterations found, against the CPU's.

use crate::common::{devices, down, normal, up};
use kernels::Device;
use kernels::cuda::{Memory, Precision};
use kernels::record::{COLUMNS, FakeFound, Found, row};
use kernels::view::View;

#[test]
fn rows_match_and_follow_each_other() {
    for (n, classes) in [(1, 2), (3, 10), (64, 10), (100, 40)] {
        let numbers = normal(1, 5 + n);
        let label = |k: usize| (0..n).map(|i| ((i * k + 3) % classes) as i32).collect::<Vec<i32>>();
        let (predicted, labels, pseudo) = (label(3), label(5), label(7));
        let weights: Vec<f32> = (0..n).map(|i| f32::from(u8::from(i % 3 > 0))).collect();
        let columns = COLUMNS + classes;
        let (mut want, mut next) = (vec![f32::NAN; 2 * columns], [1]);
        fn found<'a>(numbers: &[View<'a, f32>], ints: [View<'a, i32>; 3], weights: View<'a, f32>) -> Found<'a, f32> {
            let [d_real, d_fake, g, loss_c_real, loss, confidence] = numbers else { unreachable!() };
            let [predicted, labels, pseudo] = ints;
            let fake = FakeFound { loss: *loss, labels: pseudo, weights, confidence: *confidence };
            let gan = Some([*d_real, *d_fake, *g]);
            Found { gan, loss_c_real: *loss_c_real, predicted, labels, fake: Some(fake) }
        }
        fn parts(all: View<f32>) -> Vec<View<f32>> {
            (0..5).map(|i| all.slice(i..i + 1)).chain([all.slice(5..)]).collect()
        }
        let all = parts(View::from(&numbers));
        let ints = [&predicted, &labels, &pseudo].map(View::from);
        let on_cpu = found(&all, ints, View::from(&weights));
        for found in [on_cpu, Found { gan: None, fake: None, ..on_cpu }, on_cpu] {
            row(&Device::cpu(), found, classes, &mut want, &mut next);
        }
        for cuda in devices() {
            let device = Device::cuda(cuda.clone(), Precision::F32).unwrap();
            let (numbers, weights) = (up(&cuda, &numbers), up(&cuda, &weights));
            let ints = [&predicted, &labels, &pseudo].map(|x| up(&cuda, x));
            let all = parts(View::Device(numbers.slice()));
            let ints = [0, 1, 2].map(|i: usize| View::Device(Memory::slice(&ints[i])));
            let on_gpu = found(&all, ints, View::Device(weights.slice()));
            let (mut rows, mut next) = (up(&cuda, &vec![f32::NAN; 2 * columns]), up(&cuda, &[1]));
            for found in [on_gpu, Found { gan: None, fake: None, ..on_gpu }, on_gpu] {
                row(&device, found, classes, rows.slice_mut::<f32>(), next.slice_mut::<i32>());
            }
            assert_eq!(down::<i32>(&cuda, &next), [4]);
            for (i, (got, want)) in down::<f32>(&cuda, &rows).iter().zip(&want).enumerate() {
                assert!((got - want).abs() <= 1e-6 * (1.0 + n as f32), "column {}: {got}, {want}", i % columns);
            }
        }
    }
}
