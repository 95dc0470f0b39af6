//! `extends`: what a dialect's file says, laid over what the other one says.
//!
//! Tables merge key by key. A template (an answer, a header, claims, a body) is replaced whole, since its order means something.
//! Among error entries the file's own go first: an entry of the other dialect that an own one covers is gone.

use ficha_core::ErrorCode;

use super::{
    refusals::{self, DEFAULT, VERDICT},
    tree::{Entry, Table, Value},
};

/// Tables that are replaced whole.
pub(super) const TEMPLATES: [&str; 5] =
    ["token.answer", "access_token.header", "access_token.claims", "refresh_token.claims", "vendor_revoke.answer"];

/// Keys that are each dialect's own.
const NOT_INHERITED: [&str; 2] = ["extends", "about"];

/// `own` laid over `base`.
pub(super) fn overlay(own: Table, mut base: Table) -> Table {
    base.0.retain(|e| !NOT_INHERITED.contains(&e.key.as_str()));
    let head: Vec<Entry> = own.0.iter().filter(|e| NOT_INHERITED.contains(&e.key.as_str())).cloned().collect();
    let rest = own.0.into_iter().filter(|e| !NOT_INHERITED.contains(&e.key.as_str())).collect();
    let merged = table("", Table(rest), base);
    Table(head.into_iter().chain(merged.0).collect())
}

/// Whether the table at `path` holds error entries.
pub(super) fn holds_errors(path: &str) -> bool {
    path == "errors" || path == "vendor_revoke.errors" || (path.starts_with("grants.") && path.ends_with(".errors"))
}

fn table(path: &str, own: Table, base: Table) -> Table {
    if holds_errors(path) {
        return errors(own, base);
    }
    let mut merged = base;
    for entry in own.0 {
        let path = join(path, &entry.key);
        let Some(there) = merged.0.iter_mut().find(|e| e.key == entry.key) else {
            merged.0.push(entry);
            continue;
        };
        let Entry { key, at, mut node } = entry;
        if let (Value::Table(own), Value::Table(base)) = (&mut node.value, &mut there.node.value)
            && !TEMPLATES.contains(&path.as_str())
        {
            let (own, base) = (std::mem::take(own), std::mem::take(base));
            node.value = Value::Table(table(&path, own, base));
        }
        *there = Entry { key, at, node };
    }
    merged
}

fn errors(own: Table, base: Table) -> Table {
    let mut merged = own;
    for mut entry in base.0 {
        if let Value::Table(settings) = &mut entry.node.value {
            settings.0.retain(|setting| !covered(&merged, &entry.key, &setting.key));
            if settings.0.is_empty() {
                continue;
            }
        }
        match merged.0.iter_mut().find(|e| e.key == entry.key) {
            None => merged.0.push(entry),
            Some(there) => {
                if let (Value::Table(own), Value::Table(base)) = (&mut there.node.value, entry.node.value) {
                    own.0.extend(base.0);
                }
            }
        }
    }
    merged
}

/// Whether `own` says `setting` for everything that an entry `name` is about.
fn covered(own: &Table, name: &str, setting: &str) -> bool {
    let says = |name: &str| match own.get(name).map(|n| &n.value) {
        Some(Value::Table(settings)) => settings.get(setting).is_some(),
        // What is no table is a mistake of the file's own: the check says so, once.
        Some(_) => true,
        None => false,
    };
    let code_is_verdict = |code: &str| refusals::kinds().iter().any(|k| k.code.as_str() == code && k.is_verdict);
    if let Some(kind) = refusals::kinds().iter().find(|k| k.name == name) {
        return refusals::names(kind).any(says);
    }
    let is_code = ErrorCode::ALL.iter().any(|c| c.as_str() == name);
    says(name) || says(DEFAULT) || (is_code && code_is_verdict(name) && says(VERDICT))
}

/// `key` of the table at `path`; either may be empty.
pub(super) fn join(path: &str, key: &str) -> String {
    let dot = if path.is_empty() || key.is_empty() { "" } else { "." };
    format!("{path}{dot}{key}")
}

#[cfg(test)]
mod tests {
    use super::{
        super::{toml_text, tree},
        *,
    };

    fn merged(own: &str, base: &str) -> String {
        let own = tree::read(&"own.toml".into(), own).unwrap();
        let base = tree::read(&"base.toml".into(), base).unwrap();
        toml_text::write(&overlay(own, base))
    }

    #[test]
    fn tables_merge_key_by_key_and_templates_are_replaced_whole() {
        let base = "about = 'base'\n[token]\nbody = 'form'\nrealm = 'x'\n[token.answer]\na = 1\nb = 2\n";
        let own = "extends = 'base'\n[token]\nbody = 'json'\n[token.answer]\nc = 3\n";
        assert_eq!(
            merged(own, base),
            "extends = \"base\"\n\n[token]\nbody = \"json\"\nrealm = \"x\"\n\n[token.answer]\nc = 3\n"
        );
    }

    #[test]
    fn an_own_error_entry_hides_all_that_it_covers() {
        let base = "[errors.client_refused]\nstatus = 403\nbody = {a = 1}\n[errors.default]\nbody = {b = 1}\n[errors.unknown_api]\nstatus = 404\n";
        assert_eq!(
            merged("[errors.invalid_client]\nbody = {c = 1}\n", base),
            "[errors.invalid_client]\nbody = { c = 1 }\n\n[errors.client_refused]\nstatus = 403\n\n[errors.default]\nbody = { b = 1 }\n\n[errors.unknown_api]\nstatus = 404\n"
        );
        assert_eq!(
            merged(
                "[errors.verdict]\nstatus = 400\n",
                "[errors.invalid_client]\nstatus = 401\n[errors.malformed]\nstatus = 422\n"
            ),
            "[errors.verdict]\nstatus = 400\n\n[errors.malformed]\nstatus = 422\n"
        );
    }

    #[test]
    fn an_error_entry_takes_what_it_does_not_say_from_the_other_dialect() {
        assert_eq!(
            merged("[errors.user_refused]\nbody = {a = 1}\n", "[errors.user_refused]\nstatus = 401\nbody = {b = 1}\n"),
            "[errors.user_refused]\nbody = { a = 1 }\nstatus = 401\n"
        );
    }
}
