//! What a newcomer reads: the end of a run, and help.

use crate::binary::{ecgan, program, small, stdout};
use crate::data_sets::pets;

/// Commands are pasted into a POSIX shell.
#[cfg(unix)]
#[test]
fn what_a_run_suggests_works_when_pasted() {
    let here = tempfile::tempdir().unwrap();
    pets(&here.path().join("it's my pets"));
    for (method, commands) in [("ec-gan", 5), ("classifier", 4)] {
        let train = ["train", "--data", "it's my pets", "--method", method, "--max-steps", "1", "--out"];
        let run = format!("a {method} run");
        let text = stdout(&small(here.path(), &[&train[..], &[&run]].concat()).output().unwrap());
        let suggested: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("    ")).collect();
        assert_eq!(suggested.len(), commands, "{text}");
        for line in suggested {
            // That one takes a while.
            let line = if line.contains("--preset best") { format!("{line} --dry-run") } else { line.to_owned() };
            let pasted = program(here.path(), "sh").args(["-c", &line]).output().unwrap();
            assert!(pasted.status.success(), "{line}: {}", String::from_utf8_lossy(&pasted.stderr));
            let printed = String::from_utf8(pasted.stdout).unwrap();
            if line.contains(" eval ") {
                // The figure that the run ended with.
                let accuracy = printed.split(' ').nth(1).unwrap();
                assert!(
                    text.starts_with(&format!("test accuracy {accuracy} % after the last epoch, ")),
                    "{text}{printed}"
                );
            }
        }
    }
    assert!(here.path().join("fakes.png").exists());
    for run in ["0001-classifier-it_s_my_pets", "0002-ec-gan-it_s_my_pets"] {
        assert!(here.path().join("runs").join(run).join("summary.json").exists(), "{run}");
    }
}

/// Nor does what a run suggests end among the images, where it is run from there.
#[cfg(unix)]
#[test]
fn what_a_run_among_its_images_suggests_works_when_pasted() {
    let here = tempfile::tempdir().unwrap();
    pets(&here.path().join("pets"));
    for (folder, out) in [("pets", &[][..]), ("pets/train", &["--out", "../../my run"])] {
        let folder = here.path().join(folder);
        let train = ["train", "--data", ".", "--max-steps", "1"];
        let text = stdout(&small(&folder, &[&train[..], out].concat()).output().unwrap());
        let suggested: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("    ")).collect();
        assert_eq!(suggested.len(), 5, "{text}");
        for line in suggested {
            let line = if line.contains("--preset best") { format!("{line} --dry-run") } else { line.to_owned() };
            let pasted = program(&folder, "sh").args(["-c", &line]).output().unwrap();
            assert!(pasted.status.success(), "{line}: {}", String::from_utf8_lossy(&pasted.stderr));
        }
        stdout(&ecgan(&folder, &["data", "inspect", "."]));
    }
    assert!(here.path().join("my run-classifier/summary.json").exists());
    assert!(here.path().join("pets/runs/0002-classifier-pets/summary.json").exists());
}

/// Another preset is proposed for the same images, whatever was said about these; and a path that begins with a dash is no flag.
#[cfg(unix)]
#[test]
fn what_is_better_is_proposed_for_the_same_data() {
    let here = tempfile::tempdir().unwrap();
    pets(&here.path().join("pets"));
    let of_data = [
        ["--per-class", "4"],
        ["--subset", "first"],
        ["--val-fraction", "0.5"],
        ["--sampling", "balanced"],
        ["--augment", "flip"],
        ["--channels", "1"],
        ["--image-size", "64"],
        ["--seed", "7"],
    ];
    let train = ["train", "--data", "pets", "--method", "classifier", "--max-steps", "1", "--out=-dash"];
    let text = stdout(&small(here.path(), &[&train[..], of_data.as_flattened()].concat()).output().unwrap());
    let suggested = |part: &str| {
        let line = text.lines().find(|line| line.starts_with("    ") && line.contains(part)).unwrap();
        line.trim().to_owned()
    };
    let pasted = |line: &str| stdout(&program(here.path(), "sh").args(["-c", line]).output().unwrap());
    let better = suggested("--preset best");
    assert!(better.ends_with(&format!(
        " train --data pets --method classifier --preset best {}",
        of_data.as_flattened().join(" ")
    )));
    let settings = pasted(&format!("{better} --dry-run --quiet"));
    let own = std::fs::read_to_string(here.path().join("-dash/config.toml")).unwrap();
    for [flag, _] in of_data {
        let key = flag[2..].replace('-', "_");
        let line = |text: &str| text.lines().find(|line| line.starts_with(&format!("{key} = "))).map(str::to_owned);
        assert!(line(&own).is_some() && line(&own) == line(&settings), "{key} in {settings}");
    }
    pasted(&suggested(" eval --checkpoint ./-dash/checkpoints/"));
    pasted(&format!("{} --max-steps 1 --dry-run", suggested("--config ./-dash/config.toml")));
}

/// Help of a flag, its line breaks undone.
fn help(command: &str, flag: &str) -> String {
    let here = tempfile::tempdir().unwrap();
    let text = stdout(&ecgan(here.path(), &[command, "--help"]));
    let of_flag = |line: &&str| line.trim_start().starts_with(&format!("{flag} "));
    let mut lines = text.lines().skip_while(|line| !of_flag(line));
    let first = lines.next().unwrap_or_else(|| panic!("{flag} in {text}"));
    let more = lines.take_while(|line| !line.is_empty() && !line.trim_start().starts_with('-'));
    [first].into_iter().chain(more).flat_map(str::split_whitespace).collect::<Vec<_>>().join(" ")
}

#[test]
fn help_says_what_a_value_means() {
    for (flag, meanings) in [
        ("--subset", &["drawn by --seed", "the first of each class in file order", "seed, first"][..]),
        ("--val-fraction", &["not trained on", "chooses best.safetensors", "0 (none)"]),
        ("--fake-statistics", &["(shared)", "(frozen)", "(running)", "normalise by the running ones"]),
        ("--max-steps", &["the run ends there as it does after the last epoch"]),
        ("--threshold", &["above which a fake counts"]),
        ("--config", &["TOML", "config.toml is one"]),
    ] {
        let text = help("train", flag);
        meanings.iter().for_each(|meaning| assert!(text.contains(meaning), "{meaning} in {text}"));
    }
    assert!(help("eval", "--split").contains("[default: test]"));
    let here = tempfile::tempdir().unwrap();
    assert!(stdout(&ecgan(here.path(), &["train", "--help"])).contains("ECGAN_SIMD (portable, neon, avx2, avx512)"));
}

/// What the examples of help show can be parsed: each as far as the settings, without computing anything.
#[test]
fn examples_of_help_are_commands() {
    let here = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(here.path().join("runs/0001-ec-gan-synthetic")).unwrap();
    std::fs::write(here.path().join("runs/0001-ec-gan-synthetic/config.toml"), "epochs = 3\n").unwrap();
    for command in [&["--help"][..], &["train", "--help"]] {
        let text = stdout(&ecgan(here.path(), command));
        let examples = text.lines().filter_map(|line| line.trim().strip_prefix("ecgan train"));
        let mut count = 0;
        for example in examples {
            let arguments = example.split("   ").next().unwrap();
            let all: Vec<_> =
                ["train", "--dry-run", "--quiet"].into_iter().chain(arguments.split_whitespace()).collect();
            stdout(&ecgan(here.path(), &all));
            count += 1;
        }
        assert!(count >= 2, "{text}");
    }
}
