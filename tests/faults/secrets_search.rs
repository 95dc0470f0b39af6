//! The search for secrets that ends every server of these tests finds them.

use base64::{Engine, engine::general_purpose::STANDARD};
use ficha_tests::secrets::{found_in, fresh, note, sha256};

#[test]
fn a_secret_is_found_in_every_form_in_which_it_could_be_used() {
    let folder = tempfile::tempdir().unwrap();
    let secret = fresh("a planted secret");
    let token = "eyJhbGciOiJIUzI1NiJ9.eyJhIjoxfQ.planted-signature-0123456789";
    note("a planted token", token);
    let found = |text: &[u8], log: bool| {
        let path = folder.path().join("file");
        std::fs::write(&path, [b"before ", text, b" behind"].concat()).unwrap();
        found_in(&[(&path, log)])
    };
    let basic = STANDARD.encode(format!("app:{secret}"));
    note("a planted Basic header", &basic);
    for log in [true, false] {
        assert!(found(secret.as_bytes(), log)[0].contains("a planted secret in"));
        assert!(found(token.as_bytes(), log)[0].contains("a planted token"));
        assert!(found(b"planted-signature-0123456789", log)[0].contains("the signature of a planted token"));
        assert!(found(basic.as_bytes(), log)[0].contains("a planted Basic header"));
        assert_eq!(found(b"nothing of it", log), Vec::<String>::new());
    }
    assert!(found(sha256(&secret).as_bytes(), false)[0].contains("SHA-256 of a planted secret"));
    assert!(found(&ficha_jose::sha256(secret.as_bytes()), false)[0].contains("SHA-256 of a planted secret"));
}
