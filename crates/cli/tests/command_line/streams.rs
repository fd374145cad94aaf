//! Streams that take nothing, and signals that are ignored: a run goes on, a command says what it could not do.

use crate::binary::{command, ecgan, program, small, stderr, stdout, train};
use crate::data_sets::pets;
use std::fs::{self, File};
use std::io::Read;
use std::os::fd::FromRawFd;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Output, Stdio};

/// What takes no byte.
fn full() -> File {
    File::options().write(true).open("/dev/full").unwrap()
}

const TRAIN: [&str; 7] = ["train", "--data", "pets", "--method", "classifier", "--out", "run"];

#[test]
fn a_run_whose_stderr_nobody_takes_trains_on() {
    let here = tempfile::tempdir().unwrap();
    pets(&here.path().join("pets"));
    let status = small(here.path(), &TRAIN).stdout(Stdio::null()).stderr(full()).status().unwrap();
    assert!(status.success(), "{status}");
    // The reader of a pipe that is gone.
    fs::remove_dir_all(here.path().join("run")).unwrap();
    let mut child = small(here.path(), &TRAIN).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stderr.take());
    assert!(child.wait().unwrap().success());
    assert!(here.path().join("run/summary.json").exists());
    // What went wrong still has its code.
    let status = command(here.path(), &["train", "--data", "none"]).stderr(full()).status().unwrap();
    assert_eq!(status.code(), Some(3));
}

fn onto_full(folder: &Path, arguments: &[&str]) -> Output {
    command(folder, arguments).stdout(full()).stderr(Stdio::piped()).spawn().unwrap().wait_with_output().unwrap()
}

#[test]
fn a_full_stdout_is_named() {
    let here = tempfile::tempdir().unwrap();
    for arguments in [&["config"][..], &["--help"], &["completions", "bash"]] {
        let output = onto_full(here.path(), arguments);
        assert_eq!(output.status.code(), Some(3), "{arguments:?}");
        assert!(stderr(&output).starts_with("error: stdout: cannot write: "), "{}", stderr(&output));
    }
}

/// `head` has seen enough.
#[test]
fn a_pipe_that_is_closed_is_no_error() {
    let here = tempfile::tempdir().unwrap();
    pets(&here.path().join("pets"));
    train(here.path(), &TRAIN[1..]);
    let predict = ["predict", "--checkpoint", "run/checkpoints/last.safetensors", "pets"];
    for arguments in [&predict[..], &["config"]] {
        let mut child = command(here.path(), arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", stderr(&output));
    }
    assert!(stdout(&ecgan(here.path(), &predict)).contains("27 images in "));
}

/// Whoever reads no more of what was found still wants the file that was asked for, and the exit code.
#[test]
fn files_are_written_before_anything_is_printed() {
    let here = tempfile::tempdir().unwrap();
    pets(&here.path().join("pets"));
    fs::write(here.path().join("pets/train/cat/broken.png"), "no image").unwrap();
    let mut command = command(here.path(), &["data", "inspect", "pets", "--sheet", "sheet.png"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    assert!(here.path().join("sheet.png").exists());
}

/// JSON cannot have it, which is said before hours are spent.
#[test]
fn a_name_that_is_no_text_is_refused_beside_json() {
    use std::os::unix::ffi::OsStrExt;
    let here = tempfile::tempdir().unwrap();
    pets(&here.path().join("pets"));
    let name = std::ffi::OsStr::from_bytes(b"bad\xff");
    let refused = |output: Output| {
        let message = "error: json: expected names that are UTF-8, which JSON has to be, got bad\u{fffd}\n";
        assert_eq!((output.status.code(), stderr(&output).as_str()), (Some(2), message));
        assert_eq!(fs::read_dir(here.path()).unwrap().count(), 1, "nothing but the pets");
    };
    let json = [&TRAIN[..5], &["--json"]].concat();
    refused(small(here.path(), &json).arg("--out").arg(name).output().unwrap());
    refused(small(here.path(), &json).env("ECGAN_OUT", name).output().unwrap());
    let output = small(here.path(), &TRAIN[..5]).arg("--out").arg(name).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
}

/// What `nohup` asks for.
#[test]
fn a_hangup_stays_ignored_and_an_interrupt_does_not() {
    let here = tempfile::tempdir().unwrap();
    pets(&here.path().join("pets"));
    // A shell's background has SIGINT ignored, and a scheduler may send it.
    for (signal, epochs, code) in [("HUP", 60, 0), ("INT", 1_000_000, 130)] {
        let script = format!(
            "trap '' {signal}; exec \"$0\" train --data pets --method classifier --out {signal} --width 1 --batch 4 --epochs {epochs} --threads 1"
        );
        let mut child = program(here.path(), "sh")
            .args(["-c", &script, env!("CARGO_BIN_EXE_ecgan")])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let begun = here.path().join(format!("{signal}/checkpoints/last.safetensors"));
        while !begun.exists() {
            assert!(child.try_wait().unwrap().is_none(), "it ended before it was signalled");
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        let kill = std::process::Command::new("kill").args(["-s", signal, &child.id().to_string()]).status().unwrap();
        assert!(kill.success());
        let status = child.wait().unwrap();
        assert_eq!((status.code(), status.signal()), (Some(code), None), "{signal}");
    }
}

/// What a terminal of so many columns is sent, with these variables, while `arguments` run with it as stderr and stdout.
fn on_a_terminal(folder: &Path, columns: u16, arguments: &[&str], variables: &[(&str, &str)]) -> String {
    let (mut ours, mut theirs) = (0, 0);
    let size = libc::winsize { ws_row: 30, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: `openpty` fills in two descriptors, which nobody else has; a name and modes are not asked for.
    let (mut ours, theirs) = unsafe {
        assert_eq!(libc::openpty(&mut ours, &mut theirs, std::ptr::null_mut(), std::ptr::null(), &size), 0);
        (File::from_raw_fd(ours), File::from_raw_fd(theirs))
    };
    let mut command = small(folder, arguments);
    for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "COLORTERM", "COLUMNS", "CI"] {
        command.env_remove(name);
    }
    command.env("TERM", "xterm-256color").envs(variables.iter().copied()).stdin(Stdio::null());
    let mut child = command.stdout(theirs.try_clone().unwrap()).stderr(theirs).spawn().unwrap();
    drop(command); // and with it the last of our copies of their side
    let reader = std::thread::spawn(move || {
        let mut sent = Vec::new();
        let _ = ours.read_to_end(&mut sent); // Linux ends it with an error
        String::from_utf8(sent).unwrap()
    });
    assert!(child.wait().unwrap().success());
    reader.join().unwrap()
}

/// A bar where the cursor can be moved, in colour where that is welcome; lines elsewhere.
#[test]
fn a_terminal_is_sent_what_it_and_its_user_can_take() {
    let here = tempfile::tempdir().unwrap();
    pets(&here.path().join("pets"));
    let sent = |arguments: &[&str], variables: &[(&str, &str)]| {
        let _ = fs::remove_dir_all(here.path().join("run"));
        on_a_terminal(here.path(), 100, arguments, variables)
    };
    // Colours are `ESC [ .. m`, the cursor is moved by other letters.
    let colour = |text: &str| {
        text.split("\u{1b}[")
            .skip(1)
            .any(|rest| rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';').starts_with('m'))
    };
    let full = sent(&TRAIN, &[]);
    assert!(full.contains("ETA") && full.contains("\r") && colour(&full), "{full:?}");
    let plain = sent(&TRAIN, &[("NO_COLOR", "1")]);
    assert!(plain.contains("ETA") && plain.contains('\u{1b}') && !colour(&plain), "{plain:?}");
    let dumb = sent(&TRAIN, &[("TERM", "dumb")]);
    assert!(dumb.contains("epoch 2/2") && !dumb.contains('\u{1b}'), "{dumb:?}");
    let quiet = sent(&[&TRAIN[..], &["--quiet"]].concat(), &[]);
    assert_eq!(quiet, "");
    assert!(colour(&sent(&["--help"], &[])));
    assert!(!sent(&["--help"], &[("NO_COLOR", "1")]).contains('\u{1b}'));
    assert!(!sent(&["--help"], &[("TERM", "dumb")]).contains('\u{1b}'));
}

/// On a narrow one, what does not fit whole is left out.
#[test]
fn a_narrow_terminal_is_sent_no_half_numbers() {
    let here = tempfile::tempdir().unwrap();
    pets(&here.path().join("pets"));
    let sent = on_a_terminal(here.path(), 40, &TRAIN, &[]);
    let bars: Vec<&str> = sent.split(['\r', '\n']).filter(|text| text.contains("ETA")).collect();
    assert!(!bars.is_empty() && bars.iter().all(|bar| bar.contains(" images/s")), "{bars:?}");
}
