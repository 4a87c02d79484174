//! Sessions that are begun for a session: by a person, and by what runs in its sandbox.

use crate::budgets::{ASK, PRICES, model};
use crate::support::{Place, Server, answer};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

/// A step in which a program inside begins a child with this prompt.
pub(crate) fn begin(prompt: &str) -> String {
    format!(
        "!run python3 -c 'import json, urllib.request as r; print(r.urlopen(r.Request(\"http://127.0.0.1:7411/sessions\", json.dumps({{\"prompt\": {prompt:?}}}).encode(), {{\"content-type\": \"application/json\"}})).read().decode())'\n"
    )
}

async fn begin_by_hand(server: &Server, parent: &str, prompt: &str) -> (StatusCode, Value) {
    server.post("/sessions", json!({"parent": parent, "prompt": prompt})).await
}

async fn made_by_hand(server: &Server, parent: &str, prompt: &str) -> String {
    let (status, view) = begin_by_hand(server, parent, prompt).await;
    assert_eq!(status, StatusCode::CREATED, "{view}");
    view["id"].as_str().unwrap().to_owned()
}

async fn prompt(server: &Server, id: &str, text: &str) {
    let (status, answer) = server.post(&format!("/sessions/{id}/prompts"), json!({"text": text})).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{answer}");
}

/// The child that was begun last. It is recorded before it is there, and there at the end of the turn that began it.
async fn last_child(server: &Server, id: &str, number: usize) -> (String, Value) {
    let event = server.until(id, "child_begun", number).await.pop().unwrap()["event"].clone();
    (event["session"].as_str().unwrap().to_owned(), event)
}

#[tokio::test]
async fn an_agent_begins_a_child_that_goes_on_from_its_work() {
    agent_begins(Place::with("[children]\nper_session = 2\n")).await;
}

#[tokio::test]
async fn an_agent_begins_a_child_on_postgresql() {
    let place = Place::on_postgres();
    let config = std::fs::read_to_string(place.path("lamplight.toml")).unwrap();
    std::fs::write(place.path("lamplight.toml"), format!("{config}[children]\nper_session = 2\n")).unwrap();
    agent_begins(place).await;
}

async fn agent_begins(place: Place) {
    let server = Server::start_in(place);
    let parent = server.create("!write a.txt one").await;
    server.until(&parent, "work_committed", 1).await;
    let branch = server.view(&parent).await["branch"].as_str().unwrap().to_owned();

    let told = "!run test \"$LAMPLIGHT_SESSIONS\" = http://127.0.0.1:7411/sessions && touch told.txt\n";
    prompt(&server, &parent, &format!("{told}{}", begin("!write b.txt two\n!say It is done."))).await;
    server.until(&parent, "work_committed", 2).await;
    let (child, begun) = last_child(&server, &parent, 1).await;
    assert_eq!((&begun["by"], &begun["by_agent"]), (&json!("Ada"), &json!(true)), "{begun}");
    server.until(&child, "work_committed", 1).await;
    let view = server.view(&child).await;
    assert_eq!((&view["base"], &view["phase"]), (&json!(branch), &json!("done")), "{view}");
    assert_eq!(view["family"]["parents"], json!([parent]));
    assert_eq!(server.view(&parent).await["family"]["children"], json!([child]));
    let own = view["branch"].as_str().unwrap();
    assert_eq!(server.place.git(&["show", &format!("{own}:a.txt")]).trim(), "one");

    // What it did, its parent takes: nobody else writes to the parent's branch.
    let (status, problem) = server.post(&format!("/sessions/{child}/merge"), Value::Null).await;
    assert_eq!((status, &problem["code"]), (StatusCode::CONFLICT, &json!("merged_by_parent")), "{problem}");
    let look = format!(
        "!run python3 -c 'import json, urllib.request as r; child = json.load(r.urlopen(\"http://127.0.0.1:7411/sessions/{child}\")); assert (child[\"phase\"], child[\"branch\"], child[\"last_message\"]) == (\"done\", \"{own}\", \"It is done.\"), child; assert len(json.load(r.urlopen(\"http://127.0.0.1:7411/sessions\"))[\"items\"]) == 1' && git fetch -q origin {own} && git merge -q --no-edit FETCH_HEAD\n"
    );
    prompt(&server, &parent, &look).await;
    server.until(&parent, "work_committed", 3).await;
    for (file, text) in [("b.txt", "two"), ("told.txt", "")] {
        assert_eq!(server.place.git(&["show", &format!("{branch}:{file}")]).trim(), text);
    }

    // Two deep, and two of one session.
    prompt(&server, &child, &begin("!say I am a grandchild.")).await;
    server.until(&child, "work_committed", 2).await;
    let (grandchild, _) = last_child(&server, &child, 1).await;
    server.until(&grandchild, "work_committed", 1).await;
    prompt(&server, &grandchild, &begin("!say No.")).await;
    let noted = server.until(&grandchild, "noted", 1).await.pop().unwrap()["event"]["text"].clone();
    assert_eq!(
        noted,
        "Refused: A session was to be begun from inside: the session is 2 deep itself, and none deeper may be begun"
    );
    made_by_hand(&server, &parent, "!say second").await;
    let (status, problem) = begin_by_hand(&server, &parent, "!say third").await;
    assert_eq!((status, &problem["code"]), (StatusCode::CONFLICT, &json!("too_many_children")), "{problem}");

    let (_, list) = server.get("/sessions").await;
    let parents: Vec<&Value> = list["items"].as_array().unwrap().iter().map(|item| &item["parent"]).collect();
    assert_eq!(parents, [&json!(parent), &json!(child), &json!(parent), &Value::Null]);
    let said = server.place.say(&["sessions", "--parent", &parent]);
    assert!(said.contains("It is done.") && said.contains(own), "{said}");
    assert!(server.place.say(&["show", &child]).contains(&format!("child of    {parent}")));
    assert!(server.place.say(&["show", &parent]).contains("children    2 so far"));
    server.clear().await;
}

#[tokio::test]
async fn what_children_spend_is_their_parents() {
    let server = Server::start_in(Place::with(&format!("[models.openai]\nbase = '{}'\n{PRICES}", model())));
    let (status, view) = server
        .post(
            "/sessions",
            json!({"repository": server.place.repository(), "prompt": ASK, "limits": {"budget_micros": 900_000}}),
        )
        .await;
    assert_eq!(status, StatusCode::CREATED, "{view}");
    let parent = view["id"].as_str().unwrap().to_owned();
    server.until(&parent, "work_committed", 1).await;
    let budget = async |id: &str| server.view(id).await["budget_micros"].clone();

    let first = made_by_hand(&server, &parent, ASK).await;
    assert_eq!(budget(&first).await, 640_000, "what is left of 900,000 after 260,000");
    server.until(&first, "work_committed", 1).await;
    let spent = server.until(&parent, "child_spent", 1).await.pop().unwrap();
    assert_eq!(spent["event"]["cost_micros"], 260_000, "{spent}");
    // What a grandchild spends is told all the way up.
    let below = made_by_hand(&server, &first, ASK).await;
    assert_eq!(budget(&below).await, 380_000, "what is left to its own parent");
    server.until(&below, "work_committed", 1).await;
    let spent = server.until(&parent, "child_spent", 2).await.pop().unwrap();
    assert_eq!(spent["event"]["cost_micros"], 520_000, "{spent}");
    let view = server.view(&parent).await;
    assert_eq!(
        (&view["cost"]["micros"], &view["family"]["children_cost_micros"]),
        (&json!(260_000), &json!(520_000))
    );

    // Of 900,000 are 120,000 left: one request more, by whoever comes first, and then nobody's.
    let second = made_by_hand(&server, &parent, ASK).await;
    assert_eq!(budget(&second).await, 120_000);
    server.until(&second, "work_committed", 1).await;
    server.until(&parent, "child_spent", 3).await;
    prompt(&server, &below, ASK).await;
    server.until(&below, "work_committed", 2).await;
    assert_eq!(server.view(&below).await["cost"]["micros"], 260_000, "its own budget would have been enough");
    for (path, body) in [
        (format!("/sessions/{parent}/prompts"), json!({"text": "!say more"})),
        ("/sessions".to_owned(), json!({"parent": parent, "prompt": "!say more"})),
    ] {
        let (status, problem) = server.post(&path, body).await;
        assert_eq!((status, &problem["code"]), (StatusCode::CONFLICT, &json!("budget_spent")), "{problem}");
    }
    server.clear().await;
}

#[tokio::test]
async fn a_parent_goes_on_past_what_its_children_have_spent() {
    let server = Server::start_in(Place::with(&format!("[models.openai]\nbase = '{}'\n{PRICES}", model())));
    let new =
        json!({"repository": server.place.repository(), "prompt": ASK, "limits": {"budget_micros": 300_000}});
    let (status, view) = server.post("/sessions", new).await;
    assert_eq!(status, StatusCode::CREATED, "{view}");
    let parent = view["id"].as_str().unwrap().to_owned();
    server.until(&parent, "work_committed", 1).await;
    let child = made_by_hand(&server, &parent, ASK).await;
    server.until(&child, "work_committed", 1).await;
    server.until(&parent, "child_spent", 1).await;
    let cost = async || server.view(&parent).await["cost"]["micros"].clone();
    assert_eq!(cost().await, 260_000);
    let (status, view) =
        server.post(&format!("/sessions/{parent}/continue"), json!({"turn": 1, "text": ASK})).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{view}");
    server.until(&parent, "work_committed", 2).await;
    assert_eq!(cost().await, 520_000);
    server.clear().await;
}

#[tokio::test]
async fn children_end_with_their_parent_and_not_with_its_turn() {
    let server = Server::start_in(Place::with("[children]\ndepth = 1\nby_agents = false\n"));
    let parent = server.create(&begin("!say No.")).await;
    let noted = server.until(&parent, "noted", 1).await.pop().unwrap()["event"]["text"].clone();
    assert!(noted.as_str().unwrap().contains("Here an agent begins no sessions"), "{noted}");
    server.until(&parent, "work_committed", 1).await;

    let said = server.place.say(&["run", "--parent", &parent, "--detach", "!hang"]);
    let child = said.lines().next().unwrap().to_owned();
    server.until(&child, "turn_started", 1).await;
    let (status, problem) = begin_by_hand(&server, &child, "!say deeper").await;
    assert_eq!((status, &problem["code"]), (StatusCode::CONFLICT, &json!("child_too_deep")), "{problem}");
    let (status, problem) =
        server.post("/sessions", json!({"parent": parent, "prompt": "!say it", "attempts": [{}, {}]})).await;
    assert_eq!((status, &problem["code"]), (StatusCode::BAD_REQUEST, &json!("child_alone")), "{problem}");

    prompt(&server, &parent, "!hang").await;
    server.until(&parent, "turn_started", 2).await;
    let (status, _) = server.post(&format!("/sessions/{parent}/stop"), Value::Null).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    server.until(&parent, "work_committed", 2).await;
    assert_eq!(server.view(&child).await["phase"], "planning", "it hangs on");
    let (status, view) = server.post(&format!("/sessions/{parent}/end"), Value::Null).await;
    assert_eq!(status, StatusCode::OK, "{view}");
    let log = server.until(&child, "session_ended", 1).await;
    let types: Vec<&str> = log.iter().map(|entry| entry["event"]["type"].as_str().unwrap()).collect();
    let at = |kind: &str| types.iter().position(|one| *one == kind).unwrap_or_else(|| panic!("{types:?}"));
    assert!(
        at("parent_ended") < at("stop_requested") && at("work_committed") < at("session_ended"),
        "{types:?}"
    );
    let (status, problem) = begin_by_hand(&server, &parent, "!say more").await;
    assert_eq!((status, &problem["code"]), (StatusCode::CONFLICT, &json!("session_ended")), "{problem}");
    server.clear().await;
}

#[tokio::test]
async fn what_children_bring_to_a_parent_that_has_ended_goes_on_from_there() {
    let server = Server::start();
    let parent = server.create("!write a.txt one").await;
    server.until(&parent, "work_committed", 1).await;
    let child = made_by_hand(&server, &parent, "!write b.txt two").await;
    server.until(&child, "checkpoint_kept", 1).await;
    let new = json!({"fork": {"session": child}, "prompt": "!write c.txt three"});
    let (status, fork) = server.post("/sessions", new).await;
    assert_eq!(status, StatusCode::CREATED, "{fork}");
    let fork = fork["id"].as_str().unwrap().to_owned();
    server.until(&fork, "work_committed", 1).await;
    let ask = async |id: &str, what: &str| {
        let (status, answer) = server.post(&format!("/sessions/{id}/{what}"), Value::Null).await;
        (status, answer["code"].clone())
    };
    let by_parent = (StatusCode::CONFLICT, json!("merged_by_parent"));
    for id in [&child, &fork] {
        for what in ["merge", "pull-request"] {
            assert_eq!(ask(id, what).await, by_parent, "{what}");
        }
    }
    assert_eq!(ask(&parent, "merge").await.0, StatusCode::OK);
    let done = (StatusCode::CONFLICT, json!("nothing_to_merge"));
    assert_eq!(ask(&parent, "merge").await, done);

    assert_eq!(ask(&parent, "end").await.0, StatusCode::OK);
    assert_eq!(ask(&parent, "merge").await, done);
    for id in [&child, &fork] {
        assert_eq!(ask(id, "merge").await.0, StatusCode::OK);
    }
    let (_, diff) = server.get(&format!("/sessions/{parent}/diff")).await;
    let paths: Vec<&Value> = diff["files"].as_array().unwrap().iter().map(|file| &file["path"]).collect();
    assert_eq!(paths, [&json!("b.txt"), &json!("c.txt")], "what was not merged yet");
    assert_eq!(ask(&parent, "merge").await.0, StatusCode::OK);
    for (file, text) in [("a.txt", "one"), ("b.txt", "two"), ("c.txt", "three")] {
        assert_eq!(server.place.git(&["show", &format!("main:{file}")]).trim(), text);
    }
    assert_eq!(ask(&parent, "merge").await, done);
    server.clear().await;
}

#[tokio::test]
async fn two_requests_at_once_with_one_key_begin_one_child() {
    let server = Server::start();
    let parent = server.create("!say hello").await;
    let body = json!({"parent": parent, "prompt": "!say it once"});
    let ask = async || {
        let request = server.request(Method::POST, "/api/v1/sessions").header("idempotency-key", "once");
        answer(request.json(&body)).await
    };
    let all = tokio::join!(ask(), ask(), ask(), ask());
    for (status, view) in [&all.0, &all.1, &all.2, &all.3] {
        assert_eq!((*status, &view["id"]), (StatusCode::CREATED, &all.0.1["id"]), "{view}");
    }
    assert_eq!(server.view(&parent).await["family"]["children"], json!([all.0.1["id"]]));
    server.clear().await;
}

#[tokio::test]
async fn an_agents_child_may_what_its_parent_may() {
    let server = Server::start();
    let new = json!({
        "repository": server.place.repository(), "prompt": begin("!say I am."),
        "permissions": "reject", "network": {"policy": "none"},
        "limits": {"steps": 77, "silence_ms": 600_000, "turn_tokens": 5_000}, "sandbox": {"processes": 250},
    });
    let (status, view) = server.post("/sessions", new).await;
    assert_eq!(status, StatusCode::CREATED, "{view}");
    let parent = view["id"].as_str().unwrap().to_owned();
    server.until(&parent, "turn_ended", 1).await;
    let (child, _) = last_child(&server, &parent, 1).await;
    let spec =
        async |id: &str| server.until(id, "session_created", 1).await.pop().unwrap()["event"]["spec"].clone();
    let (of_parent, of_child) = (spec(&parent).await, spec(&child).await);
    for field in
        ["repository", "agent", "model", "person", "permissions", "network", "image", "limits", "sandbox"]
    {
        assert_eq!(of_child[field], of_parent[field], "{field}");
    }
    let own = [&of_child["permissions"], &of_child["limits"]["steps"], &of_child["sandbox"]["processes"]];
    assert_eq!(own, [&json!("reject"), &json!(77), &json!(250)], "{of_child}");
    server.clear().await;
}
