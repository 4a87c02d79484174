//! The event log and its projections, on SQLite or PostgreSQL: it records, it never chooses.
//!
//! One thread writes. Whatever is queued when it looks is one transaction and one fsync, and only then is anybody
//! answered; so what [`Store::append`] returned is on disk, and nobody waits for a timer. Readers have connections of
//! their own and see what is committed. Why the log is laid out as it is: `docs/decisions/0002-log-layout.md`; what is otherwise on
//! PostgreSQL: `docs/decisions/0031-postgresql.md`.

mod answers;
mod attempts;
mod audit;
mod automations;
mod backup;
mod batch;
mod blobs;
mod desk;
mod forge;
mod history;
mod hooks;
mod in_place;
mod jobs;
mod lent;
mod log;
mod migrate;
mod packs;
mod people;
mod postgres;
mod quarantine;
mod readers;
mod rebuild;
mod repositories;
mod reviews;
mod rows;
mod schema;
mod search;
mod secrets;
mod servers;
mod sql;
mod store;
mod summaries;
mod tls;
mod usage;
mod wal;
mod writer;

pub use attempts::{Choice, ChoiceChange};
pub use audit::{AuditEntry, AuditPage, AuditQuery, AuditRow, PAGE_AUDIT};
pub use automations::{AutomationChange, AutomationRow, NewRun, OpenRun, Paused, RunRow, RunState, Settled};
pub use backup::Backup;
pub use blobs::{
    BadBucket, BlobError, BlobId, Blobs, Bucket, BucketAddress, BucketSettings, NotABlobId, Uploads,
};
pub use forge::{Delivery, ForgeChange, Mark, Thread, Waiting};
pub use hooks::{
    Claimed, DeliveryQuery, DeliveryState, HookChange, HookDelivery, HookListed, HookOutcome, HookRow,
    NoticeRow, PAGE_HOOK_DELIVERIES,
};
pub use in_place::{Away, DatabaseClock, Disk, Together, Unwritten};
pub use lent::{LentChange, LentRow};
pub use log::{APPEND_BYTES, Append, AppendError, Committed, ReadError, StoreError, WriteError};
pub use migrate::Migrated;
pub use packs::{PackError, Packable, Packed};
pub use people::{
    Credential, CredentialKind, Identity, PeopleChange, PeopleOutcome, PersonRow, SecretHash, own_secret,
};
pub use postgres::{BadAddress, Examined, PostgresAddress};
pub use reviews::{Remark, ReplyOwed, ReviewChange, Reviewed};
pub use rows::{
    Hit, PAGE_SESSIONS, REMEMBER_MS, RecentRepository, Remembered, SessionPage, SessionQuery, Spent,
    SummaryRow, USAGE_SUMS, Usage, UsageBy, UsageQuery, UsageRow, UsageSum,
};
pub use secrets::SealedSecret;
pub use servers::{Announced, CLAIMS, HOLD, LEASE, Owner, ServerRow, Standing, Whose};
pub use store::{Places, Project, Projected, Store};
