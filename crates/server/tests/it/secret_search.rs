//! Whether a secret is in a session: `lamplight doctor --session`.

use crate::secrets::{STORED, place, set_key};
use crate::support::Server;
use serde_json::Value;

#[tokio::test]
async fn nothing_of_the_servers_secrets_is_in_an_ordinary_session() {
    let server = Server::start_in(place());
    assert!(set_key(&server.place, STORED).status.success());
    let id = server
        .create("!write a.txt hello\n!run setsid sleep 300 < /dev/null > /dev/null 2>&1 & true\n!say done")
        .await;
    server.until(&id, "work_committed", 1).await;
    let said = server.place.say(&["doctor", "--session", &id]);
    // Both keys, and what the stored one is sealed with.
    assert!(said.contains("none of 3 secrets found: "), "{said}");
    let text = server.place.say(&["doctor", "--session", &id, "--json"]);
    let search: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(search["complete"], true);
    assert_eq!(search["unread"], serde_json::json!([]), "{search}");
    for (what, least) in [("processes", 2), ("files", 5), ("bytes", 1_000_000)] {
        assert!(search[what].as_u64().unwrap() >= least, "{search}");
    }
    let unknown = server.place.run(&["doctor", "--session", "01JD0000000000000000000000"]);
    assert!(!unknown.status.success());
    server.clear().await;
}

/// An agent that has got hold of a key: in a file, by a name, in an environment, in memory alone; and a link that leads out.
#[tokio::test]
async fn a_secret_is_found_wherever_it_is_kept_and_no_link_is_followed() {
    let server = Server::start_in(place());
    assert!(set_key(&server.place, STORED).status.success());
    let outside = server.place.path("outside.txt");
    std::fs::write(&outside, STORED).unwrap();
    let steps = [
        // Put together inside, so that the prompt has nothing of it.
        "!run k=\"sk-can\"\"ary/4f2a+91b7=q\"; printf %s $k | base64 > encoded.txt; (head -c 2097140 /dev/zero; printf %s $k) > far.bin",
        "!run k=\"sk-can\"\"ary/4f2a+91b7=q\"; mkdir -p /dev/shm/x; echo $k > /dev/shm/x/shared; touch $(printf %s $k | od -An -tx1 | tr -d ' \\n')",
        "!run k=\"sk-can\"\"ary/4f2a+91b7=q\"; K=$k setsid sleep 300 < /dev/null > /dev/null 2>&1 & sleep 0.2",
        "!run setsid python3 -c 'import time; k = \"q=7b19+a2f4/yranac-ks\"[::-1]; time.sleep(300)' < /dev/null > /dev/null 2>&1 & sleep 1",
        &format!("!run ln -s {} link; mkfifo pipe", outside.display()),
    ];
    let id = server.create(&steps.join("\n")).await;
    server.until(&id, "work_committed", 1).await;
    let output = server.place.run(&["doctor", "--session", &id]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    for place in [
        "encoded.txt",
        "far.bin",
        "the name of session: ",
        "/dev/shm: ./x/shared",
        "the environment of process ",
        "the memory of process ",
    ] {
        assert!(said.contains(place) && said.contains("openai key"), "{place}: {said}");
    }
    assert!(!said.contains("link") && !said.contains("pipe") && !said.contains(STORED), "{said}");
    server.clear().await;
}
