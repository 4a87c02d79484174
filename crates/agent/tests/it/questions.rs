//! Questions as agents send them, and what is read of them: all of it, or the reason why it cannot be asked.

use lamplight_agent::{Listening, Reader, Said};
use lamplight_domain::TurnNumber;
use lamplight_domain::agent::AgentReport;
use lamplight_domain::question::{MAX_CHOICES, MAX_FIELDS, MAX_QUESTION_BYTES, Question};
use serde_json::{Value, json};

/// What is read of a request with these parameters.
fn read(params: &Value) -> (Question, Option<String>) {
    let line = json!({ "jsonrpc": "2.0", "id": "q-1", "method": "elicitation/create", "params": params });
    let said = Reader::default().read(line.to_string().as_bytes(), Listening::Turn(TurnNumber(1)));
    assert!(said.events.is_empty(), "{:?}", said.events);
    let [AgentReport::QuestionAsked { request, question, unfit }] = said.reports.as_slice() else {
        panic!("{:?}", said.reports)
    };
    assert_eq!(*request, "q-1");
    ((**question).clone(), unfit.clone())
}

fn form(schema: Value) -> Value {
    json!({ "mode": "form", "sessionId": "s", "message": "Which?", "requestedSchema": schema })
}

fn check(schema: Value, fields: Value) {
    let (question, unfit) = read(&form(schema));
    assert_eq!(unfit, None);
    assert_eq!(serde_json::to_value(question).unwrap()["fields"], fields);
}

/// The only field, of this schema, makes the question unfit.
fn check_unfit(property: Value, why: &str) {
    let (question, unfit) = read(&form(json!({ "type": "object", "properties": { "it": property } })));
    assert_eq!(unfit, Some(why.to_owned()));
    assert_eq!(
        (question.message.as_str(), question.fields),
        ("Which?", Vec::new()),
        "people see what it said"
    );
}

/// A sub-agent has a session of its own, of which nobody here knows. What it asks waits for an answer like all else, so it is read like all else.
#[test]
fn what_a_sub_agent_asks_in_a_session_of_its_own_is_asked() {
    let read = |session: &str, method: &str, mut params: Value| {
        params["sessionId"] = json!(session);
        let line = json!({ "jsonrpc": "2.0", "id": "q-1", "method": method, "params": params });
        Reader::default().read(line.to_string().as_bytes(), Listening::Turn(TurnNumber(1)))
    };
    let leave = json!({
        "toolCall": { "toolCallId": "c-1", "title": "Delete everything" },
        "options": [{ "optionId": "yes", "name": "Yes", "kind": "allow_once" }],
    });
    let question = form(json!({ "type": "object", "properties": { "it": { "type": "string" } } }));
    for (method, params) in [("session/request_permission", leave), ("elicitation/create", question)] {
        let said = read("s", method, params.clone());
        assert_eq!(said.reports.len(), 1, "{said:?}");
        assert_eq!(read("the-child-of-s", method, params), said);
    }
}

/// The shape in which Claude's AskUserQuestion asks: nothing is required, and beside each choice there is a text of one's own.
#[test]
fn a_question_of_claudes() {
    let choices = json!([
        { "const": "Postgres", "title": "Postgres", "description": "Relational", "_meta": { "preview": "create" } },
        { "const": "Redis", "title": "Redis" },
    ]);
    let schema = json!({ "type": "object", "properties": {
        "question_0": { "type": "string", "title": "Database", "oneOf": choices },
        "question_0_custom": { "type": "string", "title": "Other", "description": "Your own answer" },
        "question_1": { "type": "array", "title": "Systems", "description": "On which?", "items": { "anyOf": choices } },
    } });
    let choices = json!([
        { "value": "Postgres", "title": "Postgres", "description": "Relational" },
        { "value": "Redis", "title": "Redis" },
    ]);
    let fields = json!([
        { "name": "question_0", "title": "Database", "takes": { "kind": "choice", "choices": choices } },
        { "name": "question_0_custom", "title": "Other", "description": "Your own answer", "takes": { "kind": "text" } },
        { "name": "question_1", "title": "Systems", "description": "On which?",
          "takes": { "kind": "choices", "choices": choices } },
    ]);
    check(schema, fields);
}

#[test]
fn every_kind_of_field_with_all_that_it_may_say() {
    check(
        json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "required": ["mail", "keep"],
            "additionalProperties": false,
            "properties": {
                "mail": { "type": "string", "format": "email", "minLength": 3, "maxLength": 100, "default": "a@b" },
                "at": { "type": "string", "format": "date-time", "default": 7 },
                "share": { "type": "number", "minimum": 0.5, "maximum": 99.5, "default": 12.5 },
                "keep": { "type": "integer", "minimum": -1, "maximum": 9, "default": 3, "title": null },
                "sign": { "type": "boolean", "default": true, "pattern": null },
                "one": { "type": "string", "enum": ["a", "b"], "enumNames": ["Left"], "default": "c" },
                "some": { "type": "array", "items": { "type": "string", "enum": ["a", "b"] }, "minItems": 1,
                          "maxItems": 2, "uniqueItems": true, "default": ["b", "c"] },
            },
        }),
        json!([
            { "name": "mail", "required": true, "takes":
                { "kind": "text", "format": "email", "min_length": 3, "max_length": 100, "default": "a@b" } },
            { "name": "at", "takes": { "kind": "text", "format": "date_time" } },
            { "name": "share", "takes": { "kind": "number", "minimum": 0.5, "maximum": 99.5, "default": 12.5 } },
            { "name": "keep", "required": true, "takes":
                { "kind": "integer", "minimum": -1, "maximum": 9, "default": 3 } },
            { "name": "sign", "takes": { "kind": "yes_no", "default": true } },
            { "name": "one", "takes": { "kind": "choice", "choices":
                [{ "value": "a", "title": "Left" }, { "value": "b", "title": "b" }] } },
            { "name": "some", "takes": { "kind": "choices", "min_items": 1, "max_items": 2, "default": ["b"],
                "choices": [{ "value": "a", "title": "a" }, { "value": "b", "title": "b" }] } },
        ]),
    );
}

#[test]
fn a_message_alone_is_a_question() {
    check(json!({ "type": "object", "title": "Sure?", "properties": {} }), json!([]));
    check(json!({}), json!([]));
    let (_, unfit) = read(&json!({ "message": "Which?", "requestedSchema": {} }));
    assert_eq!(unfit, None, "forms are older than modes");
}

#[test]
fn a_page_is_opened_for_nobody() {
    let why = |url: &str| {
        let params = json!({ "mode": "url", "elicitationId": "e", "message": "Sign in.", "url": url });
        let (question, unfit) = read(&params);
        assert_eq!(question, Question { message: "Sign in.".to_owned(), ..Question::default() });
        unfit.unwrap()
    };
    let of =
        |host: &str| format!("it wants a page of {host} to be opened, and Lamplight opens none for agents");
    let plain = "it wants a page to be opened, and Lamplight opens none for agents";
    assert_eq!(why("https://example.org:8443/sign-in?next=/"), of("example.org:8443"));
    assert_eq!(why("https://bank.example@evil.example/"), of("evil.example"), "the host that it really is");
    assert_eq!(why("https://evil.example\\@bank.example/"), of("evil.example"));
    for strange in ["javascript:alert(1)", "https://", "https://ex\u{202e}ample.org", "", "https://<b>"] {
        assert_eq!(why(strange), plain, "{strange}");
    }
    assert_eq!(why(&format!("https://{}.org", "a".repeat(100))), plain);
    let closed = br#"{"jsonrpc":"2.0","method":"elicitation/complete","params":{"elicitationId":"e"}}"#;
    assert_eq!(Reader::default().read(closed, Listening::Turn(TurnNumber(1))), Said::default());
}

#[test]
fn what_is_not_understood_is_not_asked() {
    check_unfit(
        json!({ "type": "object", "properties": {} }),
        r#""it": it is of the type "object", which cannot be asked for"#,
    );
    check_unfit(
        json!({ "type": "string", "pattern": "^a" }),
        r#""it": it uses "pattern", which Lamplight does not check"#,
    );
    check_unfit(
        json!({ "type": "integer", "enum": [1] }),
        r#""it": it uses "enum", which Lamplight does not check"#,
    );
    check_unfit(
        json!({ "type": "string", "format": "ipv4" }),
        r#""it": it is of the format "ipv4", which Lamplight does not know"#,
    );
    check_unfit(json!({ "type": "string", "minLength": -1 }), r#""it": its minLength is no such number"#);
    check_unfit(json!({ "type": "string", "enum": [] }), r#""it": it offers nothing"#);
    check_unfit(json!({ "type": "string", "enum": ["a", 1] }), r#""it": what it offers is not all texts"#);
    check_unfit(json!({ "type": "string", "enum": ["a", "a"] }), r#""it": it offers the same twice"#);
    check_unfit(
        json!({ "type": "string", "oneOf": [{ "const": 1 }] }),
        r#""it": something that it offers is no text"#,
    );
    check_unfit(
        json!({ "type": "string", "enum": ["a"], "oneOf": [{ "const": "a" }] }),
        r#""it": it says twice what it offers"#,
    );
    check_unfit(
        json!({ "type": "array", "items": { "type": "number" } }),
        r#""it": its list is not one of texts"#,
    );
    check_unfit(json!({ "type": "array" }), r#""it": it does not say what is in the list"#);
    check_unfit(json!({ "$ref": "#/$defs/a" }), r#""it": it says no type"#);
    check_unfit(json!(true), r#""it": it is no schema"#);
    let long = format!("x{}", "y".repeat(100));
    check_unfit(
        json!({ "type": "boolean", long: 1 }),
        r#""it": it uses something with a long name, which Lamplight does not check"#,
    );

    let why = |params: Value| read(&params).1.unwrap();
    assert_eq!(why(form(json!({ "required": ["a"] }))), r#"it requires "a", which it does not ask for"#);
    assert_eq!(why(form(json!({ "allOf": [] }))), r#"it uses "allOf", which Lamplight does not check"#);
    assert_eq!(
        why(json!({ "mode": "voice", "message": "?" })),
        r#"it is of the mode "voice", which Lamplight does not know"#
    );
    assert_eq!(why(json!({ "mode": "form", "message": "?" })), "it has no form");
    assert_eq!(why(json!({ "mode": "form", "requestedSchema": {} })), "its message is missing, or too long");
    assert_eq!(why(Value::Null), "its message is missing, or too long");
}

#[test]
fn a_question_is_bounded() {
    let fields = |count: usize| -> Value {
        let properties: serde_json::Map<_, _> =
            (0..count).map(|n| (n.to_string(), json!({ "type": "boolean" }))).collect();
        form(json!({ "properties": properties }))
    };
    assert_eq!(read(&fields(MAX_FIELDS)).1, None);
    assert_eq!(read(&fields(MAX_FIELDS + 1)).1.as_deref(), Some("it has more than 20 fields"));
    let choices = |count: usize| -> Value {
        let values: Vec<String> = (0..count).map(|n| n.to_string()).collect();
        form(json!({ "properties": { "it": { "type": "string", "enum": values } } }))
    };
    assert_eq!(read(&choices(MAX_CHOICES)).1, None);
    assert_eq!(read(&choices(100_000)).1.as_deref(), Some(r#""it": it offers more than 50 things"#));

    let long =
        json!({ "mode": "form", "message": "x".repeat(MAX_QUESTION_BYTES + 1), "requestedSchema": {} });
    let (question, unfit) = read(&long);
    assert_eq!(
        (question, unfit.as_deref()),
        (Question::default(), Some("its message is missing, or too long"))
    );
    let title = "x".repeat(MAX_QUESTION_BYTES);
    let (question, unfit) = read(&form(json!({ "title": title })));
    assert_eq!((question.title, unfit.as_deref()), (None, Some("it is longer than 16384 bytes")));
}
