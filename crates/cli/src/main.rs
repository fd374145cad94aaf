//! The `ecgan` command line.
fn main() {}
