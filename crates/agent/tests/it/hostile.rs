//! Agents that mean harm, or are broken: every one of them ends in a report, in bounded memory.

use crate::client::Client;
use lamplight_agent::lines::MAX_LINE_BYTES;
use lamplight_agent::reading::{MAX_NOTE_BYTES, MAX_UNREADABLE_IN_A_ROW};
use lamplight_agent::{Listening, Reader};
use lamplight_domain::agent::{AgentReport, StopReason};
use lamplight_domain::{Event, TurnNumber};
use std::os::unix::process::ExitStatusExt;

#[test]
fn a_gigabyte_without_a_newline_is_reported_once_and_not_kept() {
    let mut client = Client::alone(&[]);
    client.open();
    let before = peak_kib();
    client.prompt(1, "!bytes 1073741824");
    let report = client.until(|report| matches!(report, AgentReport::ProtocolBroken { .. }));
    let AgentReport::ProtocolBroken { failure } = report else { unreachable!() };
    assert!(failure.message.contains("16 MiB"), "{failure:?}");
    // The rest of the gigabyte is read, and nothing comes of it.
    let (_, _, _, reports) = {
        client.close_input();
        client.until_exit()
    };
    let broken = reports.iter().filter(|report| matches!(report, AgentReport::ProtocolBroken { .. }));
    assert_eq!(broken.count(), 1);
    let grown = peak_kib() - before;
    let bound = 4 * MAX_LINE_BYTES as u64 / 1024;
    assert!(grown < bound, "the peak grew by {grown} KiB, more than {bound}");
}

/// The most memory that this process ever held.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    peak.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn a_few_bad_lines_are_noted_and_many_are_the_end() {
    let mut client = Client::alone(&[]);
    client.open();
    client.events.clear();
    client.prompt(1, "!garbage 3\n!say Fine.");
    assert_eq!(client.ended(), Ok(StopReason::EndTurn));
    let notes = client.events.iter().filter(|event| matches!(event, Event::AgentLogged { .. })).count();
    assert_eq!((notes, client.text().as_str()), (3, "Fine."));

    client.prompt(2, &format!("!garbage {}", MAX_UNREADABLE_IN_A_ROW - 1));
    client.ended().unwrap();
    assert!(!client.reports.iter().any(|report| matches!(report, AgentReport::ProtocolBroken { .. })));
    client.prompt(3, &format!("!garbage {MAX_UNREADABLE_IN_A_ROW}"));
    client.until(|report| matches!(report, AgentReport::ProtocolBroken { .. }));
}

#[test]
fn ten_thousand_permission_requests_are_ten_thousand_reports() {
    let mut client = Client::alone(&[]);
    client.open();
    client.prompt(1, "!ask-flood 10000");
    let last = serde_json::json!(9999);
    client.until(|report| matches!(report, AgentReport::PermissionAsked { request, .. } if *request == last));
}

#[test]
fn leaving_in_the_middle_is_seen_as_it_was() {
    for (step, code, signal) in [("!exit 3", Some(3), None), ("!exit signal 9", None, Some(9))] {
        let mut client = Client::alone(&[]);
        client.open();
        client.prompt(1, &format!("!say Before.\n!log farewell\n{step}"));
        let (status, complaint, events, reports) = client.until_exit();
        assert_eq!((status.code(), status.signal()), (code, signal));
        assert_eq!(complaint, "farewell\n");
        assert!(matches!(events.last(), Some(Event::AgentSpoke { text, .. }) if text == "Before."));
        assert!(!reports.iter().any(|report| matches!(report, AgentReport::PromptEnded { .. })));
    }
}

#[test]
fn a_deaf_agent_ends_only_when_it_is_killed() {
    let mut client = Client::alone(&["--deaf"]);
    client.open();
    client.prompt(1, "!ignore-cancel\n!say I stay.\n!hang");
    client.cancel();
    assert_eq!(client.until_text(), "I stay.");
    let status = std::fs::read_to_string(format!("/proc/{}/status", client.id())).unwrap();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap();
    let ignored = u64::from_str_radix(ignored.trim(), 16).unwrap();
    // HUP, INT and TERM: signals 1, 2 and 15.
    assert_eq!(ignored & 0x4003, 0x4003, "ignored signals: {ignored:x}");
}

#[test]
fn what_is_kept_of_a_long_line_ends_between_two_words() {
    let secret = "s3cret".repeat(10);
    let line = format!("{} {secret}", "x".repeat(MAX_NOTE_BYTES - 10));
    let said = Reader::default().read(line.as_bytes(), Listening::Turn(TurnNumber(1)));
    let [Event::AgentLogged { text }] = said.events.as_slice() else { panic!("{said:?}") };
    assert!(text.ends_with("xxx …\n") && !text.contains("s3"), "{text}");
}

#[test]
fn names_and_values_without_end_are_not_messages() {
    let check = |line: String, why: &str| {
        let said = Reader::default().read(line.as_bytes(), Listening::Turn(TurnNumber(1)));
        assert_eq!(said.reports, []);
        let [Event::AgentLogged { text }] = said.events.as_slice() else { panic!("{said:?}") };
        assert!(text.contains(why) && text.len() < 2 * MAX_NOTE_BYTES, "{text}");
    };
    let long = "x".repeat(1_000_000);
    check(format!(r#"{{"id":"{long}","method":"fs/read_text_file"}}"#), "its id");
    check(format!(r#"{{"id":1,"method":"{long}"}}"#), "its method");
    check(
        format!("{{\"id\":1,\"method\":\"m\",\"params\":[{}0]}}", "0,".repeat(1_000_000)),
        "values in one line",
    );
    check("[".repeat(1_000_000), "values in one line");
    check("[".repeat(100_000), "recursion limit");
}
