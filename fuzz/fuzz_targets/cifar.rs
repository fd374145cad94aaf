#![no_main]

use ecgan_fuzz::cifar::{read, seeds};
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: ecgan_fuzz::begin(seeds), |data: &[u8]| read(data));
