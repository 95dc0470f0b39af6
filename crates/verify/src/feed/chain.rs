//! The order of events and the time at which they come: what was cut out, sent again, moved or held back shows here.

use ficha_types::UnixSeconds;

use super::event::{Event, Kind};

/// By how much the issuer's clock may differ from ours.
const MOST_DIFFERENCE_S: i64 = 30;
/// By how much one server of the issuer may be further behind than another: each is within a second of the same clock.
const MOST_APART_MS: i64 = 2000;
/// Parts that a snapshot may have: of a few hundred entries each.
const MAX_PARTS: u32 = 100_000;

/// One connection's events, from the first to the last that was taken.
#[derive(Debug)]
pub(super) struct Chain {
    /// The number of the last change that is known.
    place: Option<u64>,
    /// `at` of the last event.
    last_at: Option<i64>,
    /// The least difference between our passed time and `at`: that of the event that came quickest.
    offset: Option<i64>,
    /// What earlier connections showed that difference to be at the most: who holds back a new one from its first event on gains
    /// nothing.
    bound: Option<i64>,
    /// The snapshot under way: its number, its parts, and those that came.
    snapshot: Option<(u64, u32, u32)>,
}

/// What an event that was taken means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// A part of a snapshot, not the last.
    Part,
    /// Everything up to here was known at this moment of our passed time, in milliseconds.
    Known { place: u64, at_ms: i64 },
}

/// Why an event was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    #[error("the event begins after change {from}, and change {place:?} was the last one")]
    Gap { place: Option<u64>, from: u64 },
    #[error("the event is older than the one before it")]
    Older,
    #[error(
        "the clocks differ by {0} s: more than {MOST_DIFFERENCE_S} s can't be told from a stream that is held back"
    )]
    Clock(i64),
    #[error("the parts of the snapshot do not follow each other")]
    Parts,
    #[error("the event's own numbers do not fit")]
    Numbers,
}

impl Chain {
    /// A connection that goes on after `place`.
    pub(super) fn after(place: Option<u64>) -> Self {
        Self { place, last_at: None, offset: None, bound: None, snapshot: None }
    }

    /// As earlier connections showed the clocks to differ.
    pub(super) fn knowing(self, least: Option<i64>) -> Self {
        Self { bound: least.map(|least| least.saturating_add(MOST_APART_MS)), ..self }
    }

    /// The least difference that this connection showed between the clocks.
    pub(super) const fn offset(&self) -> Option<i64> {
        self.offset
    }

    /// Looks at `event`, which came at `passed_ms` of our passed time and at `now` of our clock.
    pub(super) fn take(&mut self, event: &Event, passed_ms: i64, now: UnixSeconds) -> Result<Step, Fault> {
        let difference = now.0.saturating_sub(event.at.div_euclid(1000));
        if difference.saturating_abs() > MOST_DIFFERENCE_S {
            return Err(Fault::Clock(difference));
        }
        if self.last_at.is_some_and(|last| event.at < last) {
            return Err(Fault::Older);
        }
        let whole = self.follow(event)?;
        self.last_at = Some(event.at);
        let offset = passed_ms.saturating_sub(event.at);
        let offset = self.offset.map_or(offset, |least| least.min(offset));
        self.offset = Some(offset);
        if !whole {
            return Ok(Step::Part);
        }
        self.place = Some(event.to);
        let offset = self.bound.map_or(offset, |bound| bound.min(offset));
        Ok(Step::Known { place: event.to, at_ms: event.at.saturating_add(offset) })
    }

    /// Whether with `event` everything up to its number is there.
    fn follow(&mut self, event: &Event) -> Result<bool, Fault> {
        let place = self.place;
        let fits = match event.kind {
            Kind::Snapshot => event.from == 0 && (1..=MAX_PARTS).contains(&event.parts) && event.part > 0,
            Kind::Batch => event.from < event.to,
            Kind::Heartbeat => event.from == event.to && event.events.is_empty(),
        };
        if !fits {
            return Err(Fault::Numbers);
        }
        match (event.kind, self.snapshot) {
            (Kind::Snapshot, under_way) => {
                let (to, parts, came) = under_way.unwrap_or((event.to, event.parts, 0));
                if (event.to, event.parts, event.part) != (to, parts, came + 1) {
                    return Err(Fault::Parts);
                }
                let whole = event.part == parts;
                self.snapshot = (!whole).then_some((to, parts, event.part));
                Ok(whole)
            }
            (Kind::Batch | Kind::Heartbeat, Some(_)) => Err(Fault::Parts),
            (Kind::Batch | Kind::Heartbeat, None) if place == Some(event.from) => Ok(true),
            (Kind::Batch | Kind::Heartbeat, None) => Err(Fault::Gap { place, from: event.from }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The server's clock, in milliseconds, when ours begins at 0.
    const AT: i64 = 1_800_000_000_000;

    fn event(kind: Kind, from: u64, to: u64, at: i64) -> Event {
        Event { iss: String::new(), aud: String::new(), kind, from, to, at: AT + at, part: 1, parts: 1, events: vec![] }
    }

    fn part(part: u32, parts: u32) -> Event {
        Event { part, parts, ..event(Kind::Snapshot, 0, 5, 0) }
    }

    /// Both clocks go alike, ours `behind` seconds behind.
    fn take(chain: &mut Chain, event: &Event, passed_ms: i64) -> Result<Step, Fault> {
        chain.take(event, passed_ms, UnixSeconds((AT + passed_ms) / 1000))
    }

    fn known(place: u64, at_ms: i64) -> Step {
        Step::Known { place, at_ms }
    }

    #[test]
    fn events_follow_each_other_by_number() {
        let mut chain = Chain::after(None);
        assert_eq!(take(&mut chain, &event(Kind::Snapshot, 0, 5, 0), 0), Ok(known(5, 0)));
        assert_eq!(take(&mut chain, &event(Kind::Heartbeat, 5, 5, 1000), 1000), Ok(known(5, 1000)));
        assert_eq!(take(&mut chain, &event(Kind::Batch, 5, 9, 1250), 1250), Ok(known(9, 1250)));
        assert_eq!(take(&mut chain, &event(Kind::Batch, 9, 10, 1500), 1500), Ok(known(10, 1500)));
        let mut resumed = Chain::after(Some(10));
        assert_eq!(take(&mut resumed, &event(Kind::Batch, 10, 12, 0), 0), Ok(known(12, 0)));
    }

    #[test]
    fn what_is_cut_out_or_sent_again_is_a_gap() {
        let gap = |place, from| Err(Fault::Gap { place, from });
        let mut chain = Chain::after(Some(5));
        assert_eq!(take(&mut chain, &event(Kind::Batch, 6, 7, 0), 0), gap(Some(5), 6));
        assert_eq!(take(&mut chain, &event(Kind::Batch, 5, 7, 0), 0), Ok(known(7, 0)));
        assert_eq!(take(&mut chain, &event(Kind::Batch, 5, 7, 0), 0), gap(Some(7), 5));
        assert_eq!(take(&mut chain, &event(Kind::Heartbeat, 5, 5, 0), 0), gap(Some(7), 5));
        assert_eq!(take(&mut Chain::after(None), &event(Kind::Heartbeat, 0, 0, 0), 0), gap(None, 0));
    }

    #[test]
    fn an_event_moved_before_another_is_noticed() {
        let mut chain = Chain::after(Some(5));
        assert_eq!(take(&mut chain, &event(Kind::Heartbeat, 5, 5, 2000), 2000), Ok(known(5, 2000)));
        assert_eq!(take(&mut chain, &event(Kind::Heartbeat, 5, 5, 1000), 2001), Err(Fault::Older));
    }

    #[test]
    fn who_holds_the_stream_back_gains_nothing() {
        let mut chain = Chain::after(Some(5));
        assert_eq!(take(&mut chain, &event(Kind::Heartbeat, 5, 5, 0), 100), Ok(known(5, 100)));
        // Ten seconds later the second heartbeat arrives: what it knows is of nine seconds ago.
        assert_eq!(take(&mut chain, &event(Kind::Heartbeat, 5, 5, 1000), 10_100), Ok(known(5, 1100)));
        // The same one again says nothing new.
        assert_eq!(take(&mut chain, &event(Kind::Heartbeat, 5, 5, 1000), 20_100), Ok(known(5, 1100)));
        // One that comes quicker shows that the first one was slow.
        assert_eq!(take(&mut chain, &event(Kind::Heartbeat, 5, 5, 20_150), 20_200), Ok(known(5, 20_200)));
        assert_eq!(take(&mut chain, &event(Kind::Heartbeat, 5, 5, 21_150), 21_250), Ok(known(5, 21_200)));
    }

    #[test]
    fn who_holds_back_a_new_connection_gains_nothing_either() {
        let mut first = Chain::after(Some(5));
        assert_eq!(take(&mut first, &event(Kind::Heartbeat, 5, 5, 1000), 1100), Ok(known(5, 1100)));
        let mut held_back = Chain::after(Some(5)).knowing(first.offset());
        assert_eq!(take(&mut held_back, &event(Kind::Heartbeat, 5, 5, 2000), 22_000), Ok(known(5, 4100)));
        let mut of_another_server = Chain::after(Some(5)).knowing(first.offset());
        assert_eq!(take(&mut of_another_server, &event(Kind::Heartbeat, 5, 5, 3000), 4500), Ok(known(5, 4500)));
    }

    #[test]
    fn a_clock_may_differ_by_so_much_and_no_more() {
        for (off, verdict) in [(-30, Ok(())), (-20, Ok(())), (20, Ok(())), (30, Ok(()))] {
            let now = UnixSeconds(AT / 1000 + off);
            let taken = Chain::after(Some(5)).take(&event(Kind::Heartbeat, 5, 5, 0), 0, now);
            assert_eq!(taken.map(|_| ()), verdict, "{off}");
        }
        for off in [-31, 31, 3600] {
            let now = UnixSeconds(AT / 1000 + off);
            let taken = Chain::after(Some(5)).take(&event(Kind::Heartbeat, 5, 5, 0), 0, now);
            assert_eq!(taken, Err(Fault::Clock(off)), "{off}");
        }
    }

    #[test]
    fn a_snapshot_is_known_when_all_its_parts_are_there() {
        let mut chain = Chain::after(None);
        assert_eq!(take(&mut chain, &part(1, 3), 0), Ok(Step::Part));
        assert_eq!(take(&mut chain, &part(2, 3), 0), Ok(Step::Part));
        assert_eq!(take(&mut chain, &part(3, 3), 50), Ok(known(5, 0)));
        assert_eq!(take(&mut chain, &event(Kind::Batch, 5, 6, 100), 100), Ok(known(6, 100)));
    }

    #[test]
    fn parts_that_do_not_follow_each_other_are_refused() {
        for second in [part(1, 3), part(3, 3), part(2, 4), Event { to: 6, ..part(2, 3) }] {
            let mut chain = Chain::after(None);
            assert_eq!(take(&mut chain, &part(1, 3), 0), Ok(Step::Part));
            assert_eq!(take(&mut chain, &second, 0), Err(Fault::Parts), "{second:?}");
        }
        let mut chain = Chain::after(Some(5));
        assert_eq!(take(&mut chain, &part(1, 3), 0), Ok(Step::Part));
        assert_eq!(take(&mut chain, &event(Kind::Batch, 5, 6, 0), 0), Err(Fault::Parts));
        assert_eq!(take(&mut Chain::after(None), &part(2, 3), 0), Err(Fault::Parts));
    }

    #[test]
    fn numbers_that_do_not_fit_are_refused() {
        for wrong in [
            event(Kind::Batch, 5, 5, 0),
            event(Kind::Batch, 5, 4, 0),
            event(Kind::Heartbeat, 5, 6, 0),
            event(Kind::Snapshot, 1, 5, 0),
            part(0, 1),
            part(1, 0),
            part(1, MAX_PARTS + 1),
        ] {
            assert_eq!(take(&mut Chain::after(Some(5)), &wrong, 0), Err(Fault::Numbers), "{wrong:?}");
        }
    }
}
