//! Commits are signed on the host, with a key that no sandbox sees.

use crate::support::{Place, Server};
use serde_json::json;
use std::process::Command;

fn key(place: &Place) -> String {
    let path = place.path("signing");
    let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&path).status();
    assert!(made.unwrap().success());
    let public = std::fs::read_to_string(path.with_extension("pub")).unwrap();
    std::fs::write(place.path("signers"), format!("ada@example.org {public}")).unwrap();
    format!("[git]\nsigning_key_file = {path:?}\n")
}

fn place() -> Place {
    let place = Place::new();
    let lines = key(&place);
    let config = place.path("lamplight.toml");
    let before = std::fs::read_to_string(&config).unwrap();
    std::fs::write(config, before + &lines).unwrap();
    place
}

#[tokio::test]
async fn every_commit_of_a_session_is_signed_and_the_next_goes_on_from_it() {
    let server = Server::start_in(place());
    let id = server.create("!write a.txt one").await;
    server.until(&id, "work_committed", 1).await;
    let prompt = json!({ "text": "!run git rev-parse HEAD > head.txt; git status --porcelain >> head.txt" });
    server.post(&format!("/sessions/{id}/prompts"), prompt).await;
    server.until(&id, "work_committed", 2).await;
    let view = server.view(&id).await;
    let commits: Vec<_> =
        view["commits"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap()).collect();
    let branch = view["branch"].as_str().unwrap();
    assert_eq!((server.place.git(&["rev-parse", branch]).as_str(), commits.len()), (commits[1], 2));
    let signers = format!("gpg.ssh.allowedSignersFile={}", server.place.path("signers").display());
    for commit in &commits {
        server.place.git(&["-c", &signers, "verify-commit", commit]);
    }
    let seen = server.place.git(&["show", &format!("{branch}:head.txt")]);
    let mut lines = seen.lines();
    assert_eq!((lines.next(), lines.next()), (Some(commits[0]), Some("?? head.txt")), "{seen}");
    assert_eq!(server.place.git(&["rev-parse", &format!("{branch}^")]), commits[0]);
    assert!(server.place.git(&["log", "-1", "--format=%an %s", branch]).starts_with("Ada !run git"));
    server.clear().await;
}

#[tokio::test]
async fn what_an_agent_has_merged_is_signed_with_it() {
    let server = Server::start_in(place());
    let id = server.create("!write a.txt one").await;
    server.until(&id, "work_committed", 1).await;
    server.place.git(&["commit", "-q", "--allow-empty", "-m", "Something else"]);
    let prompt = json!({ "text": "!run git fetch -q origin && git merge -q -m Merged origin/main" });
    server.post(&format!("/sessions/{id}/prompts"), prompt).await;
    server.until(&id, "work_committed", 2).await;
    let view = server.view(&id).await;
    let commits: Vec<_> =
        view["commits"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap()).collect();
    let main = server.place.git(&["rev-parse", "main"]);
    let parents = server.place.git(&["rev-list", "--parents", "--max-count", "1", commits[1]]);
    assert_eq!(parents, format!("{} {} {main}", commits[1], commits[0]));
    let signers = format!("gpg.ssh.allowedSignersFile={}", server.place.path("signers").display());
    server.place.git(&["-c", &signers, "verify-commit", commits[1]]);
    server.clear().await;
}

#[tokio::test]
async fn what_cannot_be_signed_is_not_committed() {
    let place = place();
    std::fs::write(place.path("signing"), "no key\n").unwrap();
    let server = Server::start_in(place);
    let id = server.create("!write a.txt one").await;
    let log = server.until(&id, "work_not_committed", 1).await;
    let failure = log.last().unwrap()["event"]["failure"]["message"].as_str().unwrap();
    assert!(failure.contains("git.signing_key_file"), "{failure}");
    let view = server.view(&id).await;
    assert_eq!((&view["phase"], view["commits"].as_array().unwrap().len()), (&json!("failed"), 0));
    server.clear().await;
}
