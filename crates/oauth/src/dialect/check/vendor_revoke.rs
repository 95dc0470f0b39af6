//! `[vendor_revoke]`: a vendor's own way to revoke. The rule that it names is core's.

use super::{
    super::{
        compiled::{RevokeRule, VendorRevoke},
        section::Section,
        template::{Template, Variable},
        tree::Value,
    },
    endpoints::{Path, paths},
    request::required,
};

/// Its table; none when the dialect has none, or switches off what it inherits (`vendor_revoke = false`).
pub(super) fn section<'t>(root: &Section<'t>) -> Option<Section<'t>> {
    let entry = root.entry("vendor_revoke")?;
    if matches!(entry.node.value, Value::Bool(false)) { None } else { root.below(entry) }
}

pub(super) fn check<'t>(section: &Section<'t>) -> Option<(VendorRevoke, Vec<Path<'t>>)> {
    let paths =
        section.need("paths", "its path, or a list of them").and_then(|e| paths(section, e, "vendor_revoke.paths"));
    let rule = section
        .need("rule", "the name of what it does: client_at_api")
        .and_then(|entry| section.word::<RevokeRule>(entry, &["client_at_api"]));
    let required = required(section);
    let answer = section.need("answer", "the body of the answer, as a table").and_then(|entry| {
        let below = section.below(entry)?;
        let mut complain = |node: &super::super::tree::Node, key: &str, message| below.wrong_at(&node.at, key, message);
        Some(Template::<NoVar>::object(below.table, &mut complain))
    });
    let mut body = String::new();
    answer?.write(&mut body, &|_| None);
    Some((VendorRevoke { rule: rule?, required: required?, answer: body.into() }, paths?))
}

/// There is nothing to say about a revocation.
#[derive(Debug, Clone, Copy, PartialEq)]
enum NoVar {}

impl Variable for NoVar {
    const NAMES: &'static [&'static str] = &[];
    fn of_name(_: &str) -> Option<Self> {
        None
    }
    fn is_number(&self) -> bool {
        false
    }
    fn may_be_absent(&self) -> bool {
        false
    }
}
