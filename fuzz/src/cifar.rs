//! CIFAR's binary files: class names and a batch, any bytes; and of CIFAR-100 alike.

use crate::svhn::format;
use crate::{piece, pieces, sources};

const HUNDRED: u8 = 4;

/// The first byte is the format and which of the two data sets; then class names, first bytes of a record, and the
/// byte that fills the rest of it, in pieces.
pub fn read(data: &[u8]) {
    let Some((&flags, data)) = data.split_first() else { return };
    let pieces = pieces(data);
    let [names, records @ ..] = &pieces[..] else { return };
    let hundred = flags & HUNDRED != 0;
    let whole = 3073 + usize::from(hundred);
    let mut batch = Vec::new();
    for record in records {
        batch.extend_from_slice(record);
        // A record of one byte is left as it is, so that not every length fits.
        if record.len() != 1 {
            batch.resize(batch.len().next_multiple_of(whole), record.last().copied().unwrap_or(0));
        }
    }
    let files: Vec<(String, Vec<u8>)> = if hundred {
        vec![("train.bin".into(), batch), ("fine_label_names.txt".into(), names.to_vec())]
    } else {
        let batches = (1..=5).map(|i| (format!("data_batch_{i}.bin"), batch.clone()));
        batches.chain([("batches.meta.txt".into(), names.to_vec())]).collect()
    };
    let (name, classes) = if hundred { ("cifar100", 100) } else { ("cifar10", 10) };
    sources::read(name, &files, format(flags), classes);
}

pub fn seeds() -> Vec<Vec<u8>> {
    let names = |n: usize| (0..n).map(|i| format!("class {i}\n")).collect::<String>();
    let [ten, hundred] = [10, 100].map(|n| piece(names(n).as_bytes()));
    vec![
        [&[0], &ten[..], &piece(&[3, 7, 8])].concat(),
        [&[3], &ten[..], &piece(&[9, 7]), &piece(&[0, 1])].concat(),
        [&[HUNDRED], &hundred[..], &piece(&[1, 99, 5])].concat(),
    ]
}
