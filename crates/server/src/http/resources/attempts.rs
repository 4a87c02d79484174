//! Which of several sessions with the same task a session is.

use lamplight_domain::session::view;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Sessions that were given the same task, of which a person takes one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Attempts {
    /// Of this session among them, from 1.
    pub number: u32,
    /// The ids of all, in their order; together they are called by the first.
    pub sessions: Vec<String>,
    /// The one that was taken; the others have ended, or are about to.
    pub taken: Option<TakenAttempt>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TakenAttempt {
    pub session: String,
    /// Who took it, by name.
    pub by: String,
}

impl From<view::AttemptsView> for Attempts {
    fn from(view: view::AttemptsView) -> Self {
        let taken = view.taken.map(|taken| TakenAttempt { session: taken.session.into(), by: taken.by });
        Self {
            number: view.of.number,
            sessions: view.of.sessions.into_iter().map(String::from).collect(),
            taken,
        }
    }
}
