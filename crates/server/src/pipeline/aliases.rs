//! Several dialects over the same clients, one per base URL.

use ficha_core::{
    client_auth::authenticate,
    token::{Revoked, revoke_token},
};
use ficha_types::DialectName;

use super::*;

const OTHER: &str =
    "extends = \"standard\"\nabout = \"Another subject\"\n[access_token]\nclient_subject = \"app:{client_id}\"\n";

impl Bench {
    /// A request at the place that speaks `dialect`.
    async fn place_of(&self, dialect: &str) -> Place {
        let name: DialectName = dialect.parse().unwrap();
        Place { dialect: self.rules().dialects.dialect(&name).unwrap(), ..self.place().await }
    }

    async fn ask_at(&self, dialect: &str, grant: GrantRequest) -> TokenAnswer {
        let place = self.place_of(dialect).await;
        exchange(self.rules(), &place, &self.caller(), TokenRequest { who: app("hunter2"), grant }).await.unwrap()
    }
}

fn with_alias(text: &str, dialect: &str) -> String {
    let url = "\"https://auth.example.com\"";
    text.replace(url, &format!("{url}, {{ url = \"https://alias.example.com\", dialect = \"{dialect}\" }}"))
}

#[tokio::test]
async fn a_clients_own_token_is_known_as_such_though_an_alias_writes_its_subject_otherwise() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("other.toml"), OTHER).unwrap();
    let bench = Bench::speaking(Some(folder.path()));
    bench.apply(&with_alias(&acme("standard"), "other")).await;
    for dialect in ["standard", "other"] {
        let token = bench.ask_at(dialect, client_credentials()).await;
        assert_eq!(bench.against(&token).await, Vec::<String>::new(), "{dialect}");
    }
}

#[tokio::test]
async fn a_refresh_token_is_revoked_at_every_base_url_of_its_issuer() {
    let bench = Bench::of(&with_alias(&people(), "standard")).await;
    let token = bench.ask_at("deyel", login("old")).await;
    let place = bench.place_of("standard").await;
    let client = authenticate(bench.rules(), &place, &bench.caller(), app("hunter2")).await.unwrap();
    let refresh = token.refresh_token.as_ref().unwrap();
    let revoked = revoke_token(bench.rules(), &place, (&bench.caller(), &client), refresh.expose()).await.unwrap();
    assert!(matches!(revoked, Revoked::Family(_)), "{revoked:?}");
    assert_eq!(bench.against(&token).await.len(), 1);
}
