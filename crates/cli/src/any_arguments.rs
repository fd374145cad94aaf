//! Whatever words are on the command line, in whatever order: they are parsed or refused.

use crate::Cli;
use clap::{CommandFactory, FromArgMatches};
use std::ffi::OsString;

/// Words that are not flags; the flags of every command are added to them.
const WORDS: [&str; 24] = [
    "",
    "-",
    "--",
    "-n",
    "-1",
    "0",
    "1",
    "18446744073709551616",
    "-9223372036854775809",
    "1e999",
    "NaN",
    "-inf",
    "0x10",
    "true",
    "synthetic",
    "../..",
    "a\nb",
    "\u{1b}[2J",
    "=",
    "--=",
    "---epochs",
    "cuda:99999999999999999999",
    "quick",
    "ä\u{202e}",
];

/// Every command and flag, and what may stand behind or beside one.
fn words() -> Vec<OsString> {
    let mut words: Vec<String> = WORDS.map(String::from).into();
    for command in Cli::command().get_subcommands() {
        words.push(command.get_name().to_owned());
        for flag in command.get_arguments().filter_map(|argument| argument.get_long()) {
            words.extend([format!("--{flag}"), format!("--{flag}=1"), format!("--{flag}="), flag.to_owned()]);
        }
    }
    #[cfg(unix)]
    let no_text = [std::os::unix::ffi::OsStringExt::from_vec(b"--out=\xFF".into())];
    #[cfg(not(unix))]
    let no_text = [];
    words.into_iter().map(OsString::from).chain(no_text).collect()
}

#[test]
fn any_words_are_parsed_or_refused() {
    let words = words();
    let commands: Vec<_> = Cli::command().get_subcommands().map(|command| command.get_name().to_owned()).collect();
    let mut state = 1u64;
    let mut random = |n: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % n
    };
    let (mut parsed, mut refused) = (0, 0);
    for _ in 0..3000 {
        let mut arguments = vec![OsString::from("ecgan"), commands[random(commands.len())].clone().into()];
        arguments.extend((0..random(6)).map(|_| words[random(words.len())].clone()));
        match Cli::command().try_get_matches_from(&arguments).and_then(|matches| Cli::from_arg_matches(&matches)) {
            Ok(_) => parsed += 1,
            Err(error) => {
                assert!(!error.to_string().is_empty(), "{arguments:?}");
                refused += 1;
            }
        }
    }
    assert!(parsed > 100 && refused > 1000, "{parsed} parsed, {refused} refused");
}
