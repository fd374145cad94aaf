use super::*;
use std::fs;

fn partial(text: &str) -> Partial {
    toml::from_str(text).unwrap()
}

fn grid(texts: &[&str]) -> Vec<Cell> {
    let axes: Vec<Axis> = texts.iter().map(|text| Axis::grid(text).unwrap()).collect();
    cells(&partial("per_class = 3"), &partial("preset = \"paper\"").into(), &axes).unwrap()
}

fn ledger_of(cells: &[(&Cell, &[f64])]) -> Ledger {
    let mut ledger = Ledger::default();
    for (cell, accuracies) in cells {
        let n = accuracies.len();
        ledger
            .add(Line {
                data: "d".into(),
                cell: cell.labels.clone(),
                settings: cell.identity().clone(),
                images: [30, 0, 100],
                seeds: (0..n as u64).collect(),
                test_accuracy: accuracies.to_vec(),
                val_accuracy: vec![None; n],
                kept_fraction: vec![Some(0.5); n],
                seconds: vec![1.0; n],
            })
            .unwrap();
    }
    ledger
}

#[test]
fn cells_are_the_product_of_the_axes() {
    let cells = grid(&["method=classifier,ec-gan", "lambda=0.1,0.2,0.4"]);
    assert_eq!(cells.len(), 6);
    assert_eq!(cells[5].labels, [("method".into(), "ec-gan".into()), ("lambda".into(), "0.4".into())]);
    assert_eq!((cells[4].settings.method, cells[4].settings.lambda), (Method::EcGan, 0.2));
}

#[test]
fn an_identity_has_what_matters_and_nothing_else() {
    let cells = grid(&["method=classifier,ec-gan", "lambda=0.1,0.2"]);
    // To the classifier, lambda is nothing.
    assert_eq!(cells[0].identity(), cells[1].identity());
    assert_ne!(cells[2].identity(), cells[3].identity());
    assert_eq!(
        cells[3].identity().to_string(),
        "data = \"synthetic\"\nlambda = 0.2\nmethod = \"ec-gan\"\nper_class = 3\n"
    );
    assert_eq!(cells[3].bare_identity(), *cells[0].identity());
    let with = |text: &str| cells_of(text)[0].identity().clone();
    assert_eq!(with("threads = 1\nseed = 3\nsimd = \"portable\""), with(""));
    assert_ne!(with("lr_c = 0.5"), with(""));
    assert_eq!(with("method = \"classifier\"\npreset = \"notebook\""), with("method = \"classifier\""));
}

fn cells_of(text: &str) -> Vec<Cell> {
    cells(&partial(text), &partial("preset = \"paper\"").into(), &[]).unwrap()
}

/// Flags, arm and grid are one source: nothing in it hides another key of it, whatever the order.
#[test]
fn nothing_that_is_given_is_dropped() {
    let rates = |flags: &str, axes: &[Axis]| -> Vec<(f64, f64)> {
        let cells = cells(&partial(flags), &partial("lr_c = 0.7\nweight_decay_c = 0.7").into(), axes).unwrap();
        cells.iter().map(|cell| (cell.settings.lr, cell.settings.lr_c)).collect()
    };
    let [lr, lr_c] = ["lr=0.1,0.2", "lr_c=0.3,0.4"].map(|text| Axis::grid(text).unwrap());
    assert_eq!(rates("", &[lr.clone(), lr_c.clone()]), [(0.1, 0.3), (0.1, 0.4), (0.2, 0.3), (0.2, 0.4)]);
    assert_eq!(rates("", &[lr_c, lr.clone()]), [(0.1, 0.3), (0.2, 0.3), (0.1, 0.4), (0.2, 0.4)]);
    let lr = [lr];
    assert_eq!(rates("lr_c = 0.5", &lr), [(0.1, 0.5), (0.2, 0.5)]);
    // Of what is below, `lr` hides it.
    assert_eq!(rates("", &lr), [(0.1, 0.1), (0.2, 0.2)]);
    let arms = |text: &str| [Axis::arms(&[text.to_owned()]).unwrap()];
    assert_eq!(rates("", &arms("a:lr_c=0.3,lr=0.1")), [(0.1, 0.3)]);
    let decays = cells(&Partial::default(), &Lower::default(), &arms("a:weight_decay_c=0.3,weight_decay=0.1")).unwrap();
    assert_eq!((decays[0].settings.weight_decay, decays[0].settings.weight_decay_c), (0.1, 0.3));
    let both = cells(&Partial::default(), &partial("per_class = 3").into(), &arms("x:samples=100,fraction=0.1"));
    assert_eq!(both.unwrap_err().to_string(), "samples and fraction: expected at most one of them");
}

#[test]
fn a_setting_is_one_axis_to_vary() {
    let arm = Axis::arms(&["a:lambda=0.1".to_owned(), "b:lr=0.1".to_owned()]).unwrap();
    let [lambda, lr, again] = ["lambda=0.1,0.2", "lr=0.1", "lr=0.2"].map(|text| Axis::grid(text).unwrap());
    for (axes, key) in [([lr.clone(), again], "lr"), ([arm.clone(), lr], "lr"), ([lambda, arm], "lambda")] {
        let error = cells(&Partial::default(), &Lower::default(), &axes).unwrap_err();
        let message = format!("grid: expected a setting that no other --grid or --arm gives, got {key}");
        assert_eq!((error.kind(), error.to_string()), (crate::ErrorKind::Usage, message));
    }
}

#[test]
fn a_run_is_found_under_whatever_name() {
    let folder = tempfile::tempdir().unwrap();
    let cells = grid(&["lambda=0.1,0.2"]);
    let runs = || Runs::list(folder.path()).unwrap();
    let first = runs().path(&cells[0], 4);
    assert!(first.file_name().unwrap().to_str().unwrap().starts_with("0.1-seed4-"), "{first:?}");
    let renamed = first.with_file_name(first.file_name().unwrap().to_str().unwrap().replacen("0.1", "other", 1));
    fs::create_dir_all(&renamed).unwrap();
    assert_eq!(runs().path(&cells[0], 4), renamed);
    assert_ne!(runs().path(&cells[1], 4), renamed);
    assert_ne!(runs().path(&cells[0], 5), renamed);
}

/// Names of file systems have 255 bytes at most; what is left out of the labels is in the key.
#[test]
fn labels_of_any_length_have_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let arms = [("\u{10400}", 0.2), ("\u{4e00}", 0.3)]
        .map(|(letter, lambda)| format!("{}:lambda={lambda}", letter.repeat(60)));
    let number = format!("0.1{}", "0".repeat(50));
    let grid = |key: &str| Axis::grid(&format!("{key}={number}")).unwrap();
    let axes = [Axis::arms(&arms).unwrap(), grid("lr"), grid("threshold"), grid("label_smoothing")];
    let cells = cells(&Partial::default(), &Lower::default(), &axes).unwrap();
    let [first, second] =
        [&cells[0], &cells[1]].map(|cell| Runs::list(folder.path()).unwrap().path(cell, i64::MAX as u64));
    for path in [&first, &second] {
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!((200..=255).contains(&name.len()), "{name}");
        fs::create_dir_all(path).unwrap();
    }
    let renamed = first.with_file_name(format!("x-seed{}-{}", i64::MAX, cells[0].key()));
    fs::rename(&first, &renamed).unwrap();
    assert_eq!(Runs::list(folder.path()).unwrap().path(&cells[0], i64::MAX as u64), renamed);
}

/// What is not needed is not read.
#[test]
fn the_first_seed_that_is_not_done_ends_the_search() {
    let folder = tempfile::tempdir().unwrap();
    let cells = grid(&["lambda=0.1,0.2"]);
    let second = Runs::list(folder.path()).unwrap().path(&cells[0], 1);
    fs::create_dir_all(&second).unwrap();
    fs::write(second.join("summary.json"), "torn").unwrap();
    let (runs, mut ledger) = (Runs::list(folder.path()).unwrap(), Ledger::default());
    runs.settle(&distinct(&cells), &[0, 1], &mut ledger).unwrap();
    assert!(ledger.lines.is_empty());
    let message = runs.settle(&distinct(&cells), &[1], &mut ledger).unwrap_err().to_string();
    assert!(message.contains("summary.json: expected"), "{message}");
}

#[test]
fn differences_are_paired_by_seed() {
    let cells = grid(&["method=classifier,ec-gan"]);
    let ledger = ledger_of(&[(&cells[0], &[10.0, 20.0, 30.0]), (&cells[1], &[11.0, 22.0, 33.0, 90.0])]);
    let table = Table::new(&cells, &[0], None, By::Test, &ledger);
    assert!(table.rows[0].difference.is_none());
    let row = &table.rows[1];
    assert_eq!((row.difference.unwrap().mean, row.difference.unwrap().n, row.test_accuracy.unwrap().n), (2.0, 3, 4));
    // 4.303 x 1 / sqrt 3
    assert!((row.half_interval.unwrap() - 2.484).abs() < 1e-3);
    assert_eq!(
        table.markdown().lines().nth(3).unwrap(),
        "| ec-gan | 30 | 4 | 39.0 ± 35.2 | +2.00 [-0.48, +4.48] (3 of the seeds) |  | 50.0 ± 0.0 |"
    );
    assert!(table.csv().lines().nth(2).unwrap().starts_with("ec-gan,30,4,39,"));
    assert!(table.csv().lines().nth(2).unwrap().contains(",3,"), "{}", table.csv());
    // What is in the ledger counts; what was asked for and is not there is told.
    let of = |seeds: &[u64]| {
        let table = Table::new(&cells, seeds, None, By::Test, &ledger);
        (table.unfinished, table.other_seeds, table.rows[1].seeds.clone())
    };
    assert_eq!(of(&[0, 1, 2, 3]), (1, vec![], vec![0, 1, 2, 3]));
    assert_eq!(of(&[1, 2]), (0, vec![0, 3], vec![0, 1, 2, 3]));
    assert_eq!(of(&[4]).0, 2);
    let beside = |cells: &[Cell]| Table::new(cells, &[0], None, By::Test, &ledger).other_combinations;
    assert_eq!((beside(&cells), beside(&cells[1..]), beside(&[])), (0, 1, 2));
}

#[test]
fn markdown_is_a_table_whatever_the_axes_and_labels() {
    // As a reader of Markdown takes a line apart.
    let columns = |line: &str| line.replace("\\|", "").matches('|').count() - 1;
    let alone = cells_of("");
    let table = Table::new(&alone, &[0], None, By::Test, &ledger_of(&[(&alone[0], &[10.0])])).markdown();
    assert!(table.starts_with("| images | seeds | test accuracy, % |"), "{table}");
    assert_eq!(table.lines().map(columns).collect::<Vec<_>>(), [6; 3], "{table}");
    assert!(table.ends_with("|---|\n| 30 | 1 | 10.0 |  |  | 50.0 |\n"), "{table}");
    let arms = Axis::arms(&["a|b\\:lambda=0.2".to_owned()]).unwrap();
    let arms = cells(&Partial::default(), &Lower::default(), &[arms]).unwrap();
    let table = Table::new(&arms, &[0], None, By::Test, &ledger_of(&[(&arms[0], &[10.0])])).markdown();
    assert_eq!(table.lines().map(columns).collect::<Vec<_>>(), [7; 3], "{table}");
    assert!(table.contains("\n| a\\|b\\\\ | 30 |"), "{table}");
}

#[test]
fn a_table_without_rows_leaves_no_plot() {
    let cells = grid(&["method=classifier,ec-gan"]);
    let here = tempfile::tempdir().unwrap();
    let written = |ledger: &Ledger| {
        Table::new(&cells, &[0], None, By::Test, ledger).write(here.path()).unwrap();
        here.path().join("plot.svg").exists()
    };
    assert!(written(&ledger_of(&[(&cells[0], &[11.25]), (&cells[1], &[13.25])])));
    assert!(!written(&Ledger::default()) && !written(&Ledger::default()));
}

/// By validation the test accuracy stays unseen, in every form of the table.
#[test]
fn settings_are_chosen_by_validation_without_the_test() {
    let cells = grid(&["method=classifier,ec-gan"]);
    let mut ledger = ledger_of(&[(&cells[0], &[11.25, 12.25]), (&cells[1], &[13.25, 14.25])]);
    for (line, val) in ledger.lines.iter_mut().zip([[70.0, 72.0], [73.0, 77.0]]) {
        line.val_accuracy = val.map(Some).to_vec();
    }
    let table = Table::new(&cells, &[0], None, By::Val, &ledger);
    assert_eq!((table.rows[1].difference.unwrap().mean, table.rows[1].val_accuracy.unwrap().mean), (4.0, 75.0));
    let markdown = table.markdown();
    assert!(markdown.starts_with("| method | images | seeds | validation accuracy, % | difference"), "{markdown}");
    assert_eq!(markdown.lines().nth(3).unwrap().split('|').nth(4).unwrap().trim(), "75.0 ± 2.8");
    let (json, svg) = (serde_json::to_string(&table).unwrap(), table.svg().unwrap());
    assert!(svg.contains("Validation accuracy, %") && json.contains("\"by\":\"val\""), "{json}");
    for text in [markdown, table.csv(), json, svg] {
        assert!(!["11.", "12.", "13.", "14."].iter().any(|test| text.contains(&format!("{test}2"))), "{text}");
    }
}

#[test]
fn a_named_baseline_is_for_every_row() {
    let cells = grid(&["lambda=0.1,0.2"]);
    let ledger = ledger_of(&[(&cells[0], &[10.0, 20.0]), (&cells[1], &[11.0, 21.0])]);
    assert!(
        Table::new(&cells, &[0], None, By::Test, &ledger).rows.iter().all(|row| row.difference.is_none()),
        "no classifier ran"
    );
    let baseline = Baseline::new("0.1", &[Axis::grid("lambda=0.1,0.2").unwrap()]).unwrap();
    let table = Table::new(&cells, &[0], Some(&baseline), By::Test, &ledger);
    assert!(table.rows[0].difference.is_none());
    assert_eq!(table.rows[1].difference.unwrap().mean, 1.0);
}

/// Where there are more axes, a row is compared with its own like.
#[test]
fn a_named_baseline_has_what_the_row_has_on_the_other_axes() {
    let texts = ["lambda=0.1,0.2", "threshold=0.5,0.7"];
    let (axes, cells) = (texts.map(|text| Axis::grid(text).unwrap()), grid(&texts));
    let accuracies = [[10.0, 20.0], [50.0, 60.0], [11.0, 21.0], [52.0, 62.0]];
    let lines: Vec<(&Cell, &[f64])> = cells.iter().zip(&accuracies).map(|(cell, a)| (cell, &a[..])).collect();
    let ledger = ledger_of(&lines);
    let differences = |name: &str| {
        let table = Table::new(&cells, &[0], Some(&Baseline::new(name, &axes).unwrap()), By::Test, &ledger);
        table.rows.iter().map(|row| row.difference.map(|d| d.mean)).collect::<Vec<_>>()
    };
    assert_eq!(differences("0.1"), [None, None, Some(1.0), Some(2.0)]);
    assert_eq!(differences("0.7"), [Some(-40.0), None, Some(-41.0), None]);
    let axes = ["lambda=0.1,0.5", "threshold=0.5,0.7"].map(|text| Axis::grid(text).unwrap());
    let message = Baseline::new("0.5", &axes).unwrap_err().to_string();
    assert_eq!(message, "baseline: expected a name that one axis has, got 0.5, which lambda and threshold have");
    let message = Baseline::new("a", &[Axis::grid("data=a,b").unwrap()]).unwrap_err().to_string();
    let expected =
        "baseline: expected a value of an axis that gives no data, so that both are tested on the same images, got a";
    assert_eq!(message, expected);
}

#[test]
fn a_ledger_reads_back_and_skips_what_it_has() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("l.jsonl");
    let cells = grid(&["lambda=0.1,0.2"]);
    let mut ledger = Ledger::open(&path).unwrap();
    ledger.add(ledger_of(&[(&cells[0], &[1.0, 2.0])]).lines[0].clone()).unwrap();
    let back = Ledger::open(&path).unwrap();
    assert_eq!(back.lines, ledger.lines);
    assert!(back.has(cells[0].identity(), &[0, 1]));
    assert!(!back.has(cells[0].identity(), &[0, 1, 2]) && !back.has(cells[1].identity(), &[0]));
    // A line that was being written when its process was killed is none, and gives way to the next.
    let whole = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("{whole}{}", &whole[..20])).unwrap();
    let mut torn = Ledger::open(&path).unwrap();
    assert_eq!(torn.lines, ledger.lines);
    let other = ledger_of(&[(&cells[1], &[1.0, 2.0])]).lines[0].clone();
    torn.add(other.clone()).unwrap();
    let text = serde_json::to_string(&other).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), format!("{whole}{text}\n"));
    // Also where it ends within a letter. One that is only not ended, as editors leave it, is one.
    let umlaut = ledger.lines[0].clone();
    let umlaut = Line { data: "Häuser".into(), ..umlaut };
    let text = serde_json::to_string(&umlaut).unwrap();
    let within = text.find('ä').unwrap() + 1;
    fs::write(&path, [whole.as_bytes(), &text.as_bytes()[..within]].concat()).unwrap();
    assert_eq!(Ledger::open(&path).unwrap().lines, ledger.lines);
    fs::write(&path, &text).unwrap();
    let mut open = Ledger::open(&path).unwrap();
    assert_eq!(open.lines, [umlaut]);
    open.add(other.clone()).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), format!("{text}\n{}\n", serde_json::to_string(&other).unwrap()));
    let short = whole.replace("\"seeds\":[0,1]", "\"seeds\":[0,1,2]");
    fs::write(&path, short).unwrap();
    let message = Ledger::open(&path).unwrap_err().to_string();
    assert!(message.contains("line 1: its lists have not one value for each of its seeds"), "{message}");
    for (from, to, wrong) in [
        ("\"seeds\":[0,1]", "\"seeds\":[1,1]", "a seed is there twice"),
        ("\"test_accuracy\":[", "\"test_accuracy\":[-", "an accuracy of -"),
        ("\"test_accuracy\":[", "\"test_accuracy\":[99", "an accuracy of 991 %"),
    ] {
        fs::write(&path, whole.replace(from, to)).unwrap();
        let message = Ledger::open(&path).unwrap_err().to_string();
        assert!(message.contains(&format!("line 1: {wrong}")), "{message}");
    }
    fs::write(&path, "{}\n").unwrap();
    let message = Ledger::open(&path).unwrap_err().to_string();
    assert!(message.contains("l.jsonl: line 1: missing field"), "{message}");
    assert!(message.ends_with("expected what `ecgan sweep` wrote, a finished combination a line"), "{message}");
}

/// Seeds may be trained apart, and come together in the table.
#[test]
fn lines_of_one_cell_unite() {
    let cells = grid(&["method=classifier,ec-gan"]);
    let mut ledger = ledger_of(&[(&cells[0], &[10.0, 20.0]), (&cells[1], &[12.0, 22.0, 35.0])]);
    let mut later = ledger.lines[0].clone();
    (later.seeds, later.test_accuracy) = (vec![2, 1], vec![30.0, 99.0]);
    ledger.lines.push(later);
    let line = ledger.find(cells[0].identity()).unwrap();
    assert_eq!((line.seeds, line.test_accuracy), (vec![0, 1, 2], vec![10.0, 20.0, 30.0]), "the first counts");
    assert!(ledger.has(cells[0].identity(), &[2, 0]) && !ledger.has(cells[0].identity(), &[3]));
    let table = Table::new(&cells, &[0], None, By::Test, &ledger);
    assert_eq!((table.rows[1].difference.unwrap().mean, table.rows[1].difference.unwrap().n), (3.0, 3));
}

/// Processes that share a folder share its ledger.
#[test]
fn no_line_is_lost_where_several_add_theirs() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("l.jsonl");
    let cells = grid(&["lambda=0.1"]);
    let line = ledger_of(&[(&cells[0], &[1.0])]).lines[0].clone();
    fs::write(&path, "{\"torn").unwrap();
    std::thread::scope(|scope| {
        for process in 0..4 {
            let (path, line) = (&path, &line);
            scope.spawn(move || {
                let mut ledger = Ledger::open(path).unwrap();
                for i in 0..10 {
                    let one = |seed| Line { seeds: vec![seed], ..line.clone() };
                    ledger.add(one(10 * process + i)).unwrap();
                    // All of them finish this one, as shards do that end together.
                    ledger.add(one(99)).unwrap();
                }
            });
        }
    });
    let ledger = Ledger::open(&path).unwrap();
    assert_eq!((ledger.lines.len(), ledger.find(cells[0].identity()).unwrap().seeds.len()), (41, 41));
    let seen = Ledger::locked(&path, |ledger| Ok::<_, Error>(ledger.lines.len())).unwrap();
    assert_eq!(
        (seen, Ledger::locked(&folder.path().join("none"), |l| Ok::<_, Error>(l.lines.len())).unwrap()),
        (41, 0)
    );
}
