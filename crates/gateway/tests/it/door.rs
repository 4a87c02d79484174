//! A gateway behind a TCP port, the way a guest gives it to the programs inside: each connection becomes one stream.

use async_trait::async_trait;
use lamplight_domain::Network;
use lamplight_domain::event::Contact;
use lamplight_domain::transcript::Tokens;
use lamplight_gateway::{Gateway, Grant, Ledger, NotReserved, Outside, Reservation, Upstreams, Used};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// As much as a yamux stream holds.
const STREAM_BYTES: usize = 64 * 1024;

pub(crate) struct Door {
    pub(crate) address: String,
    pub(crate) ledger: Arc<Book>,
    gateway: Arc<Gateway>,
    ended: watch::Receiver<u32>,
    _accepting: JoinSet<()>,
}

/// A ledger that can be read.
#[derive(Default)]
pub(crate) struct Book {
    pub(crate) used: Mutex<Vec<Used>>,
    pub(crate) pushed: Mutex<Vec<String>>,
    pub(crate) refused: Mutex<Vec<String>>,
    pub(crate) contacted: Mutex<Vec<Contact>>,
    /// What bounds it, if anything does.
    pub(crate) money: Mutex<Option<Purse>>,
    /// Somebody else may have the session.
    pub(crate) elsewhere: AtomicBool,
}

/// So much may be spent. Knows the most that was ever spent and set aside together.
#[derive(Clone)]
pub(crate) struct Purse(pub(crate) Arc<Mutex<Sums>>);

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Sums {
    pub(crate) budget: u64,
    pub(crate) spent: u64,
    pub(crate) reserved: u64,
    pub(crate) largest: u64,
}

impl Purse {
    pub(crate) fn of(budget: u64) -> Self {
        Self(Arc::new(Mutex::new(Sums { budget, ..Sums::default() })))
    }

    pub(crate) fn sums(&self) -> Sums {
        *self.0.lock().unwrap()
    }

    fn reserve(&self, micros: u64) -> Result<Reservation, NotReserved> {
        let mut sums = self.0.lock().unwrap();
        if sums.spent >= sums.budget {
            return Err(NotReserved::Spent("all is spent".into()));
        }
        if sums.spent + sums.reserved >= sums.budget {
            return Err(NotReserved::Busy("the rest is set aside".into()));
        }
        sums.reserved += micros;
        sums.largest = sums.largest.max(micros);
        Ok(Reservation::new(Held(self.clone(), micros)))
    }
}

struct Held(Purse, u64);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.0.lock().unwrap().reserved -= self.1;
    }
}

#[async_trait]
impl Ledger for Book {
    fn is_bounded(&self) -> bool {
        self.money.lock().unwrap().is_some()
    }
    async fn reserve(&self, micros: u64) -> Result<Reservation, NotReserved> {
        self.money.lock().unwrap().as_ref().expect("only what is bounded is reserved").reserve(micros)
    }
    async fn used(&self, used: Used) {
        if let Some(Purse(sums)) = &*self.money.lock().unwrap() {
            sums.lock().unwrap().spent += used.cost_micros.expect("what is bounded has a price");
        }
        self.used.lock().unwrap().push(used);
    }
    fn may_push(&self) -> bool {
        !self.elsewhere.load(Ordering::Relaxed)
    }
    async fn pushed(&self, commit: &str) {
        self.pushed.lock().unwrap().push(commit.to_owned());
    }
    async fn contacted(&self, contact: Contact) {
        self.contacted.lock().unwrap().push(contact);
    }
    async fn refused(&self, what: &str) {
        self.refused.lock().unwrap().push(what.to_owned());
    }
}

pub(crate) const BRANCH: &str = "lamplight/fix-wrap-01ja";

pub(crate) fn grant(repository: &Path) -> Grant {
    Grant {
        session: "01JAZZZZZZZZZZZZZZZZZZZZZZ".parse().unwrap(),
        repository: repository.to_owned(),
        branch: BRANCH.to_owned(),
        base: "main".to_owned(),
        rewrite: false,
        elsewhere: None,
        children: None,
        models: true,
        network: Network::None,
    }
}

impl Door {
    pub(crate) async fn open(grant: Grant, upstreams: Upstreams) -> Self {
        Self::of(grant, Gateway::new(upstreams, Outside::default()).unwrap()).await
    }

    /// Behind which nobody waits for a vendor that says nothing for so long.
    pub(crate) async fn with_patience(grant: Grant, upstreams: Upstreams, silence: Duration) -> Self {
        Self::of(grant, Gateway::with_patience(upstreams, Outside::default(), silence).unwrap()).await
    }

    async fn of(grant: Grant, gateway: Gateway) -> Self {
        let gateway = Arc::new(gateway);
        let ledger = Arc::new(Book::default());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (serving, book, grant) = (gateway.clone(), ledger.clone(), Arc::new(grant));
        let (count, ended) = watch::channel(0);
        let mut accepting = JoinSet::new();
        accepting.spawn(async move {
            let mut streams = JoinSet::new();
            while let Ok((mut socket, _)) = listener.accept().await {
                socket.set_nodelay(true).unwrap();
                let (mut inside, outside) = tokio::io::duplex(STREAM_BYTES);
                streams.spawn(async move {
                    let _closed = tokio::io::copy_bidirectional(&mut socket, &mut inside).await;
                });
                let (serving, grant, book, count) =
                    (serving.clone(), grant.clone(), book.clone(), count.clone());
                streams.spawn(async move {
                    let _broken = serving.serve(grant, book, outside).await;
                    count.send_modify(|count| *count += 1);
                });
            }
        });
        Self { address, ledger, gateway, ended, _accepting: accepting }
    }

    pub(crate) fn gateway(&self) -> &Gateway {
        &self.gateway
    }

    pub(crate) fn git_url(&self) -> String {
        format!("http://{}/git/repository.git", self.address)
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Waits until one stream has been served to its end.
    pub(crate) async fn stream_ended(&self) {
        let ended = self.ended.clone().wait_for(|count| *count > 0).await.map(|count| *count);
        assert!(ended.is_ok());
    }

    /// Waits for what outlives its request.
    pub(crate) async fn settled(&self) {
        self.gateway.settled().await;
    }

    pub(crate) fn used(&self) -> Vec<(String, Tokens)> {
        self.ledger.used.lock().unwrap().iter().map(|used| (used.model.clone(), used.tokens)).collect()
    }
    /// Of each, what it cost in millionths of a dollar, by which list, and whether that was guessed.
    pub(crate) fn costs(&self) -> Vec<(Option<u64>, Option<String>, bool)> {
        let used = self.ledger.used.lock().unwrap();
        used.iter().map(|used| (used.cost_micros, used.priced_by.clone(), used.is_estimated)).collect()
    }
    pub(crate) fn pushed(&self) -> Vec<String> {
        self.ledger.pushed.lock().unwrap().clone()
    }
    pub(crate) fn refused(&self) -> Vec<String> {
        self.ledger.refused.lock().unwrap().clone()
    }
}
