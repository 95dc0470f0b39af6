//! `vectors/` is written from its cases: tokens, key sets, moments, and what a verifier has to say.

mod algorithms;
mod claims;
mod draft;
mod keys;
mod kinds;
mod revocations;
mod structure;
mod verifiers;

use std::{collections::BTreeSet, fs, path::Path};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use draft::Draft;
use keys::Keys;

pub(crate) fn write(root: &Path, only_check: bool) -> Result<()> {
    let folder = root.join("vectors");
    let keys = Keys::of(&folder, only_check)?;
    let mut files = vec![("verifiers.json", verifiers::all(&keys)?)];
    let mut names = BTreeSet::new();
    for (file, drafts) in [
        ("algorithms.json", algorithms::all()),
        ("structure.json", structure::all()),
        ("claims.json", claims::all()),
        ("kinds.json", kinds::all()),
        ("revocations.json", revocations::all()),
    ] {
        for draft in &drafts {
            ensure!(names.insert(draft.name), "two cases are called {:?}", draft.name);
        }
        let cases = drafts.iter().map(|draft| case(draft, &keys)).collect::<Result<Vec<_>>>()?;
        files.push((file, json!({ "cases": cases })));
    }
    let mut stale = Vec::new();
    for (name, content) in files {
        let file = folder.join(name);
        let wanted = serde_json::to_string_pretty(&content)? + "\n";
        if fs::read_to_string(&file).is_ok_and(|there| there == wanted) {
            continue;
        }
        stale.push(name);
        if !only_check {
            fs::write(&file, wanted).with_context(|| file.display().to_string())?;
        }
    }
    match (stale.is_empty(), only_check) {
        (true, _) => println!("vectors: current, {} cases", names.len()),
        (false, false) => println!("vectors: {} cases, written: {}", names.len(), stale.join(", ")),
        (false, true) => bail!("vectors/ is not what its cases say: cargo xtask vectors ({})", stale.join(", ")),
    }
    Ok(())
}

fn case(draft: &Draft, keys: &Keys) -> Result<Value> {
    Ok(json!({
        "name": draft.name, "rule": draft.rule, "verifier": draft.verifier, "at": draft.at, "verdict": draft.verdict,
        "token": draft.token(keys)?,
    }))
}
