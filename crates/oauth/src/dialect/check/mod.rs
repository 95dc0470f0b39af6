//! The check of a whole dialect, and its compilation: every problem is found, not only the first.

mod endpoints;
mod errors;
mod profile;
mod request;
mod tokens;
mod vendor_revoke;

use ficha_types::DialectName;

use super::{
    compiled::Compiled,
    problem::{At, Problem, Problems},
    section::Section,
    tree::Table,
};

/// Compiles the merged `table` of the dialect `name`; `at` is the beginning of its file.
pub(super) fn compile(name: DialectName, table: &Table, at: At) -> Result<Compiled, Vec<Problem>> {
    let problems = Problems::default();
    let compiled = parts(name, table, at, &problems);
    let problems = problems.into_inner();
    match compiled {
        Some(compiled) if problems.is_empty() => Ok(compiled),
        Some(_) | None => Err(problems),
    }
}

fn parts(name: DialectName, table: &Table, at: At, problems: &Problems) -> Option<Compiled> {
    let root = Section::root(table, at, problems);
    // Known, and read before this table was merged.
    root.entry("extends");
    let about = match root.entry("about") {
        None => Some(String::new()),
        Some(entry) => root.text(entry).map(str::to_owned),
    };
    let profile = profile::check(&root);
    let request = request::check(&root, profile.as_ref());
    let answer = request::answer(&root, profile.as_ref());
    let tokens = tokens::check(&root, profile.as_ref());
    let vendor = vendor_revoke::section(&root);
    let vendor_revoke = vendor.as_ref().and_then(vendor_revoke::check);
    let errors = errors::check(&root, vendor.as_ref());
    let vendor_paths = vendor_revoke.as_ref().map_or(&[][..], |(_, paths)| paths);
    let endpoints = endpoints::check(&root, vendor_paths);
    if let Some(vendor) = vendor {
        vendor.finish();
    }
    root.finish();
    let (request, auth_methods, challenges) = request?;
    let mut profile = profile?;
    profile.auth_methods = auth_methods;
    Some(Compiled {
        name,
        about: about?,
        endpoints: endpoints?,
        request,
        answer: answer?,
        tokens: tokens?,
        errors: errors?,
        challenges,
        vendor_revoke: vendor_revoke.map(|(revoke, _)| revoke),
        profile,
    })
}

#[cfg(test)]
mod tests {
    use super::super::set::DialectSet;

    /// What is wrong with `text`, one problem a line; `acme.toml` is the file.
    fn problems(text: &str) -> Vec<String> {
        DialectSet::check_text(&"acme".parse().unwrap(), text).iter().map(ToString::to_string).collect()
    }

    /// What is wrong with these lines on top of the standard dialect.
    fn over_standard(lines: &str) -> String {
        problems(&format!("extends = 'standard'\n{lines}\n")).join("\n")
    }

    #[test]
    fn what_extends_the_standard_dialect_and_says_no_more_is_whole() {
        assert_eq!(over_standard(""), "");
    }

    #[test]
    fn an_empty_file_lacks_every_part_and_each_is_named() {
        assert_eq!(
            problems("\n"),
            [
                "acme.toml:1: access_token: missing: expected a table that says what an access token looks like",
                "acme.toml:1: endpoints: missing: expected a table with the paths of the token endpoint",
                "acme.toml:1: errors: missing: expected a table with the entry default",
                "acme.toml:1: profile: missing: expected a table with the policies",
                "acme.toml:1: token: missing: expected a table that says how a token request looks",
            ]
        );
    }

    #[test]
    fn all_problems_are_found_not_only_the_first() {
        let text =
            "extends = 'standard'\ncolour = 1\n[token]\nbody = 'fom'\n[profile]\ntoken_lifetime = 'soon'\n[endpoint]\n";
        assert_eq!(
            problems(text),
            [
                "acme.toml:2: colour: unknown key (there are extends, about, profile, token, access_token, refresh_token, vendor_revoke, errors, grants, endpoints)",
                "acme.toml:4: token.body: expected form or json, found \"fom\", did you mean form?",
                "acme.toml:6: profile.token_lifetime: expected a span like \"60s\", \"90m\", \"24h\" or \"7d\", found \"soon\"",
                "acme.toml:7: endpoint: unknown key, did you mean endpoints? (there are extends, about, profile, token, access_token, refresh_token, vendor_revoke, errors, grants, endpoints)",
            ]
        );
    }

    #[test]
    fn an_unknown_variable_is_named_with_the_nearest() {
        assert_eq!(
            over_standard("[token.answer]\na = { b = '{acces_token}' }\nc = '{access_token}'"),
            "acme.toml:3: token.answer.a.b: there is no variable {acces_token} here, did you mean access_token? \
             (there are access_token, refresh_token, expires_in, scope, client_id, user, api, jti, grant)"
        );
        assert_eq!(
            over_standard("[errors.default]\nbody = { e = '{eror}' }\nheaders = { X-E = '{staus}' }"),
            "acme.toml:3: errors.default.body.e: there is no variable {eror} here, did you mean error? (there are error, description, refusal, status, retry_after)\n\
             acme.toml:4: errors.default.headers.X-E: there is no variable {staus} here, did you mean status? (there are error, description, refusal, status, retry_after)"
        );
    }

    #[test]
    fn an_unknown_refusal_code_or_grant_is_named_with_the_nearest() {
        let problem = over_standard("[errors.invalid_clent]\nstatus = 400\n[errors.user_refuse]\nstatus = 400");
        let lines: Vec<&str> = problem.lines().collect();
        assert!(
            lines[0].starts_with("acme.toml:2: errors.invalid_clent: unknown key, did you mean invalid_client?"),
            "{problem}"
        );
        assert!(
            lines[1].starts_with("acme.toml:4: errors.user_refuse: unknown key, did you mean user_refused?"),
            "{problem}"
        );
        assert_eq!(
            over_standard("[grants.pasword.errors.default]\nstatus = 400"),
            "acme.toml:2: grants.pasword: unknown key, did you mean password? (there are client_credentials, password, refresh_token)"
        );
        assert_eq!(
            over_standard("[profile]\ngrants = ['client_credential', 'password']"),
            "acme.toml:3: profile.grants: expected client_credentials, password or refresh_token, found \"client_credential\", did you mean client_credentials?"
        );
    }

    #[test]
    fn a_refusal_that_keeps_its_status_takes_no_other() {
        for name in [
            "method_not_allowed",
            "unsupported_media_type",
            "body_too_large",
            "too_many_requests",
            "unavailable",
            "temporarily_unavailable",
        ] {
            let problem = over_standard(&format!("[errors.{name}]\nstatus = 400"));
            assert!(
                problem.starts_with(&format!("acme.toml:3: errors.{name}.status: expected no status")),
                "{problem}"
            );
        }
        assert_eq!(over_standard("[errors.invalid_request]\nstatus = 422"), "");
        let range = "acme.toml:3: errors.default.status: expected a status from 400 to 599, or 200 for a vendor that refuses with it";
        for status in ["302", "0", "600", "'400'", "70000"] {
            assert_eq!(over_standard(&format!("[errors.default]\nstatus = {status}")), range);
        }
    }

    #[test]
    fn headers_that_are_set_by_rule_are_refused() {
        for (header, expected) in [
            ("Cache-Control = 'x'", "expected another header: this one is set by rule"),
            ("retry-after = 'x'", "expected another header: this one is set by rule"),
            ("'a b' = 'x'", "expected the name of a header"),
            ("X-A = 'é'", "expected printable ASCII characters"),
            ("X-A = 1", "expected a text, found a whole number"),
        ] {
            let problem = over_standard(&format!("[errors.default]\nheaders = {{ {header} }}"));
            assert!(problem.ends_with(expected), "{problem}");
        }
        assert_eq!(over_standard("[errors.default]\nheaders = { WWW-Authenticate = 'Acme' }"), "");
    }

    #[test]
    fn paths_that_clash_or_are_none_are_refused() {
        assert_eq!(
            over_standard("[endpoints]\ntoken = ['/a', '/oauth/revoke']\njwks = '/a'"),
            "acme.toml:3: endpoints: the path /a of endpoints.token is there twice: expected each only once\n\
             acme.toml:3: endpoints: the path /oauth/revoke of endpoints.token is there twice: expected each only once\n\
             acme.toml:4: endpoints: the path /a of jwks is there twice: expected each only once\n\
             standard.toml (built in):6: endpoints: the path /oauth/revoke of revoke is there twice: expected each only once"
        );
        for path in ["''", "'token'", "'/a/'", "'//a'", "'/a/../b'", "'/a?x'", "'/%61'", "'/ü'", "[]", "1"] {
            let problem = over_standard(&format!("[endpoints]\ntoken = {path}"));
            assert!(problem.starts_with("acme.toml:3: endpoints.token: expected"), "{problem}");
        }
        assert_eq!(
            over_standard("[vendor_revoke]\npaths = '/oauth/token'\nrule = 'client_at_api'\nanswer = {}")
                .lines()
                .next(),
            Some(
                "acme.toml:3: endpoints: the path /oauth/token of vendor_revoke.paths is there twice: expected each only once"
            )
        );
    }

    #[test]
    fn claims_that_could_not_be_read_again_are_refused() {
        let problem = over_standard(
            "[access_token.claims]\niss = '{issuer}'\nsub = 'x{sub}'\naud = ['{audience}', 'b']\niat = '{issued_at:text}'\ncid = '{client_id}!'",
        );
        let expected = [
            "aud = \"{audience}\" or [\"{audience}\"] in it",
            "exp = \"{expires_at}\" in it",
            "iat = \"{issued_at}\" in it",
            "jti = \"{jti}\" in it",
            "sub = \"{sub}\" in it",
            "a claim that is \"{client_id}\" and nothing else",
            "a claim that is \"{scope}\" and nothing else",
        ];
        for what in expected {
            assert!(
                problem.contains(&format!("acme.toml:2: access_token.claims: expected {what}: that is read again")),
                "{what}\n{problem}"
            );
        }
        assert_eq!(problem.lines().count(), expected.len());
    }

    #[test]
    fn a_header_names_its_algorithm_and_asks_for_nothing_special() {
        assert_eq!(
            over_standard("[access_token.header]\ntyp = 'JWT'\nkid = 'mine'\ncrit = ['exp']"),
            "acme.toml:2: access_token.header: expected alg = \"{alg}\" in it (RFC 7515 §4.1.1)\n\
             acme.toml:4: access_token.header.kid: expected \"{kid}\", or no kid at all\n\
             acme.toml:5: access_token.header.crit: expected no such header: what it asks for is not done here"
        );
        assert_eq!(
            over_standard("[access_token]\nclient_subject = 'everybody'"),
            "acme.toml:3: access_token.client_subject: expected {client_id} in it: two clients can't be one subject"
        );
    }

    #[test]
    fn policies_that_contradict_each_other_are_refused() {
        for (lines, expected) in [
            (
                "[profile.refresh]\nwith = ['password']",
                "profile.refresh.with: expected grants of profile.grants: password is not among them",
            ),
            (
                "[profile]\ngrants = ['password']\n[profile.refresh]\nwith = ['password']",
                "profile.refresh.with: expected refresh_token in profile.grants: nobody could use a refresh token",
            ),
            (
                "[profile.refresh]\nwith = ['refresh_token']",
                "profile.refresh.with: expected no refresh_token here: what its answer carries follows from mode",
            ),
            (
                "[profile.refresh]\nfamily_lifetime = '1d'",
                "profile.refresh.family_lifetime: expected at least profile.refresh.lifetime",
            ),
            (
                "[profile]\nreuse = { min_remaining = '1h' }",
                "profile.reuse.min_remaining: expected less than profile.token_lifetime: no token would be handed out twice",
            ),
            (
                "[profile]\nreuse = {}",
                "profile.reuse.min_remaining: missing: expected what a token has left at least, \"0s\" for its last second",
            ),
            (
                "[profile]\nkid = 'random:3'",
                "profile.kid: expected \"thumbprint\", \"random:21\" (8 to 64 characters) or \"numbered:k\" (k1, k2, …), found \"random:3\"",
            ),
            (
                "[profile]\nkid = 'numbered:a/b'",
                "profile.kid: expected \"thumbprint\", \"random:21\" (8 to 64 characters) or \"numbered:k\" (k1, k2, …), found \"numbered:a/b\"",
            ),
            (
                "[profile]\nalgorithm = 'none'",
                "profile.algorithm: expected RS256, PS256, ES256, EdDSA or HS256, found \"none\"",
            ),
            ("[profile]\ntoken_lifetime = '0s'", "profile.token_lifetime: expected at least \"1s\""),
            (
                "[profile]\nrefresh_by_id_alone = 'yes'",
                "profile.refresh_by_id_alone: expected true or false, found a text",
            ),
            ("[profile]\ngrants = []", "profile.grants: expected at least one grant"),
            (
                "[profile.refresh]\nmode = 'keep'\nform = 'jwt'",
                "refresh_token.claims: missing: expected the claims, since profile.refresh.form is jwt",
            ),
            (
                "[profile.refresh]\nform = 'jwt'\n[refresh_token.claims]\niss = '{issuer}'\nsub = '{sub}'\niat = '{issued_at}'\nexp = '{expires_at}'\njti = '{jti}'\ncid = '{client_id}'\nscp = '{scope}'\naud = '{token_endpoint}'\napi = '{audience}'",
                "profile.refresh.form: expected sealed: a JWT has no step, so it can't rotate (or mode = \"keep\")",
            ),
        ] {
            let problem = over_standard(lines);
            assert!(problem.ends_with(expected), "{problem}");
            assert_eq!(problem.lines().count(), 1, "{problem}");
        }
    }

    #[test]
    fn what_is_inherited_can_be_switched_off() {
        assert_eq!(over_standard("profile.refresh = false\nprofile.reuse = false\nvendor_revoke = false"), "");
        assert_eq!(
            over_standard("[profile]\nreuse = true"),
            "acme.toml:3: profile.reuse: expected a table, found true or false"
        );
    }

    #[test]
    fn requests_that_could_not_be_read_are_refused() {
        for (lines, expected) in [
            (
                "[token.parameters]\nscope = 'username'",
                "token.parameters.scope: expected a name of its own: username is called \"username\" as well",
            ),
            (
                "[token.parameters]\nscope = ''",
                "token.parameters.scope: expected 1 to 100 printable ASCII characters without space, '\"' and '\\'",
            ),
            (
                "[token.parameters]\nscop = 'a'",
                "(there are grant_type, client_id, client_secret, username, password, refresh_token, scope, audience, resource)",
            ),
            (
                "[token.grant_types]\nrefresh_token = 'client_credentials'",
                "token.grant_types.refresh_token: expected a text that stands for no other grant, found \"client_credentials\"",
            ),
            (
                "[token]\nauth_methods = []",
                "token.auth_methods: expected at least one of client_secret_basic and client_secret_post",
            ),
            (
                "[token]\nauth_methods = ['basic']",
                "token.auth_methods: expected client_secret_basic or client_secret_post, found \"basic\"",
            ),
            ("[token]\nbody = []", "token.body: expected form, json or both"),
            ("[token]\nbody = ['json', 'json']", "token.body: expected each only once"),
            ("[token]\nrequired = ['audiense']", ", found \"audiense\", did you mean audience?"),
            (
                "[token]\nrealm = 'a\"b'",
                "token.realm: expected at most 100 printable ASCII characters without '\"' and '\\'",
            ),
            ("token = 1", "token: expected a table, found a whole number"),
            ("[token.answer]\na = 1", "token.answer: expected {access_token} in it"),
            (
                "[profile.refresh]\nwith = ['client_credentials']\n[token.answer]\na = '{access_token}'",
                "token.answer: expected {refresh_token} in it, since profile.refresh.with names grants that give one",
            ),
        ] {
            let problem = over_standard(lines);
            assert!(problem.ends_with(expected), "{problem}");
            assert_eq!(problem.lines().count(), 1, "{problem}");
        }
    }

    #[test]
    fn a_vendors_revocation_names_a_rule_that_there_is() {
        assert_eq!(
            over_standard("[vendor_revoke]\npaths = '/x'\nrule = 'everything'\nanswer = { a = '{jti}' }"),
            "acme.toml:4: vendor_revoke.rule: expected client_at_api, found \"everything\"\n\
             acme.toml:5: vendor_revoke.answer.a: there is no variable {jti} here"
        );
    }

    #[test]
    fn the_refresh_tokens_claims_are_checked_too() {
        let lines = "[profile.refresh]\nmode = 'keep'\nform = 'jwt'\n[refresh_token.claims]\niss = '{issuer}'\nsub = '{sub}'\niat = '{issued_at}'\nexp = '{expires_at}'\njti = '{jti}'\ncid = '{client_id}'\nscp = '{scope}'\naud = '{token_endpont}'";
        assert_eq!(
            over_standard(lines),
            "acme.toml:5: refresh_token.claims: expected a claim that is \"{audience}\" and nothing else: that is read again\n\
             acme.toml:13: refresh_token.claims.aud: there is no variable {token_endpont} here, did you mean token_endpoint? \
             (there are token_endpoint, issuer, client_id, sub, user, audience, scope, issued_at, expires_at, jti, grant, client.property.NAME)"
        );
    }
}
