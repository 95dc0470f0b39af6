//! `ficha apply`.

use ficha_tests::{Config, secrets};

use crate::site::{Site, site};

#[test]
fn it_plans_applies_and_the_second_time_changes_nothing() {
    let site = Site::new(Config::new());
    let secret = secrets::fresh("a client's secret");
    let file = site.server.file(
        "app.toml",
        &format!(
            "{}[[issuer.client]]\nid = \"app\"\ngrants = [\"client_credentials\"]\nsecrets = [\"sha256:{}\"]\nscopes = {{ cards = [\"cards:read\"] }}\n",
            site.issuer(),
            secrets::sha256(&secret)
        ),
    );
    let plan = site.run(&format!("apply --plan {file}")).done();
    assert!(plan.stdout.contains("+ acme client app"), "{}", plan.stdout);
    assert!(plan.stdout.contains("1 to add, 0 to change, 3 as declared. Nothing is removed."), "{}", plan.stdout);
    assert_eq!(site.token(("app", &secret)).status, 401, "a plan changes nothing");
    let plan = site.json(&format!("apply --plan {file}"));
    assert_eq!((&plan["applied"], plan["steps"].as_array().unwrap().len()), (&false.into(), 1));

    let done = site.run(&format!("apply {file}")).done();
    assert!(done.stdout.ends_with("Applied: 1 change.\n"), "{}", done.stdout);
    site.token(("app", &secret)).expect(200);

    let before = site.json("client show app");
    let again = site.run(&format!("apply {file}")).done();
    assert_eq!(again.stdout, "Everything is as declared (4 records). Nothing to do.\n");
    let again = site.json(&format!("apply {file}"));
    assert_eq!(again["steps"], serde_json::json!([]));
    let mut after = site.json("client show app");
    after["secrets"][0]["last_used"] = before["secrets"][0]["last_used"].clone();
    assert_eq!(before, after);
    for said in [&plan.to_string(), &done.stdout, &done.stderr] {
        assert!(!said.contains(&secrets::sha256(&secret)), "not even the digest is printed: {said}");
    }
}

#[test]
fn a_change_is_named_and_made_without_a_restart() {
    let site = Site::new(Config::new());
    let (secret, sha) = (secrets::fresh("a client's secret"), |s: &str| secrets::sha256(s));
    let with = |rest: &str| {
        let text = format!(
            "{}[[issuer.client]]\nid = \"app\"\nsecrets = [\"sha256:{}\"]\n{rest}\n",
            site.issuer(),
            sha(&secret)
        );
        site.server.file("change.toml", &text)
    };
    site.run(&format!("apply {}", with("grants = [\"client_credentials\"]\nscopes = { cards = [\"cards:read\"] }")))
        .done();
    let token = site.token(("app", &secret)).expect(200);
    assert_eq!(token.member("scope"), "cards:read");
    let more = with("grants = [\"client_credentials\"]\nscopes = { cards = [\"cards:read\", \"cards:write\"] }");
    let done = site.run(&format!("apply {more}")).done();
    let line = done.stdout.lines().find(|l| l.starts_with("~ acme client app")).unwrap_or_else(|| panic!("{done:?}"));
    assert!(line.contains("scopes"), "{line}");
    assert_eq!(site.token(("app", &secret)).expect(200).member("scope"), "cards:read cards:write");
}

#[test]
fn what_is_not_declared_stays() {
    let site = site();
    let (id, secret) = site.client("cards");
    let file = site.server.file("issuer.toml", &site.issuer());
    assert!(site.run(&format!("apply {file}")).done().stdout.starts_with("Everything is as declared"));
    site.token((&id, &secret)).expect(200);
}

#[test]
fn an_unknown_key_is_told_with_file_line_and_the_nearest_one_and_nothing_is_done() {
    let site = site();
    let name = site.name("typo");
    let text = format!("{}\n[[issuer.client]]\nid = \"{name}\"\ngrnats = [\"client_credentials\"]\n", site.issuer());
    let line = text.lines().position(|l| l.starts_with("grnats")).unwrap() + 1;
    let file = site.server.file("typo.toml", &text);
    let said = site.run(&format!("apply {file}")).expect(2);
    assert!(
        said.stderr.contains(&format!("{file}:{line}: issuer.client.grnats: unknown key, did you mean grants?")),
        "{}",
        said.stderr
    );
    assert!(said.stdout.is_empty());
    site.run(&format!("client show {name}")).expect(1);
}

#[test]
fn everything_that_makes_no_sense_is_told_at_once_with_its_place() {
    let site = site();
    let text = format!(
        "{}\n[[issuer.client]]\nid = \"odd\"\ngrants = [\"client_credentials\"]\nscopes = {{ cards = [\"cards:eat\"], nothing = [\"x\"] }}\n\
         [[issuer.client]]\nid = \"cards\"\ngrants = [\"client_credentials\"]\n",
        site.issuer()
    );
    let file = site.server.file("odd.toml", &text);
    for plan in ["", "--plan "] {
        let said = site.run(&format!("apply {plan}{file}")).expect(2);
        let at = |start: &str| text.lines().position(|l| l.starts_with(start)).unwrap() + 1;
        let scopes = at("scopes = { cards = [\"cards:eat\"]");
        for word in ["cards:eat", "nothing", "cards is "] {
            assert!(said.stderr.contains(word), "{word}: {}", said.stderr);
        }
        assert!(said.stderr.matches(&format!("{file}:{scopes}: issuer.client.scopes")).count() >= 2, "{}", said.stderr);
    }
    site.run("client show odd").expect(1);
}

#[test]
fn what_is_no_toml_is_told_with_its_line() {
    let site = site();
    let file = site.server.file("broken.toml", "[[issuer]]\nname = \"a\"\nbase_urls = [\n");
    let said = site.run(&format!("apply {file}")).expect(2);
    assert!(
        said.stderr.contains(&format!("{file}:3: file: not valid TOML"))
            || said.stderr.contains(&format!("{file}:4: file: not valid TOML")),
        "{}",
        said.stderr
    );
    let said = site.run("apply no-such-file.toml").expect(2);
    assert!(said.stderr.contains("no-such-file.toml"), "{}", said.stderr);
}

#[test]
fn a_secret_in_the_file_itself_is_refused_and_never_repeated() {
    let site = site();
    for declared in ["\"Tr0ub4dor-and-3\"", "{ secret = \"Tr0ub4dor-and-3\" }", "\"sha256:Tr0ub4dor-and-3\""] {
        let text = format!("{}[[issuer.client]]\nid = \"leaky\"\ngrants = []\nsecrets = [{declared}]\n", site.issuer());
        let file = site.server.file("leaky.toml", &text);
        let said = site.run(&format!("apply {file}")).expect(2);
        assert!(!said.stderr.contains("Tr0ub4dor") && !said.stdout.contains("Tr0ub4dor"), "{}", said.stderr);
        assert!(said.stderr.to_lowercase().contains("sha"), "it says what to write instead: {}", said.stderr);
    }
    let text = format!("{}[[issuer.user]]\nname = \"leaky\"\npassword = \"Tr0ub4dor-and-3\"\n", site.issuer());
    let file = site.server.file("leaky.toml", &text);
    let said = site.run(&format!("apply {file}")).expect(2);
    assert!(!said.stderr.contains("Tr0ub4dor"), "{}", said.stderr);
}

#[test]
fn secrets_and_passwords_may_come_from_files_beside_the_declaration() {
    let site = site();
    let (id, name) = (site.name("app"), site.name("ana"));
    let (secret, password) = (secrets::fresh("a client's secret"), secrets::fresh("a password"));
    site.server.file("the-secret", &format!("{secret}\n"));
    site.server.file("the-password", &format!("{password}\n"));
    let file = site.server.file(
        "files.toml",
        &format!(
            "{}[[issuer.client]]\nid = \"{id}\"\ngrants = [\"client_credentials\", \"password\"]\nsecrets = [{{ file = \"the-secret\" }}]\nscopes = {{ cards = [\"cards:read\"] }}\n\
             [[issuer.user]]\nname = \"{name}\"\npassword = {{ file = \"the-password\" }}\nscopes = {{ cards = [\"cards:read\"] }}\n",
            site.issuer()
        ),
    );
    for line in [format!("apply --plan {file}"), format!("apply {file}"), format!("apply {file} --json")] {
        let said = site.run(&line).done();
        for hidden in [&secret, &password] {
            assert!(!said.stdout.contains(hidden) && !said.stderr.contains(hidden), "{said:?}");
        }
    }
    site.token((&id, &secret)).expect(200);
    site.login((&id, &secret), (&name, &password)).expect(200);
}

#[test]
fn several_files_are_read_as_one_and_all_or_nothing_is_done() {
    let site = Site::new(Config::new());
    let issuer = |name: &str, url: &str| {
        format!("[[issuer]]\nname = \"{name}\"\ndialect = \"standard\"\nbase_urls = [\"{url}\"]\n")
    };
    let one = site.server.file("one.toml", &issuer("one", "https://one.example"));
    let two = site.server.file("two.toml", &issuer("two", "https://one.example"));
    let said = site.run(&format!("apply {one} {two}")).expect(2);
    assert!(said.stderr.contains("two.toml:") && said.stderr.contains("https://one.example"), "{}", said.stderr);
    site.run("issuer show one").expect(1);
    let two = site.server.file("two.toml", &issuer("two", "https://two.example"));
    site.run(&format!("apply {one} {two}")).done();
    assert_eq!(site.json("issuer list").as_array().unwrap().len(), 3);
}

#[test]
fn an_unknown_dialect_and_a_wrong_url_are_refused() {
    let site = site();
    for (lines, word) in [
        ("dialect = \"lencore\"\nbase_urls = [\"https://x.example\"]", "lencore, did you mean leancore?"),
        ("dialect = \"standard\"\nbase_urls = [\"http://x.example\"]", "https"),
        ("dialect = \"standard\"\nbase_urls = [\"https://x.example:*\"]", "canonical"),
        ("dialect = \"standard\"\nbase_urls = []", "base_urls"),
    ] {
        let file = site.server.file("wrong.toml", &format!("[[issuer]]\nname = \"wrong\"\n{lines}\n"));
        let said = site.run(&format!("apply {file}")).expect(2);
        assert!(said.stderr.contains(word) && said.stderr.contains("wrong.toml:"), "{lines}: {}", said.stderr);
    }
}

#[test]
fn a_large_declaration_is_applied_in_pieces_and_goes_on_where_it_was_interrupted() {
    let mut site = Site::new(Config::new());
    let clients = |n: std::ops::Range<usize>| {
        n.fold(site.issuer(), |text, n| {
            let sha = secrets::sha256(&format!("secret of {n}"));
            format!(
                "{text}[[issuer.client]]\nid = \"many-{n}\"\ngrants = [\"client_credentials\"]\nsecrets = [\"sha256:{sha}\"]\n\
                 scopes = {{ cards = [\"cards:read\"] }}\n"
            )
        })
    };
    let (some, all) = (site.server.file("some.toml", &clients(0..300)), site.server.file("all.toml", &clients(0..600)));
    let twice = format!("{}[[issuer.client]]\nid = \"many-0\"\ngrants = []\n", clients(0..600));
    let twice = site.server.file("twice.toml", &twice);
    let said = site.run(&format!("apply {twice}")).expect(2);
    assert!(said.stderr.contains("the client many-0 is declared twice"), "{}", said.stderr);

    let plan = site.run(&format!("apply --plan {all}")).done();
    assert!(plan.stdout.contains("600 to add, 0 to change, 3 as declared."), "{}", plan.stdout);
    // What was applied before an interruption.
    assert!(site.run(&format!("apply {some}")).done().stdout.ends_with("Applied: 300 changes.\n"));
    let rest = site.json(&format!("apply {all}"));
    assert_eq!((rest["steps"].as_array().unwrap().len(), &rest["unchanged"]), (300, &303.into()));
    for n in [0, 299, 300, 599] {
        site.token((&format!("many-{n}"), &format!("secret of {n}"))).expect(200);
    }
    assert_eq!(site.server.stop(), 0);
    let again = site.run(&format!("apply {all}")).done();
    assert_eq!(again.stdout, "Everything is as declared (603 records). Nothing to do.\n");
}

#[test]
fn a_client_that_could_never_do_anything_is_refused_with_what_to_write() {
    let site = site();
    for (lines, words) in [
        ("grants = []", ["issuer.client.grants: expected at least one", "status = \"disabled\""]),
        (
            "grants = [\"client_credentials\"]\nauth_methods = []",
            ["issuer.client.auth_methods: expected at least one", "without the key"],
        ),
        (
            "grants = [\"client_credentials\"]\nmax_per_second = -1",
            ["expected a whole number from 0 to 4294967295", "found one below 0"],
        ),
    ] {
        let text = format!("{}[[issuer.client]]\nid = \"idle\"\n{lines}\n", site.issuer());
        let file = site.server.file("idle.toml", &text);
        let said = site.run(&format!("apply {file}")).expect(2);
        for word in words {
            assert!(said.stderr.contains(word), "{word}: {}", said.stderr);
        }
    }
}

#[test]
fn a_secret_that_was_removed_stays_removed_though_the_file_still_holds_it() {
    let site = Site::new(Config::new());
    let (leaked, api_secret) = (secrets::fresh("a client's secret"), site.api_secret.clone());
    let text = format!(
        "{}[[issuer.client]]\nid = \"app\"\ngrants = [\"client_credentials\"]\nsecrets = [{{ sha256 = \"{}\", id = \"old\" }}]\n\
         scopes = {{ cards = [\"cards:read\"] }}\n",
        site.issuer(),
        secrets::sha256(&leaked)
    );
    let file = site.server.file("app.toml", &text);
    site.run(&format!("apply {file}")).done();
    site.token(("app", &leaked)).expect(200);
    site.run("client secret remove app old").done();
    let of_api = site.json("api secret list cards");
    site.run(&format!("api secret remove cards {}", of_api[0]["id"].as_str().unwrap())).done();

    let again = site.run(&format!("apply {file}")).done();
    assert!(again.stdout.starts_with("Everything is as declared"), "{}", again.stdout);
    site.token(("app", &leaked)).expect(401);
    let call = site.base().post("/oauth/introspect").basic("cards", &api_secret).form(&[("token", "x")]);
    call.send().expect(401);

    // Whoever means it adds it by its command.
    let file = site.server.file("leaked.txt", &leaked);
    site.run(&format!("client secret add app --secret-file {file}")).done();
    site.token(("app", &leaked)).expect(200);
}

#[test]
fn a_password_hash_that_nothing_can_match_is_told_with_its_place() {
    let site = site();
    for hash in [
        "$2b$04$abcdefghijklmnopqrstuuZGzzzzzzzzzzzz+zzzzzzzzzzzzzzzzz",
        "$2b$04$abcdefghijklmnopqrstuuZGzzzzzzzzzzzz$zzzzzzzzzzzzzzzzz",
        "$argon2id$v=18$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    ] {
        let text = format!("{}[[issuer.user]]\nname = \"broken\"\npassword = {{ hash = \"{hash}\" }}\n", site.issuer());
        let file = site.server.file("broken.toml", &text);
        let said = site.run(&format!("apply {file}")).expect(2);
        let line = text.lines().count();
        assert!(said.stderr.contains(&format!("{file}:{line}: issuer.user.password.hash")), "{}", said.stderr);
        assert!(!said.stderr.contains(hash), "{}", said.stderr);
    }
}

#[test]
fn the_plan_says_that_leaving_hs256_ends_tokens() {
    let site = Site::new(Config::new());
    let file = site.server.file("es.toml", &site.issuer().replace("\"HS256\"", "\"ES256\""));
    let plan = site.run(&format!("apply --plan {file}")).done();
    let told = "algorithm: HS256 → ES256; tokens signed by HS256 until now are inactive from then on";
    assert!(plan.stdout.contains(told), "{}", plan.stdout);
}
