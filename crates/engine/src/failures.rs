//! Failures in the server's own log, for who runs it: whose side each is on is a field, so that what the machine did is told apart from what an
//! agent did. They are told in one place, when they are in a session's log, so that no code of sessions knows of it.
//!
//! What an agent failed with may hold its words, and is in the session's log alone.

use lamplight_domain::event::Outcome;
use lamplight_domain::{Entry, Event, Failure, FailureClass, SessionId, Side};

/// Entries are on disk.
pub(crate) fn tell(session: &SessionId, entries: &[Entry]) {
    for entry in entries {
        match &entry.event {
            Event::SandboxFailed { failure, .. } => {
                one(session, failure, "a sandbox could not be made, or the agent in it not started");
            }
            Event::TurnEnded { outcome: Outcome::Failed { failure }, .. } => {
                one(session, failure, "a turn failed");
            }
            _ => {}
        }
    }
}

fn one(session: &SessionId, failure: &Failure, what: &'static str) {
    let (side, class) = (side_of(failure.side), class_of(failure.class));
    match failure.side {
        Side::Infrastructure => {
            let error = failure.message.as_str();
            tracing::warn!(session.id = %session, error.side = side, error.class = class, error, "{what}");
        }
        Side::Agent => {
            tracing::info!(session.id = %session, error.side = side, error.class = class, "{what}");
        }
    }
}

/// As metrics and the log call it.
pub(crate) fn side_of(side: Side) -> &'static str {
    match side {
        Side::Infrastructure => "infrastructure",
        Side::Agent => "agent",
    }
}

pub(crate) fn class_of(class: FailureClass) -> &'static str {
    match class {
        FailureClass::Transient => "transient",
        FailureClass::Persistent => "persistent",
        FailureClass::Fatal => "fatal",
        FailureClass::NeedsYou => "needs_you",
    }
}
