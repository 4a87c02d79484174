//! What each of two servers has a part of, and both tell as one: who waits, the sandboxes, what came to nothing.

use super::{LOOK, SHARED_KEY, count};
use crate::cluster::Cluster;
use crate::people::Door;
use crate::support::{PATIENCE, Place, Server, answer};
use reqwest::{Method, StatusCode, header};
use serde_json::{Value, json};

/// For two servers with this in their configuration.
pub(super) fn places_with(configuration: &str) -> (Place, Place) {
    let mut one = Place::with(configuration);
    one.environment.push(SHARED_KEY);
    one.cluster = Some(Cluster::start());
    let other = one.beside();
    (one, other)
}

fn pair_with(configuration: &str) -> (Server, Server) {
    let (one, other) = places_with(configuration);
    (Server::start_in(one), Server::start_in(other))
}

/// With one place each.
pub(super) fn pair_of_places() -> (Server, Server) {
    pair_with("[queue]\nsandboxes = 1\n")
}

/// Who waits, where, and in which place there.
pub(super) async fn queue(server: &Server) -> Vec<(String, String, u64)> {
    let (status, list) = server.get("/queue").await;
    assert_eq!((status, &list["not_answering"]), (StatusCode::OK, &json!([])), "{list}");
    waiting(&list)
}

fn waiting(list: &Value) -> Vec<(String, String, u64)> {
    let text = |item: &Value, name: &str| item[name].as_str().unwrap_or_default().to_owned();
    let entry = |item: &Value| {
        assert!(item["estimated_wait_seconds"].as_u64().unwrap() > 0, "{item}");
        (text(item, "id"), text(item, "server"), item["queue_position"].as_u64().unwrap())
    };
    let all: Vec<_> = list["items"].as_array().unwrap().iter().map(entry).collect();
    assert_eq!(list["waiting"], json!(all.len()), "{list}");
    all
}

pub(super) async fn queued(server: &Server, prompt: &str) -> String {
    let id = server.create(prompt).await;
    server.until(&id, "sandbox_queued", 1).await;
    id
}

/// At work until it is stopped.
pub(super) async fn busy(server: &Server) -> String {
    let id = server.create("!hang").await;
    server.until(&id, "turn_started", 1).await;
    id
}

fn short(id: &str) -> &str {
    &id[id.len() - 8..]
}

#[tokio::test]
async fn who_waits_at_any_server_is_told_and_moved_by_each() {
    let (one, other) = pair_of_places();
    let (here, there) = (one.base.clone(), other.base.clone());
    let at_work = busy(&one).await;
    busy(&other).await;
    let first = queued(&one, "!say first").await;
    let second = queued(&one, "!say second").await;
    let third = queued(&other, "!say third").await;
    let expected = [
        (first.clone(), here.clone(), 1),
        (third.clone(), there.clone(), 1),
        (second.clone(), here.clone(), 2),
    ];
    for server in [&one, &other] {
        assert_eq!(queue(server).await, expected);
        let (_, list) = server.get("/queue").await;
        let all = &list["places"];
        assert_eq!((&all["sandboxes"], &all["max_sandboxes"]), (&json!(2), &json!(2)), "{list}");
        let mut named = [here.as_str(), there.as_str()];
        named.sort_unstable();
        let part = |part: &Value| {
            let places = &part["places"];
            assert_eq!((&places["sandboxes"], &places["max_sandboxes"]), (&json!(1), &json!(1)), "{list}");
            part["server"].clone()
        };
        let parts: Vec<Value> = list["servers"].as_array().unwrap().iter().map(part).collect();
        assert_eq!(parts, named);
        // So is a list of sessions, which is read from the database.
        let (_, list) = server.get("/sessions?phase=queued").await;
        let place = |item: &Value| item["queue_position"].clone();
        let places: Vec<Value> = list["items"].as_array().unwrap().iter().map(place).collect();
        assert_eq!(places, [1, 2, 1], "the newest first");
    }

    // Each through the server that it does not wait at.
    let said = other.place.say(&["queue", &second, "--priority", "1"]);
    for (part, id) in [("priority +1", &second), ("first", &first), ("third", &third)] {
        assert!(said.lines().any(|line| line.contains(part) && line.contains(short(id))), "{said}");
    }
    assert!(said.contains("Taken: 2 of 2 sandbox places."), "{said}");
    assert!(said.contains(&format!("  {here}: 1 of 1 sandbox place\n")), "{said}");
    one.place.say(&["stop", &third]);
    let expected = [(second.clone(), here.clone(), 1), (first.clone(), here, 2)];
    for server in [&one, &other] {
        assert_eq!(queue(server).await, expected);
    }
    other.post(&format!("/sessions/{at_work}/stop"), Value::Null).await;
    other.until(&second, "work_committed", 1).await;
    let log = other.until(&first, "work_committed", 1).await;
    assert_eq!(count(&log, "sandbox_queued"), 1, "{log:?}");
    assert_eq!(queue(&other).await, []);
    one.clear().await;
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_named_and_the_rest_is_told() {
    let (one, other) = pair_of_places();
    let (at_work, elsewhere) = (busy(&one).await, busy(&other).await);
    let id = queued(&one, "!say hello").await;
    other.signal("STOP");
    // So that it is not taken for dead, however slow this machine is.
    let keep = "UPDATE servers SET expires_at = expires_at + 3600000";
    one.place.cluster.as_ref().unwrap().sql(keep).unwrap();
    let ((_, queue), (_, sandboxes)) = tokio::join!(one.get("/queue"), one.get("/sandboxes"));
    assert_eq!(queue["not_answering"], json!([other.base]), "{queue}");
    assert_eq!(waiting(&queue), [(id.clone(), one.base.clone(), 1)], "{queue}");
    assert_eq!(queue["places"]["sandboxes"], 1, "{queue}");
    assert_eq!(sandboxes["not_answering"], json!([other.base]), "{sandboxes}");
    let shown = |list: &Value| -> Vec<(Value, Value)> {
        let items = list["items"].as_array().unwrap().iter();
        items.map(|item| (item["session"].clone(), item["server"].clone())).collect()
    };
    assert_eq!(shown(&sandboxes), [(json!(at_work), json!(one.base))], "{sandboxes}");
    for (verb, said) in [("queue", "what waits there is not in"), ("sandboxes", "its sandboxes are not in")] {
        let all = one.place.say(&[verb]);
        let said = format!("The server {} does not answer: {said} this list.\n", other.base);
        assert!(all.contains(&said) && all.contains(short(&id)) == (verb == "queue"), "{all}");
    }

    other.signal("CONT");
    let back = async {
        loop {
            let (_, list) = one.get("/sandboxes").await;
            if list["not_answering"] == json!([]) {
                return list;
            }
            tokio::time::sleep(LOOK).await;
        }
    };
    let sandboxes = tokio::time::timeout(PATIENCE, back).await.expect("it answers again");
    let mut expected = [(json!(at_work), json!(one.base)), (json!(elsewhere), json!(other.base))];
    expected.sort_by_key(|(_, server)| server.to_string());
    assert_eq!(shown(&sandboxes), expected, "{sandboxes}");
    one.clear().await;
}

/// What somebody may see and do is judged at each server, by what they have signed in with at the one that they ask.
#[tokio::test]
async fn whoever_asks_is_known_at_the_other_server_too() {
    let (one, other) = places_with("[queue]\nsandboxes = 1\n[auth]\nrequired = true\n");
    let door = Door::of(Server::start_in(one), "Olga").await;
    let other = Server::start_in(other);
    let viewer = door.person("Vera", "viewer").await;
    let new = async || {
        let new = json!({"repository": door.server.place.repository(), "prompt": "!hang"});
        let (status, view) = door.ask(&door.owner, Method::POST, "/sessions", new).await;
        assert_eq!(status, StatusCode::CREATED, "{view}");
        view["id"].as_str().unwrap().to_owned()
    };
    let ids = [new().await, new().await, new().await];
    let request = |method: Method, path: &str| other.request(method, &format!("/api/v1{path}"));
    let queued = async {
        loop {
            let (status, list) = answer(request(Method::GET, "/queue").bearer_auth(&viewer)).await;
            assert_eq!((status, &list["not_answering"]), (StatusCode::OK, &json!([])), "{list}");
            if let [waiting] = &waiting(&list)[..] {
                return waiting.clone();
            }
            tokio::time::sleep(LOOK).await;
        }
    };
    let (id, server, _) = tokio::time::timeout(PATIENCE, queued).await.expect("one of them waits");
    assert!(ids.contains(&id) && server == door.server.base, "{id} at {server}");
    let (status, problem) = answer(request(Method::GET, "/queue")).await;
    assert_eq!((status, &problem["code"]), (StatusCode::UNAUTHORIZED, &json!("sign_in_required")));
    let put_before = |token: &str| {
        let request = request(Method::POST, &format!("/sessions/{id}/priority"));
        answer(request.json(&json!({"priority": 1})).bearer_auth(token))
    };
    let (status, problem) = put_before(&viewer).await;
    assert_eq!((status, &problem["code"]), (StatusCode::FORBIDDEN, &json!("role_too_low")), "{problem}");
    let (status, view) = put_before(&door.owner).await;
    assert_eq!((status, &view["priority"]), (StatusCode::OK, &json!(1)), "{view}");

    // A browser's secret that is old is renewed by the server that the browser asks, and not by one whose answer it does not see.
    let link = format!("/people/{}/link", door.id("Vera").await);
    let (_, once) = door.ask(&door.owner, Method::POST, &link, Value::Null).await;
    let entered = request(Method::POST, "/sign-in").json(&json!({"secret": once["secret"]})).send().await;
    let cookie = entered.unwrap().headers()[header::SET_COOKIE].to_str().unwrap().to_owned();
    let age = r#"UPDATE credentials SET body = regexp_replace(body, '"since":\d+', '"since":1')"#;
    door.server.place.cluster.as_ref().unwrap().sql(age).unwrap();
    let pair = cookie.split(';').next().unwrap();
    let asked = request(Method::GET, "/queue").header(header::COOKIE, pair).send().await.unwrap();
    assert!(asked.headers().contains_key(header::SET_COOKIE), "{asked:?}");
    let list: Value = asked.json().await.unwrap();
    assert_eq!((waiting(&list).len(), &list["not_answering"]), (1, &json!([])), "{list}");
    for id in &ids {
        door.end(id).await;
    }
}

#[tokio::test]
async fn a_lent_sandbox_is_told_and_taken_back_by_the_server_that_did_not_lend_it() {
    let (one, other) = pair_with("[e2b]\nenabled = true\n");
    let lend = one.request(Method::POST, "/v2/sandboxes").json(&json!({"templateID": "base"}));
    let (status, lent) = answer(lend.header("X-API-Key", format!("e2b_{}", "01".repeat(20)))).await;
    assert_eq!(status, StatusCode::CREATED, "{lent}");
    let (_, list) = other.get("/sandboxes").await;
    let [item] = &list["items"].as_array().unwrap()[..] else { panic!("{list}") };
    assert_eq!((&item["server"], item["lent"].is_object()), (&json!(one.base), true), "{item}");
    let id = item["session"].as_str().unwrap();
    assert_eq!(id.to_lowercase(), lent["sandboxID"].as_str().unwrap());
    let said = other.place.say(&["sandboxes", "stop", short(id)]);
    assert!(said.contains("nothing of it is left"), "{said}");
    assert_eq!(one.get("/sandboxes").await.1["items"], json!([]));
    let (status, problem) = other.delete(&format!("/sandboxes/{id}")).await;
    assert_eq!((status, &problem["code"]), (StatusCode::NOT_FOUND, &json!("sandbox_not_lent")));
    let (_, audit) = other.get("/audit").await;
    let entries = audit["items"].as_array().unwrap().iter();
    let outcomes: Vec<&Value> = entries
        .filter(|entry| entry["action"] == "take_back_sandbox")
        .map(|entry| &entry["outcome"])
        .collect();
    assert_eq!(outcomes, ["refused", "done"], "each is written down once: {audit}");
}

#[tokio::test]
async fn what_came_to_nothing_at_one_server_is_told_and_tried_again_by_the_other() {
    let (one, other) = pair_of_places();
    // Where sandboxes would be is something else.
    let (place, aside) = (one.place.path("data/sandboxes"), one.place.path("aside"));
    std::fs::rename(&place, &aside).ok();
    std::fs::write(&place, "in the way").unwrap();
    let id = one.create("!write one.txt one").await;
    other.until(&id, "turn_ended", 1).await;
    assert!(other.place.say(&["dead"]).contains(short(&id)));
    std::fs::remove_file(&place).unwrap();
    std::fs::rename(&aside, &place).ok();
    assert_eq!(other.place.say(&["retry", &id]), "It is tried again.\n");
    one.until(&id, "work_committed", 1).await;
    other.clear().await;
}
