//! Passwords: a pool of threads that take what time is left over, with a bounded queue; full is 503.

use std::time::{Duration, Instant};

use argon2::{Algorithm, Argon2, Block, MIN_SALT_LEN, Params, Version};
use ficha_jose::{constant_time_eq, pbkdf2_sha256_verify, pbkdf2_sha512_verify};
use ficha_telemetry::metrics::metrics;
use ficha_types::Secret;
use password_hash::phc;

use crate::{
    pool::{Pool, Size},
    ports::Entropy,
    records::PasswordHash,
    refusal::Refusal,
};

/// KiB of memory of the hashes that ficha makes: a floor.
const MEMORY_KIB: u32 = 19 * 1024;
/// Passes of the hashes that ficha makes.
const PASSES: u32 = 2;
/// The dearest hash that is taken in: KiB, passes, lanes.
const MOST: (u32, u32, u32) = (256 * 1024, 16, 16);
/// The most iterations of PBKDF2 that are taken in.
const MOST_ITERATIONS: u32 = 10_000_000;
/// The highest bcrypt cost that is taken in.
const MOST_COST: u32 = 16;

/// How long the threads may finish no hash before others that have their share of the processor hash as well: some ten of ficha's own.
const PATIENCE: Duration = Duration::from_millis(500);

/// Why a text is no hash that ficha can check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadHash {
    /// Not one of the forms.
    #[error(
        "not a password hash that ficha knows: expected $argon2id$v=19$…, $2b$… (bcrypt, 60 characters) or $pbkdf2-sha256$i=…$salt$hash, whole"
    )]
    Form,
    /// Its parameters would make a login too dear, or are none.
    #[error(
        "the password hash's parameters are out of bounds: at most 256 MiB and 16 passes (Argon2id), cost 16 (bcrypt), 10,000,000 iterations (PBKDF2)"
    )]
    Parameters,
}

/// What the check of a password came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checked {
    /// Whether it is the right one.
    pub right: bool,
    /// Whether the hash is of an older kind or cheaper than ficha's own: make a new one while the password is at hand.
    pub outdated: bool,
    /// How long the hash itself took, without the queue before it.
    pub took: Duration,
}

/// The pool; each thread keeps the memory of its last hash.
pub struct Passwords {
    pool: Pool<Vec<Block>>,
    decoy: String,
}

impl Passwords {
    /// `threads` threads, and a queue of `bound` before them.
    #[must_use]
    pub fn new(threads: usize, bound: usize) -> Self {
        let decoy = format!(
            "$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
        );
        Self { pool: Pool::new("hash", Size { threads, bound, patience: PATIENCE }), decoy }
    }

    /// Passwords that wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.pool.waiting()
    }

    /// Checks `password` against `hash`; against a decoy where there is no user, at the same cost.
    ///
    /// # Errors
    /// [`Refusal::Busy`] when the queue is full.
    pub async fn check(&self, password: Secret, hash: Option<&PasswordHash>) -> Result<Checked, Refusal> {
        let known = hash.is_some();
        let hash = PasswordHash::new(hash.map_or(self.decoy.as_str(), PasswordHash::expose).to_owned());
        let work = move |memory: &mut Vec<Block>| {
            let started = Instant::now();
            let right = matches(password.expose().as_bytes(), hash.expose(), memory).unwrap_or(false);
            (right, outdated(hash.expose()), started.elapsed())
        };
        let (right, outdated, took) = self.run(work).await?;
        Ok(Checked { right: right && known, outdated, took })
    }

    /// Makes the hash of a new password: Argon2id, 19 MiB, 2 passes, 1 lane.
    ///
    /// # Errors
    /// [`Refusal::Busy`] when the queue is full.
    pub async fn hash(&self, password: Secret, chance: &dyn Entropy) -> Result<PasswordHash, Refusal> {
        let mut salt = [0; 16];
        chance.fill(&mut salt);
        self.run(move |memory| hash(password.expose().as_bytes(), salt, memory)).await?.ok_or(Refusal::Unavailable)
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl Fn(&mut Vec<Block>) -> T + Send + Sync + 'static,
    ) -> Result<T, Refusal> {
        self.pool.run(work).await.map_err(|_| {
            metrics().hashing_rejected.count(());
            Refusal::Busy("hashing")
        })
    }
}

/// Takes in a hash that was made elsewhere: Argon2id, bcrypt or PBKDF2.
///
/// # Errors
/// [`BadHash`] when it is none of these or too dear.
pub fn taken_in(hash: &str) -> Result<PasswordHash, BadHash> {
    let within = match Kind::of(hash).ok_or(BadHash::Form)? {
        Kind::Argon2 { parsed, .. } => {
            let params = Params::try_from(&parsed).map_err(|_| BadHash::Parameters)?;
            let (memory, passes, lanes) = MOST;
            params.m_cost() <= memory && params.t_cost() <= passes && params.p_cost() <= lanes
        }
        Kind::Bcrypt { cost } => (4..=MOST_COST).contains(&cost),
        Kind::Pbkdf2 { iterations, .. } => (1..=MOST_ITERATIONS).contains(&iterations),
    };
    if within { Ok(PasswordHash::new(hash.to_owned())) } else { Err(BadHash::Parameters) }
}

enum Kind {
    Argon2 { parsed: phc::PasswordHash, version: Version },
    Bcrypt { cost: u32 },
    Pbkdf2 { parsed: phc::PasswordHash, iterations: u32, sha512: bool },
}

impl Kind {
    /// `None` for what no password can ever match.
    fn of(hash: &str) -> Option<Self> {
        if ["$2a$", "$2b$", "$2y$", "$2x$"].iter().any(|prefix| hash.starts_with(prefix)) {
            let cost = hash.parse::<bcrypt::HashParts>().ok()?.get_cost();
            return Some(Self::Bcrypt { cost });
        }
        let parsed = phc::PasswordHash::new(hash).ok()?;
        let salt = parsed.salt.as_ref()?;
        parsed.hash.as_ref()?;
        match parsed.algorithm.as_str() {
            "argon2id" => {
                let version = parsed.version.map_or(Ok(Version::V0x13), Version::try_from).ok()?;
                (salt.as_ref().len() >= MIN_SALT_LEN).then_some(Self::Argon2 { parsed, version })
            }
            name @ ("pbkdf2-sha256" | "pbkdf2-sha512") => {
                let sha512 = name == "pbkdf2-sha512";
                let iterations = parsed.params.get_decimal("i")?;
                Some(Self::Pbkdf2 { parsed, iterations, sha512 })
            }
            _ => None,
        }
    }
}

fn matches(password: &[u8], hash: &str, memory: &mut Vec<Block>) -> Option<bool> {
    match Kind::of(hash)? {
        Kind::Argon2 { parsed, version } => {
            let params = Params::try_from(&parsed).ok()?;
            let expected = parsed.hash?;
            let mut out = zeroize::Zeroizing::new(vec![0; expected.len()]);
            argon2_into((password, parsed.salt?.as_ref()), (version, params), &mut out, memory)?;
            Some(constant_time_eq(&out, expected.as_bytes()))
        }
        Kind::Bcrypt { .. } => bcrypt::verify(password, hash).ok(),
        Kind::Pbkdf2 { parsed, iterations, sha512 } => {
            let (salt, expected) = (parsed.salt?, parsed.hash?);
            let verify = if sha512 { pbkdf2_sha512_verify } else { pbkdf2_sha256_verify };
            Some(verify(password, salt.as_ref(), iterations, expected.as_bytes()))
        }
    }
}

/// Whether the next login replaces that hash by a better one.
pub(crate) fn is_outdated(hash: &PasswordHash) -> bool {
    outdated(hash.expose())
}

fn outdated(hash: &str) -> bool {
    match Kind::of(hash) {
        Some(Kind::Argon2 { parsed, .. }) => {
            Params::try_from(&parsed).is_ok_and(|p| p.m_cost() < MEMORY_KIB || p.t_cost() < PASSES)
        }
        Some(Kind::Bcrypt { .. } | Kind::Pbkdf2 { .. }) => true,
        None => false,
    }
}

fn hash(password: &[u8], salt: [u8; 16], memory: &mut Vec<Block>) -> Option<PasswordHash> {
    let params = Params::new(MEMORY_KIB, PASSES, 1, None).ok()?;
    let mut out = zeroize::Zeroizing::new([0; 32]);
    argon2_into((password, &salt), (Version::V0x13, params), &mut *out, memory)?;
    let (salt, out) = (phc::Salt::new(&salt).ok()?, phc::Output::new(&*out).ok()?);
    Some(PasswordHash::new(format!("$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p=1${salt}${out}")))
}

/// Hashes in kept memory: a fresh 19 MiB for each login costs more than the hash's own work spread over them.
fn argon2_into(
    (password, salt): (&[u8], &[u8]),
    (version, params): (Version, Params),
    out: &mut [u8],
    memory: &mut Vec<Block>,
) -> Option<()> {
    let blocks = params.block_count();
    if memory.len() < blocks {
        memory.resize(blocks, Block::default());
    }
    let within = memory.get_mut(..blocks)?;
    Argon2::new(Algorithm::Argon2id, version, params).hash_password_into_with_memory(password, salt, out, within).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Sevens;
    impl Entropy for Sevens {
        fn fill(&self, into: &mut [u8]) {
            into.fill(7);
        }
    }

    #[tokio::test]
    async fn a_password_is_known_by_its_hash_and_no_other_is() {
        let pool = Passwords::new(1, 8);
        let hash = pool.hash(Secret::new("deyel123".into()), &Sevens).await.unwrap();
        let right = pool.check(Secret::new("deyel123".into()), Some(&hash)).await.unwrap();
        assert!(right.right && !right.outdated);
        assert!(!pool.check(Secret::new("deyel124".into()), Some(&hash)).await.unwrap().right);
        assert!(!pool.check(Secret::new("deyel123".into()), None).await.unwrap().right);
    }

    #[tokio::test]
    async fn hashes_made_elsewhere_are_checked_and_called_outdated() {
        let pool = Passwords::new(1, 8);
        for hash in [
            bcrypt::hash("password", 4).unwrap(),
            // Made with the hashlib of Python.
            "$pbkdf2-sha256$i=1000,l=32$c2FsdHNhbHRzYWx0c2FsdA$8nX7hwFEzIB8aPajJTYK8weHQc5Ngz0pFVAKvSu4jQA".to_owned(),
        ] {
            let hash = taken_in(&hash).unwrap();
            let checked = pool.check(Secret::new("password".into()), Some(&hash)).await.unwrap();
            assert!(checked.right && checked.outdated, "{}", hash.expose());
            assert!(!pool.check(Secret::new("Password".into()), Some(&hash)).await.unwrap().right);
        }
    }

    #[test]
    fn a_hash_that_would_make_logins_too_dear_is_not_taken_in() {
        let dear =
            "$argon2id$v=19$m=1048576,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        assert_eq!(taken_in(dear), Err(BadHash::Parameters));
        assert_eq!(taken_in("plain"), Err(BadHash::Form));
    }

    #[test]
    fn a_hash_that_no_password_can_match_is_not_taken_in() {
        const TAIL: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        let bcrypt = bcrypt::hash("password", 4).unwrap();
        let (head, tail) = bcrypt.split_at(40);
        let rest = tail.get(1..).unwrap();
        for hash in [
            format!("{head}+{rest}"),
            format!("{head}${rest}"),
            format!("{head}{rest}"),
            format!("$argon2id$v=18$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA${TAIL}"),
            format!("$argon2id$v=19$m=19456,t=2,p=1$AAAAAA${TAIL}"),
            "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA".to_owned(),
            format!("$pbkdf2-sha256$29000$c2FsdHNhbHRzYWx0c2FsdA${TAIL}"),
        ] {
            assert_eq!(taken_in(&hash), Err(BadHash::Form), "{hash}");
        }
        assert!(taken_in(&bcrypt).is_ok());
        assert!(taken_in(&format!("$argon2id$v=16$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA${TAIL}")).is_ok());
    }
}
