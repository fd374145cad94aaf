//! Images with the CPU's bits.

use crate::common::{assert_close, assert_stores, device, devices, down, normal, up, wide};
use kernels::augment::{Pixels, crop_and_rotate, normalise, words};
use kernels::diff_augment::{self, DRAWN, DiffAugment};
use kernels::philox::Philox;
use kernels::{Device, Store, view::View};

/// A number of two words, to which a batch of three or more carries.
const CARRY: u64 = (7 << 32) - 2;

/// Size, channels, images and first sample. Sizes that the float4 of a thread do and do not divide, of less than a block
/// and of several. Samples 70,365 and 132,304 have pixels at a border: a fused multiply-add, or a sine or cosine off by a
/// bit, takes them from elsewhere.
const SHAPES: [(usize, usize, i32, u64); 8] = [
    (8, 1, 3, CARRY),
    (8, 3, 64, CARRY),
    (9, 3, 7, CARRY),
    (28, 1, 17, CARRY),
    (32, 3, 5, 70_365),
    (33, 2, 1, CARRY),
    (64, 1, 4, CARRY),
    (64, 3, 9, 132_304),
];

#[test]
fn images_have_the_bits_of_the_cpu() {
    let cpu = Device::cpu();
    for (size, channels, n, first) in SHAPES {
        let pixels = Pixels { size, channels };
        let mut random = Philox::new(3, size as u64);
        let images: Vec<u8> = (0..4 * pixels.bytes()).map(|_| random.next_u32() as u8).collect();
        let indices: Vec<i32> = (0..n).map(|k| (k * 3 + 1) % 4).collect();
        // Keys of two words.
        let stream = Philox::new(11 | 3 << 40, 4 | 9 << 32);
        let first = words(first);
        let mut want = [(); 3].map(|()| vec![f32::NAN; indices.len() * pixels.bytes()]);
        normalise(&cpu, pixels, &images, &indices, &mut want[0]);
        for flip in [false, true] {
            crop_and_rotate(&cpu, pixels, flip, &stream, &first, &images, &indices, &mut want[1 + usize::from(flip)]);
        }
        // On a device also from an address that no word can be read at, into one that no float4 can be written at.
        for (cuda, skip) in devices().into_iter().flat_map(|cuda| [0, 1].map(|skip| (cuda.clone(), skip))) {
            let (device, shifted) = (device(&cuda), [&vec![0; skip], &images[..]].concat());
            let (images, indices, first) = (up(&cuda, &shifted), up(&cuda, &indices), up(&cuda, &first));
            let (images, indices) = (View::Device(images.slice().slice(skip..)), indices.slice::<i32>());
            for (i, want) in want.iter().enumerate() {
                let mut got = up(&cuda, &vec![f32::NAN; want.len() + skip]);
                let out = got.slice_mut::<f32>().slice(skip..);
                match i {
                    0 => normalise(&device, pixels, images, indices, out),
                    _ => crop_and_rotate(&device, pixels, i == 2, &stream, first.slice::<i32>(), images, indices, out),
                }
                let got = down::<f32>(&cuda, &got);
                let bits = |x: &[f32]| x.iter().map(|x| x.to_bits()).collect::<Vec<u32>>();
                assert!(bits(&got[skip..]) == bits(want), "{i} of {pixels:?}, {n} from {skip} on {cuda:?}");
                assert!(got[..skip].iter().all(|x| x.is_nan()), "written before the start");
            }
        }
    }
}

#[test]
fn differentiable_augmentation_matches() {
    for (cuda, (h, w, c)) in
        devices().into_iter().flat_map(|cuda| [(32, 32, 3), (8, 16, 1), (64, 64, 3)].map(|shape| (cuda.clone(), shape)))
    {
        for parts in [0, 1, 2, 4, 7] {
            let [colour, translation, cutout] = [1, 2, 4].map(|bit| parts & bit != 0);
            let g = DiffAugment { n: 3, h, w, c, colour, translation, cutout };
            let size = 3 * h * w * c;
            // Multiples of 1/64, so that f32 and f64 draw the same.
            let drawn: Vec<f32> = (0..3 * DRAWN).map(|i| (i * 37 % 64) as f32 / 64.0).collect();
            let (x, dy) = (normal(1, size), normal(2, size));
            let (mut y64, mut dx64) = (vec![0.0; size], vec![0.0; size]);
            diff_augment::forward(&Device::cpu(), &g, &wide(&x), &wide(&drawn), &mut y64);
            diff_augment::backward(&Device::cpu(), &g, &wide(&dy), &wide(&drawn), &mut dx64, Store::Set);
            let (x, dy, drawn) = (up(&cuda, &x), up(&cuda, &dy), up(&cuda, &drawn));
            let mut y = up(&cuda, &vec![f32::NAN; size]);
            diff_augment::cuda::forward(&cuda, &g, x.slice(), drawn.slice(), y.slice_mut());
            assert_close("y", 8.0, &down(&cuda, &y), &y64);
            assert_stores(&cuda, "dx", 8.0, &dx64, |dx, store| {
                diff_augment::cuda::backward(&cuda, &g, dy.slice(), drawn.slice(), dx.slice_mut(), store);
            });
        }
    }
}
