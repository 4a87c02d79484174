//! The one place that makes ids.

use lamplight_domain::{PromptId, SessionId};

pub(crate) fn session_id() -> SessionId {
    fresh().parse().expect("a ULID in its text form is an id")
}

pub(crate) fn prompt_id() -> PromptId {
    fresh().parse().expect("a ULID in its text form is an id")
}

#[expect(clippy::disallowed_methods, reason = "this is where ids are made")]
fn fresh() -> String {
    ulid::Ulid::generate().to_string()
}
