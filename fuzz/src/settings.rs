//! Settings files: whatever one says is refused or resolved, and what was resolved reads back as the same.

use ecgan::settings::{Partial, Settings};

pub fn read(data: &[u8]) {
    let Ok(partial) = Partial::from_file(&crate::file("settings.toml", data)) else { return };
    let Ok(settings) = Settings::resolve(partial) else { return };
    let again =
        Partial::from_file(&crate::file("config.toml", settings.to_toml().as_bytes())).expect("ours reads back");
    let again = Settings::resolve(again).expect("ours is within its ranges");
    assert_eq!(Settings { out: None, ..settings }, again);
}

pub fn seeds() -> Vec<Vec<u8>> {
    let mut seeds: Vec<Vec<u8>> = ["quick", "paper", "notebook"]
        .map(|preset| format!("preset = \"{preset}\"\nmethod = \"ec-gan\"\nsamples = 50\nthreads = 2\n").into_bytes())
        .into();
    let all = Settings::resolve(Partial::default()).expect("defaults are within their ranges");
    seeds.push(all.to_toml().into_bytes());
    seeds.push(b"data = 'a/b'\nfraction = 0.5\nsimd = \"portable\"\nmax_steps = 7\nno_graph = true\nout = 'x'".into());
    seeds.push(b"\"lr\" = 1e-3\nper_class = 0x7fff_ffff_ffff_ffff\nlr_c = +inf # why\nweight_decay = nan\n".into());
    seeds
}
