//! What people do with a session: follow up, stop, choose, look at the work, take it.

use crate::support::{Server, answer};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

#[tokio::test]
async fn prompts_queue_while_a_turn_runs_and_stop_ends_it() {
    let server = Server::start();
    let id = server.create("!say begun\n!hang").await;
    server.until(&id, "agent_spoke", 1).await;
    let (status, first) =
        server.post(&format!("/sessions/{id}/prompts"), json!({"text": "!write b.txt two"})).await;
    assert_eq!((status, &first["position"]), (StatusCode::ACCEPTED, &json!(0)), "{first}");
    let (_, second) = server.post(&format!("/sessions/{id}/prompts"), json!({"text": "never"})).await;
    assert_eq!(second["position"], 1, "{second}");
    let path = format!("/sessions/{id}/prompts/{}", second["prompt"].as_str().unwrap());
    let edit = async |text: &str| server.put(&path, json!({ "text": text })).await;
    assert_eq!(edit("not yet").await.0, StatusCode::NO_CONTENT);
    assert_eq!(server.view(&id).await["queued"][1]["text"], "not yet");
    assert_eq!(edit("  ").await.1["code"], "empty_prompt");
    assert_eq!(server.delete(&path).await.0, StatusCode::NO_CONTENT);
    assert_eq!(edit("too late").await.1["code"], "prompt_not_found");
    let (status, gone) = server.delete(&path).await;
    assert_eq!((status, gone["code"].as_str()), (StatusCode::NOT_FOUND, Some("prompt_not_found")));
    let texts = server.view(&id).await["queued"].clone();
    assert_eq!(
        texts,
        json!([{"prompt": first["prompt"], "text": "!write b.txt two", "by": "Ada", "attachments": []}])
    );
    let (status, problem) = server.post(&format!("/sessions/{id}/model"), json!({"model": "x"})).await;
    assert_eq!((status, problem["code"].as_str()), (StatusCode::CONFLICT, Some("turn_running")), "{problem}");

    let (status, _) = server.post(&format!("/sessions/{id}/stop"), Value::Null).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    let entries = server.until(&id, "turn_ended", 1).await;
    assert_eq!(entries.last().unwrap()["event"]["outcome"]["how"], "stopped");
    server.clear().await;
}

/// Of characters, too, of which each is six on the way to the guest.
#[tokio::test]
async fn work_is_committed_however_long_its_prompt_is() {
    let server = Server::start();
    for (number, rest) in ["long ".repeat(50_000), "\u{1}".repeat(120_000)].iter().enumerate() {
        let id = server.create(&format!("!write {number}.txt {number}\n{rest}")).await;
        let entries = server.until(&id, "work_committed", 1).await;
        let branch = server.view(&id).await["branch"].as_str().unwrap().to_owned();
        assert_eq!(server.place.git(&["show", &format!("{branch}:{number}.txt")]), number.to_string());
        let message = server.place.git(&["log", "-1", "--format=%B", &branch]);
        assert!(message.len() < 10_000 && message.contains(&rest[..1000]), "{} bytes", message.len());
        assert!(message.ends_with("Lamplight-Turn: 1"), "{}", &message[message.len() - 300..]);
        assert_eq!(entries.iter().filter(|entry| entry["event"]["type"] == "turn_ended").count(), 1);
    }
    server.clear().await;
}

#[tokio::test]
async fn work_is_committed_whose_prompt_holds_what_no_commit_can() {
    let server = Server::start();
    let id = server.create("!write a.txt a\nzero\0byte").await;
    server.until(&id, "work_committed", 1).await;
    let branch = server.view(&id).await["branch"].as_str().unwrap().to_owned();
    let message = server.place.git(&["log", "-1", "--format=%B", &branch]);
    assert!(message.contains("zero\u{fffd}byte"), "{message}");
    server.clear().await;
}

/// At once, later, after the turn, and after the server was killed: the prompt is queued once.
#[tokio::test]
async fn one_key_queues_one_prompt() {
    let mut server = Server::start();
    let id = server.create("!say begun\n!hang").await;
    server.until(&id, "agent_spoke", 1).await;
    let path = format!("/api/v1/sessions/{id}/prompts");
    let send = async |server: &Server, key: &str, text: &str| {
        let request = server.request(Method::POST, &path).header("Idempotency-Key", key);
        answer(request.json(&json!({ "text": text }))).await
    };
    let at_once = (0..20).map(|_| send(&server, "a", "!say the next"));
    let at_once = futures::future::join_all(at_once).await;
    assert!(at_once.iter().all(|answer| *answer == at_once[0]), "{at_once:?}");
    let (status, first) = at_once[0].clone();
    assert_eq!((status, &first["position"]), (StatusCode::ACCEPTED, &json!(0)), "{first}");
    let (status, reused) = send(&server, "a", "!say another").await;
    assert_eq!((status.as_u16(), &reused["code"]), (422, &json!("idempotency_key_reused")), "{reused}");
    let elsewhere = server.create("!say begun\n!hang").await;
    let request = server.request(Method::POST, &format!("/api/v1/sessions/{elsewhere}/prompts"));
    let request = request.header("Idempotency-Key", "a").json(&json!({"text": "!say the next"}));
    assert_eq!(answer(request).await.1["code"], "idempotency_key_reused", "it is of another session");
    assert_eq!(send(&server, "", "x").await.0, StatusCode::BAD_REQUEST);
    let second = send(&server, "b", "!say the next").await.1;
    assert_eq!(second["position"], 1, "{second}");

    server.signal("KILL");
    server = Server::start_in(server.ended().1);
    assert_eq!(send(&server, "a", "!say the next").await.1["prompt"], first["prompt"]);
    server.post(&format!("/sessions/{id}/stop"), Value::Null).await;
    server.post(&format!("/sessions/{id}/prompts"), json!({"text": "!say the last"})).await;
    let entries = server.until(&id, "turn_ended", 4).await;
    let again = send(&server, "a", "!say the next").await;
    assert_eq!(again, (StatusCode::ACCEPTED, json!({"prompt": first["prompt"], "position": 0})));
    let queued = entries.iter().filter(|entry| entry["event"]["prompt"] == first["prompt"]);
    assert_eq!(queued.filter(|entry| entry["event"]["type"] == "prompt_queued").count(), 1, "{entries:?}");
    assert_eq!(server.view(&id).await["turn"], 4);
    server.clear().await;
}

/// They are decided one after the other, however many of them one append takes; whoever is refused is told so alone.
#[tokio::test]
async fn commands_that_come_at_once_are_each_answered() {
    let server = Server::start();
    let id = server.create("!say begun\n!hang").await;
    server.until(&id, "agent_spoke", 1).await;
    let prompts = format!("/sessions/{id}/prompts");
    let nobodys = format!("{prompts}/{id}");
    let asked = (0..40).map(async |number: u64| {
        let removed = async { server.delete(&nobodys).await.1 };
        let text = format!("the prompt {number}");
        let (accepted, refused) = tokio::join!(server.post(&prompts, json!({ "text": text })), removed);
        assert_eq!((accepted.0, &refused["code"]), (StatusCode::ACCEPTED, &json!("prompt_not_found")));
        (accepted.1["position"].as_u64().unwrap(), accepted.1["prompt"].clone(), text)
    });
    let mut accepted = futures::future::join_all(asked).await;
    accepted.sort_by_key(|(position, ..)| *position);
    assert!(accepted.iter().map(|(position, ..)| *position).eq(0..40), "{accepted:?}");
    let queued = server.view(&id).await["queued"].clone();
    let told = queued.as_array().unwrap().iter().map(|one| (&one["prompt"], one["text"].as_str().unwrap()));
    assert!(told.eq(accepted.iter().map(|(_, prompt, text)| (prompt, text.as_str()))), "{queued}");
    server.clear().await;
}

#[tokio::test]
async fn a_person_answers_what_the_agent_asks() {
    let server = Server::start();
    let body =
        json!({"repository": server.place.repository(), "prompt": "!ask delete it", "permissions": "ask"});
    let (_, view) = server.post("/sessions", body).await;
    let id = view["id"].as_str().unwrap().to_owned();
    server.until(&id, "permission_asked", 1).await;
    let view = server.view(&id).await;
    assert_eq!(view["phase"], "waiting_for_you", "{view}");
    let permission = &view["permission"];
    assert!(permission["deadline"].as_str().unwrap().ends_with('Z'), "{permission}");
    let path = format!("/sessions/{id}/permission");
    let (status, wrong) =
        server.post(&path, json!({"request": permission["request"], "option": "nothing"})).await;
    assert_eq!(
        (status, wrong["code"].as_str()),
        (StatusCode::BAD_REQUEST, Some("option_not_offered")),
        "{wrong}"
    );
    let options = permission["options"].as_array().unwrap();
    let allow = options.iter().find(|option| option["kind"] == "allow_once").expect("a way to allow");
    let answer = json!({"request": permission["request"], "option": allow["id"]});
    let (status, view) = server.post(&path, answer.clone()).await;
    assert_eq!((status, &view["permission"]), (StatusCode::OK, &Value::Null), "{view}");
    let (status, twice) = server.post(&path, answer).await;
    assert_eq!(
        (status, twice["code"].as_str()),
        (StatusCode::CONFLICT, Some("permission_not_open")),
        "{twice}"
    );
    server.until(&id, "turn_ended", 1).await;
    server.clear().await;
}

#[tokio::test]
async fn the_work_is_looked_at_and_taken() {
    let server = Server::start();
    let id = server.create("!write readme.txt goodbye\n!write new.txt one").await;
    server.until(&id, "work_committed", 1).await;
    let (status, diff) = server.get(&format!("/sessions/{id}/diff")).await;
    assert_eq!((status, &diff["truncated"]), (StatusCode::OK, &json!(false)), "{diff}");
    let files = diff["files"].as_array().unwrap();
    let changed: Vec<_> =
        files.iter().map(|file| (file["path"].as_str().unwrap(), file["status"].as_str().unwrap())).collect();
    assert_eq!(changed, [("new.txt", "added"), ("readme.txt", "modified")]);
    assert!(files[1]["patch"].as_str().unwrap().contains("-hello"), "{diff}");
    let (_, turn) = server.get(&format!("/sessions/{id}/diff?turn=1")).await;
    assert_eq!(turn["files"], diff["files"]);

    let (status, merged) = server.post(&format!("/sessions/{id}/merge"), Value::Null).await;
    assert_eq!((status, &merged["into"]), (StatusCode::OK, &json!("main")), "{merged}");
    assert!(server.place.git(&["show", "main:new.txt"]).starts_with("one"));
    let (status, again) = server.post(&format!("/sessions/{id}/merge"), Value::Null).await;
    assert_eq!((status, again["code"].as_str()), (StatusCode::CONFLICT, Some("nothing_to_merge")), "{again}");

    let (status, ended) = server.post(&format!("/sessions/{id}/end"), Value::Null).await;
    assert_eq!((status, &ended["ended"]), (StatusCode::OK, &json!(true)));
    let (status, late) = server.post(&format!("/sessions/{id}/prompts"), json!({"text": "more"})).await;
    assert_eq!((status, late["code"].as_str()), (StatusCode::CONFLICT, Some("session_ended")), "{late}");
    server.clear().await;
}

/// Git tells a file that changed by its length and the second in which it did, and looks into those that changed in the second in which
/// the index was written. So it is told of the index that it wrote, however much later its work is committed.
#[tokio::test]
async fn what_changed_as_often_as_twice_within_a_second_is_committed() {
    let server = Server::start();
    let then = "touch -d @1000000000";
    let id = server
        .create(&format!(
            "!run git config core.trustctime false && echo one > a.txt && {then} a.txt && git add a.txt && {then} .git/index\n\
             !run echo two > a.txt && {then} a.txt"
        ))
        .await;
    server.until(&id, "work_committed", 1).await;
    let branch = server.view(&id).await["branch"].as_str().unwrap().to_owned();
    assert_eq!(server.place.git(&["show", &format!("{branch}:a.txt")]), "two");
    server.clear().await;
}

/// Whatever ends what commits says nothing of the work: it is committed again, which is the same commit. With something that always does,
/// a person is told.
#[tokio::test]
async fn what_was_pushed_is_committed_though_nobody_lived_to_say_so() {
    let server = Server::start();
    // The last that is done for a commit, once it is on the branch.
    let git = r#"if [ "$1" = diff-tree ]; then kill -KILL $PPID; fi; exec /usr/bin/git "$@""#;
    let put = format!(
        "!run mkdir -p ~/.local/bin && printf '%s\\n' '#!/bin/sh' '{git}' > ~/.local/bin/git && chmod +x ~/.local/bin/git"
    );
    let id = server.create(&format!("{put}\n!write a.txt one")).await;
    let log = server.until(&id, "work_committed", 1).await;
    let commit = &log.last().unwrap()["event"]["commit"];
    let branch = server.view(&id).await["branch"].as_str().unwrap().to_owned();
    assert_eq!(commit["id"], server.place.git(&["rev-parse", &branch]), "{commit}");
    assert_eq!((&commit["files"], &commit["insertions"]), (&json!(1), &json!(1)), "{commit}");
    // Where nothing has changed, there is nothing that could be taken for it.
    server.post(&format!("/sessions/{id}/prompts"), json!({ "text": "!say nothing" })).await;
    let log = server.until(&id, "work_committed", 2).await;
    assert_eq!(log.last().unwrap()["event"]["commit"], Value::Null);
    server.clear().await;
}

#[tokio::test]
async fn work_is_committed_though_a_signal_ends_what_commits_it() {
    let server = Server::start();
    let kill = "set -- $(cat /proc/$PPID/stat); kill -KILL $4;";
    let filter = |what: &str| {
        format!("!run echo '*.txt filter=f' > .gitattributes && git config filter.f.clean '{what} cat'")
    };
    let once = filter(&format!("test -e /tmp/once || {{ touch /tmp/once; {kill} }};"));
    let id = server.create(&format!("{once}\n!write a.txt one")).await;
    let log = server.until(&id, "work_committed", 1).await;
    let branch = server.view(&id).await["branch"].as_str().unwrap().to_owned();
    assert_eq!(log.last().unwrap()["event"]["commit"]["id"], server.place.git(&["rev-parse", &branch]));
    assert_eq!(server.place.git(&["rev-list", "--count", &format!("main..{branch}")]), "1");
    let always = json!({ "text": format!("{}\n!write a.txt two", filter(kill)) });
    server.post(&format!("/sessions/{id}/prompts"), always).await;
    let log = server.until(&id, "work_not_committed", 1).await;
    let failure = log.last().unwrap()["event"]["failure"]["message"].as_str().unwrap().to_owned();
    assert!(failure.ends_with("signal 9 ended it each time"), "{failure}");
    server.clear().await;
}
