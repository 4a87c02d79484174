//! What was asked for that changes something, and what came of it.

use crate::{AuditEntry, AuditPage, AuditQuery, CommandError, Engine};
use anyhow::Context;
use lamplight_domain::Redactor;
use std::sync::Arc;
use tokio::sync::{Mutex, OwnedMutexGuard};

/// The entry of a request that is under way: written once, with what the request changes, or else when it is answered.
#[derive(Debug, Clone)]
pub struct Auditing(Arc<Mutex<Option<AuditEntry>>>);

impl Auditing {
    /// With the entry as it is where the request is done.
    pub fn new(entry: AuditEntry) -> Self {
        Self(Arc::new(Mutex::new(Some(entry))))
    }

    /// Adds to what is not written yet.
    pub fn amend(&self, amend: impl FnOnce(&mut AuditEntry)) {
        // While somebody writes it, there is nothing to add to.
        if let Ok(mut entry) = self.0.try_lock() {
            entry.as_mut().map(amend);
        }
    }

    /// The entry, unless it is written. Waits while somebody may be writing it.
    pub async fn unwritten(&self) -> Option<AuditEntry> {
        self.0.lock().await.take()
    }

    pub(crate) fn hold(&self) -> Option<HeldEntry> {
        let entry = self.0.clone().try_lock_owned().ok()?;
        entry.is_some().then_some(HeldEntry(entry))
    }
}

/// An entry that is about to be written with a change, and by nobody else. Dropped, it is as it was.
pub(crate) struct HeldEntry(OwnedMutexGuard<Option<AuditEntry>>);

impl HeldEntry {
    pub(crate) fn entry(&self) -> Option<AuditEntry> {
        self.0.clone()
    }

    pub(crate) fn written(mut self) {
        *self.0 = None;
    }
}

/// Who asks for something, and the entry that this is to have in the audit log.
#[derive(Debug, Clone)]
pub struct AskedBy {
    pub name: String,
    pub auditing: Option<Auditing>,
}

impl<N: Into<String>> From<N> for AskedBy {
    /// Whoever asks sees to the entry.
    fn from(name: N) -> Self {
        Self { name: name.into(), auditing: None }
    }
}

/// Without any secret.
pub(crate) fn clean(redactor: &Redactor, entry: AuditEntry) -> AuditEntry {
    let clean = |text: String| redactor.text(&text).into_owned();
    AuditEntry { subject: clean(entry.subject), detail: clean(entry.detail), ..entry }
}

impl Engine {
    /// Writes down what somebody asked for, without any secret that is known here. Resolves when it is on disk.
    pub async fn audit(&self, entry: AuditEntry) -> anyhow::Result<()> {
        let entry = clean(&self.redaction().now(), entry);
        self.shared.store.audit(entry).await.context("write to the audit log")
    }

    /// What was asked for, the newest first.
    pub async fn audited(&self, query: AuditQuery) -> Result<AuditPage, CommandError> {
        Ok(self.shared.store.audited(query).await?)
    }
}
