//! A bar on a terminal; elsewhere, and on one that cannot move its cursor, a line now and then. All of it on stderr.

use crate::output::tell;
use ecgan::printable::printable_text;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::time::{Duration, Instant};

/// How often a line tells how far it is, where there is no bar.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// How far some work is; what is shown is gone with this.
pub struct Bar {
    bar: Option<ProgressBar>,
    last_line: Instant,
}

impl Bar {
    /// A bar of this template, a constant one, for work that began then.
    pub fn new(template: &str, done: u64, total: u64, began: Instant) -> Self {
        let style = ProgressStyle::with_template(template).expect("a constant template").progress_chars("=> ");
        let bar = || ProgressBar::new(total).with_position(done).with_style(style).with_elapsed(began.elapsed());
        Self { bar: std::io::stderr().is_terminal().then(bar).filter(|bar| !bar.is_hidden()), last_line: began }
    }

    /// None yet, or none at all.
    pub fn none() -> Self {
        Self { bar: None, last_line: Instant::now() }
    }

    /// The bar, where there is one.
    pub fn shown(&self) -> Option<&ProgressBar> {
        self.bar.as_ref()
    }

    /// A line, above the bar.
    pub fn say(&mut self, line: &str) {
        match &self.bar {
            Some(bar) => bar.println(printable_text(line)),
            None => tell(line),
        }
        self.last_line = Instant::now();
    }

    /// Whether it is time for a line, as there is no bar.
    pub fn due(&self) -> bool {
        self.bar.is_none() && self.last_line.elapsed() >= LINE_EVERY
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
