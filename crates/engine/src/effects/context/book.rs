//! The ledger of one session: what the gateway saw goes into its log, and what it cost is counted for all who pay.

use crate::budgets::Money;
use crate::children;
use crate::engine::Shared;
use crate::session::{Durable, Message};
use lamplight_domain::event::Contact;
use lamplight_domain::session::Report;
use lamplight_domain::{Event, Generation, SessionId};
use lamplight_gateway::{Ledger, NotReserved, Reservation, Used};
use std::sync::Arc;
use tokio::sync::{mpsc, watch};

/// Writes what the gateway saw into the session's log.
pub(super) struct Book {
    pub(super) generation: Generation,
    pub(super) shared: Arc<Shared>,
    pub(super) owner: SessionId,
    /// The sessions that it is a child of.
    pub(super) above: Vec<SessionId>,
    pub(super) money: Money,
    pub(super) mailbox: mpsc::WeakSender<Box<Message>>,
    pub(super) durable: watch::Receiver<Durable>,
}

impl Book {
    async fn send(&self, message: Message) {
        if let Some(mailbox) = self.mailbox.upgrade() {
            let _ = mailbox.send(Box::new(message)).await;
        }
    }

    /// What has to be told even if the session sleeps.
    async fn tell(&self, message: Message) {
        if let Err(error) = self.shared.send(&self.owner, message).await {
            tracing::error!(session.id = %self.owner, %error, "what a model was asked for is not in the log");
        }
    }

    /// Those with whose money others spend, too: each below the one before it.
    fn family(&self) -> Vec<SessionId> {
        let has_children = !self.durable.borrow().children.is_empty();
        self.above.iter().chain(has_children.then_some(&self.owner)).cloned().collect()
    }

    async fn tell_of_budgets(&self) {
        for month in self.money.nearly_spent() {
            self.tell(Message::Report(Report::MonthBudget(month))).await;
        }
    }
}

#[async_trait::async_trait]
impl Ledger for Book {
    fn is_bounded(&self) -> bool {
        self.money.is_bounded() || !self.family().is_empty()
    }

    async fn reserve(&self, micros: u64) -> Result<Reservation, NotReserved> {
        let family = children::look(&self.shared, &self.family()).await.map_err(|error| {
            tracing::warn!(session.id = %self.owner, %error, "what its family has spent is not known");
            let why = "In Lamplight, it is not known for now what sessions of this one's family have spent: try again in a moment.";
            NotReserved::Busy(why.to_owned())
        })?;
        if let Some(by) = family.iter().find_map(|one| one.ended_by.clone()) {
            // Its parent may be at another server, which does not tell it.
            self.tell(Message::Report(Report::ParentEnded { by })).await;
            let why = "In Lamplight, the session that this one was begun for has ended.";
            return Err(NotReserved::Spent(why.to_owned()));
        }
        let reserved = self.money.reserve(&family, micros);
        if let Err(NotReserved::Spent(_)) = &reserved {
            self.tell_of_budgets().await;
        }
        reserved
    }

    async fn used(&self, used: Used) {
        let Used { model, tokens, cost_micros, priced_by, is_estimated, took_ms } = used;
        self.money.spend(cost_micros.unwrap_or(0));
        let turn = self.durable.borrow().turn;
        let took_ms = Some(took_ms);
        let used = Event::TokensUsed { turn, model, tokens, cost_micros, priced_by, is_estimated, took_ms };
        self.tell(Message::Facts(vec![used])).await;
        self.tell_of_budgets().await;
    }

    fn may_push(&self) -> bool {
        self.shared.may_push(&self.owner)
    }

    async fn pushed(&self, commit: &str) {
        let run = self.durable.borrow().run;
        self.send(Message::Report(Report::BranchPushed { run, commit: commit.to_owned() })).await;
    }

    async fn contacted(&self, contact: Contact) {
        self.send(Message::Report(Report::HostContacted { generation: self.generation, contact })).await;
    }

    async fn refused(&self, what: &str) {
        self.send(Message::Facts(vec![Event::Noted { text: format!("Refused: {what}") }])).await;
    }
}
