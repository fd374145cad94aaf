//! Images with the CPU's bits.

use crate::common::{devices, down, up};
use kernels::augment::{Pixels, crop_and_rotate, normalise, words};
use kernels::cuda::Precision;
use kernels::philox::Philox;
use kernels::view::View;
use kernels::{Device, view::ViewMut};

#[test]
fn images_have_the_bits_of_the_cpu() {
    for (size, channels, n) in [(8, 1, 3), (32, 3, 5), (64, 3, 2), (33, 2, 1)] {
        let pixels = Pixels { size, channels };
        let mut random = Philox::new(3, size as u64);
        let images: Vec<u8> = (0..4 * pixels.bytes()).map(|_| random.next_u32() as u8).collect();
        let indices: Vec<i32> = (0..n).map(|k| (k * 3 + 1) % 4).collect();
        let stream = Philox::new(11, 4);
        let first = words((7u64 << 32) - 2);
        let mut want = [(); 2].map(|()| vec![f32::NAN; indices.len() * pixels.bytes()]);
        let cpu = Device::cpu();
        normalise(&cpu, pixels, &images, &indices, &mut want[0]);
        crop_and_rotate(&cpu, pixels, &stream, &first, &images, &indices, &mut want[1]);
        for cuda in devices() {
            let device = Device::cuda(cuda.clone(), Precision::F32).unwrap();
            let (images, indices, first) = (up(&cuda, &images), up(&cuda, &indices), up(&cuda, &first));
            let images = || View::Device(images.slice::<u8>());
            let indices = || View::Device(indices.slice::<i32>());
            for (i, want) in want.iter().enumerate() {
                let mut got = up(&cuda, &vec![f32::NAN; want.len()]);
                let out = ViewMut::Device(got.slice_mut::<f32>());
                match i {
                    0 => normalise(&device, pixels, images(), indices(), out),
                    _ => crop_and_rotate(&device, pixels, &stream, first.slice::<i32>(), images(), indices(), out),
                }
                let got = down::<f32>(&cuda, &got);
                assert!(
                    got.iter().map(|x| x.to_bits()).eq(want.iter().map(|x| x.to_bits())),
                    "{i} of {pixels:?} on {cuda:?}"
                );
            }
        }
    }
}
