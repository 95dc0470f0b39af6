//! What the API knows: a user and a card to begin with, and what is made in this process.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use serde::Serialize;

use crate::refusal::Refusal;

/// Users, and cards, that are kept; it is an example, not a database.
const MAX_OF_EACH: usize = 1000;

/// Users and cards by their number, so in the order in which they were made.
pub(crate) struct Data(Mutex<Tables>);

#[derive(Default)]
pub(crate) struct Tables {
    users: BTreeMap<u32, User>,
    cards: BTreeMap<u32, Card>,
}

/// Somebody who may have cards.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct User {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) surname: String,
    pub(crate) status: &'static str,
}

/// A card of somebody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Card {
    pub(crate) id: String,
    pub(crate) user_id: String,
    #[serde(rename = "card_type")]
    pub(crate) kind: CardType,
    pub(crate) last_four: String,
    pub(crate) status: CardStatus,
    /// The application that asked for it, of its token.
    pub(crate) created_by: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, serde::Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum CardType {
    Virtual,
    Physical,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum CardStatus {
    Created,
    Active,
}

impl Data {
    /// The user `usr-1` and the card `crd-1`.
    pub(crate) fn of_the_demo() -> Self {
        let mut tables = Tables::default();
        let made = tables
            .add_user("Ana".into(), "Gómez".into())
            .and_then(|user| tables.add_card(&user.id, CardType::Virtual, "demo".into()).map(|_| ()));
        debug_assert!(made.is_ok(), "empty tables have room");
        Self(Mutex::new(tables))
    }

    pub(crate) fn tables(&self) -> MutexGuard<'_, Tables> {
        // What panics while it is held has changed nothing yet.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tables {
    pub(crate) fn users(&self) -> Vec<User> {
        self.users.values().cloned().collect()
    }

    pub(crate) fn user(&self, id: &str) -> Result<User, Refusal> {
        number(id, "usr-").and_then(|number| self.users.get(&number)).cloned().ok_or(Refusal::NotFound)
    }

    pub(crate) fn add_user(&mut self, name: String, surname: String) -> Result<User, Refusal> {
        let number = next(&self.users)?;
        let user = User { id: format!("usr-{number}"), name, surname, status: "ACTIVE" };
        self.users.insert(number, user.clone());
        Ok(user)
    }

    /// All cards, or those of one user.
    pub(crate) fn cards(&self, user_id: Option<&str>) -> Vec<Card> {
        self.cards.values().filter(|card| user_id.is_none_or(|id| card.user_id == id)).cloned().collect()
    }

    pub(crate) fn card(&self, id: &str) -> Result<Card, Refusal> {
        number(id, "crd-").and_then(|number| self.cards.get(&number)).cloned().ok_or(Refusal::NotFound)
    }

    pub(crate) fn add_card(&mut self, user_id: &str, kind: CardType, created_by: String) -> Result<Card, Refusal> {
        let user = self.user(user_id).map_err(|_| Refusal::Invalid("user_id names no user"))?;
        let number = next(&self.cards)?;
        let card = Card {
            id: format!("crd-{number}"),
            user_id: user.id,
            kind,
            last_four: format!("{number:04}"),
            status: CardStatus::Created,
            created_by,
        };
        self.cards.insert(number, card.clone());
        Ok(card)
    }

    /// The card, active from now on; one that is active stays so.
    pub(crate) fn activate(&mut self, id: &str) -> Result<Card, Refusal> {
        let card = number(id, "crd-").and_then(|number| self.cards.get_mut(&number)).ok_or(Refusal::NotFound)?;
        card.status = CardStatus::Active;
        Ok(card.clone())
    }
}

/// The number in an id, as it is written there.
fn number(id: &str, prefix: &str) -> Option<u32> {
    let digits = id.strip_prefix(prefix)?;
    digits.parse().ok().filter(|number: &u32| number.to_string() == digits)
}

/// The number of what is made next, while there is room for it.
fn next<T>(table: &BTreeMap<u32, T>) -> Result<u32, Refusal> {
    if table.len() >= MAX_OF_EACH {
        return Err(Refusal::Full);
    }
    Ok(table.keys().last().map_or(1, |last| last + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_have_a_bound() {
        let data = Data::of_the_demo();
        let mut tables = data.tables();
        for _ in 1..MAX_OF_EACH {
            tables.add_user("a".into(), "b".into()).unwrap();
        }
        assert_eq!(tables.add_user("a".into(), "b".into()).unwrap_err(), Refusal::Full);
        assert_eq!(tables.users().len(), MAX_OF_EACH);
    }

    #[test]
    fn an_id_has_one_spelling() {
        let data = Data::of_the_demo();
        assert!(data.tables().card("crd-1").is_ok());
        for id in ["crd-01", "crd-+1", "usr-1", "1", "crd-", "crd-2", "crd-99999999999"] {
            assert_eq!(data.tables().card(id).unwrap_err(), Refusal::NotFound, "{id}");
        }
    }
}
