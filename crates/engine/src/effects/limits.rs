//! What a sandbox has run into, told to people in the log where it explains what they see.

use super::Trouble;
use super::context::Context;
use crate::session::Message;
use lamplight_domain::Event;
use lamplight_domain::sandbox::LimitHit;
use lamplight_sandbox::handle::Handle;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};

/// Between two looks while an agent runs.
const LOOK: Duration = Duration::from_secs(5);

/// Tells each time that a limit was run into again, for as long as it is polled.
pub(super) async fn tell(context: &Context, handle: &str) -> Result<std::convert::Infallible, Trouble> {
    let mut known = hits(context, handle).await;
    let mut look = interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        look.tick().await;
        let now = hits(context, handle).await;
        let news = now.iter().filter(|hit| !known.contains(hit));
        let told: Vec<_> = news.map(|hit| Event::Noted { text: sentence(hit) }).collect();
        if !told.is_empty() {
            context.send(Message::Facts(told)).await;
        }
        known = now;
    }
}

/// Why something inside ended, with the limits that were run into.
pub(super) async fn explain(context: &Context, handle: &str, detail: String) -> String {
    let hits = hits(context, handle).await;
    hits.iter().fold(detail, |detail, hit| format!("{detail}; {hit}"))
}

/// None where they cannot be asked for: what they explain counts more than the explanation.
async fn hits(context: &Context, handle: &str) -> Vec<LimitHit> {
    let inspected = context.shared.provider.inspect(&Handle::from_log(handle)).await;
    inspected.map(|inspection| inspection.hits).unwrap_or_default()
}

fn sentence(hit: &LimitHit) -> String {
    format!("The sandbox ran into a limit: {hit}.")
}
