//! The sessions whose log was found damaged since this process started. Whoever reads such a log finds it again, so
//! nothing of this is stored.

use lamplight_domain::SessionId;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

#[derive(Default)]
pub(crate) struct Quarantine(Mutex<HashMap<SessionId, String>>);

impl Quarantine {
    pub(crate) fn add(&self, session: &SessionId, what: &str) {
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if sessions.insert(session.clone(), what.to_owned()).is_none() {
            tracing::error!(session.id = %session, "a session's log is damaged and nothing is added to it: {what}");
        }
    }

    pub(crate) fn what(&self, session: &SessionId) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(session).cloned()
    }
}
