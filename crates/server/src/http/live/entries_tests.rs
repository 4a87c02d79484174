//! The loop over a real socket, with a log that the test holds in its hands.

use super::super::socket::Upgrade;
use super::*;
use axum::Router;
use axum::routing::get;
use futures::SinkExt;
use lamplight_domain::Seq;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::Message as Frame;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};
use tokio_util::task::TaskTracker;

/// Longer than anything takes that is not broken.
const PATIENCE: Duration = Duration::from_secs(20);
/// A wait that a test wants to see end.
const SOON: Duration = Duration::from_millis(100);
const NEVER: Duration = Duration::from_secs(600);
/// Entries of [`TestLog`] that are read at once.
const READ: usize = 64;

const CALM: Timings =
    Timings { heartbeat: NEVER, drain: NEVER, acknowledge: NEVER, first_message: NEVER, coalesce: NEVER };

/// A log in memory, whose first entry has the number after `before`.
struct TestLog {
    before: Seq,
    entries: Mutex<Vec<Bytes>>,
    end: watch::Sender<Seq>,
    /// Readers think that it ends where it began.
    hides_its_end: AtomicBool,
}

impl TestLog {
    fn new(before: u64) -> Arc<Self> {
        let (before, entries) = (Seq(before), Mutex::default());
        let (end, hides_its_end) = (watch::Sender::new(before), AtomicBool::new(false));
        Arc::new(Self { before, entries, end, hides_its_end })
    }

    fn append(&self, seqs: impl IntoIterator<Item = u64>) {
        self.append_texts(seqs.into_iter().map(|seq| json!({"seq": seq, "at": 0}).to_string()));
    }

    fn append_texts(&self, texts: impl IntoIterator<Item = String>) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.extend(texts.into_iter().map(Bytes::from));
        self.end.send_replace(Seq(self.before.0 + entries.len() as u64));
    }

    fn after(&self, place: Seq) -> Vec<(Seq, Bytes)> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let seqs = (self.before.0 + 1..).map(Seq);
        let skip = usize::try_from(place.0.saturating_sub(self.before.0)).unwrap();
        seqs.zip(entries.iter().cloned()).skip(skip).take(READ).collect()
    }

    fn follow(self: Arc<Self>, place: Seq) -> Log {
        let end = self.end.subscribe();
        let state = (Arc::clone(&self), end.clone(), place);
        let batches = stream::unfold(state, |(log, mut end, place)| async move {
            end.wait_for(|end| *end > place).await.ok()?;
            let entries = log.after(place);
            let place = entries.last()?.0;
            Some((Ok(entries), (log, end, place)))
        });
        let hides = self.hides_its_end.load(Ordering::Relaxed);
        let end = if hides { watch::Sender::new(self.before).subscribe() } else { end };
        Log { batches: batches.boxed(), end }
    }
}

/// A log with its readers.
struct Served {
    log: Arc<TestLog>,
    address: String,
    ended: mpsc::Receiver<Next>,
    going_away: CancellationToken,
    _tasks: JoinSet<()>,
}

impl Served {
    /// For readers who have everything up to `after` of a log that ends at `last`.
    async fn new(after: u64, last: u64, timings: Timings) -> Self {
        let log = TestLog::new(after);
        let audience = Arc::new(OnceCell::new());
        let (end, ended) = mpsc::channel(64);
        let going_away = CancellationToken::new();
        let (away, entries, streams) = (going_away.clone(), Arc::clone(&log), TaskTracker::new());
        let from = From { after: Seq(after), last: Seq(last), live: false };
        let handler = move |upgrade: Upgrade| async move {
            let (answer, socket) = upgrade.split();
            streams.spawn(async move {
                let (mut socket, mut from) = (socket.await.unwrap(), from);
                let log = |place| {
                    let log = Arc::clone(&entries).follow(place);
                    async move { Ok(log) }.boxed()
                };
                loop {
                    match follow(&mut socket, log, from, &timings, (&away, &audience), None).await {
                        Next::From(again) if again.live => from = again,
                        next => return end.send(next).await.expect("the test waits for this"),
                    }
                }
            });
            answer
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let mut tasks = JoinSet::new();
        tasks.spawn(
            async move { axum::serve(listener, Router::new().route("/", get(handler))).await.unwrap() },
        );
        Self { log, address, ended, going_away, _tasks: tasks }
    }

    async fn reader(&self) -> WebSocketStream<MaybeTlsStream<TcpStream>> {
        connect_async(format!("ws://{}/", self.address)).await.unwrap().0
    }
}

/// One reader's end of the socket, and what it reads.
struct Reader {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    served: Served,
}

impl Reader {
    async fn connect(after: u64, last: u64, timings: Timings) -> Self {
        let served = Served::new(after, last, timings).await;
        Self { socket: served.reader().await, served }
    }

    fn append(&self, seqs: impl IntoIterator<Item = u64>) {
        self.served.log.append(seqs);
    }

    async fn say(&mut self, text: &str) {
        self.socket.send(Frame::text(text)).await.unwrap();
    }

    /// The next frame as JSON, or the close code.
    async fn hear(&mut self) -> Result<Value, Option<u16>> {
        hear(&mut self.socket).await
    }

    async fn hear_entries(&mut self, seqs: impl IntoIterator<Item = u64>) {
        for seq in seqs {
            assert_eq!(self.hear().await, Ok(json!({"seq": seq, "at": 0})));
        }
    }

    async fn end(&mut self) -> Next {
        tokio::time::timeout(PATIENCE, self.served.ended.recv())
            .await
            .expect("an end in time")
            .expect("an end")
    }
}

async fn hear(socket: &mut WebSocketStream<MaybeTlsStream<TcpStream>>) -> Result<Value, Option<u16>> {
    match tokio::time::timeout(PATIENCE, socket.next()).await.expect("a frame in time") {
        Some(Ok(Frame::Text(text))) => Ok(serde_json::from_str(&text).unwrap()),
        Some(Ok(Frame::Close(frame))) => Err(frame.map(|frame| frame.code.into())),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_was_there_comes_first_then_live_then_what_follows() {
    let mut reader = Reader::connect(2, 5, CALM).await;
    reader.append(3..=4);
    reader.append(5..=7);
    reader.hear_entries(3..=7).await;
    assert_eq!(reader.hear().await, Ok(json!({"control": "live", "last_seq": 7})));
    reader.append(8..=8);
    reader.hear_entries(8..=8).await;
}

#[tokio::test]
async fn a_reader_who_has_everything_is_live_at_once() {
    let mut reader = Reader::connect(5, 5, CALM).await;
    assert_eq!(reader.hear().await, Ok(json!({"control": "live", "last_seq": 5})));
}

#[tokio::test]
async fn a_quiet_log_has_a_heartbeat() {
    let mut reader = Reader::connect(5, 5, Timings { heartbeat: SOON, ..CALM }).await;
    reader.hear().await.unwrap();
    for _ in 0..2 {
        let heartbeat = reader.hear().await.unwrap();
        assert_eq!((&heartbeat["control"], &heartbeat["last_seq"]), (&json!("heartbeat"), &json!(5)));
        assert!(heartbeat["at"].as_i64().is_some_and(|at| at > 1_700_000_000_000), "{heartbeat}");
    }
}

#[tokio::test]
async fn a_reader_who_acknowledges_nothing_is_sent_away_and_one_who_does_is_not() {
    let timings = Timings { acknowledge: SOON, ..CALM };
    let mut silent = Reader::connect(0, 0, timings).await;
    silent.hear().await.unwrap();
    silent.append(1..=1_001);
    silent.hear_entries(1..=1_001).await;
    assert_eq!(silent.hear().await, Ok(json!({"control": "resume", "seq": 1_001, "reason": "slow_reader"})));
    assert!(silent.hear().await.is_err());
    assert_eq!(silent.end().await, Next::Closed);

    let mut diligent = Reader::connect(0, 0, Timings { heartbeat: 3 * SOON, ..timings }).await;
    diligent.hear().await.unwrap();
    diligent.append(1..=1_001);
    diligent.hear_entries(1..=1_001).await;
    diligent.say(r#"{"ack":1001}"#).await;
    let heartbeat = diligent.hear().await.unwrap();
    assert_eq!(heartbeat["control"], "heartbeat", "it outlasts the patience");
}

/// More than the buffers of both kernels' ends take.
const FLOOD: usize = 64;

fn megabytes(count: usize) -> impl Iterator<Item = String> {
    let text = "x".repeat(1 << 20);
    (0..count).map(move |_| json!({"text": text}).to_string())
}

#[tokio::test]
async fn a_reader_who_takes_nothing_is_closed() {
    let mut reader = Reader::connect(0, 0, Timings { drain: SOON, ..CALM }).await;
    reader.served.log.append_texts(megabytes(FLOOD));
    assert_eq!(reader.end().await, Next::Closed);
}

#[tokio::test]
async fn a_reader_who_takes_nothing_for_a_while_keeps_nobody_up_and_loses_nothing() {
    let served = Served::new(0, 0, CALM).await;
    let (mut slow, mut quick) = (served.reader().await, served.reader().await);
    for reader in [&mut slow, &mut quick] {
        assert_eq!(hear(reader).await, Ok(json!({"control": "live", "last_seq": 0})));
    }
    for _ in 0..FLOOD {
        served.log.append_texts(megabytes(1));
        assert!(hear(&mut quick).await.unwrap()["text"].is_string());
    }
    served.log.append([65]);
    assert_eq!(hear(&mut quick).await, Ok(json!({"seq": 65, "at": 0})));
    for _ in 0..FLOOD {
        assert!(hear(&mut slow).await.unwrap()["text"].is_string());
    }
    assert_eq!(hear(&mut slow).await, Ok(json!({"seq": 65, "at": 0})));
    // And has its seat again.
    served.log.append([66]);
    assert_eq!(hear(&mut slow).await, Ok(json!({"seq": 66, "at": 0})));
}

#[tokio::test]
async fn who_comes_a_moment_too_late_for_an_entry_reads_it() {
    let served = Served::new(0, 0, CALM).await;
    let mut first = served.reader().await;
    assert_eq!(hear(&mut first).await, Ok(json!({"control": "live", "last_seq": 0})));
    served.log.append([1]);
    assert_eq!(hear(&mut first).await, Ok(json!({"seq": 1, "at": 0})));
    served.log.hides_its_end.store(true, Ordering::Relaxed);
    let mut second = served.reader().await;
    assert_eq!(hear(&mut second).await, Ok(json!({"control": "live", "last_seq": 0})));
    assert_eq!(hear(&mut second).await, Ok(json!({"seq": 1, "at": 0})));
}

#[tokio::test]
async fn who_comes_while_much_is_said_misses_nothing_and_frames_never_mix() {
    const ENTRIES: u64 = 2_000;
    const READERS: usize = 20;
    let often = Duration::from_millis(1);
    let served = Served::new(0, 0, Timings { heartbeat: often, ..CALM }).await;
    let mut readers = JoinSet::new();
    for seq in 1..=ENTRIES {
        served.log.append([seq]);
        if seq % (ENTRIES / READERS as u64) == 0 {
            let mut reader = served.reader().await;
            readers.spawn(async move {
                let mut next = 1;
                while next <= ENTRIES {
                    let frame = hear(&mut reader).await.unwrap();
                    if frame["control"].is_null() {
                        assert_eq!(frame, json!({"seq": next, "at": 0}));
                        next += 1;
                    } else {
                        assert!(["live", "heartbeat"].contains(&frame["control"].as_str().unwrap()));
                    }
                }
            });
        }
        if seq % 10 == 0 {
            tokio::time::sleep(often).await;
        }
    }
    let heard = readers.join_all().await;
    assert_eq!(heard.len(), READERS);
}

#[tokio::test]
async fn a_reader_with_a_gap_goes_on_from_where_it_says() {
    let mut reader = Reader::connect(0, 3, CALM).await;
    reader.append(1..=4);
    reader.hear_entries(1..=4).await;
    reader.hear().await.unwrap();
    reader.say(r#"{"resume":2}"#).await;
    assert_eq!(reader.end().await, Next::From(From { after: Seq(2), last: Seq(4), live: false }));
}

#[tokio::test]
async fn a_server_that_goes_says_where_to_come_back() {
    let mut reader = Reader::connect(7, 7, CALM).await;
    reader.hear().await.unwrap();
    reader.served.going_away.cancel();
    assert_eq!(reader.hear().await, Ok(json!({"control": "resume", "seq": 7, "reason": "going_away"})));
    assert!(reader.hear().await.is_err());
}

#[tokio::test]
async fn nonsense_is_refused() {
    let mut reader = Reader::connect(0, 0, CALM).await;
    reader.hear().await.unwrap();
    reader.say("hello").await;
    assert_eq!(reader.hear().await, Err(Some(1008)));
    assert_eq!(reader.end().await, Next::Closed);
}
