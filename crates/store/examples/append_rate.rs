//! How many events per second are on disk, and how long one append takes, printed as JSON.
//!
//! `cargo run --release -p lamplight-store --example append_rate [-- --dir DIR] [--seconds S] [--bare] [--postgres URL]`
//!
//! Each writer is one session that waits for its append before it makes the next, as an actor does. An event is about
//! 350 bytes of JSON. With every append goes the session's summary, and with one event in eight a text for search;
//! `--bare` leaves both out. `DIR` decides which disk is measured; the default is the system's temporary directory. With a `URL` it is that
//! database, which must be empty.

use bytes::Bytes;
use lamplight_domain::{Seq, SessionId, Timestamp};
use lamplight_store::{Append, PostgresAddress, SessionQuery, Store, SummaryRow};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

const WRITERS: [u64; 4] = [1, 16, 64, 256];
const BATCHES: [u64; 3] = [1, 10, 100];
const NOON: Timestamp = Timestamp(1_763_726_400_000);

struct Options {
    dir: Option<PathBuf>,
    seconds: f64,
    bare: bool,
    postgres: Option<PostgresAddress>,
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> anyhow::Result<()> {
    let options = options()?;
    let temporary = match &options.dir {
        Some(dir) => tempfile::tempdir_in(dir)?,
        None => tempfile::tempdir()?,
    };
    let mut rates = Vec::new();
    let mut first = 0;
    for batch in BATCHES {
        for writers in WRITERS {
            let dir = temporary.path().join(format!("{writers}-{batch}"));
            rates.push(rate(&dir, first, writers, batch, &options).await?);
            first += writers;
        }
    }
    let many = match options.postgres {
        None => many(&temporary.path().join("many")).await?,
        Some(_) => Value::Null,
    };
    let report = json!({ "summary_and_text": !options.bare, "rates": rates, "ten_thousand_sessions": many });
    println!("{}", serde_json::to_string_pretty(&report)?);
    Ok(())
}

/// Sessions from `first` on, which are new.
async fn rate(dir: &Path, first: u64, writers: u64, batch: u64, options: &Options) -> anyhow::Result<Value> {
    let store = match &options.postgres {
        None => Store::open(dir)?,
        Some(address) => Store::open_postgres(dir, address)?,
    };
    let (start, length) = (now(), Duration::from_secs_f64(options.seconds));
    let cpu_before = cpu_ms()?;
    let mut tasks = JoinSet::new();
    for n in first..first + writers {
        let (store, bare) = (store.clone(), options.bare);
        tasks.spawn(async move {
            let (session, mut last, mut waits) = (session(n), 0, Vec::new());
            while start.elapsed() < length {
                let append = append(&session, last, batch, bare);
                let asked = now();
                last = store.append(append).await?.last.0;
                waits.push(asked.elapsed());
            }
            anyhow::Ok(waits)
        });
    }
    let mut waits = Vec::new();
    while let Some(done) = tasks.join_next().await {
        waits.extend(done??);
    }
    let seconds = start.elapsed().as_secs_f64();
    let cpu_us = (cpu_ms()? - cpu_before) * 1e3;
    store.close().await;
    waits.sort_unstable();
    let at = |share: f64| ms(waits[((waits.len() - 1) as f64 * share) as usize]);
    let events = waits.len() as f64 * batch as f64 / seconds;
    Ok(json!({
        "writers": writers, "events_per_append": batch, "events_per_second": events.round(),
        "cpu_us_per_append": (cpu_us / waits.len() as f64).round(),
        "ack_ms": { "p50": at(0.5), "p99": at(0.99), "max": at(1.0) },
    }))
}

/// Lists, opens and recovers a store of ten thousand sessions with a hundred events each.
async fn many(dir: &Path) -> anyhow::Result<Value> {
    let store = Store::open(dir)?;
    for n in (0..10_000).step_by(100) {
        let mut tasks = JoinSet::new();
        for n in n..n + 100 {
            let store = store.clone();
            tasks.spawn(async move { store.append(append(&session(n), 0, 100, false)).await });
        }
        while let Some(done) = tasks.join_next().await {
            done??;
        }
    }
    let text = |text: &str| SessionQuery { text: Some(text.into()), limit: 50, ..Default::default() };
    // The first one waits for the search index.
    store.sessions(text("warm")).await?;
    let mut queries = serde_json::Map::new();
    for (name, query) in [
        ("first_page", SessionQuery { limit: 50, ..Default::default() }),
        ("phase", SessionQuery { phase: Some("failed".into()), limit: 50, ..Default::default() }),
        ("part_of_title", text("part 77")),
        ("nothing_found", text("absent")),
    ] {
        let asked = now();
        for _ in 0..20 {
            store.sessions(query.clone()).await?;
        }
        queries.insert(format!("{name}_ms"), ms(asked.elapsed() / 20).into());
    }
    let asked = now();
    for n in 0..1000 {
        store.read_before(&session(n * 7), Seq(u64::MAX), 500).await?;
    }
    queries.insert("last_100_entries_ms".into(), ms(asked.elapsed() / 1000).into());
    store.close().await;
    let asked = now();
    let store = Store::open(dir)?;
    queries.insert("open_ms".into(), ms(asked.elapsed()).into());
    let asked = now();
    let unfinished = store.unfinished().await?.len();
    queries.insert("unfinished".into(), unfinished.into());
    queries.insert("unfinished_ms".into(), ms(asked.elapsed()).into());
    store.close().await;
    let size: u64 = std::fs::metadata(dir.join("lamplight.db"))?.len();
    queries.insert("database_mib".into(), (size >> 20).into());
    Ok(queries.into())
}

fn session(n: u64) -> SessionId {
    format!("01K{n:023}").parse().expect("a ULID")
}

fn append(session: &SessionId, expected_last: u64, count: u64, bare: bool) -> Append {
    let seqs = expected_last + 1..=expected_last + count;
    let last_seq = Seq(expected_last + count);
    let words =
        "Now I look at the function that adds the two numbers and find that it takes them away. ".repeat(3);
    let entry = |seq| {
        Bytes::from(format!(
            r#"{{"seq":{seq},"at":{},"event":{{"type":"agent_spoke","turn":1,"text":"{words}"}}}}"#,
            NOON.0
        ))
    };
    let text: Vec<_> =
        seqs.clone().filter(|seq| seq % 8 == 0 && !bare).map(|seq| (Seq(seq), words.clone())).collect();
    let summary = SummaryRow {
        id: session.clone(),
        created_at: NOON,
        updated_at: NOON.plus_ms(last_seq.0),
        last_seq,
        phase: if session.as_str().ends_with('7') { "failed" } else { "executing" }.into(),
        title: format!("Mend part {} of the sum", &session.as_str()[21..]),
        repository: "/home/someone/sample".into(),
        agent: "opencode".into(),
        open: session.as_str().ends_with("00"),
        person: "Ada".into(),
        archived: false,
        dead: false,
        body: format!(r#"{{"turn":1,"steps":{last_seq},"text":"{}"}}"#, words.repeat(3)),
    };
    Append {
        session: session.clone(),
        expected_last: Seq(expected_last),
        at: NOON,
        entries: seqs.map(entry).collect(),
        summary: (!bare).then_some(summary),
        text,
        usage: Vec::new(),
        notices: Vec::new(),
        once: None,
        audited: Vec::new(),
    }
}

fn options() -> anyhow::Result<Options> {
    let mut options = Options { dir: None, seconds: 3.0, bare: false, postgres: None };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| anyhow::anyhow!("{argument} needs a value"));
        match argument.as_str() {
            "--dir" => options.dir = Some(value()?.into()),
            "--seconds" => options.seconds = value()?.parse()?,
            "--bare" => options.bare = true,
            "--postgres" => options.postgres = Some(PostgresAddress::new(&value()?, None)?),
            _ => anyhow::bail!("{argument} is not --dir, --seconds, --bare or --postgres"),
        }
    }
    Ok(options)
}

/// What this process, the writers that ask included, has used of the processors. Falls in steps of ten milliseconds.
fn cpu_ms() -> anyhow::Result<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    // User and system time are the 14th and 15th field; the 2nd is a name in parentheses (proc_pid_stat(5)).
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks: f64 =
        fields.get(11..13).unwrap_or_default().iter().flat_map(|field| field.parse::<f64>()).sum();
    Ok(ticks * 10.0)
}

fn ms(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}

#[expect(clippy::disallowed_methods, reason = "this program measures")]
fn now() -> Instant {
    Instant::now()
}
