//! What of an issuer's changes concerns those who verify its tokens.

use ficha_types::ApiName;

use crate::{
    ports::{Against, ChangeRow, Fact},
    records::{Mark, Marked, is_for_refresh},
};

/// What a page of changes tells.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct News {
    /// The number of the last change.
    pub(super) last: i64,
    /// Whether the issuer, an API or a key is not as it was.
    pub(super) declared: bool,
    /// What concerns verifiers, by the number of its change, and the one API that it concerns; all when there is none.
    told: Vec<(i64, Option<ApiName>, Against)>,
}

impl News {
    /// What concerns that API, by the number of its change.
    pub(super) fn for_api(&self, api: &ApiName) -> Vec<(i64, Against)> {
        let concerns = self.told.iter().filter(|(_, of, _)| of.as_ref().is_none_or(|of| of == api));
        concerns.map(|(number, _, against)| (*number, against.clone())).collect()
    }
}

/// What the changes after number `after` tell; none when some are missing, or one is of a kind that this version does not know:
/// then only a snapshot is sure to hold everything.
pub(super) fn read(changes: &[ChangeRow], after: i64) -> Option<News> {
    let mut news = News { last: after, declared: false, told: Vec::new() };
    for change in changes {
        if change.number != news.last + 1 {
            return None;
        }
        news.last = change.number;
        let told = match &change.fact {
            Fact::Issuer | Fact::Api(_) | Fact::Key(_) | Fact::SealingKey(_) => {
                news.declared = true;
                None
            }
            Fact::KeyGone(kid) => {
                news.declared = true;
                Some((None, Against::Key(kid.clone()))).filter(|(_, gone)| is_for_verifiers(gone))
            }
            Fact::Mark(mark) => Some(marked(mark)),
            Fact::Token { id, api, until, .. } => Some((api.clone(), Against::Token(id.clone(), *until))),
            Fact::Family { id, api, until } => Some((api.clone(), Against::Family(id.clone(), *until))),
            Fact::Client(_) | Fact::User(_) | Fact::LiveToken { .. } => None,
            Fact::Other => return None,
        };
        news.told.extend(told.map(|(api, against)| (change.number, api, against)));
    }
    (news.last > after).then_some(news)
}

fn marked(mark: &Mark) -> (Option<ApiName>, Against) {
    match &mark.whose {
        Marked::Issuer => (None, Against::Issuer(mark.at)),
        Marked::Client(id) => (None, Against::Client(id.clone(), mark.at)),
        Marked::ClientAtApi(id, api) => (Some(api.clone()), Against::Client(id.clone(), mark.at)),
        Marked::User(sub) => (None, Against::User(sub.clone(), mark.at)),
    }
}

/// Whether verifiers know what it is about: keys for refresh tokens they never knew.
pub(super) fn is_for_verifiers(against: &Against) -> bool {
    match against {
        Against::Key(kid) => !is_for_refresh(kid),
        Against::Token(..) | Against::Family(..) | Against::Client(..) | Against::User(..) | Against::Issuer(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use ficha_types::UnixSeconds;

    use super::*;

    fn change(number: i64, fact: Fact) -> ChangeRow {
        ChangeRow { number, fact, at: UnixSeconds(0) }
    }

    fn client_mark(api: Option<&str>) -> Fact {
        let id = "app".parse().unwrap();
        let whose = match api {
            Some(api) => Marked::ClientAtApi(id, api.parse().unwrap()),
            None => Marked::Client(id),
        };
        Fact::Mark(Mark { whose, at: UnixSeconds(5) })
    }

    fn told(news: &News, api: &str) -> usize {
        news.for_api(&api.parse().unwrap()).len()
    }

    #[test]
    fn what_is_bound_to_one_api_is_told_to_no_other() {
        let token = Fact::Token {
            id: "AAAAAAAAAAAAAAAAAAAAAA".parse().unwrap(),
            client: None,
            api: "cards".parse().ok(),
            until: UnixSeconds(9),
        };
        let changes = [change(8, client_mark(Some("cards"))), change(9, client_mark(None)), change(10, token)];
        let news = read(&changes, 7).unwrap();
        assert_eq!((news.last, news.declared), (10, false));
        assert_eq!((told(&news, "cards"), told(&news, "loans")), (3, 1));
    }

    #[test]
    fn a_key_for_refresh_tokens_is_no_news_for_a_verifier() {
        let kid = |kid: &str| Fact::KeyGone(kid.parse().unwrap());
        let news = read(&[change(1, kid("k1")), change(2, kid("k1/refresh"))], 0).unwrap();
        assert_eq!(told(&news, "cards"), 1);
        assert!(news.declared);
    }

    #[test]
    fn a_gap_and_a_kind_that_is_not_known_need_a_snapshot() {
        assert_eq!(read(&[change(9, Fact::Issuer)], 7), None);
        assert_eq!(read(&[], 7), None);
        assert_eq!(read(&[change(8, Fact::Other)], 7), None);
    }
}
