//! The one place that makes ids, and whatever else has to be unlike everything before it.

use crate::{clock, world};
use lamplight_domain::{PromptId, SessionId};

pub(crate) fn session_id() -> SessionId {
    fresh().parse().expect("a ULID in its text form is an id")
}

pub(crate) fn prompt_id() -> PromptId {
    fresh().parse().expect("a ULID in its text form is an id")
}

/// The same each time for what was said at this moment under this number.
pub(crate) fn prompt_id_of(at_ms: i64, number: u64) -> PromptId {
    let id = ulid::Ulid::from_parts(u64::try_from(at_ms).unwrap_or(0), u128::from(number));
    id.to_string().parse().expect("a ULID in its text form is an id")
}

pub(crate) fn automation_id() -> String {
    fresh()
}

pub(crate) fn terminal_id() -> String {
    fresh()
}

pub(crate) fn person_id() -> String {
    fresh()
}

pub(crate) fn credential_id() -> String {
    fresh()
}

/// For a reference in a repository.
pub(crate) fn reference_id() -> String {
    fresh()
}

pub(crate) fn hook_id() -> String {
    fresh()
}

/// Bytes that nobody can guess, from the kernel; in another world than the machine's, from there.
pub(crate) fn random<const N: usize>() -> std::io::Result<[u8; N]> {
    let mut bytes = [0; N];
    if let Some(world) = world::given() {
        world.fill(&mut bytes);
        return Ok(bytes);
    }
    let mut filled = 0;
    while filled < N {
        filled += rustix::rand::getrandom(&mut bytes[filled..], rustix::rand::GetRandomFlags::empty())?;
    }
    Ok(bytes)
}

/// Of this moment, and otherwise by chance. Source: github.com/ulid/spec.
fn fresh() -> String {
    let chance = u128::from_ne_bytes(random().expect("the kernel has random bytes"));
    ulid::Ulid::from_parts(u64::try_from(clock::now().0).unwrap_or(0), chance).to_string()
}
