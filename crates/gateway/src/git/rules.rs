//! What a push may do. Everything that is decided about it is decided here; fast-forward only, a branch that is
//! checked out, and the soundness of the objects need the repository, and are left to git's own settings.

use super::commands::{Command, Push};
use crate::Grant;

/// Why one ref of a push was not moved.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) name: Vec<u8>,
    /// As git shows it, in brackets behind the ref.
    pub(super) reason: String,
}

impl Refused {
    /// For people who did not see the push.
    pub(super) fn sentence(&self) -> String {
        // The name is whatever the other side sent.
        let name: String =
            String::from_utf8_lossy(&self.name).chars().filter(|c| !c.is_control()).take(200).collect();
        format!("A push to {name} was refused: {}.", self.reason)
    }
}

/// The one allowed command of `push`, or a reason for each of its refs: nothing moves unless everything may.
pub(super) fn judge<'a>(push: &'a Push, grant: &Grant) -> Result<&'a Command, Vec<Refused>> {
    let reasons: Vec<_> = push.commands.iter().map(|command| reason(command, push, grant)).collect();
    match (push.commands.as_slice(), reasons.as_slice()) {
        ([command], [None]) => Ok(command),
        _ => {
            Err(push.commands.iter().zip(reasons).map(|(command, reason)| refused(command, reason)).collect())
        }
    }
}

fn reason(command: &Command, push: &Push, grant: &Grant) -> Option<String> {
    if grant.branch.is_empty() {
        return Some("nothing may be pushed from here".to_owned());
    }
    if command.name != format!("refs/heads/{}", grant.branch).as_bytes() {
        return Some(format!("this session may push only its branch {}", grant.branch));
    }
    if command.deletes() {
        return Some("this session's branch cannot be deleted".to_owned());
    }
    if push.capabilities.push_options {
        return Some("push options are not accepted".to_owned());
    }
    None
}

/// Git would write to what the branch stands for.
pub(super) fn symbolic(command: &Command) -> Refused {
    refused(command, Some("this session's branch stands for another in the repository".to_owned()))
}

fn refused(command: &Command, reason: Option<String>) -> Refused {
    let reason =
        reason.unwrap_or_else(|| "not pushed, because of the other refs of the same push".to_owned());
    Refused { name: command.name.clone(), reason }
}
