//! Public keys as JSON (RFC 7517), and sets of them.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ficha_types::Algorithm;
use serde::{Deserialize, Serialize, de::IgnoredAny, ser::SerializeStruct};
use serde_json::value::RawValue;

use crate::{KeyError, sha256};

/// A public key for signatures: RSA, P-256 or Ed25519, and nothing else.
///
/// Reading refuses private and shared keys, keys for other uses and other algorithms, and unknown kinds; unknown members
/// are ignored. Written with `use`, and its members always in the same order.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Members")]
pub struct Jwk {
    material: Material,
    algorithm: Option<Algorithm>,
    kid: Option<Box<str>>,
}

/// The numbers of a public key, of the right lengths; whether they are a key, the crypto library says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Material {
    /// Big-endian without leading zeros: 2048 to 8192 bits, and at most 33.
    Rsa {
        n: Box<[u8]>,
        e: Box<[u8]>,
    },
    /// The uncompressed point of SEC 1: `04`, x, y.
    P256 {
        point: [u8; 65],
    },
    Ed25519 {
        x: [u8; 32],
    },
}

impl Jwk {
    /// Bytes that a `kid` may have.
    pub const MAX_KID: usize = 256;

    /// Reads one key.
    ///
    /// # Errors
    /// [`KeyError::Jwk`] with the reason.
    pub fn parse(json: &[u8]) -> Result<Self, KeyError> {
        serde_json::from_slice(json).map_err(|why| KeyError::Jwk(why.to_string()))
    }

    /// The `alg` that the key says it is for.
    #[must_use]
    pub fn algorithm(&self) -> Option<Algorithm> {
        self.algorithm
    }

    /// The `kid`, by which the header of a token names the key.
    #[must_use]
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// The same key under this `kid`.
    #[must_use]
    pub fn with_kid(self, kid: &str) -> Self {
        Self { kid: Some(kid.into()), ..self }
    }

    /// SHA-256 thumbprint, in base64url (RFC 7638): the same for every spelling of the same key.
    #[must_use]
    pub fn thumbprint(&self) -> String {
        // RFC 7638 §3.2, RFC 8037 §2: the required members alone, in alphabetical order, without white space. What is
        // written into the text is base64url, so nothing needs escaping.
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let text = match &self.material {
            Material::Rsa { n, e } => format!(r#"{{"e":"{}","kty":"RSA","n":"{}"}}"#, encode(e), encode(n)),
            Material::P256 { point } => {
                let (x, y) = coordinates(point);
                format!(r#"{{"crv":"P-256","kty":"EC","x":"{}","y":"{}"}}"#, encode(x), encode(y))
            }
            Material::Ed25519 { x } => format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, encode(x)),
        };
        encode(&sha256(text.as_bytes()))
    }

    pub(crate) fn new(material: Material, algorithm: Algorithm) -> Self {
        Self { material, algorithm: Some(algorithm), kid: None }
    }

    pub(crate) fn material(&self) -> &Material {
        &self.material
    }
}

impl Serialize for Jwk {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (kty, crv) = match &self.material {
            Material::Rsa { .. } => ("RSA", None),
            Material::P256 { .. } => ("EC", Some("P-256")),
            Material::Ed25519 { .. } => ("OKP", Some("Ed25519")),
        };
        let mut out = serializer.serialize_struct("Jwk", 7)?;
        out.serialize_field("kty", kty)?;
        out.serialize_field("use", "sig")?;
        match self.algorithm {
            Some(algorithm) => out.serialize_field("alg", algorithm.as_str())?,
            None => out.skip_field("alg")?,
        }
        match &self.kid {
            Some(kid) => out.serialize_field("kid", kid)?,
            None => out.skip_field("kid")?,
        }
        match crv {
            Some(crv) => out.serialize_field("crv", crv)?,
            None => out.skip_field("crv")?,
        }
        let mut number = |name, bytes: &[u8]| out.serialize_field(name, &URL_SAFE_NO_PAD.encode(bytes));
        match &self.material {
            Material::Rsa { n, e } => {
                number("n", n)?;
                number("e", e)?;
            }
            Material::P256 { point } => {
                let (x, y) = coordinates(point);
                number("x", x)?;
                number("y", y)?;
            }
            Material::Ed25519 { x } => number("x", x)?,
        }
        out.end()
    }
}

impl Material {
    /// An RSA key from its big-endian numbers; the error is the reason.
    pub(crate) fn rsa(n: &[u8], e: &[u8]) -> Result<Self, &'static str> {
        // The library compares the size in bits at each verification; here it is known at once.
        let [high, ..] = *n else { return Err("`n` is empty") };
        if high == 0 {
            return Err("`n` begins with a zero byte (RFC 7518 §6.3.1.1)");
        }
        let bits = n.len() * 8 - high.leading_zeros() as usize;
        if !(2048..=8192).contains(&bits) {
            return Err("an RSA key has 2048 to 8192 bits");
        }
        // The library takes exponents of at most 33 bits; an even one, or 1, is no exponent.
        let is_exponent =
            matches!(e, [1..=255, ..] if e.len() <= 5) && e.last().is_some_and(|low| low % 2 == 1) && *e != [1];
        if !is_exponent {
            return Err("`e` is no public exponent");
        }
        Ok(Self::Rsa { n: n.into(), e: e.into() })
    }
}

/// A set of public keys, as an issuer publishes it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct JwkSet {
    keys: Vec<Jwk>,
}

impl JwkSet {
    /// Bytes that a set which is read may have.
    pub const MAX_BYTES: usize = 256 * 1024;
    /// Keys that a set which is read may have, those that are passed over included.
    pub const MAX_KEYS: usize = 256;

    /// A set of these keys, in this order.
    #[must_use]
    pub fn new(keys: Vec<Jwk>) -> Self {
        Self { keys }
    }

    /// Reads a set. A key in it that can't be used here (another kind, another use, private or malformed) is passed over
    /// (RFC 7517 §5): it will verify nothing, and the others stay usable.
    ///
    /// # Errors
    /// [`KeyError::Jwk`] for what is no set, or is beyond [`MAX_BYTES`](Self::MAX_BYTES) or
    /// [`MAX_KEYS`](Self::MAX_KEYS).
    pub fn parse(json: &[u8]) -> Result<Self, KeyError> {
        #[derive(Deserialize)]
        struct Set<'a> {
            #[serde(borrow)]
            keys: Vec<&'a RawValue>,
        }
        if json.len() > Self::MAX_BYTES {
            return Err(KeyError::Jwk(format!("a set has at most {} bytes", Self::MAX_BYTES)));
        }
        let set: Set<'_> = serde_json::from_slice(json).map_err(|why| KeyError::Jwk(why.to_string()))?;
        if set.keys.len() > Self::MAX_KEYS {
            return Err(KeyError::Jwk(format!("a set has at most {} keys", Self::MAX_KEYS)));
        }
        Ok(Self { keys: set.keys.into_iter().filter_map(|key| Jwk::parse(key.get().as_bytes()).ok()).collect() })
    }

    /// The keys, in the order of the set.
    #[must_use]
    pub fn keys(&self) -> &[Jwk] {
        &self.keys
    }

    /// The first key with this `kid`.
    #[must_use]
    pub fn find(&self, kid: &str) -> Option<&Jwk> {
        self.keys.iter().find(|key| key.kid() == Some(kid))
    }
}

/// A JWK as it stands in the text. A member that is there twice is an error, by serde.
#[derive(Deserialize)]
struct Members {
    kty: String,
    crv: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    kid: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
    // RFC 7518 §6: every member that is private, or a shared key.
    d: Option<IgnoredAny>,
    p: Option<IgnoredAny>,
    q: Option<IgnoredAny>,
    dp: Option<IgnoredAny>,
    dq: Option<IgnoredAny>,
    qi: Option<IgnoredAny>,
    oth: Option<IgnoredAny>,
    k: Option<IgnoredAny>,
}

impl Members {
    fn is_private(&self) -> bool {
        [self.d, self.p, self.q, self.dp, self.dq, self.qi, self.oth, self.k].iter().any(Option::is_some)
    }

    fn is_for_signatures(&self) -> bool {
        let usage = self.usage.as_deref().is_none_or(|usage| usage == "sig");
        usage && self.key_ops.as_ref().is_none_or(|ops| ops.iter().any(|op| op == "verify"))
    }

    fn material(&self) -> Result<Material, &'static str> {
        match (self.kty.as_str(), self.crv.as_deref()) {
            ("RSA", _) => Material::rsa(&number(self.n.as_deref())?, &number(self.e.as_deref())?),
            ("EC", Some("P-256")) => {
                let (x, y) = (number_of_32(self.x.as_deref())?, number_of_32(self.y.as_deref())?);
                let mut point = [4; 65];
                for (place, byte) in point.iter_mut().skip(1).zip(x.into_iter().chain(y)) {
                    *place = byte;
                }
                Ok(Material::P256 { point })
            }
            ("OKP", Some("Ed25519")) => Ok(Material::Ed25519 { x: number_of_32(self.x.as_deref())? }),
            ("oct", _) => Err("a shared key has no place here"),
            _ => Err("its `kty` and `crv` are neither RSA, EC with P-256 nor OKP with Ed25519"),
        }
    }
}

impl TryFrom<Members> for Jwk {
    type Error = &'static str;

    fn try_from(members: Members) -> Result<Self, &'static str> {
        if members.is_private() {
            return Err("it holds a private member: this key is no secret any more, replace it");
        }
        if !members.is_for_signatures() {
            return Err("it is not for signatures");
        }
        if members.kid.as_ref().is_some_and(|kid| kid.len() > Self::MAX_KID) {
            return Err("its `kid` is longer than 256 bytes");
        }
        let material = members.material()?;
        let algorithm = match members.alg.as_deref().map(str::parse::<Algorithm>) {
            None => None,
            Some(Ok(algorithm)) if fits(&material, algorithm) => Some(algorithm),
            Some(Ok(_)) => return Err("its `alg` does not fit its `kty`"),
            Some(Err(_)) => return Err("its `alg` is none of RS256, PS256, ES256 and EdDSA"),
        };
        Ok(Self { material, algorithm, kid: members.kid.map(Into::into) })
    }
}

fn fits(material: &Material, algorithm: Algorithm) -> bool {
    match material {
        Material::Rsa { .. } => matches!(algorithm, Algorithm::Rs256 | Algorithm::Ps256),
        Material::P256 { .. } => algorithm == Algorithm::Es256,
        Material::Ed25519 { .. } => algorithm == Algorithm::EdDsa,
    }
}

/// Characters of the longest number, a modulus of 8192 bits.
const MAX_NUMBER: usize = 1366;

/// The bytes of a number, up to the longest.
fn number(text: Option<&str>) -> Result<Vec<u8>, &'static str> {
    let text = text.ok_or("a number of the key is missing")?;
    if text.len() > MAX_NUMBER {
        return Err("a number of the key is too long");
    }
    URL_SAFE_NO_PAD.decode(text).map_err(|_| "a number of the key is not base64url without padding")
}

/// RFC 7518 §6.2.1.2, RFC 8037 §2: always all 32 bytes.
fn number_of_32(text: Option<&str>) -> Result<[u8; 32], &'static str> {
    number(text)?.try_into().map_err(|_| "a coordinate has 32 bytes")
}

/// The two coordinates in an uncompressed point.
fn coordinates(point: &[u8; 65]) -> (&[u8], &[u8]) {
    let [_, coordinates @ ..] = point;
    coordinates.split_at(32)
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{VerifyingKey, signing::tests::KEYS};

    pub(crate) const RFC_7638_KEY: &str = concat!(
        r#"{"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc"#,
        "_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAta",
        "Sqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBni",
        r#"Iqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB","alg":"RS256","kid":"2011-04-29"}"#
    );
    const P256: &str = r#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#;
    const ED25519: &str = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;

    fn with(key: &str, member: &str) -> String {
        key.replacen('{', &format!("{{{member},"), 1)
    }

    fn refusal(json: &str) -> String {
        match Jwk::parse(json.as_bytes()) {
            Err(KeyError::Jwk(why)) => why,
            other => panic!("{json}: {other:?}"),
        }
    }

    #[test]
    fn thumbprints_are_those_of_rfc_7638_and_rfc_8037() {
        let thumbprint = |json: &str| Jwk::parse(json.as_bytes()).unwrap().thumbprint();
        assert_eq!(thumbprint(RFC_7638_KEY), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
        assert_eq!(thumbprint(ED25519), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
        assert_eq!(thumbprint(&with(ED25519, r#""kid":"k1","alg":"EdDSA","more":{}"#)), thumbprint(ED25519));
    }

    #[test]
    fn a_thumbprint_is_that_of_another_library() {
        for (key, _) in KEYS.iter() {
            let Some(jwk) = key.public_jwk("k1") else { continue };
            let theirs: jsonwebtoken::jwk::Jwk = serde_json::from_str(&serde_json::to_string(&jwk).unwrap()).unwrap();
            assert_eq!(theirs.thumbprint(jsonwebtoken::jwk::ThumbprintHash::SHA256).unwrap(), jwk.thumbprint());
        }
    }

    #[test]
    fn members_stand_in_a_fixed_order() {
        let written = |json: &str| serde_json::to_string(&Jwk::parse(json.as_bytes()).unwrap()).unwrap();
        let start = |json: &str, to: usize| written(json)[..to].to_owned();
        assert_eq!(start(RFC_7638_KEY, 65), r#"{"kty":"RSA","use":"sig","alg":"RS256","kid":"2011-04-29","n":"0v"#);
        assert!(written(RFC_7638_KEY).ends_with(r#"DKgw","e":"AQAB"}"#));
        assert_eq!(
            written(P256),
            P256.replace(r#""crv""#, r#""use":"sig","crv""#),
            "an absent `alg` and `kid` stay absent"
        );
        assert_eq!(
            written(&with(ED25519, r#""kid":"k1","alg":"EdDSA""#)),
            ED25519.replace(r#""crv""#, r#""use":"sig","alg":"EdDSA","kid":"k1","crv""#)
        );
    }

    #[test]
    fn a_key_reads_back_what_it_writes() {
        for (key, _) in KEYS.iter() {
            let Some(jwk) = key.public_jwk("k\"1") else { continue };
            assert_eq!(Jwk::parse(&serde_json::to_vec(&jwk).unwrap()).unwrap(), jwk);
        }
    }

    #[test]
    fn a_private_or_shared_key_is_refused() {
        for member in ["d", "p", "q", "dp", "dq", "qi", "k"] {
            for key in [RFC_7638_KEY, P256, ED25519] {
                assert!(refusal(&with(key, &format!(r#""{member}":"AQAB""#))).contains("private member"), "{member}");
            }
        }
        assert!(refusal(&with(RFC_7638_KEY, r#""oth":[]"#)).contains("private member"));
        assert!(refusal(r#"{"kty":"oct","k":"AAAA"}"#).contains("private member"));
        assert!(refusal(r#"{"kty":"oct","alg":"HS256"}"#).contains("shared key"));
    }

    #[test]
    fn a_key_for_something_else_is_refused() {
        assert!(refusal(&with(P256, r#""use":"enc""#)).contains("not for signatures"));
        assert!(refusal(&with(P256, r#""key_ops":["deriveKey"]"#)).contains("not for signatures"));
        assert!(refusal(&with(P256, r#""alg":"ES384""#)).contains("`alg` is none of"));
        assert!(refusal(&with(P256, r#""alg":"none""#)).contains("`alg` is none of"));
        for alg in ["RS256", "PS256", "EdDSA", "HS256"] {
            assert!(refusal(&with(P256, &format!(r#""alg":"{alg}""#))).contains("does not fit"), "{alg}");
        }
        assert!(refusal(&RFC_7638_KEY.replace("RS256", "HS256")).contains("does not fit"));
        assert!(refusal(&P256.replace("P-256", "P-384")).contains("neither"));
        assert!(refusal(&ED25519.replace("Ed25519", "X25519")).contains("neither"));
        let for_both = with(P256, r#""use":"sig","key_ops":["sign","verify"],"alg":"ES256""#);
        assert!(Jwk::parse(for_both.as_bytes()).is_ok());
    }

    #[test]
    fn numbers_of_wrong_length_or_spelling_are_refused() {
        assert!(refusal(&P256.replace("f83O", "")).contains("32 bytes"));
        assert!(refusal(&ED25519.replace("11qY", "11qY11qY")).contains("32 bytes"));
        assert!(refusal(&ED25519.replace("HURo", "HURo=")).contains("base64url"));
        assert!(refusal(&ED25519.replace("HURo", "HURp")).contains("base64url"), "bits left over");
        assert!(refusal(&ED25519.replace("_7Ty", "/7Ty")).contains("base64url"), "the other alphabet");
        assert!(refusal(&RFC_7638_KEY.replace("0vx7", "")).contains("2048 to 8192 bits"));
        assert!(refusal(&RFC_7638_KEY.replace("0vx7", "AAAA0vx7")).contains("begins with a zero"));
        assert!(refusal(&RFC_7638_KEY.replace("0vx7", &"0vx7".repeat(400))).contains("too long"));
        assert!(refusal(r#"{"kty":"RSA","e":"AQAB"}"#).contains("missing"));
        for e in ["", "AQ", "AA", "AAEAAQ", "Ag", "AQAA", "____________"] {
            assert!(refusal(&RFC_7638_KEY.replace("AQAB", e)).contains("no public exponent"), "{e}");
        }
        assert!(refusal(&with(P256, &format!(r#""kid":"{}""#, "k".repeat(257)))).contains("kid"));
        assert!(Jwk::parse(with(P256, &format!(r#""kid":"{}""#, "k".repeat(256))).as_bytes()).is_ok());
    }

    #[test]
    fn the_longest_modulus_is_read() {
        let mut n = [255; 1024];
        let theirs = RFC_7638_KEY.split('"').max_by_key(|part| part.len()).unwrap();
        let long = |n: &[u8]| RFC_7638_KEY.replace(theirs, &URL_SAFE_NO_PAD.encode(n));
        assert!(Jwk::parse(long(&n).as_bytes()).is_ok());
        n[0] = 1;
        assert!(Jwk::parse(long(&n).as_bytes()).is_ok());
        assert!(refusal(&long(&[255; 1025])).contains("too long"));
    }

    #[test]
    fn a_repeated_member_is_refused() {
        assert!(refusal(&with(P256, r#""kty":"EC""#)).contains("duplicate"));
    }

    #[test]
    fn a_set_passes_over_what_it_cannot_use() {
        let private = with(P256, r#""kid":"b","d":"AQAB""#);
        let (first, last) = (with(ED25519, r#""kid":"a""#), with(P256, r#""kid":"c""#));
        let json = format!(r#"{{"keys":[{first},{private},{{"kty":"new"}},7,null,{last}],"more":1}}"#);
        let set = JwkSet::parse(json.as_bytes()).unwrap();
        assert_eq!(set.keys().iter().map(Jwk::kid).collect::<Vec<_>>(), [Some("a"), Some("c")]);
        assert_eq!(set.find("c"), set.keys().last());
        assert_eq!(set.find("b"), None);
        assert_eq!(JwkSet::parse(&serde_json::to_vec(&set).unwrap()).unwrap(), set);
    }

    #[test]
    fn an_empty_set_is_a_set_and_other_things_are_not() {
        assert_eq!(serde_json::to_string(&JwkSet::default()).unwrap(), r#"{"keys":[]}"#);
        assert_eq!(JwkSet::parse(br#"{"keys":[]}"#).unwrap(), JwkSet::new(Vec::new()));
        for json in ["", "{}", "[]", r#"{"keys":{}}"#, r#"{"keys":[]} x"#, r#"{"keys":[],"keys":[]}"#] {
            assert!(matches!(JwkSet::parse(json.as_bytes()), Err(KeyError::Jwk(_))), "{json}");
        }
    }

    #[test]
    fn a_set_beyond_its_bounds_is_refused() {
        let set = |keys: usize| format!(r#"{{"keys":[{}]}}"#, vec!["{}"; keys].join(","));
        assert!(JwkSet::parse(set(JwkSet::MAX_KEYS).as_bytes()).is_ok());
        assert!(JwkSet::parse(set(JwkSet::MAX_KEYS + 1).as_bytes()).is_err());
        let padded = |bytes: usize| set(1) + &" ".repeat(bytes - set(1).len());
        assert!(JwkSet::parse(padded(JwkSet::MAX_BYTES).as_bytes()).is_ok());
        assert!(JwkSet::parse(padded(JwkSet::MAX_BYTES + 1).as_bytes()).is_err());
        assert!(JwkSet::parse("[".repeat(JwkSet::MAX_BYTES).as_bytes()).is_err());
        let deep = format!(r#"{{"keys":[{0}{1}]}}"#, "[".repeat(100_000), "]".repeat(100_000));
        assert!(JwkSet::parse(deep.as_bytes()).is_ok_and(|set| set.keys().is_empty()));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(json: Vec<u8>, n: Vec<u8>, e: Vec<u8>, x: [u8; 32]) {
            let _ = Jwk::parse(&json);
            let _ = JwkSet::parse(&json);
            let [n, e, x] = [&n[..], &e, &x].map(|bytes| URL_SAFE_NO_PAD.encode(bytes));
            for json in [
                format!(r#"{{"kty":"RSA","alg":"RS256","n":"{n}","e":"{e}"}}"#),
                format!(r#"{{"kty":"EC","crv":"P-256","alg":"ES256","x":"{x}","y":"{x}"}}"#),
                format!(r#"{{"kty":"OKP","crv":"Ed25519","alg":"EdDSA","x":"{x}"}}"#),
            ] {
                if let Ok(key) = Jwk::parse(json.as_bytes()).and_then(|jwk| VerifyingKey::from_jwk(&jwk)) {
                    prop_assert!(!key.verify(b"message", &[7; 64]));
                }
            }
        }
    }
}
