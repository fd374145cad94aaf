//! `ecgan data fetch`.

use crate::bar::Bar;
use crate::output::{Output, program};
use crate::values::choice;
use clap::Args;
use ecgan::Error;
use ecgan::data::fetch::{Event, PublishedSet, fetch};
use ecgan::shell::quoted_path;
use std::path::PathBuf;
use std::time::Instant;

const BAR: &str = "{bar:24.cyan} {bytes}/{total_bytes} {bytes_per_sec} ETA {eta}";

/// Download a published data set from its publisher
#[derive(Args)]
#[command(after_help = AFTER_HELP)]
pub struct FetchArgs {
    /// Which one
    #[arg(value_name = "SET", value_parser = choice::<PublishedSet>())]
    set: PublishedSet,
    /// Where to [default: data/SET]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// A mirror: the address that the file names are appended to
    #[arg(long, value_name = "BASE")]
    url: Option<String>,
    /// Print nothing but warnings and errors
    #[arg(long)]
    quiet: bool,
    /// Print one JSON object on stdout; everything else goes to stderr
    #[arg(long)]
    json: bool,
}

const AFTER_HELP: &str = "\
svhn      Street View House Numbers, cropped digits, 246 MB; for non-commercial use only
cifar10   CIFAR-10, binary version, 170 MB
cifar100  CIFAR-100, binary version, 169 MB
mnist     MNIST, 12 MB

Stopped or cut off, the same command goes on where it was. A file gets its name once its
length and MD5 are those published (SVHN's and MNIST's publishers give no MD5: theirs are
the ones that torchvision checks).

Examples:
  ecgan data fetch mnist
  ecgan data fetch svhn --dir svhn
  ecgan data fetch cifar10 --url https://mirror.example/cifar";

/// Runs the command.
pub fn run(args: &FetchArgs) -> anyhow::Result<()> {
    let folder = args.dir.clone().unwrap_or_else(|| PathBuf::from("data").join(args.set.name()));
    if folder.to_str().is_none() {
        // Before the download, which nothing could be done with.
        let (expected, got) =
            ("a name that is UTF-8, as --data has to be".into(), folder.to_string_lossy().into_owned());
        return Err(Error::Setting { name: "dir", expected, got }.into());
    }
    let mut progress = Progress::new(args.quiet);
    let fetched = fetch(args.set, &folder, args.url.as_deref(), &mut |event| progress.show(&event));
    drop(progress);
    let fetched = fetched.map_err(Error::from)?;
    let output = Output::new(args.json, args.quiet);
    output.result(&fetched)?;
    let (train, test, classes) = (fetched.train, fetched.test, fetched.classes);
    output.line(format!("{}: {train} training and {test} test images of {classes} classes", fetched.format))?;
    let program = program();
    let data = quoted_path(&fetched.data);
    output.line(format!(
        "Try next\n    {program} data inspect {data}\n    {program} train --data {data} --per-class 100"
    ))?;
    Ok(())
}

/// Shows what happens.
struct Progress {
    quiet: bool,
    bar: Bar,
    total: u64,
}

impl Progress {
    fn new(quiet: bool) -> Self {
        Self { quiet, bar: Bar::none(), total: 0 }
    }

    /// A line in the place of the bar.
    fn say(&mut self, line: &str) {
        self.bar = Bar::none();
        if !self.quiet {
            self.bar.say(line);
        }
    }

    fn show(&mut self, event: &Event) {
        match event {
            Event::Already(path) => self.say(&format!("{} is there", path.display())),
            Event::Begun { url, done, total } => {
                let from = if *done > 0 { format!(", from byte {done} on") } else { String::new() };
                self.say(&format!("{url}: {:.1} MB{from}", *total as f64 / 1e6));
                self.total = *total;
                if !self.quiet {
                    self.bar = Bar::new(BAR, *done, *total, Instant::now());
                }
            }
            Event::Arrived(done) => {
                if let Some(bar) = self.bar.shown() {
                    bar.set_position(*done);
                } else if self.bar.due() {
                    self.say(&format!("{:.1} of {:.1} MB", *done as f64 / 1e6, self.total as f64 / 1e6));
                }
            }
            Event::Again { reason, pause } => {
                self.say(&format!("{reason}; again in {:.0} s", pause.as_secs_f64()));
            }
            Event::Unpacking(path) => self.say(&format!("unpacking {}", path.display())),
            Event::Checking(path) => self.say(&format!("reading {}", path.display())),
        }
    }
}
