//! What of the protocol is not served.

use super::cloud;
use reqwest::header::HeaderValue;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

/// Nobody relies on what is not there: it is named, in the shape that clients read.
#[tokio::test]
async fn what_is_not_served_is_refused_by_its_name() {
    let cloud = cloud();
    for (network, named) in [
        (json!({"dnsServers": ["10.0.0.1"]}), "network.dnsServers"),
        (json!({"httpsPorts": [443]}), "network.httpsPorts"),
        (json!({"allowPublicTraffic": false}), "network.allowPublicTraffic"),
    ] {
        let body = json!({"templateID": "base", "network": network});
        let (status, told) = cloud.control(Method::POST, "/v2/sandboxes", body).await;
        assert_eq!((status.as_u16(), &told["code"]), (400, &json!(400)), "{told}");
        assert!(told["message"].as_str().unwrap().contains(named), "{told}");
    }
    for (method, path, expected) in [
        (Method::GET, "/volumes", 501),
        (Method::POST, "/secrets", 501),
        (Method::PATCH, "/v2/templates/base", 501),
        (Method::GET, "/teams", 501),
        (Method::PATCH, "/snapshots", 405),
    ] {
        let (status, told) = cloud.control(method, path, Value::Null).await;
        assert_eq!((status.as_u16(), &told["code"]), (expected, &json!(expected)), "{path}: {told}");
        assert!(told["message"].as_str().unwrap().contains(path), "{told}");
    }
    let sandbox = cloud.create(json!({"templateID": "base"})).await;
    for value in [HeaderValue::from_bytes(b"\xe4").unwrap(), "x".repeat(5000).parse().unwrap()] {
        let upload = cloud.inside(&sandbox, Method::POST, "/files?path=a").header("X-Metadata-Kind", value);
        let upload = upload.header("Content-Type", "application/octet-stream").body("c");
        let answer = upload.send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
        assert!(answer.text().await.unwrap().contains("metadata"));
        assert_eq!(cloud.read(&sandbox, "a").await.0, StatusCode::NOT_FOUND);
    }
}
