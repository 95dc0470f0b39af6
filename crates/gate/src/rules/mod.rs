//! The rules: which host, method and path needs which scope of whose tokens. The first that matches decides; what none
//! matches is refused.

mod load;
mod means;
mod pattern;
mod reading;

use std::fmt;

use ficha_config::Place;
use ficha_types::ScopeSet;
use ficha_web::Host;
use http::Method;

pub use load::{load, read};
pub use means::{Feed, Means, Who};
pub(crate) use pattern::Pattern;

use crate::PlainPath;

/// Every rule of a file, in its order.
#[derive(Debug)]
pub struct Rulebook {
    pub(crate) apis: Vec<Api>,
    pub(crate) rules: Vec<Rule>,
}

/// An API: where it is asked for, and whose tokens it takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Api {
    pub(crate) hosts: Vec<HostPattern>,
    /// Whose tokens, for whom, and how they are checked; `None` where every rule is public.
    pub tokens: Option<Tokens>,
    /// Where it stands.
    pub place: Place,
}

/// Whose tokens are taken, and how they are checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tokens {
    /// What they say in `iss`.
    pub issuer: Box<str>,
    /// What they say in `aud`.
    pub audience: Box<str>,
    /// How they are checked where the issuer is another process.
    pub means: Means,
}

/// One rule.
#[derive(Debug, Clone)]
pub struct Rule {
    /// The method; `None` for every one.
    pub(crate) method: Option<Method>,
    pub(crate) pattern: Pattern,
    /// What it needs.
    pub needs: Needs,
    /// The number of its [`Api`].
    pub api: usize,
    /// Where it stands.
    pub place: Place,
    /// As it is written: `GET /cards/{id}`.
    text: Box<str>,
}

/// What a rule needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Needs {
    /// Nothing: it is open to everybody.
    Nothing,
    /// A good token with all of these scopes; with none of them, any good token.
    Scopes(ScopeSet),
}

/// The hosts of an API, whatever their port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum HostPattern {
    /// `*`
    Any,
    /// `*.example.com`: one name more in front of this.
    Below(Box<str>),
    /// This one.
    Is(Box<str>),
}

impl HostPattern {
    fn matches(&self, host: Option<&Host>) -> bool {
        match self {
            Self::Any => true,
            Self::Below(suffix) => host.is_some_and(|host| one_below(&host.name, suffix)),
            Self::Is(name) => host.is_some_and(|host| host.name == *name),
        }
    }

    fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Any, _) => true,
            (Self::Below(one), Self::Below(two)) | (Self::Is(one), Self::Is(two)) => one == two,
            (Self::Below(suffix), Self::Is(name)) => one_below(name, suffix),
            (Self::Below(_) | Self::Is(_), _) => false,
        }
    }
}

fn one_below(name: &str, suffix: &str) -> bool {
    let front = name.strip_suffix(suffix).and_then(|front| front.strip_suffix('.'));
    front.is_some_and(|front| !front.is_empty() && !front.contains('.'))
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Below(suffix) => write!(f, "*.{suffix}"),
            Self::Is(name) => f.write_str(name),
        }
    }
}

impl Rule {
    /// As it is written: `GET /cards/{id}`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    fn matches(&self, method: &Method, path: &PlainPath<'_>) -> bool {
        self.method.as_ref().is_none_or(|own| own == method) && self.pattern.matches(path)
    }

    /// Whether everything that `other` matches of one host, it matches as well.
    fn covers(&self, other: &Self) -> bool {
        let method = match (&self.method, &other.method) {
            (None, _) => true,
            (Some(one), Some(two)) => one == two,
            (Some(_), None) => false,
        };
        method && self.pattern.covers(&other.pattern)
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Rulebook {
    /// The first rule for this request, and its API. `HEAD` counts as `GET`.
    #[must_use]
    pub fn find(&self, host: Option<&Host>, method: &Method, path: &PlainPath<'_>) -> Option<(&Rule, &Api)> {
        let method = if *method == Method::HEAD { &Method::GET } else { method };
        self.rules.iter().find_map(|rule| {
            let api = self.apis.get(rule.api)?;
            let fits = rule.matches(method, path) && api.hosts.iter().any(|pattern| pattern.matches(host));
            fits.then_some((rule, api))
        })
    }

    /// The APIs, by number.
    #[must_use]
    pub fn apis(&self) -> &[Api] {
        &self.apis
    }

    /// How many rules there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }
}

/// The first rule before `rule` that leaves it nothing.
pub(crate) fn covered<'b>(apis: &[Api], before: &'b [Rule], rule: &Rule) -> Option<&'b Rule> {
    let hosts = |rule: &Rule| apis.get(rule.api).map_or(&[][..], |api| &api.hosts);
    let all = |one: &[HostPattern], two: &[HostPattern]| two.iter().all(|h| one.iter().any(|own| own.covers(h)));
    before.iter().find(|earlier| earlier.covers(rule) && all(hosts(earlier), hosts(rule)))
}
