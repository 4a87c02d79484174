//! What took how long, told to a collector: a real server, a real agent process.

mod collector;

use crate::support::{Place, Server};
use collector::{Collector, Span};
use serde_json::json;
use std::collections::HashSet;

fn place(collector: &Collector) -> Place {
    let mut place = Place::with(&format!("[traces]\nurl = '{}'\nheaders_env = 'WORD'\n", collector.url));
    place.environment.push(("WORD", "authorization=Basic%20a+b=="));
    place
}

const WORD: &str = "Basic a+b==";

fn count(spans: &[Span], name: &str) -> usize {
    spans.iter().filter(|span| span.name == name).count()
}

fn named<'a>(spans: &'a [Span], name: &str) -> &'a Span {
    spans.iter().find(|span| span.name == name).unwrap_or_else(|| panic!("no {name} in {spans:?}"))
}

#[tokio::test]
async fn a_prompt_is_one_trace_from_what_it_waited_for_to_its_commit() {
    let collector = Collector::start(WORD, 1).await;
    let server = Server::start_in(place(&collector));
    let id = server.create("!write one.txt one\n!run true\n!say the needle is here").await;
    let log = server.until(&id, "work_committed", 1).await;
    let spans = collector.until(|spans| count(spans, "commit") == 1).await;
    let traces: HashSet<_> = spans.iter().map(|span| span.trace_id.as_str()).collect();
    assert_eq!(traces.len(), 1, "{spans:?}");
    let ids: HashSet<_> = spans.iter().map(|span| span.span_id.as_str()).collect();
    assert_eq!(ids.len(), spans.len(), "an id is given twice: {spans:?}");
    for span in &spans {
        assert!(span.parent_span_id.as_deref().is_none_or(|parent| ids.contains(parent)), "{span:?}");
        assert!(span.status.is_none(), "{span:?}");
        assert!(!format!("{span:?}").contains("needle"), "{span:?}");
    }
    let prompt = named(&spans, "prompt");
    assert_eq!(prompt.parent_span_id, None);
    assert_eq!(prompt.attribute("session.id"), Some(id.as_str()));
    assert_eq!(prompt.attribute("lamplight.outcome"), Some("completed"));
    for name in ["sandbox", "workspace", "agent", "commit"] {
        assert_eq!(named(&spans, name).parent_span_id.as_ref(), Some(&prompt.span_id), "{name}");
    }
    let work = spans.iter().find(|span| span.name.starts_with("invoke_agent ")).unwrap();
    let tools = spans.iter().filter(|span| span.name.starts_with("execute_tool ")).count();
    assert_eq!(tools, 2, "{spans:?}");
    assert!(
        spans.iter().all(|span| !span.name.starts_with("execute_tool ")
            || span.parent_span_id.as_ref() == Some(&work.span_id))
    );
    // They are the log's own times.
    let at = |kind: &str| {
        let entry = log.iter().find(|entry| entry["event"]["type"] == kind).unwrap();
        entry["at"].as_u64().unwrap() * 1_000_000
    };
    assert_eq!(prompt.times(), (at("prompt_queued"), at("turn_ended")));
    assert_eq!(named(&spans, "sandbox").times(), (at("sandbox_requested"), at("sandbox_created")));
    server.clear().await;
}

#[tokio::test]
async fn what_went_wrong_says_why_and_a_server_that_takes_over_tells_the_rest() {
    let collector = Collector::start(WORD, 0).await;
    let server = Server::start_in(place(&collector));
    let id = server.create("!exit 3").await;
    let spans = collector.until(|spans| count(spans, "prompt") == 1).await;
    let failed = named(&spans, "prompt");
    assert_eq!(failed.attribute("lamplight.outcome"), Some("failed"));
    assert!(!failed.status.as_ref().unwrap().message.is_empty());
    server.signal("KILL");
    let (_, place) = server.ended();
    let server = Server::start_in(place);
    server.post(&format!("/sessions/{id}/prompts"), json!({"text": "!run true"})).await;
    let spans = collector.until(|spans| count(spans, "prompt") == 2).await;
    let traces: HashSet<_> = spans.iter().map(|span| span.trace_id.as_str()).collect();
    assert_eq!(traces.len(), 2, "{spans:?}");
    let ids: HashSet<_> = spans.iter().map(|span| span.span_id.as_str()).collect();
    assert_eq!(ids.len(), spans.len(), "what was told before the server died is told again: {spans:?}");
    server.clear().await;
}

#[test]
fn an_address_that_is_none_and_headers_that_are_none_are_refused_by_name() {
    for (file, variable, says) in [
        ("[traces]\nurl = 'collector:4318'\n", "", "traces.url"),
        ("[traces]\nurl = 'http://127.0.0.1:4318'\n", "no header", "OTEL_EXPORTER_OTLP_HEADERS"),
        ("[traces]\naddress = 'http://127.0.0.1:4318'\n", "", "address"),
    ] {
        let mut place = Place::with(file);
        place.environment.push(("OTEL_EXPORTER_OTLP_HEADERS", variable));
        let output = place.run(&["serve"]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains(says), "{said}");
    }
}
