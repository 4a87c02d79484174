//! Entries of a log as they go over a WebSocket, made once for all who read them.

use bytes::{BufMut, Bytes, BytesMut};
use lamplight_domain::Seq;
use tokio_tungstenite::tungstenite::protocol::frame::FrameHeader;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

/// The longest head of a frame that is not masked, as a server's never are, in bytes.
const HEAD: usize = 10;

/// Entries that follow one another, a text frame each.
pub(super) struct Batch {
    first: Seq,
    frames: Bytes,
    /// Where the frame of each entry begins.
    starts: Vec<usize>,
}

impl Batch {
    /// `None` for no entries, and where one is not UTF-8, which an entry never is.
    pub(super) fn new(entries: &[(Seq, Bytes)]) -> Option<Self> {
        let (first, _) = entries.first()?;
        let length = entries.iter().map(|(_, entry)| HEAD + entry.len()).sum();
        let mut frames = BytesMut::with_capacity(length).writer();
        let mut starts = Vec::with_capacity(entries.len());
        for (_, entry) in entries {
            std::str::from_utf8(entry).ok()?;
            starts.push(frames.get_ref().len());
            let head = FrameHeader { opcode: OpCode::Data(Data::Text), ..FrameHeader::default() };
            head.format(entry.len() as u64, &mut frames).expect("memory takes what is written");
            frames.get_mut().extend_from_slice(entry);
        }
        Some(Self { first: *first, frames: frames.into_inner().freeze(), starts })
    }

    pub(super) fn last(&self) -> Seq {
        Seq(self.first.0 + self.starts.len() as u64 - 1)
    }

    /// What is after `seq`, for one who has everything up to there; `None` when there is a gap between.
    pub(super) fn after(&self, seq: Seq) -> Option<Bytes> {
        let skip = usize::try_from(seq.next().0.checked_sub(self.first.0)?).ok()?;
        Some(self.starts.get(skip).map_or_else(Bytes::new, |start| self.frames.slice(start..)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio_tungstenite::tungstenite::protocol::frame::Frame;

    fn entries(seqs: impl IntoIterator<Item = u64>) -> Vec<(Seq, Bytes)> {
        seqs.into_iter().map(|seq| (Seq(seq), Bytes::from("x".repeat(100 * seq as usize)))).collect()
    }

    #[test]
    fn frames_are_those_of_the_protocol_and_cut_where_an_entry_begins() {
        // Lengths of one, two and eight bytes.
        let entries = [entries(1..=2), vec![(Seq(3), Bytes::from("y".repeat(70_000)))]].concat();
        let batch = Batch::new(&entries).unwrap();
        let mut expected = Vec::new();
        for (_, entry) in &entries {
            Frame::message(entry.clone(), OpCode::Data(Data::Text), true).format(&mut expected).unwrap();
        }
        assert_eq!(batch.after(Seq(0)).unwrap(), expected);
        assert_eq!(batch.after(Seq(1)).unwrap(), expected[102..]);
        assert_eq!(batch.after(Seq(2)).unwrap().len(), 70_010);
    }

    #[test]
    fn who_has_all_gets_nothing_and_who_misses_some_is_told() {
        let batch = Batch::new(&entries(5..=7)).unwrap();
        assert_eq!(batch.last(), Seq(7));
        assert_eq!(batch.after(Seq(7)).unwrap(), "");
        assert_eq!(batch.after(Seq(9)).unwrap(), "");
        assert_eq!(batch.after(Seq(3)), None);
        assert!(Batch::new(&[]).is_none());
        assert!(Batch::new(&[(Seq(1), Bytes::from_static(&[0xff]))]).is_none());
    }
}
