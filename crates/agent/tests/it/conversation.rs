//! A whole conversation with a process, and everything that it refuses.

use crate::client::{Client, Place};
use lamplight_domain::agent::{AgentInput, AgentReport, Model, ModelConfig, Opened, RequestKind, StopReason};
use lamplight_domain::permission::{self, Answer, Policy};
use lamplight_domain::question::{FieldValue, Reply};
use lamplight_domain::transcript::{ToolContent, ToolStatus};
use lamplight_domain::{Event, FailureClass, TurnNumber};

#[test]
fn an_ordinary_turn_is_read_whole() {
    let place = Place::new();
    let mut client = place.start(&["--banner", "--early-updates"]);
    let model = |id: &str| Model { id: id.to_owned(), name: id.to_owned() };
    assert_eq!(
        client.open(),
        Opened {
            agent_session: "scripted-1".to_owned(),
            models: vec![model("scripted-large"), model("scripted-small")],
            model: Some("scripted-large".to_owned()),
            model_config: Some(ModelConfig::Option { id: "model".to_owned() }),
            modes: vec!["full-access".to_owned(), "read-only".to_owned()],
            mode: Some("full-access".to_owned()),
        }
    );
    client.events.clear();
    client.prompt(1, "Write down hello");
    assert_eq!(client.ended(), Ok(StopReason::EndTurn));

    let kinds: Vec<String> = client.events.iter().map(kind).collect();
    assert_eq!(
        kinds,
        ["thought", "plan of 2", "edit", "completed", "execute", "completed", "spoke", "sent prompt_result"]
    );
    let written = std::fs::read_to_string(place.workspace().join("turn-1.md")).unwrap();
    assert_eq!(written, "Write down hello");
    let contents: Vec<_> = client.events.iter().filter_map(content).collect();
    assert_eq!(
        contents,
        [
            ToolContent::Diff { path: "turn-1.md".into(), old: None, new: "Write down hello".into() },
            ToolContent::Text { text: "16 turn-1.md\n".into() },
        ]
    );
}

fn kind(event: &Event) -> String {
    match event {
        Event::AgentSpoke { .. } => "spoke".to_owned(),
        Event::AgentThought { .. } => "thought".to_owned(),
        Event::PlanChanged { entries, .. } => format!("plan of {}", entries.len()),
        Event::AgentSent { kind, .. } => format!("sent {kind}"),
        Event::ToolCalled { call, .. } => match (call.status, &call.kind) {
            (Some(ToolStatus::Completed), None) => "completed".to_owned(),
            (Some(ToolStatus::Failed), None) => "failed".to_owned(),
            (_, kind) => kind.clone().unwrap_or_default(),
        },
        other => format!("{other:?}"),
    }
}

fn content(event: &Event) -> Option<ToolContent> {
    match event {
        Event::ToolCalled { call, .. } => call.content.as_ref()?.first().cloned(),
        _ => None,
    }
}

#[test]
fn a_later_process_loads_the_conversation_and_its_past_is_not_told_again() {
    let place = Place::new();
    let mut first = place.start(&[]);
    let opened = first.open();
    first.prompt(1, "!say Remember the number 7411.");
    first.ended().unwrap();
    drop(first);

    let mut second = place.start(&[]);
    second.tell(&AgentInput::Initialize);
    second.until(|report| *report == AgentReport::Initialized { can_load: true, takes_images: false });
    second.listening = lamplight_agent::Listening::Loading;
    second.tell(&AgentInput::LoadSession { agent_session: opened.agent_session.clone() });
    assert_eq!(second.opened(), opened);
    assert_eq!(second.events, []);
    second.prompt(2, "!say Now the next.");
    second.ended().unwrap();
    assert_eq!(second.text(), "Now the next.");
}

#[test]
fn a_conversation_that_cannot_be_loaded_is_refused_and_a_new_one_can_be_opened() {
    let place = Place::new();
    let mut client = place.start(&["--refuse-load"]);
    client.tell(&AgentInput::Initialize);
    client.tell(&AgentInput::LoadSession { agent_session: "scripted-1".to_owned() });
    client.until(|report| {
        matches!(report, AgentReport::RequestFailed { what: RequestKind::LoadSession, failure }
            if failure.class == FailureClass::Persistent)
    });
    client.tell(&AgentInput::NewSession);
    assert_eq!(client.opened().agent_session, "scripted-1");
}

#[test]
fn a_missing_key_needs_a_person() {
    let mut client = Client::alone(&["--no-key"]);
    client.tell(&AgentInput::Initialize);
    client.tell(&AgentInput::NewSession);
    client.until(|report| {
        matches!(report, AgentReport::RequestFailed { what: RequestKind::NewSession, failure }
            if failure.class == FailureClass::NeedsYou && failure.message.contains("lamplight keys set"))
    });
}

#[test]
fn model_and_mode_are_chosen_in_both_forms() {
    for (arguments, config) in [
        (&[][..], ModelConfig::Option { id: "model".to_owned() }),
        (&["--old-models"][..], ModelConfig::SetModel),
    ] {
        let mut client = Client::alone(arguments);
        let opened = client.open();
        assert_eq!((opened.models.len(), &opened.model_config), (2, &Some(config.clone())));
        let agent_session = opened.agent_session;
        client.tell(&AgentInput::ChooseModel {
            agent_session: agent_session.clone(),
            config,
            model: "scripted-small".to_owned(),
        });
        client.until(|report| *report == AgentReport::Configured);
        client.tell(&AgentInput::ChooseMode {
            agent_session: agent_session.clone(),
            mode: "read-only".to_owned(),
        });
        client.until(|report| *report == AgentReport::Configured);
        client.tell(&AgentInput::ChooseMode { agent_session, mode: "no-such-mode".to_owned() });
        client.until(|report| {
            matches!(report, AgentReport::RequestFailed { what: RequestKind::ChooseMode, .. })
        });
    }
}

#[test]
fn permission_is_asked_and_answered_by_kind() {
    for (policy, chosen) in [(Policy::Allow, "once"), (Policy::Reject, "no")] {
        let mut client = Client::alone(&[]);
        client.open();
        client.prompt(1, "!ask Delete everything");
        let report = client.until(|report| matches!(report, AgentReport::PermissionAsked { .. }));
        let AgentReport::PermissionAsked { request, call, options } = report else { unreachable!() };
        assert_eq!(call.title.as_deref(), Some("Delete everything"));
        let answer = permission::at_once(policy, &options).unwrap();
        client.tell(&AgentInput::AnswerPermission { request, answer });
        assert_eq!(client.ended(), Ok(StopReason::EndTurn));
        assert_eq!(client.text(), format!("Permission: {chosen}."));
    }
}

const QUESTION: &str = r#"{"message":"Which?","requestedSchema":{"type":"object","properties":{"which":{"type":"string","enum":["a","b"]}},"required":["which"]}}"#;

#[test]
fn a_question_is_asked_and_what_is_answered_is_heard() {
    let content = [("which".to_owned(), FieldValue::Text("b".to_owned()))].into();
    for (reply, heard) in [
        (Reply::Accepted { content }, r#"Answer: accept {"which":"b"}."#),
        (Reply::Declined, "Answer: decline."),
        (Reply::Cancelled, "Answer: cancel."),
    ] {
        let mut client = Client::alone(&[]).with_a_person();
        client.open();
        client.prompt(1, &format!("!ask-form {QUESTION}"));
        let report = client.until(|report| matches!(report, AgentReport::QuestionAsked { .. }));
        let AgentReport::QuestionAsked { request, question, unfit: None } = report else {
            panic!("{report:?}")
        };
        assert_eq!((question.message.as_str(), question.fields.len()), ("Which?", 1));
        client.tell(&AgentInput::AnswerQuestion { request, reply });
        assert_eq!(client.ended(), Ok(StopReason::EndTurn));
        assert_eq!(client.text(), heard);
    }
}

#[test]
fn an_agent_that_was_not_told_that_it_may_ask_does_not() {
    let mut client = Client::alone(&[]);
    client.open();
    client.prompt(1, &format!("!ask-form {QUESTION}"));
    assert_eq!(client.ended(), Ok(StopReason::EndTurn));
    assert_eq!(client.text(), "Nobody can be asked.");
}

#[test]
fn a_cancelled_turn_says_so_and_the_next_one_runs() {
    let mut client = Client::alone(&[]);
    client.open();
    client.prompt(1, "!ask May I?\n!hang");
    let report = client.until(|report| matches!(report, AgentReport::PermissionAsked { .. }));
    let AgentReport::PermissionAsked { request, .. } = report else { unreachable!() };
    client.cancel();
    client.tell(&AgentInput::AnswerPermission { request, answer: Answer::Cancelled });
    assert_eq!(client.ended(), Ok(StopReason::Cancelled));

    client.prompt(2, "!run sleep 1000");
    // The call is told before the command runs.
    client.cancel();
    assert_eq!(client.ended(), Ok(StopReason::Cancelled));
    client.prompt(3, "!say Here again.");
    assert_eq!(client.ended(), Ok(StopReason::EndTurn));
    assert_eq!(client.text(), "Here again.");
}

#[test]
fn what_we_do_not_serve_is_refused_and_what_nobody_knows_is_kept_or_ignored() {
    let mut client = Client::alone(&[]);
    client.open();
    client.events.clear();
    client.prompt(
        1,
        "!notify vendor/hello\n!strange-update vendor_news\n!request fs/write_text_file\n!late Afterwards.",
    );
    let report = client.until(|report| matches!(report, AgentReport::UnknownRequest { .. }));
    let AgentReport::UnknownRequest { request, method } = report else { unreachable!() };
    assert_eq!(method, "fs/write_text_file");
    client.tell(&AgentInput::Unsupported { request, method });
    client.ended().unwrap();
    client.prompt(2, "!say Next.");
    client.ended().unwrap();
    let news = serde_json::json!({ "sessionUpdate": "vendor_news", "strange": true });
    assert!(matches!(&client.events[0], Event::AgentSent { turn: TurnNumber(1), kind, raw }
        if kind == "vendor_news" && *raw == news));
    assert_eq!(client.text(), "Afterwards.Next.");
}

#[test]
fn an_error_at_the_end_of_a_turn_is_classed() {
    let mut client = Client::alone(&[]);
    client.open();
    for (turn, code, words, class) in [
        (1, -32603, "Internal error", FailureClass::Persistent),
        (2, -32000, "Authentication required", FailureClass::NeedsYou),
        (3, 401, "bad", FailureClass::NeedsYou),
        (4, -32603, "429 Too Many Requests", FailureClass::Transient),
        (5, -32603, "Your credit balance is too low", FailureClass::NeedsYou),
        (6, -32603, "stream disconnected before completion", FailureClass::Transient),
    ] {
        client.prompt(turn, &format!("!error {code} {words}"));
        let failure = client.ended().unwrap_err();
        assert_eq!(failure.class, class, "{words}: {failure:?}");
        assert!(failure.message.contains(words), "{failure:?}");
    }
}

#[test]
fn misuse_is_refused_loudly() {
    let prompt = |turn: u32, agent_session: &str| AgentInput::Prompt {
        agent_session: agent_session.to_owned(),
        turn: TurnNumber(turn),
        retry: 0,
        text: "!wait 50".to_owned(),
        attachments: Vec::new(),
        images: false,
    };
    let check = |told: &[AgentInput], complaint: &str| {
        let mut client = Client::alone(&[]);
        for input in told {
            client.tell(input);
        }
        client.close_input();
        let (status, said, ..) = client.until_exit();
        assert_eq!((status.code(), said.contains(complaint)), (Some(70), true), "{complaint}: {said}");
    };
    use AgentInput::{Cancel, Initialize, NewSession};
    check(&[NewSession], "before initialize");
    check(&[Initialize, Initialize], "came twice");
    check(&[Initialize, NewSession, prompt(1, "another")], "is not open");
    check(&[Initialize, NewSession, Cancel { agent_session: "another".to_owned() }], "is not open");
    check(
        &[Initialize, NewSession, prompt(1, "scripted-1"), prompt(1, "scripted-1")],
        "while a prompt is running",
    );
    check(
        &[Initialize, AgentInput::AnswerPermission { request: 0.into(), answer: Answer::Cancelled }],
        "an answer to nothing",
    );

    let mut client = Client::alone(&[]);
    client.open();
    client.prompt(1, "!say once");
    client.ended().unwrap();
    client.prompt(1, "!say twice");
    assert_eq!(client.until_exit().0.code(), Some(70));
    broken_json_is_misuse(Client::alone(&[]));
}

fn broken_json_is_misuse(mut client: Client) {
    client.write(b"{\"jsonrpc\":\n");
    let (status, complaint, ..) = client.until_exit();
    assert_eq!((status.code(), complaint.contains("not JSON")), (Some(70), true), "{complaint}");
}
