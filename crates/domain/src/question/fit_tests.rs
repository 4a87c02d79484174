use super::*;
use serde_json::{Value, json};

fn question(takes: Value) -> Question {
    serde_json::from_value(json!({
        "message": "Which?",
        "fields": [
            { "name": "it", "required": true, "takes": takes },
            { "name": "note", "takes": { "kind": "text" } },
        ],
    }))
    .unwrap()
}

/// What is said of each of these values: nothing of those that fit.
fn check(takes: Value, fitting: &[Value], others: &[(Value, &str)]) {
    let question = question(takes);
    let say = |value: &Value| {
        let content = serde_json::from_value(json!({ "it": value })).unwrap();
        question.fits(&content)
    };
    for value in fitting {
        assert_eq!(say(value), Ok(()), "{value}");
    }
    for (value, why) in others {
        let misfit = Misfit { field: Some("it".to_owned()), why: (*why).to_owned() };
        assert_eq!(say(value), Err(misfit), "{value}");
    }
}

fn choices() -> Value {
    json!([{ "value": "a", "title": "A" }, { "value": "b", "title": "B" }, { "value": "c", "title": "C" }])
}

#[test]
fn texts() {
    let text = "it has to be a text";
    check(json!({ "kind": "text" }), &[json!(""), json!("yes")], &[(json!(1), text), (json!(["a"]), text)]);
    check(
        json!({ "kind": "text", "min_length": 2, "max_length": 3 }),
        &[json!("äö"), json!("abc")],
        &[(json!("ä"), "at least 2 characters"), (json!("abcd"), "at most 3 characters")],
    );
    let wrong = |values: &[&str], why: &'static str| -> Vec<(Value, &'static str)> {
        values.iter().map(|value| (json!(value), why)).collect()
    };
    check(
        json!({ "kind": "text", "format": "email" }),
        &[json!("ada@example.org")],
        &wrong(&["ada", "@x", "ada@", "a@b@c", "a b@c"], "it has to look like ada@example.org"),
    );
    check(
        json!({ "kind": "text", "format": "uri" }),
        &[json!("https://example.org/a?b#c"), json!("urn:a")],
        &wrong(
            &["example.org", ":a", "a:", "1a:b", "a b:c", "https://a b"],
            "it has to look like https://example.org",
        ),
    );
    check(
        json!({ "kind": "text", "format": "date" }),
        &[json!("2024-02-29"), json!("2000-02-29"), json!("2026-12-31")],
        &wrong(
            &[
                "2026-02-29",
                "1900-02-29",
                "2026-13-01",
                "2026-00-01",
                "2026-1-1",
                "2026-01-00",
                "2026-04-31",
                "+026-01-01",
            ],
            "it has to look like 2026-01-31",
        ),
    );
    check(
        json!({ "kind": "text", "format": "date_time" }),
        &[
            json!("2026-01-31T12:00:00Z"),
            json!("2026-01-31t12:00:00.25+02:00"),
            json!("2026-01-31T23:59:60-00:00"),
        ],
        &wrong(
            &[
                "2026-01-31",
                "2026-01-31T12:00Z",
                "2026-01-31T12:00:00",
                "2026-01-31T24:00:00Z",
                "2026-01-31T12:00:00.Z",
                "2026-01-31T12:00:00+2",
            ],
            "it has to look like 2026-01-31T12:00:00Z",
        ),
    );
}

#[test]
fn numbers_and_yes_or_no() {
    check(
        json!({ "kind": "number", "minimum": 0.5, "maximum": 2.0 }),
        &[json!(0.5), json!(1), json!(2)],
        &[(json!(0.25), "at least 0.5"), (json!(3), "at most 2"), (json!("1"), "it has to be a number")],
    );
    let whole = "it has to be a whole number";
    check(
        json!({ "kind": "integer", "minimum": -1, "maximum": 3 }),
        &[json!(-1), json!(3)],
        &[(json!(-2), "at least -1"), (json!(4), "at most 3"), (json!(1.5), whole), (json!(true), whole)],
    );
    check(
        json!({ "kind": "yes_no" }),
        &[json!(true), json!(false)],
        &[(json!("true"), "it has to be true or false"), (json!(1), "it has to be true or false")],
    );
}

#[test]
fn choices_of_one_and_of_many() {
    check(
        json!({ "kind": "choice", "choices": choices() }),
        &[json!("a")],
        &[(json!("A"), "the agent did not offer \"A\""), (json!(["a"]), "it has to be a text")],
    );
    check(
        json!({ "kind": "choices", "choices": choices(), "min_items": 1, "max_items": 2 }),
        &[json!(["c"]), json!(["b", "a"])],
        &[
            (json!([]), "at least 1 choices"),
            (json!(["a", "b", "c"]), "at most 2 choices"),
            (json!(["a", "a"]), "\"a\" is chosen twice"),
            (json!(["d"]), "the agent did not offer \"d\""),
            (json!("a"), "it has to be a list of texts"),
        ],
    );
}

#[test]
fn an_answer_has_what_is_required_and_nothing_that_nobody_asked_for() {
    let question = question(json!({ "kind": "text" }));
    let say = |content: Value| {
        question.fits(&serde_json::from_value(content).unwrap()).map_err(|Misfit { field, why }| (field, why))
    };
    let of = |field: &str, why: &str| Err((Some(field.to_owned()), why.to_owned()));
    assert_eq!(say(json!({ "it": "a", "note": "b" })), Ok(()));
    assert_eq!(say(json!({ "note": "b" })), of("it", "it is required"));
    assert_eq!(say(json!({ "it": "a", "other": 1 })), of("other", "the agent did not ask for it"));
    let most = "x".repeat(MAX_ANSWER_BYTES - 2);
    assert_eq!(say(json!({ "it": most })), Ok(()));
    assert_eq!(
        say(json!({ "it": format!("{most}x") })),
        Err((None, "it is longer than 16384 bytes".to_owned()))
    );
    assert_eq!(Question::default().fits(&BTreeMap::new()), Ok(()), "a yes needs no fields");
}
