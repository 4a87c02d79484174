//! Sessions, entries and appends that tests are made of.

use bytes::Bytes;
use lamplight_domain::{Seq, SessionId, Timestamp};
use lamplight_store::{Append, ReadError, Store, SummaryRow};
use tempfile::TempDir;

pub(crate) const NOON: Timestamp = Timestamp(1_763_726_400_000);

/// The n-th session; later ones have larger ids.
pub(crate) fn session(n: u64) -> SessionId {
    format!("01K{n:023}").parse().unwrap()
}

pub(crate) fn open(dir: &TempDir) -> Store {
    Store::open(dir.path()).unwrap()
}

/// What the entry of a session at `seq` always is, so that a reader can tell.
pub(crate) fn entry(session: &SessionId, seq: u64) -> Bytes {
    let filling = "x".repeat((seq % 97) as usize);
    format!(r#"{{"seq":{seq},"at":0,"event":{{"type":"noted","text":"{session} {filling}"}}}}"#).into()
}

/// `count` entries after `expected_last`.
pub(crate) fn append(session: &SessionId, expected_last: u64, count: u64) -> Append {
    Append {
        session: session.clone(),
        expected_last: Seq(expected_last),
        at: NOON,
        entries: (expected_last + 1..=expected_last + count).map(|seq| entry(session, seq)).collect(),
        summary: None,
        text: Vec::new(),
        once: None,
    }
}

pub(crate) fn summary(session: &SessionId, last_seq: u64) -> SummaryRow {
    SummaryRow {
        id: session.clone(),
        created_at: NOON,
        updated_at: NOON,
        last_seq: Seq(last_seq),
        phase: "executing".into(),
        title: "Mend the sum".into(),
        repository: "/home/someone/sample".into(),
        agent: "opencode".into(),
        open: true,
        body: format!(r#"{{"steps":{last_seq}}}"#),
    }
}

/// The whole log, read in pages of a size that divides nothing.
pub(crate) async fn read_all(store: &Store, session: &SessionId) -> Result<Vec<(Seq, Bytes)>, ReadError> {
    let mut all: Vec<(Seq, Bytes)> = Vec::new();
    loop {
        let after = all.last().map_or(Seq(0), |(seq, _)| *seq);
        let page = store.read(session, after, 77, 1 << 20).await?;
        if page.is_empty() {
            return Ok(all);
        }
        all.extend(page);
    }
}

/// The log is exactly the entries from 1 to `last`.
pub(crate) async fn check_log(store: &Store, session: &SessionId, last: u64) {
    let wanted: Vec<_> = (1..=last).map(|seq| (Seq(seq), entry(session, seq))).collect();
    assert_eq!(read_all(store, session).await.unwrap(), wanted, "the log of {session}");
    assert_eq!(store.last_seq(session).await.unwrap(), Seq(last));
}
