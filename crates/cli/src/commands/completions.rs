//! `ecgan completions` and `ecgan man`: what a shell and `man` want to know, from the flags' own help.

use crate::output::print;
use clap::{Args, Command};
use clap_complete::Shell;
use ecgan::Error;
use ecgan::run_folder::write_atomically;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

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
    /// Write ecgan.1, ecgan-train.1, ecgan-data-fetch.1, .. into this folder
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
    Ok(print(&text)?)
}

/// Runs `ecgan man`.
pub fn man(args: &ManArgs, program: Command) -> anyhow::Result<()> {
    // What `ecgan help train` prints is in ecgan-train(1).
    let mut program = program.disable_help_subcommand(true);
    let Some(dir) = &args.dir else {
        return Ok(print(&page(program)?)?);
    };
    std::fs::create_dir_all(dir).map_err(Error::io(dir, "create"))?;
    // Gives subcommands their names, ecgan-data-fetch.
    program.build();
    write_pages(dir, &program)
}

/// Writes a command's page, and those of its subcommands, to which it refers.
fn write_pages(dir: &Path, command: &Command) -> anyhow::Result<()> {
    let name = command.get_display_name().unwrap_or_else(|| command.get_name());
    let text = page(command.clone())?;
    write_atomically(&dir.join(format!("{name}.1")), |file| file.write_all(&text))?;
    let mut shown = command.get_subcommands().filter(|command| !command.is_hide_set());
    shown.try_for_each(|command| write_pages(dir, command))
}

fn page(command: Command) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    clap_mangen::Man::new(command).render(&mut text)?;
    Ok(text)
}
