//! `[cluster]`

use std::time::Duration;

use super::section;
use crate::{
    document::{Node, Value},
    kinds::{Kind, Optional, seconds},
    reader::Complaints,
};

section! {
    /// This node among the others on one PostgreSQL database. The only node of an embedded database needs none of it.
    pub struct Cluster = "cluster" {
        /// What others call this node, in answers and metrics; chance is added, so that no two starts share a name. The machine's
        /// name when absent.
        node: Option<String> = Optional(Label), "";
        /// How far the clocks of nodes may be apart: a not-before mark lies that far ahead, and requests that it covers wait as
        /// long, at most `mark_wait_s`. The same on every node.
        max_clock_skew_s: Duration = seconds(2..=30), "2";
    }
}

/// A name that fits into others.
struct Label;

impl Kind for Label {
    type Value = String;
    fn takes(&self) -> String {
        "1 to 100 characters of A-Z, a-z, 0-9, '-', '_' and '.'".into()
    }
    fn take(&self, node: &Node, say: &mut Complaints<'_>) -> Option<String> {
        let (Value::Text(text) | Value::Word(text)) = &node.value else { return say.expected(&self.takes(), node) };
        let fits = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
        if (1..=100).contains(&text.len()) && fits { Some(text.clone()) } else { say.expected(&self.takes(), node) }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::load::tests::{complaints, config};

    #[test]
    fn a_node_has_a_name_and_a_bound_of_its_clock() {
        let cluster = config("").cluster;
        assert_eq!((cluster.node, cluster.max_clock_skew_s), (None, Duration::from_secs(2)));
        assert_eq!(config("[cluster]\nnode = \"auth-1.eu\"").cluster.node.as_deref(), Some("auth-1.eu"));
        assert_eq!(
            complaints("[cluster]\nnode = \"auth 1\"\nmax_clock_skew_s = 1"),
            [
                "ficha.toml:2: [cluster] node: expected 1 to 100 characters of A-Z, a-z, 0-9, '-', '_' and '.'; found \"auth 1\"",
                "ficha.toml:3: [cluster] max_clock_skew_s: expected seconds from 2 to 30, as a number or with a unit, as in \"90s\" or \"5m\"; found 1",
            ]
        );
    }
}
