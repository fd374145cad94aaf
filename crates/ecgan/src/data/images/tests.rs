use super::super::fit::Raw;
use super::*;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

const GREY: Format = Format { size: 32, channels: 1 };

/// Image `i` is filled with `i`; image `bad` cannot be decoded.
struct Flat {
    labels: Vec<i32>,
    bad: usize,
    decoded: AtomicUsize,
}

impl Listing for Flat {
    fn labels(&self) -> &[i32] {
        &self.labels
    }

    fn name(&self, index: usize) -> String {
        index.to_string()
    }

    fn stored(&self, index: usize) -> Result<Raw<'_>, DataError> {
        self.decoded.fetch_add(1, Ordering::Relaxed);
        if index >= self.bad {
            return Err(DataError::unfit(index.to_string().as_ref(), "damaged", "a whole one"));
        }
        Ok(Raw::new(vec![index as u8], 1, 1, 1))
    }
}

fn flat(n: usize, bad: usize) -> Arc<Flat> {
    Arc::new(Flat { labels: (0..n as i32).collect(), bad, decoded: AtomicUsize::new(0) })
}

fn streamed(listing: &Arc<Flat>) -> Images {
    Images::read(Chosen::all(listing.clone()), GREY, 0).unwrap()
}

fn values(bytes: &[u8]) -> Vec<u8> {
    bytes.chunks(GREY.bytes()).map(|image| image[0]).collect()
}

#[test]
fn streamed_images_are_those_held() {
    let listing = flat(50, 50);
    let streamed = streamed(&listing);
    assert!(streamed.pixels().is_none());
    let held = Images::read(Chosen::all(listing.clone()), GREY, 50 * GREY.bytes()).unwrap();
    assert_eq!(held.pixels().unwrap().len(), 50 * GREY.bytes());
    assert_eq!(streamed.labels, held.labels);
    let order: Vec<usize> = (0..50).map(|i| i * 7 % 50).collect();
    streamed.read_ahead(&order, 8);
    for batch in order.chunks(8) {
        assert_eq!(streamed.batch(batch).unwrap(), held.batch(batch).unwrap());
        assert_eq!(values(&held.batch(batch).unwrap()), batch.iter().map(|&i| i as u8).collect::<Vec<_>>());
    }
    // Without announcement, or with another one, the same.
    assert_eq!(streamed.batch(&[3, 1]).unwrap(), held.batch(&[3, 1]).unwrap());
    streamed.read_ahead(&[0, 1, 2, 3], 2);
    assert_eq!(values(&streamed.batch(&[2, 3]).unwrap()), [2, 3]);
    assert_eq!(values(&streamed.batch(&[0, 1]).unwrap()), [0, 1]);
    assert_eq!(streamed.batch(&[9]).unwrap(), held.batch(&[9]).unwrap());
}

/// Threads stop a few batches ahead of whoever takes them, however many there are.
#[test]
fn the_queue_is_bounded() {
    let listing = flat(10_000, 10_000);
    let images = streamed(&listing);
    let order: Vec<usize> = (0..10_000).collect();
    images.read_ahead(&order, 10);
    let most = 10 * 2 * rayon::current_num_threads().min(16);
    let until = Instant::now() + Duration::from_secs(10);
    while listing.decoded.load(Ordering::Relaxed) < most && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(1));
    }
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(listing.decoded.load(Ordering::Relaxed), most);
    images.batch(&order[..10]).unwrap();
    drop(images);
    assert!(listing.decoded.load(Ordering::Relaxed) <= most + 10);
}

#[test]
fn a_damaged_image_is_an_error_of_its_batch_alone() {
    let images = streamed(&flat(30, 25));
    let order: Vec<usize> = (0..30).collect();
    images.read_ahead(&order, 10);
    assert!(images.batch(&order[..10]).is_ok() && images.batch(&order[10..20]).is_ok());
    let message = images.batch(&order[20..]).unwrap_err().to_string();
    assert!(message.starts_with("25: damaged"), "the first of them: {message}");
    assert!(images.batch(&order[..10]).is_ok());
    let held = Images::read(Chosen::all(flat(30, 25)), GREY, usize::MAX).unwrap_err().to_string();
    assert_eq!(held, message);
}

/// A thread that panics ends the others too; the one who waits meets the same panic, and everything else is decoded
/// whole, with a queue that is full long before the batch that never comes.
#[test]
fn a_panic_is_not_waited_for() {
    struct Panics(Vec<i32>);
    impl Listing for Panics {
        fn labels(&self) -> &[i32] {
            &self.0
        }

        fn name(&self, index: usize) -> String {
            index.to_string()
        }

        fn stored(&self, index: usize) -> Result<Raw<'_>, DataError> {
            // So that several threads are at work when it happens.
            std::thread::sleep(Duration::from_millis(1));
            assert_ne!(index, 27, "as a decoder may");
            Ok(Raw::new(vec![index as u8], 1, 1, 1))
        }
    }
    let batches = |first: usize, size: usize| {
        let (sender, receiver) = mpsc::channel();
        std::thread::spawn(move || {
            let images = Images::read(Chosen::all(Arc::new(Panics(vec![0; 277]))), GREY, 0).unwrap();
            let order: Vec<usize> = (first..277).collect();
            let pool = rayon::ThreadPoolBuilder::new().num_threads(4).build().unwrap();
            pool.install(|| images.read_ahead(&order, size));
            for batch in order.chunks(size) {
                let bytes = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| images.batch(batch)));
                sender.send((batch.to_vec(), bytes.ok().map(|bytes| values(&bytes.unwrap())))).unwrap();
            }
        });
        let mut met = 0;
        for _ in (first..277).step_by(size) {
            let (batch, found) = receiver.recv_timeout(Duration::from_secs(60)).expect("nobody waits for ever");
            let wanted = batch.iter().map(|&index| index as u8).collect::<Vec<_>>();
            let panics = batch.contains(&27);
            assert_eq!(found, (!panics).then_some(wanted), "{batch:?}");
            met += usize::from(panics);
        }
        assert_eq!(met, 1);
    };
    batches(27, 5); // 50 batches, the first of which panics
    batches(0, 5);
}
