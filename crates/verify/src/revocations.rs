//! What is known to be dead: tokens, families, all of a client or user or issuer until an instant, keys.

use std::{
    collections::HashMap,
    fmt,
    hash::{BuildHasher, Hash, Hasher, RandomState},
    sync::{
        Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
        atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering},
    },
};

use ficha_types::{TokenId, UnixSeconds};
use serde_json::Value;

use crate::{Rejection, claims::Checked};

/// Entries that are held unless another number is set.
const USUAL_MOST: usize = 2_000_000;
/// Parts of each table, each under a lock of its own.
const SHARDS: usize = 64;

/// What is known to be dead of one issuer's tokens: single tokens and families until they have expired, all that was
/// issued to a client or user or by the issuer until an instant, and withdrawn keys. A clone shares everything.
///
/// A million revoked tokens take about 45 MiB. Of every id only a hash of 128 bits is held, under a key that is drawn
/// here, so nobody can make two ids meet.
#[derive(Clone)]
pub struct Revocations(Arc<Inner>);

struct Inner {
    hashes: [RandomState; 2],
    /// Tokens and families, and when they have expired.
    ended: Shards,
    /// Clients and users, and the last second of what is dead; keys.
    marks: Shards,
    issuer: AtomicI64,
    count: AtomicUsize,
    most: usize,
    /// Counts what was added.
    epoch: AtomicU64,
    /// The part that is looked through next for what has expired.
    next: AtomicUsize,
}

/// There is no room for another entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} revocations are held, and there is no room for another")]
pub struct Full(usize);

/// A hash of what an id is of and the id. 20 bytes with the instant beside it: no space is lost to alignment.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Print([u32; 4]);

type Table = HashMap<Print, u32, AsItIs>;

struct Shards(Box<[RwLock<Table>]>);

/// A print is a hash already.
#[derive(Default, Clone)]
struct AsItIs;

struct First(u64);

/// What an id is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Of {
    Token = 1,
    Family,
    Client,
    User,
    Key,
}

/// By what a token can be dead, hashed once.
pub(crate) struct Traits {
    token: Option<Print>,
    family: Option<Print>,
    client: Option<Print>,
    user: Option<Print>,
    key: Option<Print>,
    /// The least when the token does not say: then every mark covers it.
    issued_at: i64,
}

/// What a token says of itself, as far as it can be dead by it.
pub(crate) struct Named<'a> {
    pub(crate) token: Option<&'a str>,
    pub(crate) client: Option<&'a str>,
    pub(crate) user: Option<&'a str>,
    pub(crate) key: Option<&'a str>,
    pub(crate) issued_at: Option<UnixSeconds>,
}

impl<'a> Named<'a> {
    /// What `checked` says of itself, signed by the key of this name.
    pub(crate) fn of(checked: &'a Checked, key: Option<&'a str>) -> Self {
        let text = |claim: &str| checked.members.get(claim).and_then(Value::as_str);
        let client = text("client_id").or_else(|| text("azp"));
        Self { token: text("jti"), client, user: text("sub"), key, issued_at: checked.times.issued_at }
    }
}

impl Revocations {
    /// Nothing is dead yet; there will be room for two million entries.
    #[must_use]
    pub fn new() -> Self {
        Self::with_room_for(USUAL_MOST)
    }

    /// Nothing is dead yet; there will be room for `most` entries.
    #[must_use]
    pub fn with_room_for(most: usize) -> Self {
        Self(Arc::new(Inner {
            hashes: [RandomState::new(), RandomState::new()],
            ended: Shards::new(),
            marks: Shards::new(),
            issuer: AtomicI64::new(i64::MIN),
            count: AtomicUsize::new(0),
            most,
            epoch: AtomicU64::new(0),
            next: AtomicUsize::new(0),
        }))
    }

    /// The token with this `jti` is dead. `until` is when it has expired beyond every leeway: then the entry goes.
    ///
    /// # Errors
    /// [`Full`].
    pub fn token(&self, jti: &str, until: UnixSeconds) -> Result<(), Full> {
        self.add(&self.0.ended, self.print(Of::Token, jti), until)
    }

    /// Every token of this family is dead: those whose `jti` begins with its 22 characters and goes on.
    ///
    /// # Errors
    /// [`Full`].
    pub fn family(&self, family: &str, until: UnixSeconds) -> Result<(), Full> {
        self.add(&self.0.ended, self.print(Of::Family, family), until)
    }

    /// What was issued to this client at `not_before` or earlier is dead.
    ///
    /// # Errors
    /// [`Full`].
    pub fn client(&self, client_id: &str, not_before: UnixSeconds) -> Result<(), Full> {
        self.add(&self.0.marks, self.print(Of::Client, client_id), not_before)
    }

    /// What was issued for this `sub` at `not_before` or earlier is dead.
    ///
    /// # Errors
    /// [`Full`].
    pub fn user(&self, subject: &str, not_before: UnixSeconds) -> Result<(), Full> {
        self.add(&self.0.marks, self.print(Of::User, subject), not_before)
    }

    /// What the issuer issued at `not_before` or earlier is dead.
    pub fn issuer(&self, not_before: UnixSeconds) {
        self.0.issuer.fetch_max(not_before.0, Ordering::Release);
        self.changed();
    }

    /// What the key with this `kid` signed is dead.
    ///
    /// # Errors
    /// [`Full`].
    pub fn key(&self, kid: &str) -> Result<(), Full> {
        self.add(&self.0.marks, self.print(Of::Key, kid), UnixSeconds(i64::MAX))
    }

    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.count.load(Ordering::Relaxed)
    }

    /// Whether nothing is dead but by the issuer's own mark.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Forgets what has expired, in one of 64 parts: called once a second, it has been everywhere in about a minute.
    pub fn sweep(&self, now: UnixSeconds) {
        let part = self.0.next.fetch_add(1, Ordering::Relaxed) % SHARDS;
        if let Some(shard) = self.0.ended.0.get(part) {
            self.sweep_shard(&mut write(shard), now);
        }
    }

    /// Counts what was added so far.
    pub(crate) fn epoch(&self) -> u64 {
        self.0.epoch.load(Ordering::Acquire)
    }

    /// What was known before may be incomplete.
    pub(crate) fn changed(&self) {
        self.0.epoch.fetch_add(1, Ordering::AcqRel);
    }

    /// Whether the token with this `jti` is dead by its own id or its family's. For who looks at single ids; a verifier
    /// looks at whole tokens.
    #[must_use]
    pub fn has_token(&self, jti: &str) -> bool {
        let (token, family) = self.prints(jti);
        self.0.ended.has(Some(token)) || self.0.ended.has(family)
    }

    /// By what a token can be dead.
    pub(crate) fn traits(&self, of: &Named<'_>) -> Traits {
        let (token, family) = of.token.map(|jti| self.prints(jti)).unzip();
        let print = |what, id: Option<&str>| id.map(|id| self.print(what, id));
        Traits {
            token,
            family: family.flatten(),
            client: print(Of::Client, of.client),
            user: print(Of::User, of.user),
            key: print(Of::Key, of.key),
            issued_at: of.issued_at.map_or(i64::MIN, |at| at.0),
        }
    }

    /// Whether a token is dead, and by what.
    pub(crate) fn check(&self, traits: &Traits) -> Result<(), Rejection> {
        let Inner { ended, marks, issuer, .. } = &*self.0;
        let covered = |print| marks.get(print).is_some_and(|mark| traits.issued_at <= i64::from(mark));
        let issuer = issuer.load(Ordering::Acquire);
        if marks.has(traits.key) {
            Err(Rejection::KeyWithdrawn)
        } else if ended.has(traits.token)
            || ended.has(traits.family)
            || covered(traits.client)
            || covered(traits.user)
            || (issuer != i64::MIN && traits.issued_at <= issuer)
        {
            Err(Rejection::Revoked)
        } else {
            Ok(())
        }
    }

    fn prints(&self, jti: &str) -> (Print, Option<Print>) {
        let family = jti.parse::<TokenId>().ok().and_then(|id| id.family());
        (self.print(Of::Token, jti), family.map(|family| self.print(Of::Family, family.as_str())))
    }

    fn print(&self, of: Of, id: &str) -> Print {
        let half = |hash: &RandomState| {
            let mut hasher = hash.build_hasher();
            hasher.write_u8(of as u8);
            hasher.write(id.as_bytes());
            hasher.finish()
        };
        let [a, b] = self.0.hashes.each_ref().map(half);
        #[expect(clippy::cast_possible_truncation, reason = "the halves of each")]
        Print([a as u32, (a >> 32) as u32, b as u32, (b >> 32) as u32])
    }

    fn add(&self, table: &Shards, print: Print, instant: UnixSeconds) -> Result<(), Full> {
        // Later than 2106 is for ever, and before 1970 is never.
        let instant = u32::try_from(instant.0.max(0)).unwrap_or(u32::MAX);
        if let Some(shard) = table.shard(print) {
            let mut shard = write(shard);
            match shard.get_mut(&print) {
                Some(known) => *known = instant.max(*known),
                None => {
                    if self.0.count.fetch_add(1, Ordering::Relaxed) >= self.0.most {
                        self.0.count.fetch_sub(1, Ordering::Relaxed);
                        return Err(Full(self.0.most));
                    }
                    shard.insert(print, instant);
                }
            }
        }
        self.changed();
        Ok(())
    }

    fn sweep_shard(&self, shard: &mut Table, now: UnixSeconds) {
        let before = shard.len();
        shard.retain(|_, until| i64::from(*until) > now.0);
        let gone = before - shard.len();
        self.0.count.fetch_sub(gone, Ordering::Relaxed);
        // Space that the many of a bad day took.
        if shard.capacity() / 4 > shard.len() {
            shard.shrink_to_fit();
        }
    }
}

impl Default for Revocations {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Revocations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Revocations").field("len", &self.len()).finish_non_exhaustive()
    }
}

impl Shards {
    fn new() -> Self {
        Self(std::iter::repeat_with(RwLock::default).take(SHARDS).collect())
    }

    fn shard(&self, print: Print) -> Option<&RwLock<Table>> {
        let Print([.., last]) = print;
        self.0.get(last as usize % SHARDS)
    }

    fn get(&self, print: Option<Print>) -> Option<u32> {
        let print = print?;
        self.shard(print).and_then(|shard| read(shard).get(&print).copied())
    }

    fn has(&self, print: Option<Print>) -> bool {
        self.get(print).is_some()
    }
}

fn read(shard: &RwLock<Table>) -> RwLockReadGuard<'_, Table> {
    // Nothing panics while it is held for writing.
    shard.read().unwrap_or_else(PoisonError::into_inner)
}

fn write(shard: &RwLock<Table>) -> RwLockWriteGuard<'_, Table> {
    shard.write().unwrap_or_else(PoisonError::into_inner)
}

impl BuildHasher for AsItIs {
    type Hasher = First;

    fn build_hasher(&self) -> First {
        First(0)
    }
}

impl Hasher for First {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.first_chunk().map_or(0, |first| u64::from_le_bytes(*first));
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }
}

impl Hash for Print {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // The other half chose the shard.
        let Self([a, b, ..]) = *self;
        state.write_u64(u64::from(a) | u64::from(b) << 32);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAMILY: &str = "AAAAAAAAAAAAAAAAAAAAAA";

    fn named(token: &str, issued_at: i64) -> Named<'_> {
        let issued_at = Some(UnixSeconds(issued_at));
        Named { token: Some(token), client: Some("app"), user: Some("user"), key: Some("k1"), issued_at }
    }

    fn verdict(known: &Revocations, of: &Named<'_>) -> Result<(), Rejection> {
        known.check(&known.traits(of))
    }

    #[test]
    fn a_token_is_dead_by_its_id_and_no_other() {
        let known = Revocations::new();
        known.token("one", UnixSeconds(100)).unwrap();
        assert_eq!(verdict(&known, &named("one", 50)), Err(Rejection::Revoked));
        for other in ["two", "on", "onee", "app", "user", "k1", ""] {
            assert_eq!(verdict(&known, &named(other, 50)), Ok(()), "{other}");
        }
        assert_eq!(verdict(&known, &Named { token: None, ..named("", 50) }), Ok(()));
    }

    #[test]
    fn a_family_takes_all_its_tokens_with_it() {
        let known = Revocations::new();
        known.family(FAMILY, UnixSeconds(100)).unwrap();
        for suffix in ["B", "BBBBBBBB", "-_"] {
            assert_eq!(verdict(&known, &named(&format!("{FAMILY}{suffix}"), 50)), Err(Rejection::Revoked), "{suffix}");
        }
        // A token that stands alone has 22 characters too: it is of no family.
        assert_eq!(verdict(&known, &named(FAMILY, 50)), Ok(()));
        assert_eq!(verdict(&known, &named(&FAMILY.replacen('A', "B", 1), 50)), Ok(()));
        assert!(known.has_token(&format!("{FAMILY}B")) && !known.has_token(FAMILY));
    }

    #[test]
    fn a_mark_covers_what_was_issued_until_then() {
        type Mark = fn(&Revocations, i64);
        let marks: [(&str, Mark); 3] = [
            ("client", |known, at| known.client("app", UnixSeconds(at)).unwrap()),
            ("user", |known, at| known.user("user", UnixSeconds(at)).unwrap()),
            ("issuer", |known, at| known.issuer(UnixSeconds(at))),
        ];
        for (name, mark) in marks {
            let known = Revocations::new();
            mark(&known, 100);
            assert_eq!(verdict(&known, &named("t", 100)), Err(Rejection::Revoked), "{name}");
            assert_eq!(verdict(&known, &named("t", 101)), Ok(()), "{name}");
            // It never goes back.
            mark(&known, 50);
            assert_eq!(verdict(&known, &named("t", 100)), Err(Rejection::Revoked), "{name}");
            // Who does not say when is covered by every mark.
            let undated = Named { issued_at: None, ..named("t", 0) };
            assert_eq!(verdict(&known, &undated), Err(Rejection::Revoked), "{name}");
        }
        let known = Revocations::new();
        known.client("other", UnixSeconds(100)).unwrap();
        known.user("app", UnixSeconds(100)).unwrap();
        assert_eq!(verdict(&known, &named("t", 1)), Ok(()));
        assert_eq!(verdict(&known, &Named { issued_at: None, ..named("t", 0) }), Ok(()));
    }

    #[test]
    fn an_entry_takes_20_bytes() {
        // And one byte of the table's own: a million, in tables of twice as many places, 42 MiB.
        assert_eq!(size_of::<(Print, u32)>(), 20);
    }

    #[test]
    fn a_withdrawn_key_is_dead_for_ever() {
        let known = Revocations::new();
        known.key("k1").unwrap();
        (0..SHARDS).for_each(|_| known.sweep(UnixSeconds(i64::MAX)));
        assert_eq!(verdict(&known, &named("t", i64::MAX)), Err(Rejection::KeyWithdrawn));
        assert_eq!(verdict(&known, &Named { key: Some("k2"), ..named("t", 0) }), Ok(()));
    }

    #[test]
    fn what_has_expired_goes_and_what_has_not_stays() {
        let known = Revocations::new();
        for n in 0..10_000 {
            known.token(&format!("early {n}"), UnixSeconds(100)).unwrap();
            known.token(&format!("late {n}"), UnixSeconds(200)).unwrap();
        }
        known.client("app", UnixSeconds(10)).unwrap();
        // Extended: the later one holds.
        known.token("early 7", UnixSeconds(200)).unwrap();
        assert_eq!(known.len(), 20_001);
        (0..SHARDS).for_each(|_| known.sweep(UnixSeconds(100)));
        assert_eq!(known.len(), 10_002);
        assert!(known.has_token("early 7") && !known.has_token("early 8") && known.has_token("late 8"));
        assert_eq!(verdict(&known, &named("t", 10)), Err(Rejection::Revoked));
    }

    #[test]
    fn there_is_room_for_so_many_and_no_more() {
        let known = Revocations::with_room_for(2);
        known.token("a", UnixSeconds(100)).unwrap();
        known.client("a", UnixSeconds(100)).unwrap();
        assert_eq!(known.token("b", UnixSeconds(100)), Err(Full(2)));
        // What is there can be told again, and what goes makes room.
        known.token("a", UnixSeconds(101)).unwrap();
        (0..SHARDS).for_each(|_| known.sweep(UnixSeconds(200)));
        known.token("b", UnixSeconds(300)).unwrap();
        assert_eq!(known.len(), 2);
    }

    #[test]
    fn instants_beyond_what_is_held_are_never_and_for_ever() {
        let known = Revocations::new();
        known.client("app", UnixSeconds(i64::MAX)).unwrap();
        known.user("user", UnixSeconds(i64::MIN)).unwrap();
        assert_eq!(verdict(&known, &named("t", 4_000_000_000)), Err(Rejection::Revoked));
        assert_eq!(verdict(&known, &Named { client: None, ..named("t", 1) }), Ok(()));
    }
}
