//! The programs of docs/verifiers.md, taken from the page, against `vectors/`: they agree but for the cases that the page
//! lists, and in those they do not.
#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "which Python and which modules to take stands in the environment; a test may panic, its helpers too"
)]

mod node;
mod python;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;

const FILES: [&str; 5] = ["algorithms", "structure", "claims", "kinds", "revocations"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn page() -> String {
    fs::read_to_string(root().join("docs/verifiers.md")).unwrap()
}

/// The blocks of the page in `language` that hold one of `marks`.
fn program(language: &str, marks: [&str; 2]) -> String {
    let (page, fence) = (page(), format!("```{language}\n"));
    let blocks = page.split(&fence).skip(1).map(|rest| rest.split("```").next().unwrap());
    let blocks: Vec<_> = blocks.filter(|block| marks.iter().any(|mark| block.contains(mark))).collect();
    assert_eq!(blocks.len(), marks.len(), "the page has one block for each of {marks:?}");
    blocks.join("\n")
}

/// What `ficha-verify` says of every case.
fn ours() -> BTreeMap<String, &'static str> {
    let mut all = BTreeMap::new();
    for file in FILES {
        let text = fs::read_to_string(root().join("vectors").join(format!("{file}.json"))).unwrap();
        let file: Value = serde_json::from_str(&text).unwrap();
        for case in file.get("cases").unwrap().as_array().unwrap() {
            let text = |name: &str| case.get(name).unwrap().as_str().unwrap().to_owned();
            all.insert(text("name"), if text("verdict") == "ok" { "accepts" } else { "refuses" });
        }
    }
    all
}

/// The cases in which the library of this column does not agree, and what it does then, as the page has them.
fn listed(column: usize) -> BTreeMap<String, String> {
    let page = page();
    let (_, table) = page.split_once("| case | Authlib | jose |\n|---|---|---|\n").unwrap();
    let rows = table.lines().take_while(|line| line.starts_with('|'));
    let cells = rows.map(|row| row.split('|').map(str::trim).map(str::to_owned).collect::<Vec<_>>());
    cells
        .filter(|cells| !cells.get(column + 1).unwrap().is_empty())
        .map(|cells| (cells.get(1).unwrap().clone(), cells.get(column + 1).unwrap().clone()))
        .collect()
}

/// Compares what a program printed: a verdict and a case on each line.
fn compare(printed: &str, column: usize) {
    let theirs: BTreeMap<_, _> =
        printed.lines().filter_map(|line| line.split_once('\t')).map(|(v, n)| (n, v)).collect();
    let (ours, mut listed) = (ours(), listed(column));
    assert_eq!(theirs.len(), ours.len(), "{printed}");
    let mut wrong = Vec::new();
    for (name, our) in ours {
        let their = *theirs.get(name.as_str()).unwrap_or(&"nothing");
        match listed.remove(&name) {
            None if their == our => {}
            None => wrong.push(format!("{name}: it {their}, and the page does not list that")),
            Some(said) if said == their && their != our => {}
            Some(said) => wrong.push(format!("{name}: the page says that it {said}, and it {their}")),
        }
    }
    wrong.extend(listed.into_keys().map(|name| format!("{name}: the page lists it, and there is no such case")));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
