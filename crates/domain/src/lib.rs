//! The words of Lamplight, and the session machine that uses them.
//!
//! Nothing in this crate reads a clock, draws a number, opens a file or knows a network: time, ids and chance are
//! parameters. What a session is, what may happen to it and what is owed because of it is decided here and nowhere else.

pub mod agent;
pub mod artifact;
pub mod attachment;
pub mod budget;
pub mod check;
pub mod event;
pub mod failure;
pub mod family;
pub mod guards;
pub mod id;
pub mod image;
pub mod network;
pub mod people;
pub mod permission;
pub mod pull_request;
pub mod question;
pub mod redaction;
pub mod sandbox;
pub mod session;
pub mod spec;
pub mod time;
pub mod transcript;

pub use attachment::Attachment;
pub use budget::{BudgetOf, MonthBudget};
pub use check::{CheckPlan, CheckPolicy, CheckState, Checked, CheckedCommand, ToCheck, Verdict};
pub use event::{Entry, Event};
pub use failure::{Failure, FailureClass, Side};
pub use family::{ChildBegun, ChildBounds, ChildSpent, ParentEnded};
pub use guards::{GuardPolicy, GuardRule, NotAPath, PathPattern};
pub use id::{Generation, PromptId, Seq, SessionId, TurnNumber};
pub use image::{ImageChoice, ImageDigest, ImageName, NotAnImageName, SessionImage};
pub use network::{HostPattern, Network, NotAHost};
pub use people::{Role, Scope};
pub use pull_request::PullRequest;
pub use question::{Question, QuestionAnswered, QuestionAsked};
pub use redaction::{KnownSecret, Redaction, Redactor};
pub use sandbox::{Enforced, SandboxLimits};
pub use spec::{AttemptTaken, Attempts, Limits, Origin, Person, SessionSpec, SomeLimits};
pub use time::Timestamp;
