//! `session/update`: what the agent says and does, for the transcript. Source: ACP v1 `SessionUpdate`.

use super::tools;
use lamplight_domain::transcript::{PlanEntry, PlanStatus};
use lamplight_domain::{Event, TurnNumber};
use serde_json::Value;

/// The events that one update comes to. Nothing is lost: what has no place becomes [`Event::AgentSent`].
pub(super) fn read(mut params: Value, turn: TurnNumber) -> Vec<Event> {
    let kind = params.pointer("/update/sessionUpdate").and_then(Value::as_str).map(ToOwned::to_owned);
    let Some(kind) = kind else {
        return vec![Event::AgentSent { turn, kind: "session/update".to_owned(), raw: params }];
    };
    let update = params.get_mut("update").map(Value::take).unwrap_or_default();
    let event = match kind.as_str() {
        "agent_message_chunk" => chunk(&update).map(|text| Event::AgentSpoke {
            turn,
            text,
            message: update.get("messageId").and_then(Value::as_str).map(ToOwned::to_owned),
        }),
        "agent_thought_chunk" => chunk(&update).map(|text| Event::AgentThought { turn, text }),
        "tool_call" | "tool_call_update" => {
            tools::read(&update).map(|call| Event::ToolCalled { turn, call: Box::new(call) })
        }
        "plan" => plan(&update).map(|entries| Event::PlanChanged { turn, entries }),
        "usage_update" => context(&update, turn),
        _ => None,
    };
    match event {
        Some(Event::AgentSpoke { text, .. } | Event::AgentThought { text, .. }) if text.is_empty() => {
            Vec::new()
        }
        // The price that the agent believes in has no place of its own.
        Some(event @ Event::ContextMeasured { .. })
            if update.get("cost").is_some_and(|cost| !cost.is_null()) =>
        {
            vec![event, Event::AgentSent { turn, kind, raw: update }]
        }
        Some(event) => vec![event],
        None => vec![Event::AgentSent { turn, kind, raw: update }],
    }
}

/// The text of a chunk; pictures and links have no place yet.
fn chunk(update: &Value) -> Option<String> {
    let content = update.get("content")?;
    match content.get("type").and_then(Value::as_str) {
        Some("text") => content.get("text")?.as_str().map(ToOwned::to_owned),
        _ => None,
    }
}

fn plan(update: &Value) -> Option<Vec<PlanEntry>> {
    update.get("entries")?.as_array()?.iter().map(plan_entry).collect()
}

fn plan_entry(entry: &Value) -> Option<PlanEntry> {
    let text = |name: &str| entry.get(name).and_then(Value::as_str);
    Some(PlanEntry {
        text: text("content")?.to_owned(),
        priority: text("priority").unwrap_or("medium").to_owned(),
        status: match text("status") {
            Some("in_progress") => PlanStatus::InProgress,
            Some("completed") => PlanStatus::Completed,
            Some(_) | None => PlanStatus::Pending,
        },
    })
}

fn context(update: &Value, turn: TurnNumber) -> Option<Event> {
    let used = update.get("used")?.as_u64()?;
    let size = update.get("size")?.as_u64()?;
    Some(Event::ContextMeasured { turn, used, size })
}
