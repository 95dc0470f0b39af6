//! What a caller and an API see through each proxy.

use ficha_tests::{Answer, Call, Shared};
use serde_json::Value;

use crate::{
    fronts::{Front, Proxied},
    site::verdict,
};

static NGINX: Shared<Proxied> = Shared::new();
static CADDY: Shared<Proxied> = Shared::new();

fn shared(front: Front) -> std::sync::Arc<Proxied> {
    match front {
        Front::Nginx => NGINX.get(|| Proxied::new(front)),
        Front::Caddy => CADDY.get(|| Proxied::new(front)),
    }
}

impl Proxied {
    pub(crate) fn call(&self, method: &str, target: &str) -> Call {
        self.door.host("localhost", "").call(method, target)
    }

    /// A request that the API knows by its mark, should it get there.
    fn marked(&self, method: &str, target: &str, mark: &str) -> Call {
        self.call(method, target).header("X-Mark", mark)
    }

    pub(crate) fn card(&self, token: &str) -> Call {
        self.call("GET", "/cards/7").header("Authorization", &format!("Bearer {token}"))
    }
}

/// The values of a header that has reached the API, however its name is written.
fn told(answer: &Answer, name: &str) -> Vec<String> {
    let json: Value = answer.json();
    let headers = json["headers"].as_array().unwrap();
    let of = |header: &&Value| header[0].as_str().unwrap().eq_ignore_ascii_case(name);
    headers.iter().filter(of).map(|header| header[1].as_str().unwrap().to_owned()).collect()
}

/// Method and target, as they have reached the API.
fn line(answer: &Answer) -> String {
    let json: Value = answer.json();
    json["line"].as_str().unwrap().rsplit_once(" HTTP/").unwrap().0.to_owned()
}

pub(crate) fn a_good_token_reaches_the_api_with_whose_it_is(front: Front) {
    let proxied = shared(front);
    let token = proxied.site.token("cards:read");
    let answer = proxied.card(&token).send().expect(200);
    assert_eq!(line(&answer), "GET /cards/7");
    assert_eq!(told(&answer, "x-client-id"), ["my%20app"]);
    assert_eq!(told(&answer, "x-scope"), ["cards:read"]);
    assert_eq!(told(&answer, "x-subject"), ["my%20app"]);
    assert_eq!(told(&answer, "authorization"), [format!("Bearer {token}")]);
    assert_eq!(told(&answer, "host"), ["localhost"]);
    proxied.call("HEAD", "/cards/7").header("Authorization", &format!("Bearer {token}")).send().expect(200);
    let query = proxied.call("GET", "/cards/7?a=%2F..%2F&b=;c").header("Authorization", &format!("Bearer {token}"));
    assert_eq!(line(&query.send().expect(200)), "GET /cards/7?a=%2F..%2F&b=;c");
}

pub(crate) fn a_body_reaches_the_api_whole(front: Front) {
    let proxied = shared(front);
    let token = proxied.site.token("cards:write");
    let body = serde_json::json!({"text": "x".repeat(100_000)});
    let call = proxied.call("POST", "/cards").json(&body).header("Authorization", &format!("Bearer {token}"));
    assert_eq!(call.send().expect(200).json()["body"], body.to_string());
    let refused = proxied.call("POST", "/cards").json(&body).send();
    assert_eq!(verdict(&refused), "401 no_token");
}

pub(crate) fn the_challenge_and_the_reason_reach_the_caller(front: Front) {
    let proxied = shared(front);
    let mark = "refused-for-a-reason";
    let answer = proxied.marked("GET", "/cards/7", mark).send();
    assert_eq!(verdict(&answer), "401 no_token");
    assert_eq!(answer.header("www-authenticate"), Some("Bearer realm=\"api\""));
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let answer = proxied.card("x.y.z").header("X-Mark", mark).send();
    assert_eq!(verdict(&answer), "401 malformed_token");
    assert!(answer.header("www-authenticate").unwrap().contains("error=\"invalid_token\""));
    let answer = proxied.card(&proxied.site.token("cards:write")).header("X-Mark", mark).send();
    assert_eq!(verdict(&answer), "403 insufficient_scope");
    assert!(answer.header("www-authenticate").unwrap().ends_with("scope=\"cards:read\""));
    let answer = proxied.marked("DELETE", "/cards/7", mark).header("Authorization", "Bearer x").send();
    assert_eq!(verdict(&answer), "403 no_route");
    let answer = proxied.marked("GET", "/cards/7?access_token=x", mark).header("Authorization", "Bearer x").send();
    assert_eq!(verdict(&answer), "403 token_in_query");
    assert_eq!(proxied.upstream.reached(mark), 0, "none of it reached the API");
}

/// Every way to write a name: each `-` as `-` or `_`, in three cases.
fn ways(name: &str) -> Vec<String> {
    let dashes = name.matches('-').count();
    let mut all = Vec::new();
    for mask in 0..1_u32 << dashes {
        let mut n = 0;
        let written = |c: char| {
            if c != '-' {
                return c;
            }
            n += 1;
            if mask & (1 << (n - 1)) == 0 { '-' } else { '_' }
        };
        let way: String = name.chars().map(written).collect();
        all.extend([way.to_lowercase(), way.to_uppercase(), way]);
    }
    all
}

pub(crate) fn none_of_the_callers_own_identity_reaches_the_api(front: Front) {
    let proxied = shared(front);
    let token = proxied.site.token("cards:read");
    let names: Vec<String> = ["X-Client-Id", "X-Scope", "X-Subject"].into_iter().flat_map(ways).collect();
    assert_eq!(names.len(), 24);
    let good = |target| {
        let call = proxied.call("GET", target);
        if target == "/health" { call } else { call.header("Authorization", &format!("Bearer {token}")) }
    };
    for target in ["/health", "/cards/7"] {
        let expected = if target == "/health" { "" } else { "my%20app" };
        let mut calls: Vec<Call> = names.iter().map(|name| good(target).header(name, "forged")).collect();
        calls.push(names.iter().fold(good(target), |call, name| call.header(name, "forged").header(name, "forged")));
        for call in calls {
            let answer = call.send().expect(200);
            assert!(!answer.text().contains("forged"), "{}", answer.text());
            assert_eq!(told(&answer, "x-client-id").concat(), expected, "{}", answer.text());
            assert_eq!(told(&answer, "x-subject").concat(), expected, "{}", answer.text());
        }
    }
}

pub(crate) fn no_other_spelling_reaches_the_api_and_nothing_takes_the_gates_word_away(front: Front) {
    let proxied = shared(front);
    let token = proxied.site.token("cards:read");
    for name in ["X.Client.Id", "X-Client.Id", "X!Scope", "x.subject", "X~Subject", "X+Client_Id"] {
        let answer = proxied.card(&token).header(name, "forged").send();
        assert!(answer.status == 403 || !answer.text().contains("forged"), "{name}: {}", answer.whole());
    }
    for named in ["X-Client-Id", "X-Client-Id, X-Scope, X-Subject", "close, x-client-id", "Authorization"] {
        let answer = proxied.card(&token).header("Connection", named).send().expect(200);
        assert_eq!(told(&answer, "x-client-id"), ["my%20app"], "{named}");
        assert_eq!(told(&answer, "x-scope"), ["cards:read"], "{named}");
        assert_eq!(told(&answer, "x-subject"), ["my%20app"], "{named}");
    }
}

pub(crate) fn no_header_gives_the_request_another_method_or_path(front: Front) {
    let proxied = shared(front);
    let token = proxied.site.token("cards:read");
    let names = ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "X-Original-URL", "X-Rewrite-URL"];
    for name in names.into_iter().flat_map(ways) {
        let answer = proxied.card(&token).header(&name, "forged").send();
        assert!([200, 403].contains(&answer.status), "{name}: {}", answer.whole());
        assert!(!answer.text().contains("forged"), "{name}: {}", answer.whole());
    }
}

pub(crate) fn what_the_api_answers_itself_goes_through_as_it_is(front: Front) {
    let proxied = shared(front);
    let token = proxied.site.token("cards:read");
    for status in ["401 Unauthorized", "403 Forbidden", "500 Internal Server Error", "503 Service Unavailable"] {
        let answer = proxied.card(&token).header("X-Answer", status).send();
        assert_eq!(answer.status.to_string(), status[..3]);
        assert_eq!(line(&answer), "GET /cards/7", "{status}");
    }
}

pub(crate) fn what_a_caller_says_to_the_gate_itself_counts_for_nothing(front: Front) {
    let proxied = shared(front);
    let mark = "told-to-the-gate";
    let headers = [
        ("X-Original-URI", "/health"),
        ("X-Original-Method", "GET"),
        ("X-Forwarded-Uri", "/health"),
        ("X-Forwarded-Method", "GET"),
        ("X-Forwarded-Host", "localhost"),
        ("X-Forwarded-Proto", "https"),
        ("Forwarded", "for=127.0.0.1;host=localhost;proto=https"),
    ];
    for (name, value) in headers {
        let answer = proxied.marked("POST", "/cards", mark).header(name, value).send();
        assert!([401, 403].contains(&answer.status), "{name}: {}", answer.whole());
    }
    let all =
        headers.iter().fold(proxied.marked("POST", "/cards", mark), |call, (name, value)| call.header(name, value));
    assert!([401, 403].contains(&all.send().status));
    assert_eq!(proxied.upstream.reached(mark), 0);
}

pub(crate) fn an_odd_path_is_refused(front: Front) {
    let proxied = shared(front);
    let token = proxied.site.token("cards:read cards:write");
    let mark = "an-odd-path";
    for target in [
        "/cards/..%2Fhealth",
        "/cards/../health",
        "/health/../cards/7",
        "/cards/%2e%2e/health",
        "/cards/.%2E/health",
        "/./health",
        "//health",
        "/health//",
        "/cards//7",
        "/cards\\7",
        "/cards%5C7",
        "/cards/7;v=1",
        "/cards/..;/health",
        "/cards/7%3Bx",
        "/cards/7%00",
        "/cards/7%0d%0aX-Client-Id:%20forged",
        "/cards/%7f",
        "/cards/%zz",
        "/cards/%",
        "/cards/%252e%252e/health",
        "/cards/%ff",
        "/cards/%c0%af",
        "/cards/7%3F",
        "/cards/7%23",
        "*",
    ] {
        let answer = proxied.marked("GET", target, mark).header("Authorization", &format!("Bearer {token}")).send();
        assert!([400, 403].contains(&answer.status), "{target}: {}", answer.whole());
    }
    for bytes in [&b"/cards/\xff"[..], b"/cards/\x01", b"/cards/a\tb"] {
        let request = [
            b"GET ",
            bytes,
            b" HTTP/1.1\r\nHost: localhost\r\nX-Mark: an-odd-path\r\nAuthorization: Bearer ",
            token.as_bytes(),
            b"\r\n\r\n",
        ];
        let answer = proxied.door.send(&request.concat());
        assert!([400, 403].contains(&answer.status), "{bytes:?}: {}", answer.whole());
    }
    assert_eq!(proxied.upstream.reached(mark), 0, "none of it reached the API");
    // The path that the gate has seen is the one that the API gets.
    let plain = proxied.call("GET", "/%63ards/a%20b").header("Authorization", &format!("Bearer {token}"));
    assert_eq!(line(&plain.send().expect(200)), "GET /%63ards/a%20b");
}

pub(crate) fn a_token_of_64_kib_stops_at_the_door_and_the_next_request_does_not(front: Front) {
    let proxied = shared(front);
    let mark = "a-huge-token";
    for bytes in [7 << 10, 33 << 10, 64 << 10] {
        // Too long for the proxy or for the gate, or no token.
        let answer = proxied.card(&"x".repeat(bytes)).header("X-Mark", mark).send();
        assert!([400, 401, 431].contains(&answer.status), "{}", answer.whole());
    }
    assert_eq!(proxied.upstream.reached(mark), 0, "none of it reached the API");
    proxied.card(&proxied.site.token("cards:read")).send().expect(200);
}

pub(crate) fn without_the_gate_nothing_passes(front: Front) {
    let mut proxied = Proxied::new(front);
    let token = proxied.site.token("cards:read");
    proxied.card(&token).send().expect(200);
    let mark = "X-Mark: without-a-gate";
    proxied.gate.take().unwrap().kill();
    let down = if front == Front::Nginx { "503 gate_unavailable" } else { "502" };
    for call in [proxied.card(&token), proxied.call("GET", "/health"), proxied.card("x.y.z")] {
        assert_eq!(verdict(&call.header("X-Mark", "without-a-gate").send()), down);
    }
    assert_eq!(proxied.upstream.reached(mark), 0);
    proxied.gate = Some(proxied.site.gate());
    proxied.site.gate_is_ready();
    proxied.card(&token).send().expect(200);
}

pub(crate) fn what_the_gate_can_not_know_is_503(front: Front) {
    let mut proxied = Proxied::new(front);
    let token = proxied.site.token("cards:read");
    proxied.gate.take().unwrap().stop();
    proxied.site.issuer.stop();
    // A gate that starts while the issuer is away has no keys.
    proxied.gate = Some(proxied.site.gate());
    let answer = proxied.card(&token).send();
    let expected = if front == Front::Nginx { "503 gate_unavailable" } else { "503 keys_unavailable" };
    assert_eq!(verdict(&answer), expected, "{}", answer.whole());
    assert_eq!(answer.header("retry-after"), Some("5"));
    assert_eq!(verdict(&proxied.call("GET", "/cards/7").send()), "401 no_token");
    proxied.call("GET", "/health").send().expect(200);
    proxied.site.issuer.start();
    proxied.site.gate_is_ready();
    proxied.card(&token).send().expect(200);
}

macro_rules! through {
    ($($name:ident),+ $(,)?) => {
        mod nginx {
            $(#[test] fn $name() { super::$name(crate::fronts::Front::Nginx); })+
        }
        mod caddy {
            $(#[test] fn $name() { super::$name(crate::fronts::Front::Caddy); })+
        }
    };
}

through!(
    a_good_token_reaches_the_api_with_whose_it_is,
    a_body_reaches_the_api_whole,
    the_challenge_and_the_reason_reach_the_caller,
    none_of_the_callers_own_identity_reaches_the_api,
    no_other_spelling_reaches_the_api_and_nothing_takes_the_gates_word_away,
    no_header_gives_the_request_another_method_or_path,
    what_the_api_answers_itself_goes_through_as_it_is,
    what_a_caller_says_to_the_gate_itself_counts_for_nothing,
    an_odd_path_is_refused,
    a_token_of_64_kib_stops_at_the_door_and_the_next_request_does_not,
    without_the_gate_nothing_passes,
    what_the_gate_can_not_know_is_503,
);
