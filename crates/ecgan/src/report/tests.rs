//! The page of runs that were put together by hand.

use super::findings::findings;
use super::page::page;
use super::run::Run;
use super::*;
use crate::metrics::{EpochMetrics, Tally};
use crate::run_folder::write_png;
use image::{Rgb, RgbImage};
use std::fs;

const EVIL: &str = "<b>\"cats\" & 'dogs'</b>";

fn epoch(n: usize) -> EpochMetrics {
    EpochMetrics {
        epoch: n,
        step: 10 * n as u64,
        seconds: n as f64,
        images_per_second: 100.0,
        loss_d_real: Some(0.6),
        loss_d_fake: Some(0.5),
        loss_g: Some(1.5),
        loss_c_real: Some(1.0 / n as f64),
        loss_c_fake: Some(0.4),
        kept_fraction: Some(0.5),
        kept_per_class: Some(vec![30, 20 + n as u64]),
        mean_confidence: Some(0.7),
        train_accuracy: Some(80.0),
        val_accuracy: Some(75.0),
    }
}

/// A run folder with these epochs, and a finished test where there are classes.
fn folder(path: &Path, config: &str, epochs: &[EpochMetrics], classes: &[String]) {
    fs::create_dir_all(path.join("samples")).unwrap();
    fs::write(path.join("config.toml"), config).unwrap();
    let lines: String = epochs.iter().map(|epoch| serde_json::to_string(epoch).unwrap() + "\n").collect();
    fs::write(path.join("metrics.jsonl"), lines).unwrap();
    if classes.is_empty() {
        for name in ["evaluation.json", "summary.json"] {
            let _ = fs::remove_file(path.join(name));
        }
    } else {
        let mut tally = Tally::new(classes.len());
        // Twice as many as a warning asks for, one in five wrong.
        for i in 0..200 {
            let mut logits = vec![0.0; classes.len()];
            logits[(i + usize::from(i % 5 == 0)) % classes.len()] = 2.0;
            tally.add(i % classes.len(), &logits);
        }
        let evaluation = serde_json::to_string(&tally.evaluation(classes)).unwrap();
        fs::write(path.join("evaluation.json"), evaluation).unwrap();
        let summary = "{\"method\":\"ec-gan\",\"data\":\"d\",\"n_train\":1234,\"n_val\":2000,\"n_test\":10,\"seed\":0,\
                       \"epochs\":2,\"test_accuracy\":80.0,\"best_val_accuracy\":75.0,\"seconds\":2.0}";
        fs::write(path.join("summary.json"), summary).unwrap();
    }
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn a_page_has_every_part_and_no_markup_from_names() {
    let here = tempfile::tempdir().unwrap();
    let path = here.path().join("run <i>");
    folder(&path, "data = \"<u>pets & cats\"\n", &[epoch(1), epoch(2)], &names(&[EVIL, "dog"]));
    for name in ["real", "epoch-0001", "epoch-0002"] {
        write_png(&path.join(format!("samples/{name}.png")), &RgbImage::from_pixel(804, 900, Rgb([9, 9, 9]))).unwrap();
    }
    let out = path.join("report.html");
    write_png(&path.join("mistakes.png"), &RgbImage::from_pixel(204, 128, Rgb([9, 9, 9]))).unwrap();
    write(&path, &out).unwrap();
    let html = fs::read_to_string(&out).unwrap();
    for part in [
        "Surest mistakes",
        "<figure class=\"whole\" style=\"max-width:204px\">",
        "<title>ec-gan on &lt;u&gt;pets &amp; cats",
        "1,234 training",
        "Generator G and discriminator D: loss",
        "Fakes kept of each class",
        "Generated after epoch 2",
        "Real training images",
        "Confusion matrix",
        "Accuracy against confidence",
        "<span>ecgan train</span> <span>--data &#39;&lt;u&gt;pets &amp; cats&#39;",
        "&lt;b&gt;&quot;cats&quot; &amp; &#39;dogs&#39;&lt;/b&gt;",
        "run &lt;i&gt;",
    ] {
        assert!(html.contains(part), "{part}");
    }
    for markup in ["<b>\"cats", "<u>", "<i>", "http://", "https://"] {
        assert!(!html.contains(markup), "{markup}");
    }
    assert_eq!(html.matches("data:image/png").count(), 4);
    assert_eq!(html.matches("class=\"line c").count(), 2 * 10 + 2, "a path and a legend a line, and the reliability's");
}

#[test]
fn a_page_says_which_classes_are_numbers_in_pictures() {
    let here = tempfile::tempdir().unwrap();
    let html = |classes: &[&str]| {
        folder(here.path(), "", &[epoch(1), epoch(2)], &names(classes));
        write_png(&here.path().join("samples/real.png"), &RgbImage::from_pixel(804, 900, Rgb([9, 9, 9]))).unwrap();
        page(&Run::read(here.path()).unwrap())
    };
    assert!(html(&["猫", "dog", "Hündin <b>"]).contains(" In all pictures, #0 is 猫, #2 is Hündin &lt;b&gt;.</p>"));
    assert!(!html(&["cat", "dog"]).contains("In all pictures"));
    let kanji: Vec<String> = (0..13).map(|k| format!("犬{k}")).collect();
    let kanji: Vec<&str> = kanji.iter().map(String::as_str).collect();
    assert!(html(&kanji).contains(", #11 is 犬11, ..."), "{}", html(&kanji));
}

#[test]
fn an_unfinished_run_and_a_bare_classifier_have_a_page() {
    let here = tempfile::tempdir().unwrap();
    let bare =
        |n| EpochMetrics { loss_c_real: Some(0.5), train_accuracy: Some(60.0), epoch: n, ..EpochMetrics::default() };
    folder(here.path(), "method = \"classifier\"\nepochs = 9\n", &[bare(1), bare(2)], &[]);
    // Killed while the third line was written.
    let metrics = here.path().join("metrics.jsonl");
    fs::write(&metrics, fs::read_to_string(&metrics).unwrap() + "{\"epoch\":3,").unwrap();
    let html = page(&Run::read(here.path()).unwrap());
    assert!(html.contains("The run is not finished: 2 of 9 epochs.") && html.contains(">2 epochs, "));
    assert!(html.contains("classifier on built-in digits"));
    for part in ["Generator G", "Fakes", "Generated", "Confusion"] {
        assert!(!html.contains(part), "{part}");
    }
    folder(here.path(), "method = \"classifier\"\nepochs = 1\n", &[bare(1)], &[]);
    let html = page(&Run::read(here.path()).unwrap());
    assert!(html.contains("1 of 1 epoch.") && html.contains(">1 epoch, "), "{html}");
    folder(here.path(), "", &[], &[]);
    assert!(page(&Run::read(here.path()).unwrap()).contains("0 of 12 epochs"));
    fs::write(here.path().join("diverged.json"), "{\"step\":3,\"what\":\"loss_<g>\"}").unwrap();
    let html = page(&Run::read(here.path()).unwrap());
    assert!(html.contains("The run diverged at step 3: loss_&lt;g&gt; is not finite, after 0 of 12 epochs."));
    assert!(!html.contains("not finished"), "which is another thing");
}

#[test]
fn what_is_no_run_or_damaged_is_named() {
    let here = tempfile::tempdir().unwrap();
    let message = || Run::read(here.path()).err().unwrap().to_string();
    assert!(message().contains("no config.toml in it; expected the folder of a run"), "{}", message());
    folder(here.path(), "", &[epoch(1)], &[]);
    fs::write(here.path().join("metrics.jsonl"), "{}\n{}\n").unwrap();
    assert!(message().contains("metrics.jsonl: line 1: missing field"), "{}", message());
    folder(here.path(), "", &[epoch(1)], &[]);
    fs::write(here.path().join("summary.json"), "[").unwrap();
    assert!(message().contains("summary.json: EOF"), "{}", message());
}

#[test]
fn each_odd_thing_is_found_and_a_sound_run_has_none() {
    let here = tempfile::tempdir().unwrap();
    let found = |change: fn(&mut EpochMetrics), classes: &[String]| {
        let mut last = epoch(2);
        change(&mut last);
        folder(here.path(), "threshold = 0.7\n", &[epoch(1), last], classes);
        findings(&Run::read(here.path()).unwrap()).into_iter().map(|f| f.what).collect::<Vec<_>>()
    };
    let three = names(&["cat", "dog", "fish"]);
    assert!(found(|_| {}, &three).is_empty());
    for (change, what) in [
        ((|e| e.kept_fraction = Some(0.0)) as fn(&mut EpochMetrics), "Hardly any fake is kept: 0 %"),
        (|e| e.kept_fraction = Some(1.0), "Nearly every fake is kept: 100 %"),
        (|e| (e.loss_d_real, e.loss_d_fake) = (Some(0.01), Some(0.02)), "The discriminator tells every fake"),
        (|e| e.train_accuracy = Some(99.0), "Accuracy is 99.0 % in training and 75.0 % in validation."),
        (|e| e.val_accuracy = Some(71.0), "Validation accuracy fell from 75.0 % (epoch 1) to 71.0 %."),
        (|e| e.kept_per_class = Some(vec![1, 1, 9]), "81.8 % of the kept fakes are taken for one class, fish."),
    ] {
        let found = found(change, &three);
        assert!(found.len() == 1 && found[0].starts_with(what), "{what}: {found:?}");
    }
    // An accuracy below that, however far, is one of a run that has not learned yet.
    assert!(found(|e| (e.train_accuracy, e.val_accuracy) = (Some(89.0), Some(75.0)), &three).is_empty());
    // Where nothing validates, the test says it.
    let found = found(|e| (e.train_accuracy, e.val_accuracy) = (Some(99.0), None), &three);
    assert_eq!(found, ["Accuracy is 99.0 % in training and 80.0 % in the test."]);
}

/// Kept fakes of one class: of two as of more, and what to do depends on how fakes pass through batch norm.
#[test]
fn fakes_of_one_class_are_found_and_the_statistics_named() {
    let here = tempfile::tempdir().unwrap();
    let found = |config: &str, kept: &[u64]| {
        let last = EpochMetrics { kept_per_class: Some(kept.into()), ..epoch(1) };
        folder(here.path(), config, &[last], &names(&["a", "b", "c"])[..kept.len()]);
        let found = findings(&Run::read(here.path()).unwrap());
        found.into_iter().find(|f| f.what.contains("of the kept fakes")).map(|f| f.suggestion)
    };
    assert_eq!((found("", &[94, 6]), found("", &[79, 11, 10])), (None, None));
    for kept in [&[96, 4][..], &[81, 10, 9]] {
        let (frozen, running) = (found("", kept).unwrap(), found("fake_statistics = \"running\"\n", kept).unwrap());
        assert!(frozen.contains("--lambda") && !frozen.contains("frozen"), "{frozen}");
        assert!(running.contains("--fake-statistics frozen"), "{running}");
    }
}

/// A test that does no better than one class is laid to the fakes' statistics, where these may be why.
#[test]
fn statistics_that_fakes_enter_are_named_for_a_test_that_failed() {
    let here = tempfile::tempdir().unwrap();
    let both = names(&["cat", "dog"]);
    let mut tally = Tally::new(2);
    (0..200).for_each(|i| {
        tally.add(i % 2, &[0.1, 0.0]);
    });
    let evaluation = tally.evaluation(&both);
    for (config, named) in [
        ("fake_statistics = \"shared\"\n", true),
        ("fake_statistics = \"running\"\n", true),
        ("fake_statistics = \"frozen\"\n", false),
        ("method = \"classifier\"\n", false),
    ] {
        folder(here.path(), config, &[epoch(1)], &both);
        let mut run = Run::read(here.path()).unwrap();
        run.evaluation = Some(evaluation.clone());
        let found = findings(&run);
        assert!(found[0].what.starts_with("The test accuracy, 50.0 %"), "{found:?}");
        assert_eq!(found[0].suggestion.contains("--fake-statistics frozen"), named, "{config}");
    }
}

/// Confidences that are right differ from the accuracy of few images by chance: of ten bins' hundred images as much as of a
/// thousand's where they are wrong.
#[test]
fn the_calibration_of_few_images_is_no_finding() {
    let here = tempfile::tempdir().unwrap();
    folder(here.path(), "", &[epoch(1)], &names(&["cat", "dog"]));
    let mut run = Run::read(here.path()).unwrap();
    // Of each ten confidences seven, or nine, are right where 0.8 of them should be: an error of 0.1 by chance, as sqrt(0.16 / 10)
    // is a deviation of 0.13.
    let mut found = |repeats: usize, right: usize| {
        let mut tally = Tally::new(2);
        for i in 0..10 * repeats {
            tally.add(usize::from(i % 10 >= right), &[4.0f32.ln(), 0.0]);
        }
        run.evaluation = Some(tally.evaluation(&names(&["cat", "dog"])));
        findings(&run).iter().any(|finding| finding.what.contains("Confidence and accuracy differ"))
    };
    assert!(!found(1, 6) && found(100, 6), "an error of 0.2");
    assert!(!found(100, 8), "none");
    assert!(found(1, 3), "an error of 0.5");
}

/// What chance explains in a small part is nothing to say.
#[test]
fn a_gap_or_a_fall_of_few_images_is_no_finding() {
    let here = tempfile::tempdir().unwrap();
    let last = EpochMetrics { train_accuracy: Some(95.0), val_accuracy: Some(70.0), ..epoch(2) };
    folder(here.path(), "", &[epoch(1), last], &names(&["cat", "dog"]));
    let found = |n_val| {
        let mut run = Run::read(here.path()).unwrap();
        run.summary.as_mut().unwrap().n_val = n_val;
        findings(&run).len()
    };
    // The upper ends of the intervals are 89.2 % of 10, 96.4 of 5, 72.8 of 1000 images.
    assert_eq!((found(10), found(5), found(1000)), (1, 0, 2));
}

/// What a run knows by heart, and how its accuracy moves, can only be told once the running statistics are those of the data.
#[test]
fn a_run_too_short_for_batch_norm_is_told() {
    let here = tempfile::tempdir().unwrap();
    let last = EpochMetrics { train_accuracy: Some(99.0), val_accuracy: Some(30.0), ..epoch(2) };
    folder(here.path(), "", &[epoch(1), last], &names(&["cat", "dog"]));
    let found = |steps| {
        let mut run = Run::read(here.path()).unwrap();
        run.summary.as_mut().unwrap().steps = steps;
        findings(&run)
    };
    let [young] = &found(12)[..] else { panic!("{:?}", found(12)) };
    let what = "after 12 iterations batch norm's running statistics, which the test goes by, are to 28 % still what they began with.";
    assert!(young.what.ends_with(what) && young.suggestion.contains("more --epochs"), "{young:?}");
    assert!(found(43)[0].what.contains("are to 1 % still") && found(1)[0].what.contains("after 1 iteration batch"));
    for settled in [found(44), found(0)] {
        assert!(settled.iter().any(|finding| finding.suggestion.contains("by heart")), "{settled:?}");
        assert!(!settled.iter().any(|finding| finding.what.contains("batch norm")), "{settled:?}");
    }
}

/// More epochs and fewer are never proposed together.
#[test]
fn advice_does_not_contradict_itself() {
    let here = tempfile::tempdir().unwrap();
    folder(here.path(), "", &[epoch(1), epoch(2)], &names(&["cat", "dog"]));
    let mut run = Run::read(here.path()).unwrap();
    let mut tally = Tally::new(2);
    // Everything is taken for a cat.
    for i in 0..200 {
        tally.add(i % 2, &[0.1, 0.0]);
    }
    run.evaluation = Some(tally.evaluation(&names(&["cat", "dog"])));
    let mut advice = |train, val, kept| {
        let last = run.epochs.last_mut().unwrap();
        (last.train_accuracy, last.val_accuracy, last.kept_fraction) = (Some(train), Some(val), Some(kept));
        findings(&run).into_iter().map(|finding| finding.suggestion).collect::<String>()
    };
    let poor = advice(62.0, 50.0, 0.0);
    assert!(poor.contains("fewer --epochs") && !poor.contains("more --epochs"), "{poor}");
    let known = advice(99.0, 80.0, 0.0);
    assert!(known.contains("by heart") && !known.contains("more --epochs"), "{known}");
    let undertrained = advice(62.0, 80.0, 0.0);
    assert_eq!(undertrained.matches("more --epochs").count(), 3, "{undertrained}");
    assert!(!undertrained.contains("by heart") && !undertrained.contains("fewer"), "{undertrained}");
}

/// DiffAugment is proposed to those who can take it and have not yet.
#[test]
fn what_helps_against_a_discriminator_that_wins_depends_on_the_settings() {
    let here = tempfile::tempdir().unwrap();
    let won = EpochMetrics { loss_d_real: Some(0.01), loss_d_fake: Some(0.02), ..epoch(1) };
    for (config, proposed) in [("", true), ("diff_augment = \"all\"\n", false), ("method = \"shared-dc\"\n", false)] {
        folder(here.path(), config, std::slice::from_ref(&won), &[]);
        let found = findings(&Run::read(here.path()).unwrap());
        assert_eq!(found.len(), 1, "{config}");
        assert_eq!(found[0].suggestion.contains("--diff-augment all"), proposed, "{config}{}", found[0].suggestion);
        assert!(found[0].suggestion.contains("ower --lr"), "{}", found[0].suggestion);
    }
}

#[test]
fn a_command_breaks_between_flags_only() {
    let here = tempfile::tempdir().unwrap();
    folder(here.path(), "batch = 8\nseed = 3\n", &[epoch(1)], &[]);
    let html = page(&Run::read(here.path()).unwrap());
    assert!(html.contains("<code><span>ecgan train</span> <span>--batch 8</span> <span>--seed 3"), "{html}");
}

#[test]
fn a_test_that_went_wrong_is_found() {
    let here = tempfile::tempdir().unwrap();
    folder(here.path(), "", &[epoch(1)], &names(&["cat", "dog"]));
    let mut run = Run::read(here.path()).unwrap();
    let mut tally = Tally::new(2);
    // Everything is taken for a cat, with certainty.
    for i in 0..20 {
        tally.add(i % 2, &[30.0, 0.0]);
    }
    run.evaluation = Some(tally.evaluation(&names(&["cat", "dog"])));
    let found: Vec<_> = findings(&run).into_iter().map(|f| f.what).collect();
    assert_eq!(
        found,
        [
            "The test accuracy, 50.0 %, is no better than always naming the most frequent class, 50.0 %.",
            "Never predicted: dog.",
            "Confidence and accuracy differ by 50.0 points on average.",
            "The test has 20 images only.",
        ]
    );
}

#[test]
fn many_classes_and_epochs_stay_a_page() {
    let here = tempfile::tempdir().unwrap();
    let classes: Vec<String> = (0..1000).map(|k| format!("a class with the number {k}")).collect();
    let epochs: Vec<_> = (1..=2000).map(|n| EpochMetrics { kept_per_class: Some(vec![1; 1000]), ..epoch(n) }).collect();
    folder(here.path(), "", &epochs, &classes);
    let html = page(&Run::read(here.path()).unwrap());
    assert!(html.len() < 1_000_000, "{} bytes", html.len());
    assert!(html.contains("the 30 of 1000 kept most") && html.contains("lowest F1, of 1000"));
}

#[test]
fn the_curves_are_a_picture_of_their_own() {
    let here = tempfile::tempdir().unwrap();
    folder(here.path(), "", &[epoch(1), epoch(2)], &[]);
    let out = here.path().join("curves.svg");
    write_curves(here.path(), &out).unwrap();
    let svg = fs::read_to_string(&out).unwrap();
    assert!(svg.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\"") && svg.ends_with("</svg>\n"));
    assert_eq!(svg.matches("<svg").count(), 5);
}

#[test]
fn any_finite_number_has_a_place() {
    let here = tempfile::tempdir().unwrap();
    for value in [1e20, -1e20, f64::MAX, f64::MIN, 5e-324, -0.5, 100.0, 0.0] {
        let any = Some(value);
        let odd = EpochMetrics {
            seconds: value,
            images_per_second: value,
            loss_d_real: any,
            loss_d_fake: any,
            loss_g: any,
            loss_c_real: any,
            loss_c_fake: any,
            kept_fraction: any,
            mean_confidence: any,
            train_accuracy: any,
            val_accuracy: any,
            ..epoch(2)
        };
        for epochs in [&[odd.clone()][..], &[epoch(1), odd.clone()], &vec![odd; 1000]] {
            folder(here.path(), "", epochs, &[]);
            let html = page(&Run::read(here.path()).unwrap());
            assert!(html.contains("Accuracy, %") && !html.contains("NaN"), "{value}");
        }
    }
}

#[test]
fn an_epoch_that_was_cut_short_is_not_the_best() {
    let here = tempfile::tempdir().unwrap();
    let of = |n, step, val| EpochMetrics { step, val_accuracy: Some(val), ..epoch(n) };
    for (epochs, best) in [
        (vec![of(1, 10, 70.0), of(2, 20, 60.0), of(3, 25, 90.0)], (1, 70.0)),
        (vec![of(1, 10, 70.0), of(2, 15, 90.0)], (1, 70.0)),
        (vec![of(1, 5, 90.0)], (1, 90.0)),
        (vec![of(1, 10, 70.0), of(2, 20, 75.0)], (2, 75.0)),
    ] {
        folder(here.path(), "", &epochs, &[]);
        assert_eq!(Run::read(here.path()).unwrap().best(), Some(best));
    }
}
