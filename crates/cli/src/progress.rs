//! What training and other long work show while they run: a bar on a terminal, plain lines elsewhere, both on stderr.

use crate::bar::Bar;
use crate::interrupt;
use crate::output::{many, warn};
use ecgan::duration::duration;
use ecgan::metrics::{EpochMetrics, Observer, Started, StepMetrics};
use std::time::{Duration, Instant};

/// Columns of the bar itself, and of one on a narrow terminal.
const BAR: usize = 24;
const NARROW_BAR: usize = 8;
/// Columns from which a terminal is not narrow.
const WIDE: usize = 60;

/// Shows a run's progress.
pub struct Progress {
    quiet: bool,
    bar: Bar,
    /// Columns of the bar and the space after it.
    bar_columns: usize,
    run: Option<Started>,
    began: Instant,
    epoch_began: Instant,
    epoch_steps: u64,
}

impl Progress {
    /// With `quiet`, only warnings are shown.
    pub fn new(quiet: bool) -> Self {
        let now = Instant::now();
        Self { quiet, bar: Bar::none(), bar_columns: 0, run: None, began: now, epoch_began: now, epoch_steps: 0 }
    }

    /// How far it is and how it does, the most wanted first.
    fn state(&self, step: &StepMetrics, run: &Started) -> Vec<String> {
        let seconds = self.epoch_began.elapsed().as_secs_f64().max(1e-9);
        let rate = (self.epoch_steps * run.batch as u64) as f64 / seconds;
        let left = duration(self.remaining(step.step, run.steps));
        let mut parts =
            vec![format!("{}/{}", step.step, run.steps), format!("ETA {left}"), format!("{rate:.0} images/s")];
        parts.extend(measures([("D", step.loss_d), ("G", step.loss_g), ("C", step.loss_c)], step.kept_fraction));
        parts
    }

    /// Remaining seconds at the pace of the whole run so far, validation included.
    fn remaining(&self, step: u64, steps: u64) -> f64 {
        let done = step.saturating_sub(self.run.as_ref().map_or(0, |run| run.done));
        left(self.began.elapsed(), done as usize, steps.saturating_sub(step) as usize)
    }
}

impl Observer for Progress {
    fn started(&mut self, run: &Started) {
        interrupt::begun();
        let now = Instant::now();
        (self.began, self.epoch_began) = (now, now);
        self.run = Some(run.clone());
        if self.quiet {
            return;
        }
        self.bar.say(&format!(
            "{}: {} training and {} validation images of {} classes; batch {}, steps {}, on {}",
            run.method,
            run.n_train,
            run.n_val,
            run.classes.len(),
            run.batch,
            run.steps,
            run.device
        ));
        if run.done > 0 {
            self.bar.say(&format!("going on after {}", many(run.done as usize, "step")));
        }
        let wide = columns().is_none_or(|columns| columns >= WIDE);
        let width = if wide { BAR } else { NARROW_BAR };
        self.bar_columns = width + 1;
        self.bar = Bar::new(&format!("{{bar:{width}.cyan}} {{wide_msg}}"), run.done, run.steps, now);
        if let Some(bar) = self.bar.shown() {
            bar.set_message(format!("{}/{}", run.done, run.steps));
        }
    }

    fn warning(&mut self, message: &str) {
        self.bar.say(&format!("warning: {message}"));
    }

    fn step(&mut self, step: &StepMetrics) {
        self.epoch_steps += 1;
        let Some(run) = self.run.as_ref().filter(|_| !self.quiet) else { return };
        if let Some(bar) = self.bar.shown() {
            let room = columns().map_or(usize::MAX, |columns| columns.saturating_sub(self.bar_columns));
            bar.set_message(fitting(&self.state(step, run), room));
            bar.set_position(step.step);
        } else if self.bar.due() {
            let line = format!("step {}", self.state(step, run).join("  "));
            self.bar.say(&line);
        }
    }

    fn epoch(&mut self, epoch: &EpochMetrics) {
        if !self.quiet {
            let epochs = self.run.as_ref().map_or(epoch.epoch, |run| run.epochs);
            self.bar.say(&epoch_line(epoch, epochs));
        }
        (self.epoch_began, self.epoch_steps) = (Instant::now(), 0);
    }

    fn interrupted(&self) -> bool {
        interrupt::requested()
    }
}

/// How far work on many things is.
pub struct Counted {
    /// What they are, and what is done to them.
    what: &'static str,
    bar: Option<Bar>,
    began: Instant,
}

impl Counted {
    /// Work that begins now.
    pub fn new(what: &'static str) -> Self {
        Self { what, bar: None, began: Instant::now() }
    }

    /// A warning, above the bar.
    pub fn warn(&mut self, message: &str) {
        match &mut self.bar {
            Some(bar) => bar.say(&format!("warning: {message}")),
            None => warn(message),
        }
    }

    /// So many are done, of so many.
    pub fn show(&mut self, done: usize, of: usize) {
        let template = || format!("{{bar:{BAR}.cyan}} {{pos}}/{{len}} {} ETA {{eta}}", self.what);
        let bar = self.bar.get_or_insert_with(|| Bar::new(&template(), 0, of as u64, self.began));
        if let Some(bar) = bar.shown() {
            bar.set_position(done as u64);
        } else if bar.due() {
            bar.say(&counted_line(done, of, self.what, self.began.elapsed()));
        }
    }
}

fn counted_line(done: usize, of: usize, what: &str, elapsed: Duration) -> String {
    format!("{done} of {of} {what}, {} left", duration(left(elapsed, done, of.saturating_sub(done))))
}

/// Seconds for so many more, where so many took that long. Before one is done it is taken to be.
pub fn left(spent: Duration, done: usize, to_do: usize) -> f64 {
    spent.as_secs_f64() / done.max(1) as f64 * to_do as f64
}

/// As many of these, from the first on, as fit into so many columns: half a number is a wrong one.
fn fitting(parts: &[String], room: usize) -> String {
    let mut line = String::new();
    for part in parts {
        let gap = if line.is_empty() { "" } else { "  " };
        if line.chars().count() + gap.len() + part.chars().count() > room {
            break;
        }
        line = line + gap + part;
    }
    line
}

/// The width of the terminal that stderr is, where that can be asked for.
#[cfg(unix)]
fn columns() -> Option<usize> {
    // SAFETY: all bits zero are a `winsize`, which this call of `ioctl` fills in.
    let size = unsafe {
        let mut size: libc::winsize = std::mem::zeroed();
        (libc::ioctl(libc::STDERR_FILENO, libc::TIOCGWINSZ, &raw mut size) == 0).then_some(size)
    };
    size.map(|size| usize::from(size.ws_col)).filter(|&columns| columns > 0)
}

#[cfg(not(unix))]
fn columns() -> Option<usize> {
    None
}

fn epoch_line(epoch: &EpochMetrics, epochs: usize) -> String {
    let loss_d = epoch.loss_d_real.zip(epoch.loss_d_fake).map(|(real, fake)| real + fake);
    let losses = [("D", loss_d), ("G", epoch.loss_g), ("C", epoch.loss_c_real)];
    let mut parts = vec![format!("epoch {}/{epochs}", epoch.epoch), format!("{:.0} images/s", epoch.images_per_second)];
    parts.extend(measures(losses, epoch.kept_fraction));
    let accuracies = [("train", epoch.train_accuracy), ("val", epoch.val_accuracy)];
    parts.extend(accuracies.iter().filter_map(|(name, value)| value.map(|value| format!("{name} {value:.1} %"))));
    parts.push(duration(epoch.seconds));
    parts.join("  ")
}

fn measures(losses: [(&str, Option<f64>); 3], kept_fraction: Option<f64>) -> Vec<String> {
    let losses = losses.into_iter().filter_map(|(name, loss)| loss.map(|loss| format!("{name} {loss:.3}")));
    losses.chain(kept_fraction.map(|kept| format!("kept {:.0} %", 100.0 * kept))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_left_out_whole() {
        let parts = ["12/96", "ETA 5 s", "85 images/s", "C 0.5"].map(String::from);
        for (room, line) in [
            (usize::MAX, "12/96  ETA 5 s  85 images/s  C 0.5"),
            (34, "12/96  ETA 5 s  85 images/s  C 0.5"),
            (33, "12/96  ETA 5 s  85 images/s"),
            (26, "12/96  ETA 5 s"),
            (4, ""),
        ] {
            assert_eq!(fitting(&parts, room), line);
        }
    }

    #[test]
    fn what_is_left_follows_from_the_pace() {
        assert_eq!([left(Duration::from_secs(30), 2, 4), left(Duration::from_secs(7), 0, 2)], [60.0, 14.0]);
        assert_eq!(left(Duration::ZERO, 3, 4), 0.0);
        let line = |done, seconds| counted_line(done, 400, "images drawn", Duration::from_secs(seconds));
        assert_eq!(line(100, 20), "100 of 400 images drawn, 1 min 00 s left");
        assert_eq!(
            [line(400, 80), line(0, 1)],
            ["400 of 400 images drawn, 0 s left", "0 of 400 images drawn, 6 min 40 s left"]
        );
    }

    #[test]
    fn an_epoch_line_leaves_out_what_was_not_measured() {
        let bare = EpochMetrics {
            epoch: 2,
            seconds: 61.0,
            images_per_second: 310.4,
            loss_c_real: Some(0.5),
            train_accuracy: Some(81.25),
            ..EpochMetrics::default()
        };
        assert_eq!(epoch_line(&bare, 8), "epoch 2/8  310 images/s  C 0.500  train 81.2 %  1 min 01 s");
        let full = EpochMetrics {
            loss_d_real: Some(0.25),
            loss_d_fake: Some(0.5),
            loss_g: Some(1.0),
            kept_fraction: Some(0.414),
            val_accuracy: Some(70.0),
            ..bare
        };
        assert_eq!(
            epoch_line(&full, 8),
            "epoch 2/8  310 images/s  D 0.750  G 1.000  C 0.500  kept 41 %  train 81.2 %  val 70.0 %  1 min 01 s"
        );
    }
}
