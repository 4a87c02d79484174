//! What goes wrong when the script says so.

use serde_json::{Value, json};

use crate::agent::{PROTOCOLS, Protocol};
use crate::client::{Response, Server};

async fn ask(server: &Server, protocol: Protocol, scenario: &str, stream: bool) -> Response {
    let prompt = format!("[[scenario:{scenario}]]");
    let request = json!({"model": "m", "stream": stream, "max_tokens": 10, "input": prompt,
                         "messages": [{"role": "user", "content": prompt}]});
    server.post(protocol.path(), &["anthropic-version: 2023-06-01"], &request).await
}

#[tokio::test]
async fn refusals_are_in_the_vendors_shape_and_end() {
    let server = Server::built_in().await;
    let kinds = |protocol| match protocol {
        Protocol::Chat | Protocol::Responses => ["requests", "server_error", "invalid_request_error"],
        Protocol::Messages => ["rate_limit_error", "api_error", "authentication_error"],
    };
    for protocol in PROTOCOLS {
        for (n, (scenario, status)) in [("r429", 429), ("r500", 500), ("r401", 401)].into_iter().enumerate() {
            for _ in 0..2 {
                let refused = ask(&server, protocol, scenario, true).await;
                assert_eq!(refused.status, status);
                assert_eq!(refused.json()["error"]["type"], kinds(protocol)[n]);
                assert_eq!(refused.head.contains("retry-after: 1"), status == 429, "{}", refused.head);
            }
            let third = ask(&server, protocol, scenario, true).await;
            assert_eq!(third.status, if status == 401 { 401 } else { 200 });
        }
    }
    assert_eq!(server.get("/_scripted/stats").await["faults"], 3 * 7);
}

#[tokio::test]
async fn a_dropped_answer_begins_and_does_not_end() {
    let server = Server::built_in().await;
    for protocol in PROTOCOLS {
        let broken = ask(&server, protocol, "drop", true).await;
        assert_eq!(broken.status, 200);
        assert!(!broken.whole && !broken.body.is_empty(), "{}", broken.body);
        assert!(ask(&server, protocol, "drop", true).await.whole);
    }
}

#[tokio::test]
async fn garbage_is_not_of_the_protocol() {
    let server = Server::built_in().await;
    for stream in [true, false] {
        let garbage = ask(&server, PROTOCOLS[usize::from(stream)], "garbage", stream).await;
        assert_eq!(garbage.status, 200);
        let data = if stream { garbage.events()[0].to_owned() } else { garbage.body };
        assert!(serde_json::from_str::<Value>(&data).is_err(), "{data}");
    }
}

/// Others are answered meanwhile, many times over.
#[tokio::test]
async fn an_answer_that_hangs_does_not_come() {
    let server = Server::built_in().await;
    let others = async {
        while server.get("/_scripted/stats").await["by_scenario"]["hang"] != 1 {}
        for _ in 0..50 {
            assert_eq!(ask(&server, Protocol::Chat, "text", false).await.status, 200);
        }
    };
    tokio::select! {
        _ = ask(&server, Protocol::Chat, "hang", true) => panic!("it was to hang"),
        () = others => {}
    }
}
