//! Deliveries to a real server that checks signatures as the specification has it, by a clock of the test's own.

mod receiver;

use super::sending::Sender;
use super::*;
use crate::keys::SealingSource;
use axum::http::StatusCode;
use lamplight_domain::{Seq, SessionId};
use lamplight_store::{Append, DeliveryState, NoticeRow};
use receiver::{Heard, Manner, Receiver};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

const NOON: i64 = 1_763_726_400_000;
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

fn hook(id: &str, url: &str) -> HookRow {
    HookRow {
        id: id.to_owned(),
        url: url.to_owned(),
        kinds: Vec::new(),
        created_by: "Ada".to_owned(),
        created_at: Timestamp(NOON),
        came_at: None,
        disabled: None,
    }
}

/// What a server has of all this, and its clock.
struct Stage {
    hooks: Hooks,
    store: Store,
    keys: Keys,
    now: Arc<AtomicI64>,
    dir: TempDir,
}

impl Stage {
    async fn new() -> Self {
        lamplight_gateway::install_tls_provider();
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("data")).unwrap();
        let (redaction, source) = (Redaction::default(), SealingSource::File(dir.path().join("data.key")));
        let keys = Keys::load(Default::default(), None, source, redaction.clone(), &store).await.unwrap();
        let config = HooksConfig {
            allow_private: vec!["127.0.0.1".parse().unwrap()],
            address: "https://lamplight.test".to_owned(),
        };
        let hooks = Hooks::new(config, &Outside::default(), redaction);
        Self { hooks, store, keys, now: Arc::new(AtomicI64::new(NOON)), dir }
    }

    async fn receiver(&self, id: &str) -> Receiver {
        let now = self.now.clone();
        let receiver = Receiver::start(move || now.load(Ordering::SeqCst) / 1000).await;
        let made = self.hooks.add(&self.store, &self.keys, hook(id, &receiver.url)).await.unwrap();
        receiver.knows(made.secret.expose());
        receiver
    }

    fn time(&self) -> Timestamp {
        Timestamp(self.now.load(Ordering::SeqCst))
    }

    fn is_at(&self, at: Timestamp) {
        self.now.store(at.0, Ordering::SeqCst);
    }

    /// The n-th entry of a session, which hooks are told of.
    async fn happens(&self, n: u64) {
        let session: SessionId = "01JAZZZZZZZZZZZZZZZZZZZZZZ".parse().unwrap();
        let append = Append {
            session,
            expected_last: Seq(n - 1),
            at: self.time(),
            entries: vec![format!("{{\"seq\":{n}}}").into()],
            summary: None,
            text: Vec::new(),
            usage: Vec::new(),
            notices: vec![NoticeRow {
                seq: Seq(n),
                kind: "turn.ended".into(),
                body: format!("{{\"n\":{n}}}"),
            }],
            once: None,
            audited: Vec::new(),
        };
        self.store.append(append).await.unwrap();
    }

    /// Sends what is due to one hook.
    async fn send(&self, id: &str) {
        let now = || self.time();
        while self.sender(&now).next(id).await.unwrap() {}
    }

    fn sender<'a>(&'a self, now: &'a (dyn Fn() -> Timestamp + Sync)) -> Sender<'a> {
        Sender { hooks: &self.hooks, store: &self.store, keys: &self.keys, now }
    }

    /// Their states and what came of them, the newest first.
    async fn deliveries(&self, id: &str) -> Vec<(DeliveryState, u32, String)> {
        let query = DeliveryQuery { limit: 100, ..DeliveryQuery::default() };
        let all = self.store.hook_deliveries(id, query).await.unwrap();
        all.into_iter().map(|delivery| (delivery.state, delivery.tries, delivery.outcome)).collect()
    }

    async fn disabled(&self, id: &str) -> Option<String> {
        self.store.hook(id).await.unwrap().unwrap().disabled
    }
}

fn id(n: u64) -> String {
    format!("01JAZZZZZZZZZZZZZZZZZZZZZZ-{n}")
}

#[tokio::test]
async fn what_happens_is_told_once_and_signed() {
    let stage = Stage::new().await;
    let receiver = stage.receiver("a").await;
    stage.happens(1).await;
    stage.send("a").await;
    stage.send("a").await;
    assert_eq!(receiver.heard(), [Heard { id: id(1), at: NOON / 1000, body: "{\"n\":1}".to_owned() }]);
    let delivered = DeliveryState::Delivered { at: Timestamp(NOON) };
    assert_eq!(stage.deliveries("a").await, [(delivered, 1, "it answered 204".to_owned())]);
    // Another process opens the secret anew.
    stage.hooks.secrets.lock().unwrap().clear();
    stage.happens(2).await;
    stage.send("a").await;
    assert_eq!(receiver.heard().len(), 2);
    // With another secret nothing is taken, and it is known why.
    receiver.knows(signature::draw().unwrap().expose());
    stage.happens(3).await;
    stage.send("a").await;
    assert_eq!(stage.deliveries("a").await[0].2, "it answered 401");
    assert_eq!(receiver.refused().len(), 1);
}

#[tokio::test]
async fn what_is_not_taken_is_tried_for_a_day_under_one_id_and_then_dead() {
    let stage = Stage::new().await;
    let receiver = stage.receiver("a").await;
    receiver.becomes(Manner::Answers(StatusCode::INTERNAL_SERVER_ERROR));
    stage.happens(1).await;
    let mut tries = 0;
    while let (DeliveryState::Waiting { due }, ..) = stage.deliveries("a").await[0] {
        assert_eq!(stage.disabled("a").await, None);
        stage.is_at(Timestamp(due.0 - 1));
        stage.send("a").await;
        assert_eq!(receiver.heard().len(), tries, "not before it is due");
        stage.is_at(due);
        stage.send("a").await;
        tries += 1;
        assert_eq!(receiver.heard().len(), tries);
    }
    assert_eq!((tries, stage.time().0 - NOON), (8, DAY_MS));
    let heard = receiver.heard();
    assert!(heard.iter().all(|heard| heard.id == id(1) && heard.body == "{\"n\":1}"), "{heard:?}");
    assert_eq!(heard[1].at - heard[0].at, 5, "each try says when it was made");
    assert_eq!(
        stage.disabled("a").await.as_deref(),
        Some("nothing came through for a day; at last it answered 500")
    );
    stage.happens(2).await;
    assert_eq!(stage.deliveries("a").await.len(), 1, "it is told nothing more");
    assert_eq!(stage.deliveries("a").await[0].0, DeliveryState::Dead);

    receiver.becomes(Manner::Takes);
    let retry = HookChange::Retry { hook: "a".to_owned(), number: None, at: stage.time() };
    assert_eq!(changed(stage.store.change_hooks(retry).await.unwrap()), 1);
    stage.send("a").await;
    assert_eq!(receiver.heard().last().unwrap().id, id(1), "the same id, so that it is known");
    assert_eq!(stage.disabled("a").await, None);
    stage.happens(3).await;
    stage.send("a").await;
    assert_eq!(receiver.heard().last().unwrap().id, id(3));
}

#[tokio::test]
async fn one_that_is_dead_disables_no_hook_that_hears_others() {
    let stage = Stage::new().await;
    let receiver = stage.receiver("a").await;
    receiver.becomes(Manner::Answers(StatusCode::BAD_GATEWAY));
    stage.happens(1).await;
    stage.send("a").await;
    receiver.becomes(Manner::Takes);
    stage.is_at(Timestamp(NOON + 1));
    stage.happens(2).await;
    stage.send("a").await;
    receiver.becomes(Manner::Answers(StatusCode::BAD_GATEWAY));
    while let (DeliveryState::Waiting { due }, ..) = stage.deliveries("a").await[1] {
        stage.is_at(due);
        stage.send("a").await;
    }
    let states: Vec<_> = stage.deliveries("a").await.into_iter().map(|(state, ..)| state).collect();
    assert_eq!(states, [DeliveryState::Delivered { at: Timestamp(NOON + 1) }, DeliveryState::Dead]);
    assert_eq!(stage.disabled("a").await, None);
}

/// The lid was closed over the weekend, and the network comes later than the server does.
#[tokio::test]
async fn who_was_away_gives_nothing_up_at_the_first_look() {
    let stage = Stage::new().await;
    let receiver = stage.receiver("a").await;
    receiver.becomes(Manner::Answers(StatusCode::BAD_GATEWAY));
    stage.happens(1).await;
    stage.send("a").await;
    let monday = Timestamp(NOON + 5 * DAY_MS / 2);
    stage.is_at(monday);
    stage.send("a").await;
    let due = monday.plus_ms(5 * 60_000);
    let waiting = (DeliveryState::Waiting { due }, 2, "it answered 502".to_owned());
    assert_eq!(stage.deliveries("a").await, [waiting]);
    assert_eq!(stage.disabled("a").await, None);
    stage.happens(2).await;
    receiver.becomes(Manner::Takes);
    stage.is_at(due);
    stage.send("a").await;
    let delivered = DeliveryState::Delivered { at: due };
    let states: Vec<_> = stage.deliveries("a").await.into_iter().map(|(state, ..)| state).collect();
    assert_eq!(states, [delivered, delivered]);
}

#[tokio::test]
async fn a_sealing_key_that_is_not_to_be_had_is_no_fault_of_the_address() {
    let stage = Stage::new().await;
    let receiver = stage.receiver("a").await;
    stage.happens(1).await;
    stage.hooks.secrets.lock().unwrap().clear();
    let (key, aside) = (stage.dir.path().join("data.key"), stage.dir.path().join("aside"));
    std::fs::rename(&key, &aside).unwrap();
    let mut tries = 0;
    while let (DeliveryState::Waiting { due }, ..) = stage.deliveries("a").await[0] {
        stage.is_at(due);
        stage.send("a").await;
        tries += 1;
    }
    assert_eq!((tries, receiver.heard().len()), (8, 0));
    assert_eq!(stage.disabled("a").await, None);
    std::fs::rename(&aside, &key).unwrap();
    let retry = HookChange::Retry { hook: "a".to_owned(), number: None, at: stage.time() };
    assert_eq!(changed(stage.store.change_hooks(retry).await.unwrap()), 1);
    stage.send("a").await;
    assert_eq!(receiver.heard().len(), 1);
}

#[tokio::test]
async fn who_wants_nothing_more_is_told_nothing_more() {
    let stage = Stage::new().await;
    let receiver = stage.receiver("a").await;
    receiver.becomes(Manner::Answers(StatusCode::GONE));
    stage.happens(1).await;
    stage.send("a").await;
    stage.happens(2).await;
    stage.send("a").await;
    assert_eq!(receiver.heard().len(), 1);
    assert_eq!(stage.disabled("a").await.as_deref(), Some(GONE));
    assert_eq!(stage.deliveries("a").await, [(DeliveryState::Dead, 1, GONE.to_owned())]);
}

#[tokio::test]
async fn nobody_is_led_on_to_another_address() {
    let stage = Stage::new().await;
    let receiver = stage.receiver("a").await;
    receiver.becomes(Manner::LeadsOn);
    stage.happens(1).await;
    stage.send("a").await;
    let (state, tries, outcome) = stage.deliveries("a").await.remove(0);
    assert_eq!((state, tries), (DeliveryState::Waiting { due: Timestamp(NOON + 5_000) }, 1));
    assert_eq!(outcome, "it answered 307, and nobody is led on to another address");
}

/// It takes connections, and says nothing on them.
#[tokio::test]
async fn a_connection_that_is_dropped_is_a_failure_that_is_told() {
    let stage = Stage::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let hook = hook("a", &format!("http://{}/", listener.local_addr().unwrap()));
    stage.hooks.add(&stage.store, &stage.keys, hook).await.unwrap();
    let mut dropping = JoinSet::new();
    dropping.spawn(async move { while listener.accept().await.is_ok() {} });
    stage.happens(1).await;
    stage.send("a").await;
    let (state, _, outcome) = stage.deliveries("a").await.remove(0);
    assert!(
        matches!(state, DeliveryState::Waiting { .. }) && outcome.contains("was not reached"),
        "{outcome}"
    );
}

#[tokio::test]
async fn who_is_slow_holds_up_nobody_else() {
    let stage = Stage::new().await;
    let (slow, quick) = (stage.receiver("slow").await, stage.receiver("quick").await);
    slow.becomes(Manner::Waits);
    for n in 1..=20 {
        stage.happens(n).await;
    }
    let now = || stage.time();
    let sender = stage.sender(&now);
    stage.hooks.news.notify_one();
    tokio::select! {
        () = sender.send() => unreachable!("it sends for ever"),
        () = quick.until(|heard| heard.len() == 20) => {}
    }
    assert!(slow.heard().len() <= 4, "it is not asked by a crowd");
}

/// The process dies while an answer is waited for: the next one tells it again, under the same id.
#[tokio::test]
async fn what_was_being_told_when_the_server_died_is_told_again() {
    let stage = Stage::new().await;
    let receiver = stage.receiver("a").await;
    receiver.becomes(Manner::Waits);
    stage.happens(1).await;
    tokio::select! {
        () = stage.send("a") => unreachable!("nobody answers"),
        () = receiver.until(|heard| !heard.is_empty()) => {}
    }
    receiver.becomes(Manner::Takes);
    stage.send("a").await;
    assert_eq!(receiver.heard().len(), 1, "until its claim is over it may still be told by the other");
    stage.is_at(Timestamp(NOON + 20_000));
    stage.send("a").await;
    let heard = receiver.heard();
    assert_eq!((heard.len(), &heard[0].id), (2, &heard[1].id));
    assert!(matches!(stage.deliveries("a").await[0], (DeliveryState::Delivered { .. }, 2, _)));
}

#[tokio::test]
async fn an_address_inside_is_not_taken_unless_it_is_named() {
    let stage = Stage::new().await;
    for url in ["http://169.254.169.254/latest", "https://10.0.0.7/", "https://[::1]/", "http://example.org/"]
    {
        let refused = stage.hooks.add(&stage.store, &stage.keys, hook("a", url)).await.unwrap_err();
        assert_eq!(refused.code(), "hook_url_unusable", "{url}");
    }
    assert_eq!(stage.store.hooks().await.unwrap(), []);
}
