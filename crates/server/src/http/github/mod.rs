//! GitHub: what it sends, and how this server is connected to it.

pub mod show;
pub(super) mod webhooks;

pub(super) use webhooks::{ROOM_KIB, ROUTE};
