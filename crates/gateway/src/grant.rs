//! What one link may do, and who is told of what it did.

use crate::{Children, Elsewhere};
use async_trait::async_trait;
use lamplight_domain::event::Contact;
use lamplight_domain::transcript::Tokens;
use lamplight_domain::{Network, SessionId};
use std::path::PathBuf;
use std::sync::Arc;

/// What the programs at the other end of one link may do. Bound to the link by whoever accepts its streams.
#[derive(Debug, Clone)]
pub struct Grant {
    pub session: SessionId,
    /// The person's repository on this machine; a work tree or a bare one.
    pub repository: PathBuf,
    /// Short name of the only branch that may be pushed, such as `lamplight/fix-wrap-01ja`; empty where none may.
    pub branch: String,
    /// Short name of the branch that the work starts from.
    pub base: String,
    /// Whether `branch` may also be moved to a commit that does not contain its present one.
    pub rewrite: bool,
    /// What makes the files of `repository` whole and lies elsewhere; `None` where nothing does.
    pub elsewhere: Option<Arc<dyn Elsewhere>>,
    /// The sessions that it has begun, and how it begins others; `None` where it is no session.
    pub children: Option<Arc<dyn Children>>,
    /// Whether models may be asked.
    pub models: bool,
    /// What else may be connected to.
    pub network: Network,
}

/// Money that is set aside for a request; given back when this is dropped.
pub struct Reservation(#[expect(dead_code, reason = "kept for what its end does")] Box<dyn Send + Sync>);

impl Reservation {
    /// `held` gives it back when it is dropped.
    pub fn new(held: impl Send + Sync + 'static) -> Self {
        Self(Box::new(held))
    }
}

/// Why nothing can be set aside. Each holds a sentence for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotReserved {
    /// A budget is spent, so that asking again is no use.
    Spent(String),
    /// What is left of a budget is set aside for requests that are being answered.
    Busy(String),
}

/// What one request to a model used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Used {
    /// The name that the upstream answered with, else the one that was asked for.
    pub model: String,
    pub tokens: Tokens,
    /// In millionths of a dollar.
    pub cost_micros: Option<u64>,
    /// By which list of prices that is, and by which edition of ours of reading it, such as `genai-prices 0.2.1+1`.
    pub priced_by: Option<String>,
    /// The answer did not say all that it used, so that this is in part made from what was seen of it.
    pub is_estimated: bool,
    /// From the moment in which the vendor was asked to the end of its answer.
    pub took_ms: u64,
}

/// Who writes down what passed. Each call is made once, and the answer that it is about ends only after it returns.
#[async_trait]
pub trait Ledger: Send + Sync {
    /// Whether anything bounds what may be spent. If so, each request is reserved before it is passed on.
    fn is_bounded(&self) -> bool;
    /// Sets aside what one request may cost, in millionths of a dollar. What it did cost is told by [`Ledger::used`] before the
    /// reservation is dropped.
    async fn reserve(&self, micros: u64) -> Result<Reservation, NotReserved>;
    /// One model request was answered, or broke off, and used this much.
    async fn used(&self, used: Used);
    /// Whether what is pushed at this moment is written down here. Where it is not, somebody else may have the session, and nothing is taken.
    fn may_push(&self) -> bool;
    /// The session's branch in the person's repository now is `commit` (hexadecimal).
    async fn pushed(&self, commit: &str);
    /// A host was asked for, for the first time or with another answer than before. A port of 0: only its name was asked for.
    async fn contacted(&self, contact: Contact);
    /// Something was asked that the grant does not allow; `what` is a sentence for people.
    async fn refused(&self, what: &str);
}
