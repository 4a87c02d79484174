//! Copies one session of a store many times, log, summary and all, under new ids: `copies DIR SESSION COUNT`. Its owner must not run.

use bytes::Bytes;
use lamplight_domain::{Seq, SessionId};
use lamplight_store::{Append, Store, SummaryRow};
use tokio::task::JoinSet;

/// Entries of the session; a longer log is cut.
const ENTRIES: usize = 10_000;
const BYTES: usize = 64 << 20;
/// Copies that are written at once.
const TOGETHER: u32 = 100;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [dir, session, count] = arguments.as_slice() else {
        anyhow::bail!("usage: copies DIR SESSION COUNT")
    };
    let (session, count): (SessionId, u32) = (session.parse()?, count.parse()?);
    let store = Store::open(dir.as_ref())?;
    let summary =
        store.summary(&session).await?.ok_or_else(|| anyhow::anyhow!("there is no session {session}"))?;
    let entries = store.read(&session, Seq(0), ENTRIES, BYTES).await?;
    for first in (0..count).step_by(TOGETHER as usize) {
        let mut tasks = JoinSet::new();
        for number in first..count.min(first + TOGETHER) {
            let id: SessionId = format!("01K{number:023}").parse()?;
            let renamed = |text: &str| text.replace(session.as_str(), id.as_str());
            let append = Append {
                session: id.clone(),
                expected_last: Seq(0),
                at: summary.updated_at,
                entries: entries
                    .iter()
                    .map(|(_, entry)| Bytes::from(renamed(&String::from_utf8_lossy(entry))))
                    .collect(),
                summary: Some(SummaryRow { id: id.clone(), body: renamed(&summary.body), ..summary.clone() }),
                text: Vec::new(),
                usage: Vec::new(),
                notices: Vec::new(),
                once: None,
                audited: Vec::new(),
            };
            let store = store.clone();
            tasks.spawn(async move { store.append(append).await });
        }
        while let Some(done) = tasks.join_next().await {
            done??;
        }
    }
    store.close().await;
    Ok(())
}
