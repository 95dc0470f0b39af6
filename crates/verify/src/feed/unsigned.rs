//! What is read of a feed, without keys: for the fuzz target `feed`.

use ficha_types::UnixSeconds;

use super::{
    chain::Chain,
    follower::{End, parse, read},
    sse::{Decoder, Message, Said},
};
use crate::Revocations;

/// Reads `stream` as a follower does, but takes every signature for a good one. Nothing comes of it: it must not panic.
pub fn read_feed_unsigned(stream: &[u8]) {
    let (mut decoder, mut chain, known) = (Decoder::default(), Chain::after(None), Revocations::with_room_for(64));
    let mut take = |message: &Message| -> Result<(), End> {
        let event = read(&parse(message)?, message)?;
        chain.take(&event, event.at, UnixSeconds(event.at.div_euclid(1000)))?;
        event.events.iter().try_for_each(|entry| entry.apply(&known).map_err(End::from))
    };
    for said in decoder.push(stream).into_iter().flatten() {
        if let Said::Event(message) = said
            && take(&message).is_err()
        {
            return;
        }
    }
}
