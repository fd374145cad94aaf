#![no_main]

use ecgan_fuzz::idx::{read, seeds};
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: ecgan_fuzz::begin(seeds), |data: &[u8]| read(data));
