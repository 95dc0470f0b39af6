//! What holds in every dialect.

use std::collections::BTreeMap;

use ficha_core::{
    ClientFailure, Malformed, Refusal,
    ports::{Dialect, Dialects, TokenFacts},
    token::{Credentials, GrantRequest},
};
use ficha_oauth::dialect::{Compiled, DialectSet, StandardForm};
use ficha_types::{Algorithm, AuthMethod, DialectName, UnixSeconds};
use proptest::prelude::*;

use super::*;

fn all() -> Vec<Arc<Compiled>> {
    let set = set();
    set.list().map(|s| set.compiled(s.name).unwrap()).collect()
}

/// A well-formed request of the dialect's first grant, by its own names, encoding and credential place.
fn good(name: &str) -> (Vec<(&'static str, &'static str)>, String) {
    const BASIC: (&str, &str) = ("authorization", "Basic YTpi");
    match name {
        "standard" | "leancore" => (vec![FORM, BASIC], "grant_type=client_credentials".into()),
        "deyel" => (vec![FORM, BASIC], "grant_type=password&username=u&password=p".into()),
        "pomelo" => (
            vec![JSON],
            r#"{"client_id":"a","client_secret":"b","audience":"x","grant_type":"client_credentials"}"#.into(),
        ),
        "acme" | "acme-eu" => (vec![JSON, BASIC], r#"{"flow":"machine","api":"x"}"#.into()),
        other => panic!("no good request of {other}"),
    }
}

#[test]
fn a_good_request_is_read() {
    for dialect in all() {
        let (sent, body) = good(dialect.name().as_str());
        let (request, asked) = token(&dialect, &sent, &body).unwrap();
        assert_eq!(asked.grant, Some(request.grant.kind()));
        assert!(matches!(request.who, Credentials::Secret { .. }), "{:?}", request.who);
    }
}

#[test]
fn media_type_parameters_are_accepted_and_other_media_types_are_415() {
    for dialect in all() {
        let (mut sent, body) = good(dialect.name().as_str());
        let media = sent[0].1;
        let with_charset = format!("{} ; charset=UTF-8", media.to_uppercase());
        sent[0].1 = Box::leak(with_charset.into_boxed_str());
        assert!(token(&dialect, &sent, &body).is_ok());
        for other in ["text/plain", "application/jsonx", "", "multipart/form-data"] {
            sent[0].1 = other;
            assert!(refused(&dialect, &sent, &body).starts_with("415 "), "{other}");
        }
        assert!(refused(&dialect, &sent[1..], &body).starts_with("415 "), "no content type");
    }
}

#[test]
fn credentials_in_the_query_are_refused() {
    for dialect in all() {
        let (sent, body) = good(dialect.name().as_str());
        let map = headers(&sent);
        for (query, ok) in [("client_secret=b", false), ("password=x&a=1", false), ("x=1", true), ("", true)] {
            let parsed = dialect.parse_token(Sent { query: Some(query), headers: &map, body: body.as_bytes() });
            assert_eq!(parsed.is_ok(), ok, "{query}");
            if let Err(refused) = parsed {
                assert_eq!(refused.refusal, Malformed::CredentialsInQuery.into());
            }
        }
    }
}

#[test]
fn a_repeated_parameter_is_refused_by_its_name() {
    for dialect in all() {
        let (sent, body) = good(dialect.name().as_str());
        let twice = match body.strip_prefix('{') {
            None => format!("{body}&scope=a&scope="),
            Some(rest) => format!(r#"{{"client_id":null,"client_id":"a",{rest}"#),
        };
        let refusal = token(&dialect, &sent, &twice).unwrap_err().refusal;
        assert!(matches!(refusal, Refusal::Malformed(Malformed::Repeated(_))), "{refusal:?}");
    }
}

#[test]
fn malformed_basic_is_refused_where_it_is_taken_and_where_it_is_not() {
    for dialect in all() {
        let (mut sent, body) = good(dialect.name().as_str());
        sent.retain(|(name, _)| *name != "authorization");
        sent.push(("authorization", "Basic !"));
        let refused = token(&dialect, &sent, &body).unwrap_err();
        assert!(matches!(refused.refusal, Refusal::Malformed(Malformed::Authorization(_))));
        assert!(refused.asked.basic);
    }
}

#[test]
fn two_secrets_are_refused_and_an_equal_client_id_is_not() {
    for dialect in all() {
        let (mut sent, body) = good(dialect.name().as_str());
        let with = |more: &[(&str, &str)]| {
            let listed = |one: fn(&(&str, &str)) -> String| more.iter().map(one).collect::<Vec<_>>().concat();
            match body.strip_suffix('}') {
                None => body.clone() + &listed(|(name, value)| format!("&{name}={value}")),
                Some(rest) => rest.to_owned() + &listed(|(name, value)| format!(r#","{name}":"{value}""#)) + "}",
            }
        };
        if dialect.profile().auth_methods.contains(&AuthMethod::ClientSecretBasic) {
            let refusal = |more| token(&dialect, &sent, &with(more)).map(|_| ()).map_err(|r| r.refusal);
            assert_eq!(refusal(&[("client_secret", "b")]), Err(Malformed::TwoSecrets.into()));
            assert_eq!(refusal(&[("client_id", "a"), ("client_secret", "b")]), Err(Malformed::TwoSecrets.into()));
            assert_eq!(refusal(&[("client_id", "c")]), Err(Malformed::TwoClients.into()));
            assert_eq!(refusal(&[("client_id", "a")]), Ok(()));
            assert_eq!(refusal(&[("client_id", "")]), Ok(()));
        } else {
            sent.push(("authorization", "Basic YTpi"));
            assert_eq!(token(&dialect, &sent, &body).unwrap_err().refusal, Malformed::TwoSecrets.into());
        }
    }
}

#[test]
fn a_way_to_authenticate_that_the_dialect_has_not_is_a_refused_client() {
    for dialect in all() {
        let (mut sent, body) = good(dialect.name().as_str());
        sent.retain(|(name, _)| *name != "authorization");
        sent.push(("authorization", "Bearer abc"));
        assert_eq!(token(&dialect, &sent, &body).unwrap_err().refusal, Refusal::Client(ClientFailure::Method));
    }
    let in_body = token(&dialect("leancore"), &[FORM], "grant_type=client_credentials&client_id=a&client_secret=b");
    assert_eq!(in_body.unwrap_err().refusal, Refusal::Client(ClientFailure::Method));
}

#[test]
fn every_refusal_of_every_occasion_is_json_and_is_not_stored() {
    let grants = [None, Some(GrantKind::ClientCredentials), Some(GrantKind::Password), Some(GrantKind::RefreshToken)];
    let endpoints = [Endpoint::Token, Endpoint::VendorRevoke, Endpoint::Revoke, Endpoint::Introspect];
    for dialect in all() {
        for (endpoint, grant) in endpoints.iter().flat_map(|e| grants.map(|g| (*e, g))) {
            for refusal in refusals() {
                let answer = dialect.render_refusal(&refusal, Asked { endpoint, grant, basic: false });
                serde_json::from_slice::<serde_json::Value>(&answer.body).unwrap();
                assert_eq!(answer.headers["cache-control"], "no-store");
                assert_eq!(answer.headers["pragma"], "no-cache");
                assert_eq!(answer.headers["content-type"], "application/json");
                assert_eq!(answer.status == 401, answer.headers.contains_key("www-authenticate"));
                assert_eq!(refusal.retry_after().is_some(), answer.headers.contains_key("retry-after"));
                if refusal.keeps_status() {
                    assert_eq!(answer.status, refusal.status());
                }
                if let Refusal::Method(allow) = refusal {
                    assert_eq!(answer.headers["allow"], allow);
                }
            }
        }
    }
}

fn refusals() -> Vec<Refusal> {
    vec![
        Malformed::Missing("scope".into()).into(),
        Refusal::Method("POST"),
        Refusal::MediaType,
        Refusal::TooLarge(65_536),
        Refusal::Misdirected,
        Refusal::NotFound,
        Refusal::Insecure,
        Refusal::NoCredentials,
        Refusal::Client(ClientFailure::WrongSecret),
        Refusal::TooManyFailures(Seconds(9)),
        Refusal::TooMany(Seconds(1)),
        Refusal::UnsupportedGrant,
        Refusal::GrantNotAllowed(GrantKind::Password),
        Refusal::UnknownApi,
        Refusal::NoApi,
        Refusal::Scope("a".parse().unwrap()),
        Refusal::User,
        Refusal::RefreshReplayed,
        Refusal::Unavailable,
        Refusal::Busy("signing"),
    ]
}

#[test]
fn the_standard_endpoints_speak_the_standards_forms_in_every_dialect() {
    for dialect in all() {
        let map = headers(&[FORM]);
        let sent = Sent { query: None, headers: &map, body: b"token=x&client_secret=y" };
        let refused = StandardForm::parse(Endpoint::Introspect, sent).unwrap_err();
        let answer = whole(&dialect.render_refusal(&refused.refusal, refused.asked));
        assert_eq!(
            answer,
            "400 Bad Request\ncache-control: no-store\ncontent-type: application/json\npragma: no-cache\n\n\
             {\"error\":\"invalid_request\",\"error_description\":\"The parameter client_id is missing.\"}"
        );
        let answer = dialect.render_refusal(&Refusal::NoCredentials, refused.asked);
        assert!(answer.headers["www-authenticate"].to_str().unwrap().starts_with("Basic realm="));
    }
}

#[test]
fn what_is_shown_is_the_same_dialect() {
    let set = set();
    let folder = tempdir("shown");
    for summary in set.list() {
        let text = set.show(summary.name).unwrap();
        std::fs::write(folder.join(format!("copy-of-{}.toml", summary.name)), text).unwrap();
    }
    let copies = DialectSet::load(Some(&folder)).unwrap_or_else(|e| panic!("{e}"));
    for summary in set.list() {
        let copy: DialectName = format!("copy-of-{}", summary.name).parse().unwrap();
        let body = |text: &str| text.split_once('\n').unwrap().1.to_owned();
        assert_eq!(body(copies.show(&copy).unwrap()), body(set.show(summary.name).unwrap()));
        let (a, b) = (set.compiled(summary.name).unwrap(), copies.compiled(&copy).unwrap());
        assert_eq!(a.profile(), b.profile());
        assert_eq!(a.endpoints(), b.endpoints());
        assert_eq!(whole(&a.render_token(&granted(None, None))), whole(&b.render_token(&granted(None, None))));
        for refusal in refusals() {
            assert_eq!(
                verdict(&a, &refusal, Some(GrantKind::RefreshToken)),
                verdict(&b, &refusal, Some(GrantKind::RefreshToken))
            );
        }
    }
}

/// An empty folder of this run's own.
fn tempdir(name: &str) -> std::path::PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("dialects-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

#[test]
fn a_folder_is_checked_whole_and_names_stay_unique() {
    let folder = tempdir("broken");
    std::fs::write(folder.join("pomelo.toml"), "").unwrap();
    std::fs::write(folder.join("No Name.toml"), "").unwrap();
    std::fs::write(folder.join("a.toml"), "extends = \"b\"\n").unwrap();
    std::fs::write(folder.join("b.toml"), "\nextends = \"a\"\n").unwrap();
    std::fs::write(folder.join("c.toml"), "extends = \"lencore\"\n").unwrap();
    std::fs::write(folder.join("d.toml"), "extends = \"standard\"\n[token]\nbdoy = 'form'\n").unwrap();
    std::fs::write(folder.join("e.toml"), "a = [\n").unwrap();
    std::fs::write(folder.join("readme.txt"), "not a dialect").unwrap();
    let error = DialectSet::load(Some(&folder)).unwrap_err().to_string();
    let lines: Vec<String> = error.lines().map(|l| l.replace(&format!("{}/", folder.display()), "")).collect();
    assert!(lines[0].starts_with("No Name.toml:1: the file's name is not a valid dialect name"), "{}", lines[0]);
    assert_eq!(lines[1], "a.toml:1: extends: a circle: b extends a extends b again");
    assert_eq!(lines[2], "b.toml:2: extends: a circle: a extends b extends a again");
    assert_eq!(
        lines[3],
        "c.toml:1: extends: there is no dialect \"lencore\", did you mean leancore? (there are a, b, c, d, deyel, e, leancore, pomelo, standard)"
    );
    assert!(lines[4].starts_with("d.toml:3: token.bdoy: unknown key, did you mean body?"), "{}", lines[4]);
    assert!(lines[5].starts_with("e.toml:"), "{}", lines[5]);
    assert!(lines.last().unwrap().starts_with("pomelo.toml:1: pomelo is a built-in dialect"));

    assert_eq!(DialectSet::check(&folder.join("d.toml")).len(), 1);
    assert_eq!(DialectSet::check(&folder.join("absent.toml")).len(), 1);
    let acme = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/dialects/acme");
    assert_eq!(DialectSet::check(&acme.join("acme-eu.toml")), []);
    assert!(DialectSet::load(Some(&folder.join("no-folder"))).is_err());
}

#[test]
fn dialects_are_found_by_their_names() {
    let set = set();
    let names: Vec<_> = set.list().map(|s| s.name.as_str().to_owned()).collect();
    assert_eq!(names, ["acme", "acme-eu", "deyel", "leancore", "pomelo", "standard"]);
    let eu = set.list().find(|s| s.name.as_str() == "acme-eu").unwrap();
    assert_eq!(eu.extends, ["acme", "standard"]);
    assert!(eu.file.is_some() && set.list().last().unwrap().file.is_none());
    assert!(Dialects::dialect(&set, &"acme".parse().unwrap()).is_some());
    assert!(Dialects::dialect(&set, &"nobody".parse().unwrap()).is_none());
}

proptest! {
    #[test]
    fn no_request_makes_a_dialect_panic(
        body in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..200),
            r#"[a-z_=&%+\{\}":, \[\]]{0,80}"#.prop_map(String::into_bytes),
            r"grant_type=(client_credentials|password|refresh_token)(&(username|password|scope|resource|audience|client_id|client_secret|refresh_token)=[ -~]{0,8}){0,6}".prop_map(String::into_bytes),
        ],
        query in proptest::option::of("[ -~]{0,40}"),
        content in prop_oneof![Just("application/x-www-form-urlencoded"), Just("application/json"), Just("x")],
        authorization in proptest::option::of(r"(Basic |Bearer |)[ -~]{0,30}"),
    ) {
        let mut map = headers(&[("content-type", content)]);
        if let Some(value) = authorization.and_then(|a| HeaderValue::from_str(&a).ok()) {
            map.insert("authorization", value);
        }
        let sent = Sent { query: query.as_deref(), headers: &map, body: &body };
        let _ = StandardForm::parse(Endpoint::Revoke, sent);
        for dialect in all_once() {
            if let Err(refused) = dialect.parse_token(sent) {
                let answer = dialect.render_refusal(&refused.refusal, refused.asked);
                prop_assert!(answer.status.is_client_error());
            }
            let _ = dialect.parse_vendor_revoke(sent);
        }
    }

    #[test]
    fn claims_read_back_what_they_say(facts in any_facts()) {
        for dialect in all_once() {
            let properties = BTreeMap::from([("tenant".to_owned(), facts.property.clone())]);
            let facts = facts.facts(&properties);
            let claims: serde_json::Map<_, _> = serde_json::from_str(&dialect.claims(&facts)).unwrap();
            let read = dialect.read_claims(&claims).unwrap();
            prop_assert_eq!(&read.id, &facts.id);
            prop_assert_eq!(&read.issuer, facts.issuer);
            prop_assert_eq!(&read.client, &facts.client);
            prop_assert_eq!(&read.user, &facts.user);
            prop_assert_eq!(&read.audience, &facts.audience);
            prop_assert_eq!(&read.scope, facts.scope);
            prop_assert_eq!((read.issued_at, read.expires_at), (facts.issued_at, facts.expires_at));
            let header: serde_json::Value = serde_json::from_str(&dialect.header(Algorithm::Es256, "k1")).unwrap();
            prop_assert_eq!(&header["alg"], "ES256");

            let refresh = dialect.refresh_claims(&facts, "https://a/token");
            if let Ok(claims) = serde_json::from_str::<serde_json::Map<_, _>>(&refresh) {
                prop_assert_eq!(dialect.read_refresh_claims(&claims, "https://a/token").unwrap(), read);
                prop_assert_eq!(dialect.read_refresh_claims(&claims, "https://b/token"), None);
            } else {
                prop_assert_eq!(refresh, "");
            }
        }
    }

    #[test]
    fn no_text_makes_the_check_panic(text: String, line in r#"[a-z.]{1,12} = [\[\]\{\}"'a-z0-9=, ]{0,20}"#) {
        let name: DialectName = "x".parse().unwrap();
        let _ = DialectSet::check_text(&name, &text);
        let _ = DialectSet::check_text(&name, &format!("extends = 'standard'\n{line}\n"));
    }
}

fn all_once() -> &'static [Arc<Compiled>] {
    static ALL: std::sync::LazyLock<Vec<Arc<Compiled>>> = std::sync::LazyLock::new(all);
    &ALL
}

#[derive(Debug)]
struct Facts {
    id: String,
    issuer: String,
    client: String,
    user: Option<String>,
    audience: String,
    scope: String,
    times: (i64, i64),
    grant: GrantKind,
    property: String,
}

impl Facts {
    fn facts<'a>(&'a self, properties: &'a BTreeMap<String, String>) -> TokenFacts<'a> {
        TokenFacts {
            id: self.id.parse().unwrap(),
            issuer: &self.issuer,
            client: self.client.parse().unwrap(),
            user: self.user.as_ref().map(|u| u.parse().unwrap()),
            audience: self.audience.parse().unwrap(),
            scope: &self.scope,
            issued_at: UnixSeconds(self.times.0),
            expires_at: UnixSeconds(self.times.1),
            grant: self.grant,
            properties: Some(properties),
        }
    }
}

fn any_facts() -> impl Strategy<Value = Facts> {
    let names = ("[A-Za-z0-9_-]{22,64}", ".{1,30}", "[ -9;-~]{1,40}", "[!-~]{1,60}", ".{0,20}");
    let user = proptest::option::of("u-[A-Za-z0-9]{8,20}");
    let scope = prop::collection::vec("[!#-\\[\\]-~]{1,12}", 0..5);
    let grant = prop::sample::select(GrantKind::ALL.to_vec());
    (names, user, scope, any::<(i64, i64)>(), grant).prop_map(
        |((id, issuer, client, audience, property), user, scope, times, grant)| Facts {
            scope: scope.join(" "),
            id,
            issuer,
            client,
            user,
            audience,
            times,
            grant,
            property,
        },
    )
}

#[test]
fn what_other_tokens_say_is_not_read() {
    let facts = Facts {
        id: "AAAAAAAAAAAAAAAAAAAAAA".into(),
        issuer: "https://a".into(),
        client: "app".into(),
        user: None,
        audience: "https://api".into(),
        scope: String::new(),
        times: (1, 2),
        grant: GrantKind::Password,
        property: String::new(),
    };
    let none = BTreeMap::new();
    for dialect in all() {
        let claims: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(&dialect.claims(&facts.facts(&none))).unwrap();
        assert_eq!(dialect.read_claims(&claims).unwrap().sub, claims["sub"]);
        for name in ["jti", "iss", "sub", "aud", "iat", "exp"] {
            let mut without = claims.clone();
            without.remove(name);
            assert_eq!(dialect.read_claims(&without), None, "{name}");
            let mut other = claims.clone();
            other.insert(name.into(), serde_json::json!({ "a": 1 }));
            assert_eq!(dialect.read_claims(&other), None, "{name}");
        }
        let mut several = claims.clone();
        several.insert("aud".into(), serde_json::json!(["https://api", "https://other"]));
        assert_eq!(dialect.read_claims(&several), None);
        assert!(dialect.read_refresh_claims(&claims, "https://a/oauth/token").is_none());
    }
}

#[test]
fn a_grant_reads_its_own_parameters() {
    let standard = dialect("deyel");
    let (request, _) =
        token(&standard, &[FORM], "grant_type=refresh_token&refresh_token=r&scope=a+b&client_id=c").unwrap();
    assert!(matches!(&request.who, Credentials::Id(id) if id == "c"));
    let GrantRequest::RefreshToken { token: sent, scope, target } = request.grant else { panic!("another grant") };
    assert_eq!((sent.expose(), scope.unwrap().to_string().as_str()), ("r", "a b"));
    assert_eq!(target, ficha_core::token::Target::default());
}

#[test]
fn every_example_of_the_page_is_a_dialect() {
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/dialects.md")).unwrap();
    let examples: Vec<&str> = page.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert!(examples.len() >= 9, "{}", examples.len());
    for example in examples {
        let extends = if example.starts_with("extends") { "" } else { "extends = 'standard'\n" };
        let problems = DialectSet::check_text(&"page".parse().unwrap(), &format!("{extends}{example}"));
        assert_eq!(problems, [], "{example}");
    }
}

#[test]
fn every_refusal_stands_on_the_page() {
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/dialects.md")).unwrap();
    for name in Refusal::NAMES {
        assert!(page.contains(&format!("`{name}`")), "{name}");
    }
}
