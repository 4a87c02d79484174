//! People, and what lets them in.

mod as_person;
mod automations;
mod browsers;
mod commands;
mod guards;
mod links;
mod others;
mod repositories;
mod rights;
mod streams;

use crate::support::{Place, Server, answer};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

/// A server where people sign in, and its first owner.
pub(crate) struct Door {
    pub(crate) server: Server,
    /// A token of the owner's, who is Olga by default.
    pub(crate) owner: String,
}

/// What is behind `#` of a link.
pub(crate) fn secret(link: &str) -> String {
    link.split_once("/sign-in#").expect("it is a link to sign in").1.to_owned()
}

impl Door {
    pub(crate) async fn open(configuration: &str) -> Self {
        let place = Place::with(&format!("{configuration}\n[auth]\nrequired = true\n"));
        Self::of(Server::start_in(place), "Olga").await
    }

    /// Of a server that has just said how an owner comes in, who is called so.
    pub(crate) async fn of(mut server: Server, owner: &str) -> Self {
        assert!(server.line().starts_with("The first owner"));
        let secret = secret(&server.line());
        let mut door = Self { server, owner: String::new() };
        door.owner = door.enter(&secret, owner).await;
        door
    }

    /// Comes in by a secret; a token.
    pub(crate) async fn enter(&self, secret: &str, name: &str) -> String {
        let (status, entered) = self.try_enter(secret, name).await;
        assert_eq!(status, StatusCode::OK, "{entered}");
        entered["token"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn try_enter(&self, secret: &str, name: &str) -> (StatusCode, Value) {
        let email = format!("{}@example.org", name.to_lowercase());
        let body = json!({ "secret": secret, "name": name, "email": email, "token": "test" });
        self.server.post("/sign-in", body).await
    }

    /// Invites somebody, who comes; a token of theirs.
    pub(crate) async fn person(&self, name: &str, role: &str) -> String {
        let (status, once) =
            self.ask(&self.owner, Method::POST, "/people/invitations", json!({ "role": role })).await;
        assert_eq!(status, StatusCode::CREATED, "{once}");
        self.enter(once["secret"].as_str().unwrap(), name).await
    }

    pub(crate) async fn token(&self, of: &str, scope: &str) -> String {
        let (status, made) =
            self.ask(of, Method::POST, "/tokens", json!({ "name": scope, "scope": scope })).await;
        assert_eq!(status, StatusCode::CREATED, "{made}");
        made["secret"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn ask(
        &self,
        token: &str,
        method: Method,
        path: &str,
        body: Value,
    ) -> (StatusCode, Value) {
        let request = self.server.request(method, &format!("/api/v1{path}")).bearer_auth(token);
        answer(if body.is_null() { request } else { request.json(&body) }).await
    }

    pub(crate) async fn get(&self, token: &str, path: &str) -> (StatusCode, Value) {
        self.ask(token, Method::GET, path, Value::Null).await
    }

    /// The id of somebody.
    pub(crate) async fn id(&self, name: &str) -> String {
        let (_, people) = self.get(&self.owner, "/people").await;
        let mut all = people["items"].as_array().unwrap().iter();
        all.find(|person| person["name"] == name).unwrap()["id"].as_str().unwrap().to_owned()
    }

    /// One of the owner's that has ended; its id.
    pub(crate) async fn session(&self) -> String {
        let new = json!({ "repository": self.server.place.repository(), "prompt": "say hello" });
        let (status, view) = self.ask(&self.owner, Method::POST, "/sessions", new).await;
        assert_eq!(status, StatusCode::CREATED, "{view}");
        let id = view["id"].as_str().unwrap().to_owned();
        self.end(&id).await;
        id
    }

    /// Ends a session, whatever it is at.
    pub(crate) async fn end(&self, id: &str) {
        loop {
            let (status, problem) =
                self.ask(&self.owner, Method::POST, &format!("/sessions/{id}/end"), Value::Null).await;
            if status == StatusCode::OK {
                return;
            }
            assert_eq!(problem["code"], "turn_running", "{problem}");
            self.ask(&self.owner, Method::POST, &format!("/sessions/{id}/stop"), Value::Null).await;
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    }
}
