//! What a person reads of a log.

use super::*;
use serde_json::json;

fn drawn(colours: bool, events: &[serde_json::Value]) -> String {
    let mut renderer = Renderer::new(Vec::new(), colours, colours.then_some(60));
    for (n, event) in events.iter().enumerate() {
        let entry = json!({"seq": n + 1, "at": 1_000 * (n + 1), "event": event});
        renderer.entry(&serde_json::from_value(entry).unwrap()).unwrap();
        renderer.tick(Timestamp(1_000 * (i64::try_from(n).unwrap() + 1))).unwrap();
    }
    renderer.finish().unwrap();
    String::from_utf8(renderer.out).unwrap()
}

fn turn() -> Vec<serde_json::Value> {
    vec![
        json!({"type": "prompt_queued", "prompt": "01JD0000000000000000000000", "text": "Fix it\nplease", "by": "Ada"}),
        json!({"type": "turn_started", "turn": 1, "prompt": "01JD0000000000000000000000", "attempt": 1}),
        json!({"type": "agent_spoke", "turn": 1, "text": "I look"}),
        json!({"type": "agent_spoke", "turn": 1, "text": " first.\nThen"}),
        json!({"type": "agent_spoke", "turn": 1, "text": "I write.", "message": "2"}),
        json!({"type": "agent_thought", "turn": 1, "text": "hm"}),
        json!({"type": "tool_called", "turn": 1, "call": {"id": "a", "title": "read src/\u{1b}[2Jlib.rs", "status": "pending"}}),
        json!({"type": "tool_called", "turn": 1, "call": {"id": "a", "status": "completed"}}),
        json!({"type": "tool_called", "turn": 1, "call": {"id": "b", "name": "shell", "status": "failed"}}),
        json!({"type": "tokens_used", "turn": 1, "model": "m", "tokens": {"input": 1_500, "output": 20}}),
        json!({"type": "turn_ended", "turn": 1, "outcome": {"how": "completed", "stop_reason": "end_turn"}}),
        json!({"type": "work_committed", "turn": 1, "commit": {"id": "0123456789abcdef0123456789abcdef01234567", "files": 1, "insertions": 2, "deletions": 3}}),
    ]
}

#[test]
fn a_turn_reads_top_down() {
    let expected = "› Fix it\nI look first.\nThen\nI write.\n  ✓ read src/[2Jlib.rs\n  ✗ shell\n\
        ✔ committed 012345678 · 1 file +2 −3\n";
    assert_eq!(drawn(false, &turn()), expected);
}

#[test]
fn a_terminal_has_a_status_line_that_is_taken_away() {
    let text = drawn(true, &turn());
    assert!(text.contains("\x1b[33mrecording the work · 2 steps · 9.0 s · 1.5k tokens\x1b[0m"), "{text:?}");
    assert!(text.ends_with("\r\x1b[K"), "{text:?}");
}

#[test]
fn a_question_says_what_it_takes_and_what_was_answered() {
    let choices = json!([{"value": "s", "title": "Stable"}, {"value": "b", "title": "Be\u{1b}[2Jta"}]);
    let fields = json!([
        {"name": "channel", "title": "Channel", "required": true, "takes": {"kind": "choice", "choices": choices}},
        {"name": "mail", "takes": {"kind": "text", "format": "email"}},
    ]);
    let question = json!({"message": "Which\u{1b}]0;x?\nNow.", "fields": fields});
    let answered = |reply: serde_json::Value, by: serde_json::Value| json!({"type": "question_answered", "request": 1, "reply": reply, "by": by});
    let accepted = json!({"reply": "accepted", "content": {"channel": "b"}});
    let mut declined = answered(json!({"reply": "declined"}), json!({"by": "policy"}));
    declined["why"] = json!("it wants a page to be opened");
    let events = [
        json!({"type": "question_asked", "turn": 1, "request": 1, "question": question, "deadline": 9}),
        answered(accepted, json!({"by": "person", "name": "Ada"})),
        declined,
        answered(json!({"reply": "cancelled"}), json!({"by": "deadline"})),
    ];
    let expected = "? the agent asks: Which]0;x?\n    channel*: one of Stable, Be[2Jta (Channel)\n    mail: an e-mail address\n\
        answered by Ada: {\"channel\":\"b\"}\ndeclined: it wants a page to be opened\nnobody answered in time: cancelled\n";
    assert_eq!(drawn(false, &events), expected);
}
