//! The list of all metrics, as an operator sees it.

use ficha_tests::{Config, Server, eventually, secrets, sum};

/// Name, kind and help of every metric, from a server that has answered nothing yet.
#[test]
fn every_metric_is_there_from_the_start_with_its_help() {
    let server = Server::serve(Config::new());
    let metrics = server.metrics();
    let told = metrics.lines().filter_map(|line| line.strip_prefix("# "));
    let mut told: Vec<_> = told.collect();
    told.sort_unstable();
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn what_happens_is_counted() {
    let server = Server::serve(Config::new());
    let secret = secrets::fresh("everybody's secret");
    let sha = secrets::sha256(&secret);
    server.apply(&format!(
        "[[issuer]]\nname = \"a\"\ndialect = \"leancore\"\nbase_urls = [\"https://localhost:8443/a\", {{ url = \"https://localhost:8443/p\", dialect = \"pomelo\" }}]\n\
         [[issuer.api]]\nname = \"x\"\naudience = \"https://x.example\"\nscopes = [\"x\"]\nsecrets = [\"sha256:{sha}\"]\n\
         [[issuer.client]]\nid = \"app\"\ngrants = [\"client_credentials\", \"refresh_token\"]\nsecrets = [\"sha256:{sha}\"]\nscopes = {{ x = [\"x\"] }}\n"
    ));
    let ask = |path: &str, who: &str, pairs: &[(&str, &str)]| {
        server.https().base("/a").post(path).basic(who, &secret).form(pairs).send()
    };
    let token = |pairs: &[(&str, &str)]| ask("/oauth2/token", "app", pairs);
    let refresh = |t: &str| token(&[("grant_type", "refresh_token"), ("refresh_token", t)]);
    let first = token(&[("grant_type", "client_credentials")]).expect(200);
    let second = refresh(&first.refresh_token()).expect(200);
    refresh(&first.refresh_token()).expect(200);
    refresh(&second.refresh_token()).expect(200);
    refresh(&first.refresh_token()).expect(400);
    ask("/oauth/introspect", "x", &[("token", &first.access_token())]).expect(200);
    let other = token(&[("grant_type", "client_credentials")]).expect(200);
    ask("/oauth/introspect", "x", &[("token", &other.access_token())]).expect(200);
    ask("/oauth/revoke", "app", &[("token", &other.access_token())]).expect(200);
    ask("/oauth2/token", "nobody", &[("grant_type", "client_credentials")]).expect(401);
    let body = serde_json::json!({ "client_id": "app", "client_secret": secret, "audience": "https://x.example",
        "grant_type": "client_credentials" });
    for _ in 0..2 {
        server.https().base("/p").post("/oauth/token").json(&body).send().expect(200);
    }
    let metrics = server.metrics();
    let count = |name: &str, labels: &[&str]| sum(&metrics, &format!("ficha_{name}"), labels);
    let of = |name: &str| metrics.lines().filter(|l| l.contains(name)).collect::<Vec<_>>().join("\n");
    for (name, labels, expected) in [
        ("token_answers_total", &["client_credentials", "issued"][..], 4.0),
        ("token_answers_total", &["refresh_token", "issued"], 3.0),
        ("token_answers_total", &["refresh_token", "invalid_grant"], 1.0),
        ("token_answers_total", &["invalid_client"], 1.0),
        ("tokens_issued_total", &["reused"], 1.0),
        ("client_auth_failures_total", &[], 1.0),
        ("introspections_total", &["\"active\""], 1.0),
        ("introspections_total", &["inactive"], 1.0),
        ("revocations_total", &["\"token\""], 1.0),
        ("live_tokens_made_total", &[], 1.0),
        ("signatures_total", &[], 7.0),
    ] {
        assert!((count(name, labels) - expected).abs() < f64::EPSILON, "{name} {labels:?}: {}", of(name));
    }
    for (name, labels) in [
        ("refresh_total", &["rotated"][..]),
        ("refresh_total", &["repeated"]),
        ("refresh_total", &["replayed"]),
        ("request_duration_seconds_count", &[]),
        ("store_jobs_total", &[]),
        ("connections_open", &[]),
    ] {
        assert!(count(name, labels) > 0.0, "{name} {labels:?}: {}", of(name));
    }
    // What is measured now and then.
    eventually("ready", || (sum(&server.metrics(), "ficha_ready", &[]) - 1.0).abs() < f64::EPSILON);
    for cache in ["issuers", "clients", "introspections"] {
        eventually(cache, || sum(&server.metrics(), "ficha_cache_entries", &[cache]) > 0.0);
    }
}
