//! What people ask for and may be told, with one server and with several.

use crate::config::AGENT;
use crate::repository::BASE;
use crate::universe::Universe;
use lamplight_domain::permission::Policy;
use lamplight_domain::session::Phase;
use lamplight_domain::{Person, Role};
use lamplight_engine::{CommandError, NewSession};
use std::path::Path;

/// What people may be told, wherever they ask; everything else is a fault.
pub(crate) fn is_allowed(error: &CommandError) -> bool {
    match error {
        CommandError::Refused(_) | CommandError::StorageFull | CommandError::Busy => true,
        CommandError::NotFound
        | CommandError::Invalid { .. }
        | CommandError::Unreachable(_)
        | CommandError::StorageUnavailable(_)
        | CommandError::Moved
        | CommandError::Newer
        | CommandError::Failed(_) => false,
    }
}

pub(crate) fn new_session(universe: &Universe, repository: &Path, prompt: String) -> NewSession {
    let policy = [Policy::Allow, Policy::Ask, Policy::Reject][universe.number(0..3) as usize];
    NewSession {
        repository: repository.to_string_lossy().into_owned(),
        prompt,
        attachments: Vec::new(),
        title: None,
        base: Some(BASE.to_owned()),
        branch: None,
        agent: Some(AGENT.to_owned()),
        model: None,
        permissions: Some(policy),
        limits: Default::default(),
        network: None,
        image: None,
        sandbox: Default::default(),
        person: Some(Person { name: "Ada".to_owned(), email: "ada@example.org".to_owned() }),
        role: Role::Admin,
        fork: None,
        parent: None,
    }
}

pub(crate) fn is_at_work(phase: Phase) -> bool {
    match phase {
        Phase::Queued | Phase::Starting | Phase::Planning | Phase::Executing | Phase::WaitingForYou => true,
        Phase::Stuck | Phase::Paused | Phase::Done | Phase::Failed => false,
    }
}
