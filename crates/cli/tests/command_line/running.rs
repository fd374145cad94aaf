//! A run that is under way while a test looks at it. Signals are Unix's.

use crate::binary::small;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A run in the folder `run`, on its way.
pub struct Running {
    pub child: Child,
    stderr: BufReader<std::process::ChildStderr>,
}

impl Running {
    pub fn start(folder: &Path, settings: &[&str]) -> Self {
        Self::of(small(folder, &[&["train", "--data", "pets", "--out", "run"], settings].concat()))
    }

    pub fn of(mut command: Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        Self { child, stderr }
    }

    /// Sends a signal.
    pub fn signal(&self, signal: &str) {
        let killed = Command::new("kill").args([&format!("-{signal}"), &self.child.id().to_string()]).status().unwrap();
        assert!(killed.success());
    }

    /// Sends a signal that asks to stop, as Ctrl-C does, and waits until that is noticed.
    pub fn interrupt(&mut self, signal: &str) {
        self.signal(signal);
        let mut line = String::new();
        while !line.contains("stopping after this step") {
            line.clear();
            assert!(self.stderr.read_line(&mut line).unwrap() > 0, "ended without a word");
        }
    }

    /// Exit code and the rest of stderr.
    pub fn end(mut self) -> (Option<i32>, String) {
        let mut text = String::new();
        self.stderr.read_to_string(&mut text).unwrap();
        (self.child.wait().unwrap().code(), text)
    }
}

pub fn wait_for(path: &Path) {
    let began = Instant::now();
    while !path.exists() {
        assert!(began.elapsed() < Duration::from_secs(120), "{} does not appear", path.display());
        std::thread::sleep(Duration::from_millis(2));
    }
}
