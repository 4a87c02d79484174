//! How far sessions may go depends on who begins them, and who continues them.

use super::Door;
use crate::budgets::ASK;
use crate::guards::{guard, with_model};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

impl Door {
    /// Follows a session's log from its beginning to the first event of this type.
    async fn until(&self, id: &str, kind: &str) {
        let events = format!("/sessions/{id}/events?resume=0");
        let mut socket = self.socket(Some(&self.owner), &events).await.unwrap();
        while socket.entry().await["event"]["type"] != kind {}
    }
}

#[tokio::test]
async fn the_policy_counts_by_repository_and_role_and_nobody_goes_further_than_it_lets_them() {
    let policy = "\
        [guards]\nturn.steps = 20\n\
        [[guards.rules]]\nrepository = '{repository}'\nrole = 'member'\nturn.steps = 2\nsession.steps = 3\n\
        [[guards.rules]]\nrepository = '{repository}'\nturn.steps = 7\n\
        [[repositories]]\npath = '{repository}'\n";
    let door = Door::open(&with_model(policy)).await;
    let mia = door.person("Mia", "member").await;
    let repository = door.server.place.repository();
    let begin = async |who: &str, prompt: &str, limits: Value| {
        let new = json!({ "repository": repository, "prompt": prompt, "limits": limits });
        let (status, view) = door.ask(who, Method::POST, "/sessions", new).await;
        assert_eq!(status, StatusCode::CREATED, "{view}");
        view
    };
    let steps = |view: &Value| guard(view, "steps")["limit"].as_u64().unwrap();
    let mut ids = Vec::new();
    for (who, asked, expected) in [
        (&mia, json!({}), 2),
        (&mia, json!({"steps": 50}), 2),
        (&mia, json!({"steps": 1}), 1),
        (&door.owner, json!({}), 7),
        (&door.owner, json!({"steps": 50}), 50),
    ] {
        let view = begin(who, "!say hello", asked.clone()).await;
        assert_eq!(steps(&view), expected, "{asked}");
        ids.push(view["id"].as_str().unwrap().to_owned());
    }

    let path = format!("/guards?repository={}", repository.display());
    let (_, hers) = door.get(&mia, &path).await;
    assert_eq!((&hers["role"], &hers["rule"], &hers["rules"]), (&json!("member"), &json!(1), &json!([])));
    let (_, all) = door.get(&door.owner, &format!("{path}&role=admin")).await;
    assert_eq!((&all["rule"], all["rules"].as_array().unwrap().len()), (&json!(2), 2), "{all}");
    let (_, elsewhere) = door.get(&mia, "/guards").await;
    assert_eq!((&elsewhere["rule"], &elsewhere["guards"][0]["limit"]), (&Value::Null, &json!(20)));

    // What an owner's session may do again, a member can let it only as far as their own might.
    let view = begin(
        &door.owner,
        "!call 9 look a\n!hang",
        json!({"session_steps": 8, "identical_calls": 99, "steps": 99}),
    )
    .await;
    let id = view["id"].as_str().unwrap().to_owned();
    door.until(&id, "work_committed").await;
    let go_on = format!("/sessions/{id}/continue");
    let (status, view) = door.ask(&mia, Method::POST, &go_on, json!({"turn": 1})).await;
    let raised = guard(&view, "session_steps");
    assert_eq!(
        (status, &raised["limit"], &raised["raised"]),
        (StatusCode::ACCEPTED, &json!(12), &json!(true))
    );
    ids.push(id);

    // Past its money only admins.
    let view = begin(&door.owner, &format!("{ASK}!hang"), json!({"budget_micros": 200_000})).await;
    let id = view["id"].as_str().unwrap().to_owned();
    door.until(&id, "work_committed").await;
    let go_on = format!("/sessions/{id}/continue");
    let (status, problem) = door.ask(&mia, Method::POST, &go_on, json!({"turn": 1})).await;
    assert_eq!((status.as_u16(), &problem["code"]), (403, &json!("role_too_low")), "{problem}");
    // A token that may not administer is a member's.
    let small = door.token(&door.owner, "write").await;
    let (status, _) = door.ask(&small, Method::POST, &go_on, json!({"turn": 1})).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    let (status, view) = door.ask(&door.owner, Method::POST, &go_on, json!({"turn": 1})).await;
    assert_eq!((status, &guard(&view, "budget")["limit"]), (StatusCode::ACCEPTED, &json!(460_000)), "{view}");
    ids.push(id);
    for id in ids {
        door.end(&id).await;
    }
}
