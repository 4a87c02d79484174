//! What stays open ends with what it was opened by.

use super::Door;
use crate::support::{Socket, answer};
use futures::StreamExt;
use reqwest::{Method, StatusCode, header};
use serde_json::{Value, json};
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

impl Door {
    pub(super) async fn socket(&self, token: Option<&str>, path: &str) -> Result<Socket, u16> {
        let address = format!("ws://{}/api/v1{path}", self.server.authority());
        let mut request = address.into_client_request().unwrap();
        if let Some(token) = token {
            request.headers_mut().insert(header::AUTHORIZATION, format!("Bearer {token}").parse().unwrap());
        }
        match connect_async(request).await {
            Ok((socket, _)) => Ok(Socket(socket)),
            Err(tokio_tungstenite::tungstenite::Error::Http(answer)) => Err(answer.status().as_u16()),
            Err(other) => panic!("{other}"),
        }
    }
}

/// Reads to the end, which has to come.
pub(super) async fn ends(mut socket: Socket) {
    let end = async { while let Some(Ok(_)) = socket.0.next().await {} };
    tokio::time::timeout(crate::support::PATIENCE, end).await.expect("the stream ends");
}

#[tokio::test]
async fn streams_end_when_a_token_is_revoked_a_role_changes_or_somebody_is_removed() {
    let door = Door::open("").await;
    let session = door.session().await;
    let events = format!("/sessions/{session}/events?resume=0&presence=true");
    assert_eq!(door.socket(None, &events).await.err(), Some(401));
    assert_eq!(door.socket(None, "/events").await.err(), Some(401));
    assert_eq!(door.socket(Some("lmp_x"), "/events").await.err(), Some(401));

    let mia = door.person("Mia", "member").await;
    let mut own = door.socket(Some(&mia), &events).await.unwrap();
    let present = own.control("present").await;
    assert_eq!(present["people"], json!([{ "name": "Mia", "streams": 1 }]), "as who is signed in");
    let others = door.socket(Some(&door.owner), "/events").await.unwrap();
    let (_, tokens) = door.get(&mia, "/tokens").await;
    let id = tokens["items"][0]["id"].as_str().unwrap();
    let (status, _) = door.ask(&mia, Method::DELETE, &format!("/tokens/{id}"), Value::Null).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    ends(own).await;
    assert_eq!(door.socket(Some(&mia), &events).await.err(), Some(401));

    let ann = door.person("Ann", "admin").await;
    let stream = door.socket(Some(&ann), "/events").await.unwrap();
    let role = format!("/people/{}/role", door.id("Ann").await);
    door.ask(&door.owner, Method::PUT, &role, json!({ "role": "viewer" })).await;
    ends(stream).await;
    let stream = door.socket(Some(&ann), "/events").await.expect("she comes back as a viewer");
    door.ask(&door.owner, Method::DELETE, &format!("/people/{}", door.id("Ann").await), Value::Null).await;
    ends(stream).await;

    let cookie = door.browser("Olga").await;
    let (status, _) = answer(door.by(&cookie, Method::POST, "/sign-out/everywhere")).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    let still = tokio::time::timeout(std::time::Duration::from_millis(300), ends(others)).await;
    assert!(still.is_err(), "what others have open stays");
}
