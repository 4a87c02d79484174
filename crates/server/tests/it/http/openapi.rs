//! The document and the server say the same.

use crate::support::Server;
use reqwest::{Method, StatusCode};
use serde_json::Value;

/// Checked in, so that a change of the contract is seen in review.
const CHECKED_IN: &str = include_str!("../../../../../docs/openapi.json");

#[test]
fn the_checked_in_document_is_fresh() {
    let fresh = lamplight_server::http::openapi::document();
    assert!(fresh == CHECKED_IN, "run: cargo run -p lamplight-server -- openapi > docs/openapi.json");
}

#[tokio::test]
async fn every_path_of_the_document_is_served_and_every_operation_has_its_own_name() {
    let server = Server::start();
    let (status, served) = server.get("/openapi.json").await;
    assert_eq!(status, StatusCode::OK);
    assert!(served == serde_json::from_str::<Value>(CHECKED_IN).unwrap());
    let mut names = Vec::new();
    for (path, operations) in served["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            names.push(operation["operationId"].as_str().unwrap());
            let path = path
                .replace("{id}", "01JD0000000000000000000000")
                .replace("{prompt}", "01JD0000000000000000000000");
            let method: Method = method.to_uppercase().parse().unwrap();
            let answer = server.request(method.clone(), &format!("/api/v1{path}")).send().await.unwrap();
            let code = serde_json::from_slice::<Value>(&answer.bytes().await.unwrap()).unwrap_or_default();
            let code = code["code"].as_str().unwrap_or_default().to_owned();
            assert!(code != "route_not_found" && code != "method_not_allowed", "{method} {path}: {code}");
        }
    }
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
}
