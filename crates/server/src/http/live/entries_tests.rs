//! The loop over a real socket, with a log that the test holds in its hands.

use super::*;
use axum::Router;
use axum::extract::WebSocketUpgrade;
use axum::routing::get;
use futures::SinkExt;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::Message as Frame;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// Longer than anything takes that is not broken.
const PATIENCE: Duration = Duration::from_secs(20);
/// A wait that a test wants to see end.
const SOON: Duration = Duration::from_millis(100);
const NEVER: Duration = Duration::from_secs(600);

const CALM: Timings =
    Timings { heartbeat: NEVER, drain: NEVER, acknowledge: NEVER, first_message: NEVER, coalesce: NEVER };

type Batch = Result<Vec<(Seq, Bytes)>, CommandError>;

/// One reader's end of the socket, and the log's end of the loop.
struct Reader {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    log: mpsc::Sender<Batch>,
    ended: mpsc::Receiver<Next>,
    going_away: CancellationToken,
    _tasks: JoinSet<()>,
}

impl Reader {
    /// A reader who has everything up to `after` of a log that ends at `last`.
    async fn connect(after: u64, last: u64, timings: Timings) -> Self {
        let (log, batches) = mpsc::channel::<Batch>(8);
        let (end, ended) = mpsc::channel(1);
        let batches = std::sync::Arc::new(tokio::sync::Mutex::new(Some(batches)));
        let going_away = CancellationToken::new();
        let away = going_away.clone();
        let from = From { after: Seq(after), last: Seq(last) };
        let handler = move |upgrade: WebSocketUpgrade| async move {
            upgrade.on_upgrade(move |mut socket| async move {
                let batches = batches.lock().await.take().expect("one reader");
                let stream =
                    stream::unfold(batches, |mut batches| async { Some((batches.recv().await?, batches)) });
                let next = follow(&mut socket, stream, from, &timings, &away, None).await;
                end.send(next).await.expect("the test waits for this");
            })
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(
            async move { axum::serve(listener, Router::new().route("/", get(handler))).await.unwrap() },
        );
        let (socket, _) = connect_async(format!("ws://{address}/")).await.unwrap();
        Self { socket, log, ended, going_away, _tasks: tasks }
    }

    async fn append(&self, seqs: impl IntoIterator<Item = u64>) {
        let entry = |seq| (Seq(seq), Bytes::from(json!({"seq": seq, "at": 0}).to_string()));
        self.log.send(Ok(seqs.into_iter().map(entry).collect())).await.unwrap();
    }

    async fn say(&mut self, text: &str) {
        self.socket.send(Frame::text(text)).await.unwrap();
    }

    /// The next frame as JSON, or the close code.
    async fn hear(&mut self) -> Result<Value, Option<u16>> {
        match tokio::time::timeout(PATIENCE, self.socket.next()).await.expect("a frame in time") {
            Some(Ok(Frame::Text(text))) => Ok(serde_json::from_str(&text).unwrap()),
            Some(Ok(Frame::Close(frame))) => Err(frame.map(|frame| frame.code.into())),
            other => panic!("{other:?}"),
        }
    }

    async fn hear_entries(&mut self, seqs: impl IntoIterator<Item = u64>) {
        for seq in seqs {
            assert_eq!(self.hear().await, Ok(json!({"seq": seq, "at": 0})));
        }
    }

    async fn end(&mut self) -> Next {
        tokio::time::timeout(PATIENCE, self.ended.recv()).await.expect("an end in time").expect("an end")
    }
}

#[tokio::test]
async fn what_was_there_comes_first_then_live_then_what_follows() {
    let mut reader = Reader::connect(2, 5, CALM).await;
    reader.append(3..=4).await;
    reader.append(5..=7).await;
    reader.hear_entries(3..=7).await;
    assert_eq!(reader.hear().await, Ok(json!({"control": "live", "last_seq": 7})));
    reader.append(8..=8).await;
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
    silent.append(1..=1_001).await;
    silent.hear_entries(1..=1_001).await;
    assert_eq!(silent.hear().await, Ok(json!({"control": "resume", "seq": 1_001, "reason": "slow_reader"})));
    assert!(silent.hear().await.is_err());
    assert_eq!(silent.end().await, Next::Closed);

    let mut diligent = Reader::connect(0, 0, Timings { heartbeat: 3 * SOON, ..timings }).await;
    diligent.hear().await.unwrap();
    diligent.append(1..=1_001).await;
    diligent.hear_entries(1..=1_001).await;
    diligent.say(r#"{"ack":1001}"#).await;
    let heartbeat = diligent.hear().await.unwrap();
    assert_eq!(heartbeat["control"], "heartbeat", "it outlasts the patience");
}

#[tokio::test]
async fn a_reader_who_takes_nothing_is_closed_and_holds_little() {
    let mut reader = Reader::connect(0, 0, Timings { drain: SOON, ..CALM }).await;
    let entry = Bytes::from(json!({"seq": 1, "text": "x".repeat(1 << 20)}).to_string());
    // Far more than the buffers of both kernels' ends take.
    let mut seq = 0;
    while reader.log.capacity() > 0 && reader.ended.is_empty() && seq < 256 {
        seq += 1;
        tokio::time::timeout(PATIENCE, reader.log.send(Ok(vec![(Seq(seq), entry.clone())])))
            .await
            .unwrap()
            .ok();
    }
    assert_eq!(reader.end().await, Next::Closed);
    assert!(seq < 256, "the socket took everything");
}

#[tokio::test]
async fn a_reader_with_a_gap_goes_on_from_where_it_says() {
    let mut reader = Reader::connect(0, 3, CALM).await;
    reader.append(1..=4).await;
    reader.hear_entries(1..=4).await;
    reader.hear().await.unwrap();
    reader.say(r#"{"resume":2}"#).await;
    assert_eq!(reader.end().await, Next::From(From { after: Seq(2), last: Seq(4) }));
}

#[tokio::test]
async fn a_server_that_goes_says_where_to_come_back() {
    let mut reader = Reader::connect(7, 7, CALM).await;
    reader.hear().await.unwrap();
    reader.going_away.cancel();
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
