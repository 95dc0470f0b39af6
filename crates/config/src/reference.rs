//! The reference of all options, written from the code.

use std::fmt::Write;

use crate::{
    reader::{OptionInfo, SectionInfo},
    sections,
};

const INTRODUCTION: &str = "\
# Configuration

<!-- Written from crates/config by `cargo xtask docs`: change it there. -->

`ficha serve --config ficha.toml` reads a TOML file with the sections below. A key that is not known stops the start, as does a
value that is not as described: with file, line and what was expected, everything that is wrong at once.

Every key can also be given as an environment variable, which stands above the file: `FICHA_`, the section, two underscores, the
key, in capitals (`[limits] body_bytes` is `FICHA_LIMITS__BODY_BYTES`). A list is separated by commas there, or written as in TOML.

Times end in `_s`: a number of seconds, or a text with the unit `s`, `m`, `h` or `d`. Sizes end in `_bytes`: a number of bytes, or a
text with the unit `KiB`, `MiB` or `GiB`. A relative path begins at the folder of the file in which it stands; in an environment
variable, at the working directory.

Issuers, APIs, clients and users are not configured here but declared with `ficha apply`.
";

const OF_GATE: &str = "
# Configuration of `ficha gate`

`ficha gate --config gate.toml` reads a file of its own, by the same rules, with the sections below; `ficha gate --rules rules.toml`
needs none. What stands in the rules: [Protecting an API](../protect-an-api.md#the-rules).
";

/// The page `docs/reference/configuration.md`.
#[must_use]
pub fn reference_markdown() -> String {
    let mut page = INTRODUCTION.to_owned();
    write_sections(&mut page, &sections::all());
    page.push_str(OF_GATE);
    write_sections(&mut page, &sections::of_gate());
    page
}

fn write_sections(page: &mut String, sections: &[SectionInfo]) {
    for section in sections {
        let about = sentence(section.about);
        let _ =
            write!(page, "\n## [{}]\n\n{about}\n\n| key | is | takes | default |\n|---|---|---|---|\n", section.name);
        for option in &section.options {
            let about = sentence(option.about).replace('|', "\\|");
            let takes = option.takes.replace('|', "\\|");
            let (key, default) = (key(section, option), default(option));
            let _ = writeln!(page, "| {key} | {about} | {takes} | {default} |");
        }
    }
}

fn key(section: &SectionInfo, option: &OptionInfo) -> String {
    if option.secret { format!("`{}`", section.variable(option)) } else { format!("`{}`", option.key) }
}

fn default(option: &OptionInfo) -> String {
    match (option.default, option.required) {
        ("", true) => "must be given".into(),
        ("", false) => "none".into(),
        (default, _) => format!("`{default}`"),
    }
}

/// The lines of a doc comment as one.
fn sentence(lines: &[&str]) -> String {
    lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_in_the_documentation_is_the_one_that_the_code_writes() {
        let page = include_str!("../../../docs/reference/configuration.md");
        assert!(
            page == reference_markdown(),
            "docs/reference/configuration.md is out of date: `cargo xtask docs` writes it"
        );
    }

    #[test]
    fn every_option_stands_in_the_page_with_a_sentence() {
        let page = reference_markdown();
        for section in sections::all().into_iter().chain(sections::of_gate()) {
            assert!(page.contains(&format!("\n## [{}]\n", section.name)));
            for option in &section.options {
                assert!(page.contains(&format!("\n| {} | ", key(&section, option))), "{}", option.key);
                assert!(sentence(option.about).ends_with('.'), "{}", option.key);
            }
        }
    }
}
