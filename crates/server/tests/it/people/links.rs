//! The setup, invitations and links: each counts once.

use super::{Door, secret};
use crate::support::{Place, Server};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

#[tokio::test]
async fn the_first_owner_comes_in_once_and_others_by_invitation() {
    let mut server = Server::start_in(Place::with("[auth]\nrequired = true\n"));
    assert!(server.line().starts_with("The first owner"));
    let setup = secret(&server.line());
    let (_, ways) = server.get("/sign-in").await;
    assert_eq!((&ways["required"], &ways["nobody_yet"]), (&json!(true), &json!(true)));
    let door = Door { server, owner: String::new() };
    let (status, problem) = door.server.post("/sign-in", json!({ "secret": setup })).await;
    assert_eq!((status.as_u16(), &problem["code"]), (400, &json!("name_needed")));
    let door = Door { owner: door.enter(&setup, "Olga").await, ..door };
    let (status, problem) = door.try_enter(&setup, "Eve").await;
    assert_eq!((status.as_u16(), &problem["code"]), (401, &json!("link_used_up")));
    let (_, me) = door.get(&door.owner, "/me").await;
    assert_eq!((&me["name"], &me["role"], &me["signs_in"]), (&json!("Olga"), &json!("owner"), &json!(true)));
    let (_, ways) = door.server.get("/sign-in").await;
    assert_eq!(ways["nobody_yet"], false);

    let (_, once) =
        door.ask(&door.owner, Method::POST, "/people/invitations", json!({ "role": "member" })).await;
    let invitation = once["secret"].as_str().unwrap();
    let (status, problem) = door.try_enter(invitation, "OLGA").await;
    assert_eq!((status.as_u16(), &problem["code"]), (409, &json!("name_taken")), "and it is not used up");
    door.enter(invitation, "Mia").await;
    let (status, _) = door.try_enter(invitation, "Eve").await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    // Two at once with one invitation: one of them.
    let (_, once) =
        door.ask(&door.owner, Method::POST, "/people/invitations", json!({ "role": "viewer" })).await;
    let invitation = once["secret"].as_str().unwrap();
    let (one, other) = tokio::join!(door.try_enter(invitation, "One"), door.try_enter(invitation, "Other"));
    let mut statuses = [one.0.as_u16(), other.0.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 401]);
    let link = format!("/people/{}/link", door.id("Mia").await);
    let (_, once) = door.ask(&door.owner, Method::POST, &link, Value::Null).await;
    let again = door.enter(once["secret"].as_str().unwrap(), "whoever").await;
    assert_eq!(door.get(&again, "/me").await.1["name"], "Mia");
}

#[tokio::test]
async fn only_owners_touch_owners_and_the_last_one_stays() {
    let door = Door::open("").await;
    let admin = door.person("Ann", "admin").await;
    let olga = door.id("Olga").await;
    let check = async |method: Method, path: &str, body: Value, status: u16, code: &str| {
        let (answered, problem) = door.ask(&admin, method, path, body).await;
        assert_eq!((answered.as_u16(), problem["code"].as_str()), (status, Some(code)), "{path}: {problem}");
    };
    check(Method::POST, "/people/invitations", json!({ "role": "owner" }), 403, "role_too_low").await;
    check(Method::PUT, &format!("/people/{olga}/role"), json!({ "role": "viewer" }), 403, "role_too_low")
        .await;
    check(Method::DELETE, &format!("/people/{olga}"), Value::Null, 403, "role_too_low").await;
    check(Method::POST, &format!("/people/{olga}/link"), Value::Null, 403, "role_too_low").await;
    let ann = door.id("Ann").await;
    check(Method::PUT, &format!("/people/{ann}/role"), json!({ "role": "owner" }), 403, "role_too_low").await;
    let (status, problem) =
        door.ask(&door.owner, Method::PUT, &format!("/people/{olga}/role"), json!({ "role": "admin" })).await;
    assert_eq!((status.as_u16(), &problem["code"]), (409, &json!("last_owner")));
    let (status, _) =
        door.ask(&door.owner, Method::PUT, &format!("/people/{ann}/role"), json!({ "role": "owner" })).await;
    assert_eq!(status, StatusCode::OK);
    let (status, _) = door.ask(&admin, Method::DELETE, &format!("/people/{olga}"), Value::Null).await;
    assert_eq!(status, StatusCode::NO_CONTENT, "Ann is an owner now");
    let (status, _) = door.get(&door.owner, "/me").await;
    assert_eq!(status, StatusCode::UNAUTHORIZED, "whoever is removed is out at once");
    let (_, once) = door.ask(&admin, Method::POST, "/people/invitations", json!({ "role": "viewer" })).await;
    let (status, problem) = door.try_enter(once["secret"].as_str().unwrap(), "olga").await;
    assert_eq!(
        (status.as_u16(), &problem["code"]),
        (409, &json!("name_taken")),
        "a name is one person's for good"
    );
}

#[tokio::test]
async fn who_has_lost_the_way_in_makes_another_owner_on_the_machine() {
    let door = Door::open("").await;
    door.server.signal("TERM");
    let (_, place) = door.server.ended();
    let mut serve = place.command(&["serve", "--new-owner"]);
    let mut child = serve.stdout(std::process::Stdio::piped()).spawn().unwrap();
    let lines = std::io::BufReader::new(child.stdout.take().unwrap());
    let lines: Vec<String> = std::io::BufRead::lines(lines).take(3).collect::<Result<_, _>>().unwrap();
    child.kill().and_then(|()| child.wait()).unwrap();
    assert!(lines[2].contains("/sign-in#lmj_"), "{lines:?}");
}
