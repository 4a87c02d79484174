//! Names and addresses as they may be, and what is refused.

use super::PersonRow;
use crate::error::CommandError;
use crate::ids;
use lamplight_domain::{Role, Timestamp};

/// Characters of a name, also of a token's, and of an address.
pub(crate) const NAME: usize = 80;
const EMAIL: usize = 254;

pub(super) fn person_row(
    name: &str,
    email: &str,
    role: Role,
    now: Timestamp,
) -> Result<PersonRow, CommandError> {
    let (name, email) = (clean(name, NAME, "a name")?, clean(email, EMAIL, "an e-mail address")?);
    if !email.contains('@') || email.contains(char::is_whitespace) {
        return Err(unusable("an e-mail address"));
    }
    Ok(PersonRow { id: ids::person_id(), name, email, role, created_at: now, removed_at: None })
}

/// Names stand in commits, so nothing that git or a terminal would take for something else is in them.
pub(crate) fn clean(text: &str, longest: usize, what: &'static str) -> Result<String, CommandError> {
    let text = text.trim();
    let is_fine = |c: char| !c.is_control() && !matches!(c, '<' | '>');
    if text.is_empty() || text.chars().count() > longest || !text.chars().all(is_fine) {
        return Err(unusable(what));
    }
    Ok(text.to_owned())
}

pub(super) fn unusable(what: &str) -> CommandError {
    let message = format!("this cannot be {what}");
    CommandError::invalid("invalid_request", message, "Say it without < and >, on one line, not too long.")
}

pub(super) fn used_up() -> CommandError {
    CommandError::invalid(
        "link_used_up",
        "this link was used already, or its time is over",
        "Ask who sent it for another one.",
    )
}

pub(super) fn name_taken(name: &str) -> CommandError {
    let message = format!("somebody here is, or was, called {name}");
    CommandError::invalid("name_taken", message, "Take another name, or ask for a link of your own.")
}

pub(super) fn last_owner() -> CommandError {
    CommandError::invalid("last_owner", "there has to be an owner", "Make somebody else an owner first.")
}

pub(super) fn no_such_person() -> CommandError {
    CommandError::invalid(
        "person_not_found",
        "there is no such person",
        "List people and take an id from there.",
    )
}

pub(super) fn not_invited(login: &str) -> CommandError {
    let message = format!("nobody has invited {login}");
    CommandError::invalid("not_invited", message, "Ask an admin of this server for an invitation.")
}
