//! Filling: constants, and random numbers with exactly the CPU's bits.

use crate::common::{LENGTHS, devices, down, up};
use kernels::philox::Philox;
use kernels::{Device, fill};

#[test]
fn random_numbers_have_the_bits_of_the_cpu() {
    let cpu = Device::cpu();
    // Within block 1, a position beyond 32 bits, and a seed and stream that use both words.
    let starts = [Philox::new(11, 4).at(6), Philox::new(u64::MAX - 5, 5 | 7 << 32).at((1 << 34) + 3)];
    for (cuda, n) in devices().into_iter().flat_map(|cuda| LENGTHS.map(|n| (cuda.clone(), n))) {
        for start in starts {
            let (mut philox, mut want) = (start, [vec![0.0f32; n], vec![0.0f32; n]]);
            fill::uniform(&cpu, &mut philox, -0.1, 1.7, &mut want[0]);
            fill::normal(&cpu, &mut philox, 0.3, 1.7, &mut want[1]);

            let mut stream = up(&cuda, &fill::cuda::stream(&start));
            let mut out = [(); 2].map(|()| up(&cuda, &vec![f32::NAN; n]));
            fill::cuda::uniform(&cuda, stream.slice(), -0.1, 1.7, out[0].slice_mut());
            fill::cuda::advance(&cuda, stream.slice_mut(), n);
            fill::cuda::normal(&cuda, stream.slice(), 0.3, 1.7, out[1].slice_mut());
            fill::cuda::advance(&cuda, stream.slice_mut(), n);

            assert_eq!(down::<i32>(&cuda, &stream), fill::cuda::stream(&philox));
            for (what, (got, want)) in ["uniform", "normal"].iter().zip(out.iter().zip(&want)) {
                let got = down::<f32>(&cuda, got);
                let differing = got.iter().zip(want).position(|(got, want)| got.to_bits() != want.to_bits());
                assert_eq!(differing.map(|i| (i, got[i], want[i])), None, "{what} of {n} on {cuda:?}");
            }
        }
    }
}

#[test]
fn many_normals_have_the_bits_of_the_cpu() {
    for cuda in devices().into_iter().rev().take(1) {
        let (n, mut philox) = (200_000, Philox::new(5, 9));
        let (stream, mut out) = (up(&cuda, &fill::cuda::stream(&philox)), up(&cuda, &vec![f32::NAN; n]));
        fill::cuda::normal(&cuda, stream.slice(), 0.0, 1.0, out.slice_mut());
        let mut want = vec![0.0f32; n];
        fill::normal(&Device::cpu(), &mut philox, 0.0, 1.0, &mut want);
        assert!(down::<f32>(&cuda, &out) == want);
    }
}

#[test]
fn constants_are_those_bits() {
    for (cuda, n) in devices().into_iter().flat_map(|cuda| LENGTHS.map(|n| (cuda.clone(), n))) {
        let (mut x, mut labels) = (up(&cuda, &vec![f32::NAN; n]), up(&cuda, &vec![7i32; n]));
        fill::cuda::constant(&cuda, 0.25f32, x.slice_mut());
        fill::cuda::constant(&cuda, -3i32, labels.slice_mut());
        assert_eq!(down::<f32>(&cuda, &x), vec![0.25; n]);
        assert_eq!(down::<i32>(&cuda, &labels), vec![-3; n]);
    }
}
