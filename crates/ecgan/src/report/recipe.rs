//! The settings of a run, those that differ from its preset first, and the command that repeats it.

use super::html::Escaped;
use super::run::Run;
use crate::run_folder::names::CONFIG;
use crate::settings::{Partial, shown};
use crate::shell::quoted_path;

/// A command's HTML, whose lines may end between its flags, not within one.
fn unbroken(command: &str) -> String {
    let flags = command.split(" --").map(|flag| Escaped(flag).to_string());
    flags.collect::<Vec<_>>().join("</span> <span>--")
}

/// The section's HTML.
pub fn section(run: &Run) -> String {
    let (all, changed) = (run.settings.to_partial().table(), run.settings.changed());
    let mut html = format!(
        "<p>This repeats the run:</p><pre tabindex=\"0\"><code><span>{}</span></code></pre><p class=\"soft\">With <code>--config {}\
         </code> alone it does so bit for bit, on the same kind of processor. Add <code>--seed</code> for another \
         draw.</p>",
        unbroken(&format!("ecgan train{}", run.settings.flags())),
        Escaped(&quoted_path(run.path.join(CONFIG)))
    );
    let row = |key: &str| {
        let value = all.get(key).map(shown).unwrap_or_default();
        format!("<tr><th scope=\"row\"><code>{key}</code></th><td>{}</td></tr>", Escaped(&value))
    };
    let keys = || Partial::KEYS.iter().filter(|key| all.contains_key(**key));
    let own: String = keys().filter(|key| changed.contains_key(**key)).map(|key| row(key)).collect();
    let rest: String = keys().filter(|key| !changed.contains_key(**key)).map(|key| row(key)).collect();
    let preset = run.settings.preset;
    if own.is_empty() {
        html += &format!("<p>Every setting is that of preset <code>{preset}</code>.</p>");
    } else {
        html += &format!("<h3>Not as in preset <code>{preset}</code></h3><table class=\"settings\">{own}</table>");
    }
    html + &format!("<details><summary>The other settings</summary><table class=\"settings\">{rest}</table></details>")
}
