//! What a sandbox has run into, and what its provider has to say of it, told to people in the log where it explains what they see.

use super::Trouble;
use super::context::Context;
use crate::session::Message;
use lamplight_domain::Event;
use lamplight_domain::sandbox::LimitHit;
use lamplight_sandbox::handle::Handle;
use lamplight_sandbox::provider::Inspection;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};

/// Between two looks while an agent runs.
const LOOK: Duration = Duration::from_secs(5);

/// Tells each time that a limit was run into again, and each note once, for as long as it is polled.
pub(super) async fn tell(context: &Context, handle: &str) -> Result<std::convert::Infallible, Trouble> {
    let mut known = inspected(context, handle).await;
    // What was there before an agent came is news to whoever reads of its work.
    known.notes.clear();
    let mut look = interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        look.tick().await;
        let now = inspected(context, handle).await;
        let hits = now.hits.iter().filter(|hit| !known.hits.contains(hit)).map(sentence);
        let notes = now.notes.iter().filter(|note| !known.notes.contains(note)).cloned();
        let told: Vec<_> = hits.chain(notes).map(|text| Event::Noted { text }).collect();
        if !told.is_empty() {
            context.send(Message::Facts(told)).await;
        }
        known = now;
    }
}

/// Why something inside ended, with the limits that were run into.
pub(super) async fn explain(context: &Context, handle: &str, detail: String) -> String {
    let hits = inspected(context, handle).await.hits;
    hits.iter().fold(detail, |detail, hit| format!("{detail}; {hit}"))
}

/// Nothing where it cannot be asked for: what it explains counts more than the explanation.
async fn inspected(context: &Context, handle: &str) -> Inspection {
    context.shared.provider.inspect(&Handle::from_log(handle)).await.unwrap_or_default()
}

fn sentence(hit: &LimitHit) -> String {
    format!("The sandbox ran into a limit: {hit}.")
}
