use super::fold::{Fold, is_end};
use super::span::{Span, SpanId, TraceId};
use lamplight_domain::{Entry, PromptId, SessionId};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashSet};

const FIRST: &str = "01J9ZZZZZZZZZZZZZZZZZZZZZ1";
const SECOND: &str = "01J9ZZZZZZZZZZZZZZZZZZZZZ2";

fn session() -> SessionId {
    "01J9ZZZZZZZZZZZZZZZZZZZZZ0".parse().unwrap()
}

fn prompt(id: &str) -> PromptId {
    id.parse().unwrap()
}

fn said(id: &str) -> Value {
    json!({"type": "prompt_queued", "prompt": id, "text": "Do it.", "by": "Ada"})
}

fn started(turn: u32, id: &str) -> Value {
    json!({"type": "turn_started", "turn": turn, "prompt": id, "attempt": 1})
}

fn ended(turn: u32) -> Value {
    json!({"type": "turn_ended", "turn": turn, "outcome": {"how": "completed", "stop_reason": "end_turn"}})
}

fn call(turn: u32, status: &str) -> Value {
    json!({"type": "tool_called", "turn": turn, "call": {"id": "c1", "name": "shell", "status": status}})
}

fn committed(turn: u32) -> Value {
    json!({"type": "work_committed", "turn": turn, "commit": null})
}

/// A log of these events, a tenth of a second apart.
fn log(events: &[Value]) -> Vec<Entry> {
    let entry = |(number, event): (usize, &Value)| {
        serde_json::from_value(json!({"seq": number + 1, "at": 1_000 + 100 * number, "event": event}))
            .unwrap()
    };
    events.iter().enumerate().map(entry).collect()
}

fn spans(entries: &[Entry]) -> Vec<Span> {
    let mut fold = Fold::new(session());
    entries.iter().cloned().for_each(|entry| fold.take(entry));
    fold.closed()
}

fn whole() -> Vec<Entry> {
    let failure = json!({"side": "infrastructure", "class": "transient", "message": "there is no room"});
    let tokens = json!({"input": 12, "output": 3, "cached": 0, "cache_written": 0, "reasoning": 0});
    log(&[
        said(FIRST),
        json!({"type": "sandbox_queued", "attempt": 1}),
        json!({"type": "sandbox_requested", "generation": 1, "attempt": 1}),
        json!({"type": "sandbox_failed", "generation": 1, "attempt": 1, "failure": failure}),
        json!({"type": "sandbox_requested", "generation": 2, "attempt": 2}),
        json!({"type": "sandbox_created", "generation": 2, "handle": "h"}),
        json!({"type": "workspace_prepared", "generation": 2, "base_commit": "c"}),
        json!({"type": "agent_requested", "generation": 2, "run": 1}),
        json!({"type": "agent_ready", "run": 1}),
        started(1, FIRST),
        json!({"type": "tokens_used", "turn": 1, "model": "m", "tokens": tokens, "cost_micros": 7, "took_ms": 40}),
        call(1, "in_progress"),
        said(SECOND),
        call(1, "failed"),
        ended(1),
        committed(1),
        started(2, SECOND),
        call(2, "in_progress"),
        ended(2),
        committed(2),
    ])
}

#[test]
fn what_took_time_is_told_with_its_beginning_its_end_and_what_it_was_a_part_of() {
    let spans = spans(&whole());
    let first: Vec<_> = spans.iter().filter(|span| span.trace == TraceId::of(&prompt(FIRST))).collect();
    let names: HashSet<_> = first.iter().map(|span| (span.id, span.name.as_str())).collect();
    let named: BTreeMap<_, _> = names.iter().copied().map(|(id, name)| (id.hex(), name)).collect();
    let told: Vec<_> = first
        .iter()
        .map(|span| {
            let parent = span.parent.map(|parent| named[&parent.hex()]);
            (span.name.as_str(), parent, span.start.0, span.end.0, span.failure.as_deref())
        })
        .collect();
    let (prompt, work) = (Some("prompt"), Some("invoke_agent agent"));
    assert_eq!(
        told,
        [
            ("wait for a sandbox", prompt, 1_100, 1_200, None),
            ("sandbox", prompt, 1_200, 1_300, Some("there is no room")),
            ("sandbox", prompt, 1_400, 1_500, None),
            ("workspace", prompt, 1_500, 1_600, None),
            ("agent", prompt, 1_700, 1_800, None),
            ("chat m", work, 1_960, 2_000, None),
            ("execute_tool shell", work, 2_100, 2_300, Some("the tool failed")),
            ("invoke_agent agent", prompt, 1_900, 2_400, None),
            ("prompt", None, 1_000, 2_400, None),
            ("commit", prompt, 2_400, 2_500, None),
        ]
    );
    assert_eq!(names.len(), first.len(), "an id is given twice: {named:?}");
}

#[test]
fn a_prompt_that_waited_for_another_has_its_own_trace_from_when_it_was_said() {
    let spans = spans(&whole());
    let second: Vec<_> = spans.iter().filter(|span| span.trace == TraceId::of(&prompt(SECOND))).collect();
    let whole = second.iter().find(|span| span.parent.is_none()).unwrap();
    assert_eq!((whole.start.0, whole.end.0), (2_200, 2_800));
    assert_eq!(whole.id, SpanId::root(&prompt(SECOND)));
    let tool = second.iter().find(|span| span.name.starts_with("execute_tool")).unwrap();
    assert_eq!(tool.failure.as_deref(), Some("it was not ended when the turn was"));
}

#[test]
fn a_server_that_reads_the_log_from_the_middle_of_a_session_tells_what_the_other_one_would_have() {
    let (entries, mut fold) = (whole(), Fold::new(session()));
    let mut parts = Vec::new();
    for entry in entries.clone() {
        let is_end = is_end(&entry.event);
        fold.take(entry);
        if is_end {
            parts.push(fold.closed());
        }
    }
    assert_eq!(parts.len(), 4);
    assert_eq!(parts.concat(), spans(&entries));
}

#[test]
fn a_trace_has_the_bytes_of_its_prompts_id() {
    let id: PromptId = "01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().unwrap();
    assert_eq!(TraceId::of(&id).hex(), "01563e3ab5d3d6764c61efb99302bd5b");
}
