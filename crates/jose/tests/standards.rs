//! The examples that the standards print.

#![expect(clippy::unwrap_used, reason = "a test may panic, its helpers too")]

use ficha_jose::{Compact, Jwk, SigningKey, VerifyingKey, jws};
use ficha_types::Algorithm;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

/// The payload of RFC 7515 A.1 to A.5.
const PAYLOAD: &str = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";

/// The secret of RFC 7515 A.1.
const SECRET: &str = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";

/// The modulus and the signature of RFC 7515 A.2.
const RS256_N: &str = concat!(
    "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yR",
    "T-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXB",
    "dQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9ia",
    "GNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ",
);
const RS256_SIGNATURE: &str = concat!(
    "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9",
    "uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB",
    "_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rq",
    "Vt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw",
);

/// Made by OpenSSL 3, which is not the library that is used here: `openssl dgst -sha256 -sigopt rsa_padding_mode:pss
/// -sigopt rsa_pss_saltlen:32`.
const PS256_N: &str = concat!(
    "mqOW0B9dtXa6VYS7Epr6F4miUH_Q_w1YoPdkN_Z1QTS6iENZdzWmj0JqIQwOvkOwvtA-lYGpTg-c65J03rdPrErXCbIiJQ1eAOLP",
    "4qVVNXKrkVNH6Ir6zo7GnXnybwGFuBUh19wNJzn_VOzdJ0SAVd_ONCnSCJA9AzJ5MDjGenYCuOdVgaLYI0CUlA7uiKtwqC6e0hnM",
    "agDnn2VO3I6LgJGrCD8hBziLxR1T3X3UiOB-CFa5_50BHfu_ghOKFEPDRgj_RaNOTmCagnRuJbq4QnCJnUQTEXA-nrHAVEkehUrS",
    "CyuOsnZP-v-JyKUFWBFk19SOYDhpuc9ZJAE4ZgEocQ",
);
const PS256_TEXT: &str = concat!(
    "eyJhbGciOiJQUzI1NiJ9.eyJzdWIiOiJtYWRlIGJ5IE9wZW5TU0wifQ.eEblrTjfaS4VNx2bhKTzNQHeoD_Pi2DPpdf6RNUWw-of",
    "N4e-aQwc8KDzS3Z9Xtigd7uNmCDRB022X06_EwF6F1WAShAmb3r1MqVmnCh_Q_YuEnk8wUDRP-B6ZbZxXtthyQ6EuffWlCjO7lp0",
    "mQ2cDGrzRNiT9iLpT0WUOWJClhNqLzT8EpvMStD0pSRp0q_ztm2m1N5YzCz17KhISsyraSmbFbRFjyCyh-3InvGuSU-O8NFpXLVm",
    "JooLArsY4t8YZliF0A5p2ISY6gH6Sx7Y82VVALOprFQb_mMR0L8rOBhAQ_9uAP8uCNNbXGi9RRNZDpF15AYvC8j1aReQYrHjig",
);

const ES256_JWK: &str = r#"{"kty":"EC","crv":"P-256","alg":"ES256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#;

const EDDSA_JWK: &str =
    r#"{"kty":"OKP","crv":"Ed25519","alg":"EdDSA","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
const EDDSA_TEXT: &str = concat!(
    "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.",
    "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
);

fn key(jwk: &str) -> VerifyingKey {
    VerifyingKey::from_jwk(&Jwk::parse(jwk.as_bytes()).unwrap()).unwrap()
}

fn rsa(alg: &str, n: &str) -> VerifyingKey {
    key(&format!(r#"{{"kty":"RSA","alg":"{alg}","n":"{n}","e":"AQAB"}}"#))
}

fn decoded(part: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(part).unwrap()
}

#[test]
fn hs256_is_that_of_rfc_7515_a_1() {
    let text =
        format!("eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.{PAYLOAD}.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
    let parsed = Compact::parse(&text).unwrap();
    assert!(parsed.verify_with(&VerifyingKey::from_secret(&decoded(SECRET)).unwrap()));
    assert_eq!(parsed.header().typ.as_deref(), Some("JWT"));
    assert_eq!(parsed.payload(), b"{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n \"http://example.com/is_root\":true}");
    let signing = SigningKey::from_private(Algorithm::Hs256, &decoded(SECRET)).unwrap();
    assert_eq!(jws::compact(parsed.header_json(), parsed.payload(), &signing).unwrap(), text);
}

#[test]
fn rs256_is_that_of_rfc_7515_a_2() {
    let text = format!("eyJhbGciOiJSUzI1NiJ9.{PAYLOAD}.{RS256_SIGNATURE}");
    assert!(Compact::parse(&text).unwrap().verify_with(&rsa("RS256", RS256_N)));
    assert!(!Compact::parse(&text).unwrap().verify_with(&rsa("PS256", RS256_N)));
}

#[test]
fn ps256_is_that_of_openssl() {
    assert!(Compact::parse(PS256_TEXT).unwrap().verify_with(&rsa("PS256", PS256_N)));
    assert!(!Compact::parse(PS256_TEXT).unwrap().verify_with(&rsa("RS256", PS256_N)));
    assert!(!Compact::parse(PS256_TEXT).unwrap().verify_with(&rsa("PS256", RS256_N)));
}

#[test]
fn es256_is_that_of_rfc_7515_a_3() {
    let signature = "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
    let text = format!("eyJhbGciOiJFUzI1NiJ9.{PAYLOAD}.{signature}");
    assert!(Compact::parse(&text).unwrap().verify_with(&key(ES256_JWK)));
}

#[test]
fn an_es256_signature_in_asn_1_is_refused() {
    let fixed = decoded("DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q");
    let (r, s) = fixed.split_at(32);
    let message = format!("eyJhbGciOiJFUzI1NiJ9.{PAYLOAD}");
    assert!(key(ES256_JWK).verify(message.as_bytes(), &fixed));
    // SEQUENCE of two INTEGERs; `s` begins with a byte above 0x7f and takes a zero before it.
    let der = [&[0x30, 69, 2, 32][..], r, &[2, 33, 0], s].concat();
    assert!(!key(ES256_JWK).verify(message.as_bytes(), &der));
    assert!(!key(ES256_JWK).verify(message.as_bytes(), &[0; 64]), "zeros (CVE-2022-21449)");
}

#[test]
fn unsecured_texts_of_rfc_7515_a_5_verify_with_no_key() {
    let text = format!("eyJhbGciOiJub25lIn0.{PAYLOAD}.");
    let parsed = Compact::parse(&text).unwrap();
    assert_eq!(&*parsed.header().alg, "none");
    for key in [
        VerifyingKey::from_secret(&decoded(SECRET)).unwrap(),
        rsa("RS256", RS256_N),
        rsa("PS256", PS256_N),
        key(ES256_JWK),
        key(EDDSA_JWK),
    ] {
        assert!(!parsed.verify_with(&key), "{key:?}");
    }
}

#[test]
fn the_critical_header_of_rfc_7515_appendix_e_is_refused() {
    let text = concat!(
        "eyJhbGciOiJub25lIiwNCiAiY3JpdCI6WyJodHRwOi8vZXhhbXBsZS5jb20vVU5ERUZJTkVEIl0sDQogImh0dHA6Ly",
        "9leGFtcGxlLmNvbS9VTkRFRklORUQiOnRydWUNCn0.RkFJTA."
    );
    assert_eq!(Compact::parse(text).unwrap_err(), ficha_jose::Malformed::Critical);
}

#[test]
fn eddsa_is_that_of_rfc_8037_a_4() {
    let parsed = Compact::parse(EDDSA_TEXT).unwrap();
    assert!(parsed.verify_with(&key(EDDSA_JWK)));
    assert_eq!(parsed.payload(), b"Example of Ed25519 signing");
    // RFC 8410 §7: PKCS#8 around the seed of RFC 8037 A.1.
    let mut private = vec![0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
    private.extend(decoded("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"));
    let signing = SigningKey::from_private(Algorithm::EdDsa, &private).unwrap();
    assert_eq!(jws::compact(parsed.header_json(), parsed.payload(), &signing).unwrap(), EDDSA_TEXT);
    assert_eq!(signing.public_jwk("k").unwrap(), Jwk::parse(EDDSA_JWK.as_bytes()).unwrap().with_kid("k"));
}
