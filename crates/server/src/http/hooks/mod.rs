//! Hooks: addresses that are told what happens to sessions, by signed webhooks.

pub mod add;
pub mod deliveries;
pub mod list;
pub mod remove;
pub mod retry;
pub mod test;

use super::audit::Told;
use super::resources::Moment;
use lamplight_engine::{HookListed, HookRow};
use reqwest::Url;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An address that is told what happens to sessions. Its secret is said once, when it is added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Hook {
    pub id: String,
    #[schema(example = "https://ci.example.org/lamplight")]
    pub url: String,
    /// What it is told of, such as `turn.ended`; empty is everything.
    pub events: Vec<String>,
    /// Who added it.
    pub created_by: String,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Moment,
    /// When something came through last.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub delivered_at: Option<Moment>,
    /// Why nothing is sent there any more; `null` while something is.
    pub disabled: Option<String>,
    /// Deliveries that have not come through yet.
    pub waiting: u64,
    /// Those that were given up.
    pub dead: u64,
}

impl From<HookListed> for Hook {
    fn from(listed: HookListed) -> Self {
        let HookListed { hook, waiting, dead } = listed;
        Self {
            id: hook.id,
            url: hook.url,
            events: hook.kinds,
            created_by: hook.created_by,
            created_at: Moment(hook.created_at),
            delivered_at: hook.came_at.map(Moment),
            disabled: hook.disabled,
            waiting,
            dead,
        }
    }
}

/// Which it is once it is gone: where it is told, and of what. Its path is left out, which may be as good as a secret.
fn told(hook: &HookRow) -> Told {
    let place = Url::parse(&hook.url).map(|url| url.origin().ascii_serialization()).unwrap_or_default();
    let events = if hook.kinds.is_empty() { "everything".to_owned() } else { hook.kinds.join(",") };
    Told(format!("{place} {events}"))
}
