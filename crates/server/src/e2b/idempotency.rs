//! Requests that are sent again with the same key give the same sandbox.

use lamplight_domain::SessionId;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::OnceCell;

/// Keys that are remembered, the newest.
const REMEMBERED: usize = 1024;

/// The longest key, in bytes.
const LONGEST: usize = 255;

pub(super) type Made = Arc<OnceCell<SessionId>>;

/// Keys, each with whose it is.
#[derive(Default)]
pub(super) struct Idempotency(Mutex<VecDeque<((String, String), Made)>>);

impl Idempotency {
    /// What was made for this key, or is to be.
    pub(super) fn of(&self, person: &str, key: &str) -> Made {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (person.to_owned(), key.to_owned());
        if let Some((_, made)) = known.iter().find(|(of, _)| *of == key) {
            return made.clone();
        }
        let made = Made::default();
        if known.len() == REMEMBERED {
            known.pop_front();
        }
        known.push_back((key, made.clone()));
        made
    }
}

/// As E2B takes them.
pub(super) fn is_key(key: &str) -> bool {
    let is_one = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=LONGEST).contains(&key.len()) && key.bytes().all(is_one)
}
