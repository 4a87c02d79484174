//! Every route × everybody: what is answered is what the table of routes says, and every route is in it.

use crate::people::{Door, actor};
use crate::support::answer;
use lamplight_domain::{Role, Scope};
use lamplight_server::http::access::table::{METRICS, Need, TABLE};
use reqwest::{Method, StatusCode};
use serde_json::Value;
use std::collections::BTreeSet;

/// Refusals that are about who asks.
const REFUSALS: [&str; 5] =
    ["sign_in_required", "role_too_low", "scope_too_small", "repository_not_allowed", "route_without_row"];

/// Somebody who asks.
struct Actor {
    called: &'static str,
    token: Option<String>,
    role: Role,
    scope: Scope,
    may_use: bool,
}

impl Actor {
    /// With which words this one is sent away; `None` if not.
    fn refusal(&self, need: Need) -> Option<&'static str> {
        let (role, scope) = match need {
            Need::Open => return None,
            Need::Look => (Role::Viewer, Scope::Read),
            Need::Start | Need::Steer => (Role::Member, Scope::Write),
            Need::Account => (Role::Viewer, Scope::Admin),
            Need::Administer => (Role::Admin, Scope::Admin),
        };
        match () {
            () if self.token.is_none() => Some("sign_in_required"),
            () if self.role < role => Some("role_too_low"),
            () if self.scope < scope => Some("scope_too_small"),
            () if need == Need::Steer && !self.may_use => Some("repository_not_allowed"),
            () => None,
        }
    }
}

#[test]
fn every_route_of_the_document_has_a_row_and_every_row_a_route() {
    let document: Value = serde_json::from_str(&lamplight_server::http::openapi::document()).unwrap();
    let paths = document["paths"].as_object().unwrap();
    let mut routes: BTreeSet<(String, &str)> = paths
        .iter()
        .flat_map(|(path, operations)| operations.as_object().unwrap().keys().map(move |m| (m, path)))
        .map(|(method, path)| (method.to_uppercase(), path.as_str()))
        .collect();
    // The document is not in itself.
    routes.insert(("GET".to_owned(), "/openapi.json"));
    routes.insert(("GET".to_owned(), METRICS));
    let rows: BTreeSet<(String, &str)> =
        TABLE.iter().map(|(method, path, _)| ((*method).to_owned(), *path)).collect();
    assert_eq!(rows.len(), TABLE.len(), "a route has two rows");
    assert_eq!(routes.difference(&rows).collect::<Vec<_>>(), Vec::<&(String, &str)>::new(), "without a row");
    assert_eq!(
        rows.difference(&routes).collect::<Vec<_>>(),
        Vec::<&(String, &str)>::new(),
        "without a route"
    );
}

#[tokio::test]
async fn everybody_gets_what_the_table_says_and_nothing_else() {
    let door = Door::open("[[repositories]]\npath = '{repository}'\npeople = ['Mia']\n").await;
    let session = door.session().await;
    let person = async |name: &'static str, role: &str| door.person(name, role).await;
    let owner = door.owner.clone();
    let actors = [
        actor("anonymous", None, Role::Viewer, Scope::Admin, false),
        actor("viewer", Some(person("Vic", "viewer").await), Role::Viewer, Scope::Admin, false),
        actor("member without right", Some(person("Moe", "member").await), Role::Member, Scope::Admin, false),
        actor("member", Some(person("Mia", "member").await), Role::Member, Scope::Admin, true),
        actor("admin", Some(person("Ann", "admin").await), Role::Admin, Scope::Admin, true),
        actor("owner", Some(owner.clone()), Role::Owner, Scope::Admin, true),
        actor("token to read", Some(door.token(&owner, "read").await), Role::Owner, Scope::Read, true),
        actor("token to write", Some(door.token(&owner, "write").await), Role::Owner, Scope::Write, true),
        actor("wrong token", Some(format!("lmp_{}", "0".repeat(72))), Role::Owner, Scope::Admin, true),
    ];
    let actors =
        actors.map(|(called, token, role, scope, may_use)| Actor { called, token, role, scope, may_use });
    let (mut asked, mut refused) = (0, 0);
    for (method, path, need) in TABLE {
        for actor in &actors {
            // It would be revoked.
            if *path == "/sign-out" && actor.token.is_some() {
                continue;
            }
            let id =
                if path.starts_with("/sessions") { session.as_str() } else { "01JD0000000000000000000000" };
            let address = path
                .replace("{id}", id)
                .replace("{prompt}", "01JD0000000000000000000000")
                .replace("{terminal}", "01JD0000000000000000000000")
                .replace("{token}", "01JD0000000000000000000000")
                .replace("{port}", "9")
                .replace("{name}", "openai")
                .replace("{way}", "github")
                .replace("/offer", "/offer?path=/nowhere");
            let method: Method = method.parse().unwrap();
            let below = if *path == METRICS { "" } else { "/api/v1" };
            let mut request = door.server.request(method.clone(), &format!("{below}{address}"));
            if let Some(token) = &actor.token {
                request = request.bearer_auth(token);
            }
            let (status, problem) = answer(request).await;
            let code = problem["code"].as_str().filter(|code| REFUSALS.contains(code));
            let expected = match actor.called {
                "wrong token" if *need != Need::Open => Some("sign_in_required"),
                // Of a member who asks for a path that is no repository of theirs.
                _ if *path == "/repositories/offer" && actor.role == Role::Member => {
                    Some("repository_not_allowed")
                }
                _ => actor.refusal(*need),
            };
            assert_eq!(code, expected, "{} {method} {path}: {status} {problem}", actor.called);
            let statuses = [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN];
            assert_eq!(
                expected.is_some(),
                statuses.contains(&status) && problem["code"] != "link_used_up",
                "{} {method} {path}: {status} {problem}",
                actor.called
            );
            asked += 1;
            refused += usize::from(expected.is_some());
        }
    }
    assert!(asked > 9 * 50 && refused > 150, "{asked} asked, {refused} refused");
}
