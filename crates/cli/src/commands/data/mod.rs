//! `ecgan data`.

mod fetch;
mod inspect;

use clap::{Args, Subcommand};

/// Look at a data set, or download one
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct DataArgs {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  ecgan data inspect DIR --sheet classes.png
  ecgan data fetch svhn";

#[derive(Subcommand)]
enum Command {
    Inspect(inspect::InspectArgs),
    Fetch(fetch::FetchArgs),
}

/// What `--data` takes, for the help of commands that have it.
pub const FORMATS: &str = "\
A data folder is recognised by what is in it:
  DIR/train/<class>/* and DIR/test/<class>/*   PNG or JPEG images of up to 8192 pixels
                     a side, on white where they are transparent; with
                     DIR/val/<class>/* (or valid/, validation/), those images
                     validate; files of other names are passed over with a warning
  DIR/<class>/*      the same without a split: about a fifth of each class, always
                     the same one, is kept for the test
  SVHN               train_32x32.mat and test_32x32.mat
  CIFAR-10, -100     the binary version's .bin and .txt files, or the folder with them
  MNIST              train-images-idx3-ubyte and its like, gzipped or not
Nothing but the final test, --split test and all reads the test images. `ecgan data inspect`
shows what is there, `ecgan data fetch` downloads the published sets.";

/// Runs the command.
pub fn run(args: &DataArgs) -> anyhow::Result<()> {
    match &args.command {
        Command::Inspect(args) => inspect::run(args),
        Command::Fetch(args) => fetch::run(args),
    }
}
