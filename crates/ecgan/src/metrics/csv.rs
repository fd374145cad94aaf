//! `metrics.csv`: the lines of `metrics.jsonl` as a table (RFC 4180), for spreadsheets and data frames. What was not
//! measured is empty; the kept fakes have a column a class.

use super::EpochMetrics;
use std::fmt::Write;

/// The first line, with its line end.
pub fn header(classes: &[String]) -> String {
    let names = EpochMetrics::default().scalars().map(|(name, _)| name.to_owned());
    let kept = classes.iter().map(|class| quoted(&format!("kept_per_class.{class}")));
    line(names.into_iter().chain(kept))
}

/// An epoch's line, with its line end.
pub fn row(epoch: &EpochMetrics, classes: usize) -> String {
    // The shortest decimals that read back as the same number, as in the JSON.
    let scalars = epoch.scalars().map(|(_, value)| value.map(|v| v.to_string()).unwrap_or_default());
    let kept = epoch.kept_per_class.as_deref();
    let kept = (0..classes).map(|k| kept.and_then(|kept| kept.get(k)).map(u64::to_string).unwrap_or_default());
    line(scalars.into_iter().chain(kept))
}

fn line(mut fields: impl Iterator<Item = String>) -> String {
    let mut line = fields.next().unwrap_or_default();
    fields.for_each(|field| write!(line, ",{field}").expect("a string takes everything"));
    line.push('\n');
    line
}

/// A field in quotes, where it has to be.
pub fn quoted(field: &str) -> String {
    if field.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_and_what_was_not_measured_is_empty() {
        let classes = ["cat", "a,\"b\"\n"].map(String::from);
        let epoch = EpochMetrics {
            epoch: 3,
            step: 12,
            seconds: 0.1,
            images_per_second: 1e7,
            loss_c_real: Some(1.0 / 3.0),
            kept_per_class: Some(vec![5, 0]),
            ..EpochMetrics::default()
        };
        assert_eq!(
            header(&classes),
            "epoch,step,seconds,images_per_second,loss_d_real,loss_d_fake,loss_g,loss_c_real,loss_c_fake,\
             kept_fraction,mean_confidence,train_accuracy,val_accuracy,kept_per_class.cat,\
             \"kept_per_class.a,\"\"b\"\"\n\"\n"
        );
        assert_eq!(row(&epoch, 2), "3,12,0.1,10000000,,,,0.3333333333333333,,,,,,5,0\n");
        assert_eq!(row(&EpochMetrics::default(), 2), "0,0,0,0,,,,,,,,,,,\n");
    }
}
