//! Server-Sent Events as they come in pieces (HTML, §9.2.6), within bounds.

use ficha_jose::jws;

/// Bytes of one line: the longest event and its name.
const MAX_LINE: usize = jws::MAX_BYTES + 64;

/// What was said in a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Said {
    /// An event.
    Event(Message),
    /// How many milliseconds to wait before the next connection.
    Retry(u64),
}

/// An event as it stands in the stream.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) event: String,
    pub(super) id: String,
    pub(super) data: String,
}

/// What is no stream of events, or one beyond its bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Broken {
    #[error("a line is longer than {MAX_LINE} bytes")]
    TooLong,
    #[error("a line is not UTF-8")]
    NotText,
    #[error("an event has a second line of data")]
    SecondLine,
}

/// Takes a stream apart.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    line: Vec<u8>,
    message: Message,
    after_cr: bool,
}

impl Decoder {
    /// What the next `piece` completes.
    pub(super) fn push(&mut self, piece: &[u8]) -> Result<Vec<Said>, Broken> {
        let mut said = Vec::new();
        for &byte in piece {
            let after_cr = std::mem::replace(&mut self.after_cr, byte == b'\r');
            match byte {
                b'\n' if after_cr => {}
                b'\n' | b'\r' => said.extend(self.end_of_line()?),
                _ if self.line.len() == MAX_LINE => return Err(Broken::TooLong),
                _ => self.line.push(byte),
            }
        }
        Ok(said)
    }

    fn end_of_line(&mut self) -> Result<Option<Said>, Broken> {
        let line = std::mem::take(&mut self.line);
        let line = str::from_utf8(&line).map_err(|_| Broken::NotText)?;
        if line.is_empty() {
            let message = std::mem::take(&mut self.message);
            return Ok((!message.data.is_empty()).then_some(Said::Event(message)));
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.message.event),
            "id" => value.clone_into(&mut self.message.id),
            "data" if self.message.data.is_empty() => value.clone_into(&mut self.message.data),
            "data" => return Err(Broken::SecondLine),
            "retry" => return Ok(value.parse().ok().map(Said::Retry)),
            // A comment, or what a later version says beside it.
            _ => {}
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn event(event: &str, id: &str, data: &str) -> Said {
        Said::Event(Message { event: event.into(), id: id.into(), data: data.into() })
    }

    #[test]
    fn events_come_out_however_the_stream_is_cut() {
        let stream =
            "retry: 250\n: a comment\n\nid: 7\r\nevent:batch\r\ndata: a.b.c\r\nmore: x\r\n\r\nid:8\rdata:d\r\r";
        let whole = [Said::Retry(250), event("batch", "7", "a.b.c"), event("", "8", "d")];
        for size in 1..=stream.len() {
            let mut decoder = Decoder::default();
            let said: Vec<_> = stream.as_bytes().chunks(size).flat_map(|piece| decoder.push(piece).unwrap()).collect();
            assert_eq!(said, whole, "pieces of {size}");
        }
    }

    #[test]
    fn an_event_that_is_not_ended_is_none() {
        assert_eq!(Decoder::default().push(b"id: 7\nevent: batch\ndata: a.b.c\n").unwrap(), []);
    }

    #[test]
    fn what_is_beyond_the_bounds_is_refused() {
        let mut decoder = Decoder::default();
        let piece = vec![b'x'; 1024];
        assert_eq!((0..100).find_map(|_| decoder.push(&piece).err()), Some(Broken::TooLong));
        assert_eq!(Decoder::default().push(b"data: a\ndata: b\n").unwrap_err(), Broken::SecondLine);
        assert_eq!(Decoder::default().push(b"data: \xff\n").unwrap_err(), Broken::NotText);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(pieces: Vec<Vec<u8>>) {
            let mut decoder = Decoder::default();
            let _ = pieces.iter().try_for_each(|piece| decoder.push(piece).map(|_| ()));
        }
    }
}
