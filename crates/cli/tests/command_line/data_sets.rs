//! Data sets as users have them, written into a folder of a test.

use image::{DynamicImage, GrayImage, Luma, Rgb, RgbImage};
use std::fs;
use std::path::Path;

/// Three classes with 6 training and 3 test images each: PNG and JPEG, grey and colour, no two of one size.
pub fn pets(folder: &Path) {
    for (part, n) in [("train", 6), ("test", 3)] {
        for (class, name) in ["cat", "dog", "fish"].into_iter().enumerate() {
            let class_folder = folder.join(part).join(name);
            fs::create_dir_all(&class_folder).unwrap();
            for i in 0..n {
                let extension = ["png", "jpg", "jpeg"][i % 3];
                picture(class, i).save(class_folder.join(format!("{i}.{extension}"))).unwrap();
            }
        }
    }
}

/// Image `i` of a class: stripes, every other image grey.
fn picture(class: usize, i: usize) -> DynamicImage {
    let (width, height) = (5 + 13 * i as u32 + class as u32, 40 - 7 * i as u32);
    let value = |x: u32, y: u32| ((x * (class as u32 + 1) * 16 + y * 3 + i as u32 * 20) % 256) as u8;
    if i.is_multiple_of(2) {
        RgbImage::from_fn(width, height, |x, y| Rgb([value(x, y), value(y, x), 90])).into()
    } else {
        GrayImage::from_fn(width, height, |x, y| Luma([value(x, y)])).into()
    }
}

/// SVHN's two files, with two training images and one test image of each digit.
pub fn house_numbers(folder: &Path) {
    fs::create_dir_all(folder).unwrap();
    for (part, n) in [("train", 20), ("test", 10)] {
        fs::write(folder.join(format!("{part}_32x32.mat")), mat(n, n as i32)).unwrap();
    }
}

/// A pair of MNIST's files with `n` digits in turn; `part` is `train` or `t10k`.
pub fn idx(folder: &Path, part: &str, n: usize) {
    fs::create_dir_all(folder).unwrap();
    let words = |words: &[u32]| words.iter().flat_map(|word| word.to_be_bytes()).collect::<Vec<u8>>();
    let pixels = (0..n * 784).map(|i| (i / 784 * 25 + i % 28 * 7) as u8);
    let images: Vec<u8> = words(&[0x803, n as u32, 28, 28]).into_iter().chain(pixels).collect();
    let labels: Vec<u8> = words(&[0x801, n as u32]).into_iter().chain((0..n).map(|i| (i % 10) as u8)).collect();
    fs::write(folder.join(format!("{part}-images-idx3-ubyte")), images).unwrap();
    fs::write(folder.join(format!("{part}-labels-idx1-ubyte")), labels).unwrap();
}

/// A MAT-file (MATLAB 5, not compressed) of `n` digits 1 to 10 in turn; its `X` claims to hold `claimed` of them.
pub fn mat(n: usize, claimed: i32) -> Vec<u8> {
    let labels: Vec<u8> = (0..n).map(|i| (i % 10 + 1) as u8).collect();
    let pixels: Vec<u8> = (0..n * 3072).map(|i| (i / 3072 * 25 + i % 32 * 4) as u8).collect();
    let mut file = vec![b' '; 124];
    file.extend(*b"\x00\x01IM");
    file.extend(array("X", &[32, 32, 3, claimed], &pixels));
    file.extend(array("y", &[n as i32, 1], &labels));
    file
}

/// An array of uint8.
fn array(name: &str, dims: &[i32], values: &[u8]) -> Vec<u8> {
    let dims: Vec<u8> = dims.iter().flat_map(|d| d.to_le_bytes()).collect();
    let flags = [9, 0, 0, 0, 0, 0, 0, 0];
    element(14, &[element(6, &flags), element(5, &dims), element(1, name.as_bytes()), element(2, values)].concat())
}

fn element(kind: u32, data: &[u8]) -> Vec<u8> {
    let mut bytes = [kind.to_le_bytes(), (data.len() as u32).to_le_bytes()].concat();
    bytes.extend(data);
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    bytes
}
