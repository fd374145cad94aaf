//! What is published where, and how long it is.
//!
//! MD5 sums: CIFAR's are on its publisher's page; those of SVHN and MNIST are the ones that torchvision checks.

use crate::data::cifar::{CIFAR_10, CIFAR_100, Version};
use crate::settings::choice;

choice! {
    /// A data set that can be fetched.
    PublishedSet {
        /// Street View House Numbers, cropped digits (Netzer et al. 2011); for non-commercial use only.
        Svhn = "svhn",
        /// CIFAR-10 (Krizhevsky 2009).
        Cifar10 = "cifar10",
        /// CIFAR-100 (Krizhevsky 2009).
        Cifar100 = "cifar100",
        /// MNIST (LeCun et al. 1998).
        Mnist = "mnist",
    }
}

/// Where a data set's files are, and which.
pub struct Published {
    pub base: String,
    pub files: Vec<File>,
}

/// A file as published.
pub struct File {
    pub name: String,
    pub bytes: u64,
    /// MD5 in hexadecimal.
    pub md5: String,
    /// What it unpacks to.
    pub archive: Option<Archive>,
}

/// A `.tar.gz` of a folder of files.
pub struct Archive {
    pub folder: String,
    /// The files that are taken out of it.
    pub files: Vec<String>,
}

impl PublishedSet {
    pub(super) fn published(self) -> Published {
        let (base, files) = match self {
            Self::Svhn => ("http://ufldl.stanford.edu/housenumbers", svhn()),
            Self::Cifar10 => ("https://www.cs.toronto.edu/~kriz", vec![cifar_10()]),
            Self::Cifar100 => ("https://www.cs.toronto.edu/~kriz", vec![cifar_100()]),
            Self::Mnist => ("https://ossci-datasets.s3.amazonaws.com/mnist", mnist()),
        };
        Published { base: base.into(), files }
    }
}

fn file(name: &str, bytes: u64, md5: &str) -> File {
    File { name: name.into(), bytes, md5: md5.into(), archive: None }
}

fn svhn() -> Vec<File> {
    vec![
        file("train_32x32.mat", 182_040_794, "e26dedcc434d2e4c54c9b2d4a06d8373"),
        file("test_32x32.mat", 64_275_384, "eb5a983be6a315427106f1b164d9cef3"),
    ]
}

fn mnist() -> Vec<File> {
    vec![
        file("train-images-idx3-ubyte.gz", 9_912_422, "f68b3c2dcbeaaa9fbdd348bbdeb94873"),
        file("train-labels-idx1-ubyte.gz", 28_881, "d53e105ee54ea40749a09fcbcd1e9432"),
        file("t10k-images-idx3-ubyte.gz", 1_648_877, "9fb629c4189551a2d022fa330f9573f3"),
        file("t10k-labels-idx1-ubyte.gz", 4_542, "ec29112dd5afa0611ce80d1b7f02629c"),
    ]
}

fn cifar(version: &Version, name: &str, bytes: u64, md5: &str) -> File {
    let files = version.files().map(ToOwned::to_owned).collect();
    File { archive: Some(Archive { folder: version.subfolder.into(), files }), ..file(name, bytes, md5) }
}

fn cifar_10() -> File {
    cifar(&CIFAR_10, "cifar-10-binary.tar.gz", 170_052_171, "c32a1d4ab5d03f1284b67883e8d87530")
}

fn cifar_100() -> File {
    cifar(&CIFAR_100, "cifar-100-binary.tar.gz", 168_513_733, "03b5dce01913d631647c71ecec9e9cb8")
}
