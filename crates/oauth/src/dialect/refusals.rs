//! The refusals of core, as a dialect file knows them: by name, with the code that each one has.

use std::sync::LazyLock;

use ficha_core::{ClientFailure, ErrorCode, Malformed, Refusal};
use ficha_types::{GrantKind, Seconds};

/// A refusal without what it carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kind {
    pub(super) name: &'static str,
    pub(super) code: ErrorCode,
    pub(super) is_verdict: bool,
    pub(super) keeps_status: bool,
}

/// The word for every refusal that [`Refusal::is_verdict`].
pub(super) const VERDICT: &str = "verdict";
/// The word for every refusal.
pub(super) const DEFAULT: &str = "default";

/// Every kind of refusal, in the order of [`Refusal::NAMES`].
pub(super) fn kinds() -> &'static [Kind] {
    static KINDS: LazyLock<Vec<Kind>> = LazyLock::new(|| samples().iter().map(kind).collect());
    &KINDS
}

/// Where a refusal stands in [`kinds`].
pub(super) fn position(refusal: &Refusal) -> usize {
    let name = refusal.name();
    kinds().iter().position(|k| k.name == name).unwrap_or_default()
}

/// The names under which an error table finds `kind`, the most particular first.
pub(super) fn names(kind: &Kind) -> impl Iterator<Item = &'static str> {
    [Some(kind.name), Some(kind.code.as_str()), kind.is_verdict.then_some(VERDICT), Some(DEFAULT)].into_iter().flatten()
}

/// Every name that an error table may hold.
pub(super) fn known() -> impl Iterator<Item = &'static str> {
    Refusal::NAMES.into_iter().chain(ErrorCode::ALL.map(ErrorCode::as_str)).chain([VERDICT, DEFAULT])
}

fn kind(refusal: &Refusal) -> Kind {
    Kind {
        name: refusal.name(),
        code: refusal.code(),
        is_verdict: refusal.is_verdict(),
        keeps_status: refusal.keeps_status(),
    }
}

fn samples() -> [Refusal; Refusal::NAMES.len()] {
    [
        Refusal::Malformed(Malformed::BodyBroken),
        Refusal::Method("POST"),
        Refusal::MediaType,
        Refusal::TooLarge(0),
        Refusal::Misdirected,
        Refusal::NotFound,
        Refusal::Insecure,
        Refusal::NoCredentials,
        Refusal::Client(ClientFailure::Unknown),
        Refusal::TooManyFailures(Seconds(1)),
        Refusal::TooMany(Seconds(1)),
        Refusal::UnsupportedGrant,
        Refusal::GrantNotAllowed(GrantKind::ClientCredentials),
        Refusal::UnknownApi,
        Refusal::ApisDisagree,
        Refusal::NoApi,
        // A single letter is a scope (RFC 6749 §3.3).
        Refusal::Scope("a".parse().expect("a letter is a scope")),
        Refusal::ScopeGrammar,
        Refusal::User,
        Refusal::RefreshUnknown,
        Refusal::RefreshExpired,
        Refusal::RefreshRevoked,
        Refusal::RefreshReplayed,
        Refusal::Unavailable,
        Refusal::Busy("queue"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_of_core_is_known_by_its_name() {
        assert_eq!(kinds().iter().map(|k| k.name).collect::<Vec<_>>(), Refusal::NAMES);
        for (at, sample) in samples().iter().enumerate() {
            assert_eq!(position(sample), at);
        }
    }

    #[test]
    fn no_name_means_two_things() {
        let mut names: Vec<_> = known().collect();
        names.sort_unstable();
        let all = names.len();
        names.dedup();
        assert_eq!(names.len(), all);
    }
}
