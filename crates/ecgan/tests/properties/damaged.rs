//! Files cut at every length, with each byte changed, and of noise: every reader reads or refuses them. And what the
//! fuzzer (`tools/fuzz`) has found.

use ecgan::ErrorKind;
use ecgan::checkpoint::Checkpoint;
use ecgan::data::{Format, Source, SyntheticOptions, read_image};
use ecgan::settings::{Partial, Settings};
use image::{DynamicImage, ImageFormat, Rgb, RgbImage};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, serialize};
use std::collections::HashMap;
use std::fs;
use std::io::Cursor;
use std::path::Path;
use tensor::Device;

const RGB: Format = Format { size: 32, channels: 3 };

/// Gives `read` a file of each of the many ways to damage `whole`; how many of them it accepts.
fn damaged(whole: &[u8], read: impl Fn(&Path) -> bool) -> usize {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("file");
    let accepted = |bytes: &[u8]| {
        fs::write(&path, bytes).expect("written");
        read(&path)
    };
    assert!(accepted(whole), "the file as it was");
    let mut count = (0..whole.len()).filter(|&length| accepted(&whole[..length])).count();
    for i in 0..whole.len() {
        for change in [1, 0x80, 0xFF] {
            let mut bytes = whole.to_vec();
            bytes[i] ^= change;
            count += usize::from(accepted(&bytes));
        }
    }
    let mut state = 1u32;
    for length in 0..200 {
        let noise = (0..length).map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        });
        // Noise in place of the end, so that the beginning still says what it is.
        let kept = &whole[..whole.len() * (length % 4) / 4];
        count += usize::from(accepted(&[kept, &noise.collect::<Vec<u8>>()].concat()));
    }
    count
}

#[test]
fn images() {
    let picture: DynamicImage = RgbImage::from_fn(7, 9, |x, y| Rgb([(x * 37) as u8, (y * 20) as u8, 90])).into();
    for picture in [picture.clone(), picture.to_luma8().into()] {
        for kind in [ImageFormat::Png, ImageFormat::Jpeg] {
            let mut whole = Cursor::new(Vec::new());
            picture.write_to(&mut whole, kind).expect("into memory");
            let whole = whole.into_inner();
            let accepted =
                damaged(&whole, |path| read_image(path, RGB).is_ok_and(|pixels| pixels.len() == RGB.bytes()));
            // A PNG has checksums.
            assert!(kind == ImageFormat::Jpeg || accepted < whole.len(), "{kind:?}: {accepted} of {}", whole.len());
        }
    }
}

#[test]
fn settings_files() {
    let whole = Settings::resolve(Partial::default()).expect("defaults").to_toml();
    damaged(whole.as_bytes(), |path| match Partial::from_file(path).and_then(Settings::resolve) {
        Ok(settings) => survives(&settings),
        Err(error) => {
            assert!(matches!(error.kind(), ErrorKind::Usage | ErrorKind::Data | ErrorKind::Device), "{error:?}");
            false
        }
    });
}

/// Whether `config.toml` gives the same settings.
fn survives(settings: &Settings) -> bool {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("config.toml");
    fs::write(&path, settings.to_toml()).expect("written");
    let again = Partial::from_file(&path).and_then(Settings::resolve).expect("ours reads back");
    assert_eq!(again, Settings { out: None, ..settings.clone() });
    true
}

#[test]
fn any_number_is_refused_or_survives_its_file() {
    let integers: [fn(&mut Partial, usize); 10] = [
        |p, n| p.samples = Some(n),
        |p, n| p.per_class = Some(n),
        |p, n| p.epochs = Some(n),
        |p, n| p.max_steps = Some(n),
        |p, n| p.batch = Some(n),
        |p, n| p.width = Some(n),
        |p, n| p.image_size = Some(n),
        |p, n| p.seed = Some(n as u64),
        |p, n| p.threads = Some(n),
        |p, n| p.memory_limit = Some(n),
    ];
    let reals: [fn(&mut Partial, f64); 7] = [
        |p, x| p.fraction = Some(x),
        |p, x| p.val_fraction = Some(x),
        |p, x| p.lambda = Some(x),
        |p, x| p.threshold = Some(x),
        |p, x| p.lr = Some(x),
        |p, x| p.lr_c = Some(x),
        |p, x| p.weight_decay = Some(x),
    ];
    let mut given = Vec::new();
    for n in [0, 1, 32, 65_537, i64::MAX as usize, i64::MAX as usize + 1, usize::MAX] {
        given.extend(integers.map(|set| {
            let mut partial = Partial::default();
            set(&mut partial, n);
            partial
        }));
    }
    for x in [-0.0, 5e-324, 0.5, 1.0, 1e308, -1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        given.extend(reals.map(|set| {
            let mut partial = Partial::default();
            set(&mut partial, x);
            partial
        }));
    }
    let resolved: Vec<Settings> = given.into_iter().filter_map(|partial| Settings::resolve(partial).ok()).collect();
    assert!(resolved.iter().all(survives) && resolved.len() > 40, "{} resolved", resolved.len());
}

#[test]
fn checkpoints() {
    let meta = r#"{"format":1,"width":1,"image_size":32,"channels":3,"classes":["a"],"config":""}"#;
    let bytes = [0; 12];
    let count = TensorView::new(Dtype::I64, Vec::new(), &bytes[..8]).expect("eight bytes");
    let real = TensorView::new(Dtype::F32, vec![3], &bytes).expect("twelve bytes");
    let metadata = HashMap::from([("ecgan".to_owned(), meta.to_owned())]);
    let whole = serialize([("state.step", count), ("classifier.x", real)], Some(metadata)).expect("serialises");
    damaged(&whole, |path| match Checkpoint::read(path) {
        Ok(read) => {
            assert!(read.classifier(&Device::cpu()).is_err() && read.generator(&Device::cpu()).is_err());
            true
        }
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Data, "{error}");
            false
        }
    });
}

#[test]
fn mat_files() {
    let data = tempfile::tempdir().expect("a temporary folder");
    let file = data.path().join("train_32x32.mat");
    fs::write(data.path().join("test_32x32.mat"), "").expect("written");
    fs::write(&file, "").expect("written");
    let options = SyntheticOptions { seed: 0, train: 10, test: 10 };
    let source = Source::open(data.path().to_str().expect("plain"), &options).expect("both files are there");
    // Values of 32 x 32 x 3 would make it long; the reader's own tests have them.
    let mut whole = vec![b' '; 124];
    whole.extend(*b"\x00\x01IM");
    whole.extend([14u32, 56, 6, 8, 9, 0, 5, 8, 1, 1].map(u32::to_le_bytes).concat());
    whole.extend([0x0001_0001u32, u32::from(b'y'), 0x0001_0002, 1].map(u32::to_le_bytes).concat());
    let refused = |path: &Path| {
        fs::copy(path, &file).expect("copied");
        source.read_train(RGB).is_err_and(|error| !error.to_string().is_empty())
    };
    let (cut, changed, noise) = (whole.len(), 3 * whole.len(), 200);
    assert_eq!(damaged(&whole, refused), cut + changed + noise, "none has both arrays");
}

/// A palette that ends within a colour: the decoder panics on it.
#[test]
fn found_a_palette_that_ends_within_a_colour() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("palette.png");
    fs::write(&path, include_bytes!("found/palette.png")).expect("written");
    let message = read_image(&path, RGB).unwrap_err().to_string();
    assert!(message.contains("palette.png: a palette that ends within a colour"), "{message}");
}

/// A JPEG whose blocks go beyond what the decoder has room for: it panics.
#[test]
fn found_a_jpeg_with_blocks_beyond_its_rows() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("blocks.jpg");
    fs::write(&path, include_bytes!("found/blocks.jpg")).expect("written");
    let message = read_image(&path, RGB).unwrap_err().to_string();
    assert!(message.contains("blocks.jpg: damage that its decoder does not expect"), "{message}");
}

/// A JPEG on which a sum of the decoder overflows: it panics where sums are checked, as here, and wraps elsewhere.
#[test]
fn found_a_jpeg_whose_sums_overflow() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("sums.jpg");
    fs::write(&path, include_bytes!("found/sums.jpg")).expect("written");
    let read = read_image(&path, RGB);
    assert!(read.is_ok() || read.is_err_and(|error| error.to_string().contains("damage that its decoder")));
}
