//! Who is answered.

use crate::support::Server;
use reqwest::{Method, StatusCode, header};

#[tokio::test]
async fn only_own_names_and_the_own_origin_are_answered() {
    let server = Server::start();
    let own = format!("http://{}", server.authority());
    let status = |name: header::HeaderName, value: &str| {
        let request = server.request(Method::GET, "/api/v1/status").header(name, value);
        async move { request.send().await.unwrap().status() }
    };
    assert_eq!(status(header::HOST, "localhost").await, StatusCode::OK);
    assert_eq!(status(header::HOST, "evil.example").await, StatusCode::MISDIRECTED_REQUEST);
    assert_eq!(status(header::ORIGIN, &own).await, StatusCode::OK);
    assert_eq!(status(header::ORIGIN, "http://evil.example").await, StatusCode::FORBIDDEN);
    assert_eq!(server.handshake("/events", &own).await, 101);
    assert_eq!(server.handshake("/events", "http://evil.example").await, 403);
}

#[tokio::test]
async fn every_answer_carries_the_security_headers() {
    let server = Server::start();
    for path in ["/", "/healthz", "/api/v1/status", "/api/v1/nothing"] {
        let answer = server.request(Method::GET, path).send().await.unwrap();
        let value = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
        assert!(value("content-security-policy").contains("default-src 'self'"), "{path}");
        assert!(value("content-security-policy").contains("frame-ancestors 'none'"), "{path}");
        assert_eq!(value("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(value("referrer-policy"), "no-referrer", "{path}");
    }
}
