//! What was asked for that changes something, and what came of it.

use crate::{AuditEntry, AuditPage, AuditQuery, CommandError, Engine};
use anyhow::Context;

impl Engine {
    /// Writes down what somebody asked for, without any secret that is known here. Resolves when it is on disk.
    pub async fn audit(&self, entry: AuditEntry) -> anyhow::Result<()> {
        let redactor = self.redaction().now();
        let clean = |text: String| redactor.text(&text).into_owned();
        let entry = AuditEntry { subject: clean(entry.subject), detail: clean(entry.detail), ..entry };
        self.shared.store.audit(entry).await.context("write to the audit log")
    }

    /// What was asked for, the newest first.
    pub async fn audited(&self, query: AuditQuery) -> Result<AuditPage, CommandError> {
        Ok(self.shared.store.audited(query).await?)
    }
}
