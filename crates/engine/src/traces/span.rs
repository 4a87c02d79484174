//! One stretch of time of a trace. Trace and spans have the same ids whoever makes them, and however often: they are those of the
//! prompt and of the log's entries.

use lamplight_domain::{PromptId, Seq, SessionId, Timestamp};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;

/// Of one prompt: the sixteen bytes of its id, so that whoever has the prompt finds the trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct TraceId(u128);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct SpanId([u8; 8]);

/// What a span is to the program that it is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Internal,
    /// Somebody asked us.
    Server,
    /// We asked somebody.
    Client,
}

/// What people look for beside the times; names are those of OpenTelemetry's conventions where they have one.
pub(super) type Attributes = Vec<(&'static str, Value)>;

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Span {
    pub(super) trace: TraceId,
    pub(super) id: SpanId,
    /// `None` is the root of its trace.
    pub(super) parent: Option<SpanId>,
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) start: Timestamp,
    pub(super) end: Timestamp,
    pub(super) attributes: Attributes,
    /// Why it went wrong; it did not otherwise.
    pub(super) failure: Option<String>,
}

impl TraceId {
    pub(super) fn of(prompt: &PromptId) -> Self {
        let id = ulid::Ulid::from_string(&prompt.to_string()).expect("an id is a ULID in its text form");
        Self(id.into())
    }

    pub(super) fn hex(self) -> String {
        format!("{:032x}", self.0)
    }
}

impl SpanId {
    /// The one in which all others of the prompt's trace are.
    pub(super) fn root(prompt: &PromptId) -> Self {
        Self::hashed(&format!("prompt {prompt}"))
    }

    /// The webhook's that brought the prompt.
    pub(super) fn webhook(prompt: &PromptId) -> Self {
        Self::hashed(&format!("webhook {prompt}"))
    }

    /// The one that begins with this entry, or ends with it where its beginning is not in the log. `what` tells several apart.
    pub(super) fn at(session: &SessionId, seq: Seq, what: &str) -> Self {
        Self::hashed(&format!("{session} {} {what}", seq.0))
    }

    fn hashed(text: &str) -> Self {
        let digest = Sha256::digest(text);
        let mut id = [0; 8];
        id.copy_from_slice(&digest[..8]);
        // All zeros is no id.
        id[7] |= 1;
        Self(id)
    }

    pub(super) fn hex(self) -> String {
        self.0.iter().fold(String::with_capacity(16), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        })
    }
}
