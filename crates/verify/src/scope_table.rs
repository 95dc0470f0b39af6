//! Which operation needs which scope.

use std::{fmt, sync::Arc};

use ficha_types::ScopeSet;
use http::Method;
use matchit::Router;
use thiserror::Error;

use crate::Rejection;

/// What each method and path needs; what has no row is refused.
///
/// Paths are written as axum's routes (`/cards/{id}`, `/files/{*path}`) and matched by axum's own matcher, so that the
/// table and the routes can't read a path differently: the more literal row wins, whatever the order of the rows.
#[derive(Clone, Default)]
pub struct ScopeTable(Arc<Vec<(Method, Router<ScopeSet>)>>);

/// A row that can't be kept.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the row {method} {path} is refused: {why}")]
pub struct BadRow {
    method: String,
    path: String,
    why: String,
}

impl ScopeTable {
    /// A table of rows: method, path, and the scopes that are needed, all of them, with spaces between. No scope means
    /// that any token of the issuer for this API will do.
    ///
    /// # Errors
    /// [`BadRow`]: the first row that is not of this form, or stands in another's way.
    pub fn new<'a>(rows: impl IntoIterator<Item = (&'a str, &'a str, &'a str)>) -> Result<Self, BadRow> {
        let mut table: Vec<(Method, Router<ScopeSet>)> = Vec::new();
        for (method, path, needed) in rows {
            let bad = |why: String| BadRow { method: method.into(), path: path.into(), why };
            if method.is_empty() || !method.bytes().all(|b| b.is_ascii_uppercase()) {
                return Err(bad("a method is written in capital letters".into()));
            }
            let parsed = Method::from_bytes(method.as_bytes()).map_err(|why| bad(why.to_string()))?;
            check_path(path).map_err(|why| bad(why.into()))?;
            let needed: ScopeSet = needed.parse().map_err(|why: ficha_types::BadWord| bad(why.to_string()))?;
            let place = table.iter().position(|(known, _)| *known == parsed).unwrap_or(table.len());
            if place == table.len() {
                table.push((parsed, Router::new()));
            }
            if let Some((_, router)) = table.get_mut(place) {
                router.insert(path, needed).map_err(|why| bad(why.to_string()))?;
            }
        }
        Ok(Self(Arc::new(table)))
    }

    /// What `method` on `path` needs. `HEAD` is as `GET`, unless it has rows of its own.
    ///
    /// # Errors
    /// [`Rejection::NoRoute`] when no row allows it.
    pub fn needed(&self, method: &Method, path: &str) -> Result<&ScopeSet, Rejection> {
        let of = |method: &Method| {
            let (_, router) = self.0.iter().find(|(known, _)| known == method)?;
            router.at(path).ok().map(|found| found.value)
        };
        let found = of(method).or_else(|| if *method == Method::HEAD { of(&Method::GET) } else { None });
        found.ok_or(Rejection::NoRoute)
    }
}

impl fmt::Debug for ScopeTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let methods: Vec<&Method> = self.0.iter().map(|(method, _)| method).collect();
        f.debug_tuple("ScopeTable").field(&methods).finish()
    }
}

/// What axum refuses in a route is refused here as well.
fn check_path(path: &str) -> Result<(), &'static str> {
    if !path.starts_with('/') {
        return Err("a path begins with '/'");
    }
    if path.split('/').any(|segment| segment.starts_with([':', '*'])) {
        return Err("a variable is written {name}, and the rest of a path {*name}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> ScopeTable {
        ScopeTable::new([
            ("GET", "/cards/{id}", "cards:get"),
            ("GET", "/cards/search", "cards:search"),
            ("POST", "/cards", "cards:create users:get"),
            ("GET", "/me", ""),
            ("GET", "/files/{*path}", "files:get"),
        ])
        .unwrap()
    }

    fn needed(method: &str, path: &str) -> Option<String> {
        table().needed(&method.parse().unwrap(), path).ok().map(ToString::to_string)
    }

    #[test]
    fn the_more_literal_row_wins_whatever_the_order() {
        assert_eq!(needed("GET", "/cards/7").unwrap(), "cards:get");
        assert_eq!(needed("GET", "/cards/search").unwrap(), "cards:search");
        assert_eq!(needed("POST", "/cards").unwrap(), "cards:create users:get");
        assert_eq!(needed("GET", "/me").unwrap(), "");
        assert_eq!(needed("GET", "/files/a/b").unwrap(), "files:get");
    }

    #[test]
    fn head_is_as_get() {
        assert_eq!(needed("HEAD", "/cards/7").unwrap(), "cards:get");
    }

    #[test]
    fn what_has_no_row_is_refused() {
        for (method, path) in [
            ("DELETE", "/cards/7"),
            ("get", "/cards/7"),
            ("GET", "/cards"),
            ("GET", "/cards/"),
            ("GET", "/cards/7/"),
            ("GET", "//cards/7"),
            ("GET", "/cards//7"),
            ("GET", "/Cards/7"),
            ("HEAD", "/nothing"),
            ("GET", ""),
            ("GET", "*"),
        ] {
            assert_eq!(needed(method, path), None, "{method} {path}");
        }
    }

    #[test]
    fn a_row_that_can_not_be_kept_says_why() {
        let row = |row| ScopeTable::new([row]).unwrap_err().to_string();
        assert_eq!(row(("GET", "cards", "a")), "the row GET cards is refused: a path begins with '/'");
        assert!(row(("get", "/cards", "a")).contains("capital letters"));
        assert!(row(("GET", "/cards/:id", "a")).contains("{name}"));
        assert!(row(("GET", "/cards/{id", "a")).starts_with("the row GET /cards/{id is refused: "));
        assert!(row(("GET", "/cards", "a\"b")).contains("not a valid scope"));
        assert!(ScopeTable::new([("GET", "/a/{x}", "a"), ("GET", "/a/{y}", "b")]).is_err());
    }
}
