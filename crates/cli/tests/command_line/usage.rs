//! What is refused before anything is computed, where settings come from, and help.

use crate::binary::{command, ecgan, entries, files, refused, stderr, stdout, train};
use crate::data_sets::pets;

#[test]
fn usage_errors_exit_with_2_and_name_the_flag() {
    let here = tempfile::tempdir().unwrap();
    for (arguments, message) in [
        (&["train", "--lambda", "-1"][..], "lambda: expected a number >= 0, got -1"),
        (&["train", "--lambda", "x"], "--lambda"),
        (&["train", "--epochs", "-1"], "'--epochs <E>': expected a whole number from 1 to 9223372036854775807"),
        (&["train", "--seed", "-1"], "'--seed <S>': expected a whole number from 0 to 9223372036854775807"),
        (&["train", "--epochs", "0"], "epochs: expected a whole number >= 1, got 0"),
        (&["train", "--method", "gan"], "[possible values: ec-gan, classifier, shared-dc, shared-resnet, conditional]"),
        (&["train", "--device", "gpu"], "'--device <DEVICE>': expected auto, cpu, cuda or cuda:N, got gpu"),
        (&["train", "--precision", "f16"], "[possible values: f32, tf32, bf16]"),
        (&["train", "--no-graph=perhaps"], "--no-graph"),
        (&["train", "--precision", "tf32", "--device", "cpu"], "precision: expected f32 on the CPU, got tf32"),
        (&["train", "--precision", "tf32"], "precision: expected f32 on the CPU (`ecgan devices` says why"),
        (&["bench", "--precision", "bf16"], "precision: expected f32 on the CPU (`ecgan devices` says why"),
        (&["train", "--samples", "3", "--fraction", "0.1"], "samples and fraction: expected at most one of them"),
        (&["train", "--epocs", "3"], "--epochs"),
        (&["eval", "--data", "synthetic"], "--checkpoint"),
        (&["eval", "--checkpoint", "x", "--data", "d", "--split", "both"], "[possible values: test, train, val, all]"),
        (&["generate", "--checkpoint", "x"], "--grid"),
        (&["generate", "--checkpoint", "x", "--grid", "a.png", "--dir", "d"], "cannot be used with"),
        (&["generate", "--checkpoint", "x", "--dir", "d", "-n", "0"], "'-n <N>'"),
        (
            &["generate", "--checkpoint", "x", "--dir", "d", "-n", "-1"],
            "'-n <N>': expected a whole number from 1 to 100000",
        ),
        (
            &["generate", "--checkpoint", "x", "--dir", "d", "--seed", "x"],
            "'--seed <S>': expected a whole number from 0 to",
        ),
        (&["bench", "--steps", "0"], "'--steps <N>': expected a whole number from 1 to 9223372036854775807"),
        (&["bench", "--width", "-3"], "'--width <W>': expected a whole number from 1 to 1024"),
        (&["eval", "--checkpoint", "x", "--threads", "x"], "'--threads <N>': expected a whole number from 1 to 4096"),
        (&["measure", "--checkpoint", "x", "-n", "1"], "'-n <N>': expected a whole number from 2 to 100000"),
        (&["predict", "--checkpoint", "x", "-k", "-1", "a.png"], "'--top-k <K>': expected a whole number from 1 to"),
        (&["sweep", "--seeds", "0"], "'--seeds <N>': expected a whole number from 1 to 10000"),
        (
            &["reproduce", "lambda", "--data", "x", "--seeds", "x"],
            "'--seeds <N>': expected a whole number from 1 to 10000",
        ),
        (&["reproduce", "lambda", "--data", "x", "--epochs-part", "x"], "'--epochs-part <PART>': expected a number"),
        (&["predikt"], "unrecognized subcommand"),
        (&["predict", "cat.png"], "--checkpoint"),
    ] {
        refused(here.path(), arguments, 2, message);
    }
    refused(here.path(), &[], 2, "Usage: ecgan <COMMAND>");
    assert_eq!(entries(here.path()), 0);
    std::fs::create_dir(here.path().join("my photos")).unwrap();
    refused(here.path(), &["train", "my photos"], 2, "tip: images are named by --data 'my photos'");
}

#[test]
fn a_gpu_that_is_not_there_exits_with_5_for_every_command_that_computes() {
    let here = tempfile::tempdir().unwrap();
    for arguments in [
        &["train", "--device", "cuda"][..],
        &["eval", "--checkpoint", "x", "--data", "synthetic", "--device", "cuda"],
        &["generate", "--checkpoint", "x", "--grid", "x.png", "--device", "cuda"],
        &["measure", "--checkpoint", "x", "--device", "cuda"],
        &["bench", "--device", "cuda", "--precision", "bf16"],
    ] {
        refused(here.path(), arguments, 5, "error: device cuda:0: ");
        refused(here.path(), arguments, 5, ", or use --device cpu\n");
    }
    assert_eq!(entries(here.path()), 0);
}

#[test]
fn a_folder_that_holds_something_is_refused_and_left_alone() {
    let here = tempfile::tempdir().unwrap();
    let full = here.path().join("full");
    std::fs::create_dir(&full).unwrap();
    std::fs::write(full.join("mine"), "x").unwrap();
    let message = "out: expected a new or an empty folder, got full which is not empty";
    refused(here.path(), &["train", "--out", "full", "--max-steps", "1"], 2, message);
    let message = "dir: expected a new or an empty folder, got full which is not empty";
    refused(here.path(), &["generate", "--checkpoint", "x", "--dir", "full"], 2, message);
    assert_eq!(entries(&full), 1);
}

#[test]
fn bad_files_exit_with_3_and_leave_nothing_behind() {
    let here = tempfile::tempdir().unwrap();
    refused(here.path(), &["train", "--data", "nowhere"], 3, "nowhere");
    refused(here.path(), &["train", "--config", "none.toml"], 3, "none.toml: cannot read: ");
    refused(here.path(), &["eval", "--checkpoint", "none.safetensors", "--data", "synthetic"], 3, "none.safetensors");
    refused(here.path(), &["generate", "--checkpoint", "none.safetensors", "--grid", "x.png"], 3, "none.safetensors");
    assert_eq!(entries(here.path()), 0);
}

#[test]
fn an_unknown_key_in_a_settings_file_is_named_with_its_neighbour() {
    let here = tempfile::tempdir().unwrap();
    let file = here.path().join("my.toml");
    std::fs::write(&file, "seed = 1\nlamda = 0.2\n").unwrap();
    let message = "my.toml: unknown key `lamda`, did you mean `lambda`?";
    refused(here.path(), &["train", "--config", "my.toml"], 2, message);
    std::fs::write(&file, "epochs = \"many\"\n").unwrap();
    let message = "my.toml: line 1: epochs: expected a whole number from 0 to 9223372036854775807, without quotes, got";
    refused(here.path(), &["train", "--config", "my.toml"], 2, message);
    // So is a value out of its range, where it is the file's.
    std::fs::write(&file, "width = 99999\n").unwrap();
    let message = |width| format!("error: {width}: expected a whole number from 1 to 1024, got ");
    let config = ["--config", "my.toml"];
    for (width, name) in [(&[][..], "my.toml: width"), (&["--width", "9999"], "width")] {
        let output = command(here.path(), &[&["train"], &config[..], width].concat()).output().unwrap();
        assert!(output.status.code() == Some(2) && stderr(&output).contains(&message(name)), "{}", stderr(&output));
    }
    let arms = ["sweep", "--arm", "a:lambda=0", "--dry-run"];
    let output = command(here.path(), &[&arms[..], &config].concat()).output().unwrap();
    assert!(stderr(&output).contains(&message("my.toml: width")), "{}", stderr(&output));
}

/// Who never gave a flag is not told of one.
#[test]
fn a_wrong_variable_is_named() {
    let here = tempfile::tempdir().unwrap();
    let (train, eval) = (&["train", "--dry-run"][..], &["eval", "--checkpoint", "x", "--data", "d"][..]);
    for (arguments, name, value, message) in [
        (train, "ECGAN_EPOCHS", "abc", "'ECGAN_EPOCHS': expected a whole number from 1 to 9223372036854775807"),
        (train, "ECGAN_EPOCHS", "99999999999999999999", "'ECGAN_EPOCHS': expected a whole number from 1 to"),
        (train, "ECGAN_LR", "x", "'ECGAN_LR': expected a number"),
        (train, "ECGAN_METHOD", "gan", "invalid value 'gan' for 'ECGAN_METHOD'\n  [possible values: ec-gan, "),
        (train, "ECGAN_NO_GRAPH", "perhaps", "'ECGAN_NO_GRAPH'\n  [possible values: true, false]"),
        (train, "ECGAN_MAX_TIME", "5", "'ECGAN_MAX_TIME': expected a time such as 90s, 30m, 2h or 1h30m, got 5"),
        (train, "ECGAN_DEVICE", "gpu", "'ECGAN_DEVICE': expected auto, cpu, cuda or cuda:N, got gpu"),
        (train, "ECGAN_OUT", "", "'ECGAN_OUT'"),
        (&["bench"], "ECGAN_NO_GRAPH", "perhaps", "'ECGAN_NO_GRAPH'\n  [possible values: true, false]"),
        (eval, "ECGAN_DEVICE", "gpu", "'ECGAN_DEVICE': expected auto, cpu, cuda or cuda:N, got gpu"),
        (eval, "ECGAN_THREADS", "0", "'ECGAN_THREADS': expected a whole number from 1 to 4096"),
    ] {
        let output = command(here.path(), arguments).env(name, value).output().unwrap();
        let stderr = stderr(&output);
        assert!(output.status.code() == Some(2) && stderr.contains(message), "{message} in {stderr}");
        assert!(!stderr.contains("for '--"), "{stderr}");
    }
    // A flag that is wrong itself is named beside a variable.
    let output = command(here.path(), &["train", "--epochs", "x"]).env("ECGAN_EPOCHS", "3").output().unwrap();
    assert!(stderr(&output).contains("'--epochs <E>'"), "{}", stderr(&output));
}

#[test]
fn what_the_method_does_not_use_is_warned_about() {
    let here = tempfile::tempdir().unwrap();
    std::fs::write(here.path().join("my.toml"), "lambda = 0.3\nthreshold = 0.9\n").unwrap();
    let said = |arguments: &[&str], variables: &[(&str, &str)]| {
        let all = [&["train", "--dry-run", "--quiet", "--config", "my.toml"], arguments].concat();
        let output = command(here.path(), &all).envs(variables.iter().copied()).output().unwrap();
        stdout(&output);
        stderr(&output)
    };
    let classifier = ["--method", "classifier"];
    assert_eq!(said(&classifier, &[]), "", "a file is for several methods");
    assert_eq!(
        said(&[&classifier[..], &["--fake-statistics", "running"]].concat(), &[("ECGAN_LAMBDA", "0.5")]),
        "warning: ECGAN_LAMBDA: not heeded; method classifier does not use it\n\
         warning: --fake-statistics: not heeded; method classifier does not use it\n"
    );
    let message = "warning: --threshold: not heeded; method shared-dc does not use it\n";
    assert_eq!(said(&["--method", "shared-dc", "--threshold", "0.5", "--lambda", "0.5"], &[]), message);
    assert_eq!(said(&["--threshold", "0.5", "--lambda", "0.5"], &[("ECGAN_EMA_G", "0.5")]), "");
}

/// What `ecgan config` prints serves for one's own images as it stands.
#[test]
fn a_printed_file_trains_on_ones_own_data() {
    let here = tempfile::tempdir().unwrap();
    pets(&here.path().join("pets"));
    let text = stdout(&ecgan(here.path(), &["config"])).replace("data = \"synthetic\"", "data = \"pets\"");
    std::fs::write(here.path().join("mine.toml"), text).unwrap();
    let summary = train(here.path(), &["--config", "mine.toml", "--out", "run", "--max-steps", "1"]);
    assert_eq!((summary["n_train"].as_u64(), summary["n_val"].as_u64()), (Some(16), Some(2)));
}

#[test]
fn flags_win_over_variables_over_the_file_over_the_preset() {
    let here = tempfile::tempdir().unwrap();
    let file = "samples = 30\nlambda = 0.3\nbatch = 33\nlr_c = 0.3\npreset = \"paper\"\n";
    std::fs::write(here.path().join("my.toml"), file).unwrap();
    let mut command =
        command(here.path(), &["train", "--dry-run", "--quiet", "--config", "my.toml", "--lambda", "0.5"]);
    command.args(["--per-class", "5"]).env("ECGAN_LAMBDA", "0.4").env("ECGAN_BATCH", "44");
    command.env("ECGAN_FRACTION", "0.5").env("ECGAN_SIMD", "portable").env("ECGAN_LAMDA", "1");
    let output = command.output().unwrap();
    let text = stdout(&output);
    for line in ["lambda = 0.5", "batch = 44", "per_class = 5", "lr = 0.0002", "lr_c = 0.3", "simd = \"portable\""] {
        assert!(text.lines().any(|is| is == line), "{line} in\n{text}");
    }
    assert!(!text.contains("samples") && !text.contains("\nfraction"), "{text}");
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("ECGAN_LAMDA: no setting has this name, did you mean ECGAN_LAMBDA?"), "{stderr}");
    assert_eq!(entries(here.path()), 1, "a dry run writes nothing");
}

#[test]
fn precision_and_graph_are_settings_from_every_source() {
    let here = tempfile::tempdir().unwrap();
    std::fs::write(here.path().join("my.toml"), "precision = \"f32\"\nno_graph = true\n").unwrap();
    let resolved = |arguments: &[&str], variables: &[(&str, &str)]| {
        let mut command = command(here.path(), &[&["train", "--dry-run", "--quiet"], arguments].concat());
        let output = command.envs(variables.iter().copied()).output().unwrap();
        let text = stdout(&output);
        assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
        let of_gpu = text.lines().filter(|line| ["precision", "no_graph"].iter().any(|key| line.starts_with(key)));
        of_gpu.collect::<Vec<_>>().join(" ")
    };
    let (on, off) = ("precision = \"f32\" no_graph = true", "precision = \"f32\" no_graph = false");
    assert_eq!(resolved(&[], &[]), off);
    assert_eq!(resolved(&["--no-graph"], &[]), on);
    assert_eq!(resolved(&["--config", "my.toml"], &[]), on);
    assert_eq!(resolved(&["--config", "my.toml"], &[("ECGAN_NO_GRAPH", "false")]), off);
    assert_eq!(resolved(&["--no-graph=false"], &[("ECGAN_NO_GRAPH", "true"), ("ECGAN_PRECISION", "f32")]), off);
    let variable = command(here.path(), &["train", "--dry-run"]).env("ECGAN_PRECISION", "bf16").output().unwrap();
    assert_eq!(variable.status.code(), Some(2));
}

/// How a GPU's kernels are launched is nothing to the numbers, so nothing to the checkpoint.
#[test]
fn a_checkpoint_has_the_same_bytes_with_and_without_a_recording() {
    let here = tempfile::tempdir().unwrap();
    pets(&here.path().join("pets"));
    let checkpoint = |out: &str, more: &[&str]| {
        train(here.path(), &[&["--data", "pets", "--max-steps", "1", "--out", out], more].concat());
        std::fs::read(here.path().join(out).join("checkpoints/last.safetensors")).unwrap()
    };
    assert!(checkpoint("recorded", &[]) == checkpoint("launched", &["--no-graph"]));
}

#[test]
fn help_lists_the_commands_that_exist() {
    let here = tempfile::tempdir().unwrap();
    let text = stdout(&ecgan(here.path(), &["--help"]));
    for line in ["Train:", "  train        Train a classifier", "Images and settings:", "Options:", "Examples:"] {
        assert!(text.contains(&format!("\n{line}")), "{line} in\n{text}");
    }
    let text = stdout(&ecgan(here.path(), &["train", "--help"]));
    for heading in ["Data:", "Method:", "Optimisation:", "Device:", "Run:", "Examples:"] {
        assert!(text.contains(&format!("\n{heading}\n")), "{heading} in\n{text}");
    }
}

#[test]
fn every_command_has_examples() {
    let here = tempfile::tempdir().unwrap();
    let text = stdout(&ecgan(here.path(), &["--help"]));
    let names = text.lines().take_while(|line| *line != "Options:").filter_map(|line| line.strip_prefix("  "));
    let mut commands: Vec<Vec<&str>> = names.filter_map(|line| line.split(' ').next()).map(|name| vec![name]).collect();
    commands.retain(|command| command[0] != "help");
    assert_eq!(commands.len(), 16, "{text}");
    commands.extend([vec!["data", "inspect"], vec!["data", "fetch"]]);
    for command in commands {
        let text = stdout(&ecgan(here.path(), &[&command[..], &["--help"]].concat()));
        assert!(text.lines().any(|line| line.starts_with("Example")), "{command:?}: {text}");
    }
}

#[test]
fn a_manual_page_refers_to_pages_that_are_there() {
    let here = tempfile::tempdir().unwrap();
    stdout(&ecgan(here.path(), &["man", "--dir", "man"]));
    let pages = files(&here.path().join("man"));
    assert!(pages.iter().any(|page| page.to_str() == Some("ecgan-data-fetch.1")), "{pages:?}");
    let mut referred = 0;
    for page in &pages {
        let text = std::fs::read_to_string(here.path().join("man").join(page)).unwrap().replace('\\', "");
        for name in text.split_whitespace().filter_map(|word| word.strip_suffix("(1)")) {
            assert!(pages.iter().any(|page| page.to_str() == Some(format!("{name}.1").as_str())), "{name} in {page:?}");
            referred += 1;
        }
    }
    // All but ecgan(1) itself, each by the command above it.
    assert_eq!(referred, pages.len() - 1);
    assert!(!stdout(&ecgan(here.path(), &["man"])).contains("help(1)"));
}

#[test]
fn devices_as_json_is_one_object() {
    let here = tempfile::tempdir().unwrap();
    let mut command = command(here.path(), &["devices", "--json"]);
    let text = stdout(&command.env("ECGAN_SIMD", "portable").output().unwrap());
    let devices: serde_json::Value = serde_json::from_str(&text).unwrap();
    let cpu = &devices["devices"][0];
    assert_eq!((cpu["name"].as_str(), cpu["active_simd"].as_str()), (Some("cpu"), Some("portable")));
    assert!(cpu["cores"].as_u64().unwrap() >= 1 && cpu["simd"][0] == "portable");
    let why = devices["no_gpu"].as_str().unwrap();
    assert!(why.starts_with("cuda: ") && !why.contains("--device"), "{why}");
    assert_eq!((devices["devices"].as_array().unwrap().len(), devices["auto"].as_str()), (1, Some("cpu")));
    let lines = stdout(&ecgan(here.path(), &["devices"]));
    assert!(lines.ends_with(&format!("\n{why}\n--device auto is cpu\n")), "{lines}");
    let output = command.env("ECGAN_SIMD", "sse9").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("ECGAN_SIMD: expected portable, neon, avx2 or avx512, got sse9"), "{stderr}");
}
