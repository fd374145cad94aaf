//! `ecgan completions` and `ecgan man`: what a shell and `man` want to know, from the flags' own help.

use clap::{Args, Command};
use clap_complete::Shell;
use ecgan::Error;
use ecgan::run_folder::write_atomically;
use std::io::{self, Write};
use std::path::PathBuf;

/// Print completions for a shell
#[derive(Args)]
#[command(after_help = COMPLETIONS)]
pub struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

const COMPLETIONS: &str = "\
Examples:
  ecgan completions bash >~/.local/share/bash-completion/completions/ecgan
  ecgan completions fish >~/.config/fish/completions/ecgan.fish
  ecgan completions zsh >\"${fpath[1]}/_ecgan\"";

/// Print the manual page, or write one for each command
#[derive(Args)]
#[command(after_help = MAN)]
pub struct ManArgs {
    /// Write ecgan.1, ecgan-train.1, .. into this folder
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

const MAN: &str = "\
Examples:
  ecgan man | man -l -
  ecgan man --dir ~/.local/share/man/man1";

/// Runs `ecgan completions`.
pub fn run(args: &CompletionsArgs, mut program: Command) -> anyhow::Result<()> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut program, "ecgan", &mut text);
    Ok(io::stdout().write_all(&text)?)
}

/// Runs `ecgan man`.
pub fn man(args: &ManArgs, program: Command) -> anyhow::Result<()> {
    let Some(dir) = &args.dir else {
        return Ok(io::stdout().write_all(&page(program)?)?);
    };
    std::fs::create_dir_all(dir).map_err(Error::io(dir, "create"))?;
    let commands: Vec<Command> = program.get_subcommands().filter(|command| !command.is_hide_set()).cloned().collect();
    let named = commands.into_iter().map(|command| {
        let name = format!("ecgan-{}", command.get_name());
        (name.clone(), command.display_name(name.clone()).bin_name(name.replacen('-', " ", 1)))
    });
    for (name, command) in std::iter::once(("ecgan".to_owned(), program.clone())).chain(named) {
        let text = page(command)?;
        write_atomically(&dir.join(name + ".1"), |file| file.write_all(&text))?;
    }
    Ok(())
}

fn page(command: Command) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    clap_mangen::Man::new(command).render(&mut text)?;
    Ok(text)
}
