//! The provider `e2b` conforms as any provider does, whichever cloud it asks: this server, or one that is named.

use async_trait::async_trait;
use lamplight_domain::SessionId;
use lamplight_sandbox::conformance::{self, Outcome, Subject};
use lamplight_sandbox::handle::Handle;
use lamplight_sandbox::provider::{Provider, SandboxSpec};
use lamplight_sandbox::providers::e2b::{E2b, E2bConfig, Key};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// A domain, or one address for the API and for all sandboxes; with `E2B_API_KEY`, its key.
const CLOUD: &str = "LAMPLIGHT_TEST_E2B_CLOUD";
const KEY: &str = "E2B_API_KEY";
/// What its sandboxes are made from, if not `base`.
const TEMPLATE: &str = "LAMPLIGHT_TEST_E2B_TEMPLATE";

/// What cannot hold in a cloud: a room, a case of it, and why.
const LACKS: [(&str, &str, &str); 10] = [
    ("files", "the_agent_is_at_home", NUMBER),
    ("isolation", "privileges_cannot_be_gained", NUMBER),
    ("isolation", "nothing_of_the_host_is_visible", "the cloud's own user has a home"),
    ("isolation", "no_process_of_the_host_is_visible", "the cloud's own processes run there"),
    (
        "isolation",
        "there_are_no_capabilities",
        "not all can be taken away there for good; no program gives any",
    ),
    ("isolation", "there_is_no_network_but_loopback", CLOSES),
    ("network", "without_a_way_out_there_is_none", CLOSES),
    ("limits", "what_is_enforced_is_told_for_as_long_as_it_is_there", "what the cloud enforces is not seen"),
    ("limits", "sandboxes_inside_need_leave", "what may be done inside is the cloud's to say"),
    ("faults", "what_a_killed_guest_leaves_is_ended", "who ends a sandbox of the cloud ends its files"),
];

const NUMBER: &str = "the agent has another number in a cloud";
const CLOSES: &str = "this cloud takes connections, and closes them";

/// A cloud that answers at one address.
pub(super) fn at(address: &str, config: E2bConfig) -> E2bConfig {
    E2bConfig { api_url: Some(address.to_owned()), sandbox_url: Some(address.to_owned()), ..config }
}

pub(super) fn session() -> SessionId {
    static SESSIONS: AtomicU32 = AtomicU32::new(0);
    let number = SESSIONS.fetch_add(1, Ordering::Relaxed);
    format!("{:016}{number:010}", std::process::id()).parse().unwrap()
}

/// What the cloud calls the sandbox that a session has.
pub(super) fn sandbox_of(data: &Path, session: &SessionId) -> String {
    let file = data.join("e2b/sessions").join(session.as_str()).join("record.json");
    let record: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    record["sandbox"].as_str().unwrap().to_owned()
}

pub(super) async fn conforms(config: E2bConfig) {
    let cloud = AnyCloud(config);
    let results = conformance::run(&cloud, |result| println!("{result}")).await;
    let failed: Vec<_> = results
        .iter()
        .filter(|result| matches!(result.outcome, Outcome::Failed(_)))
        .map(ToString::to_string)
        .collect();
    let passed = results.iter().filter(|result| result.outcome == Outcome::Passed).count();
    println!("{passed} passed, {} failed, of {}", failed.len(), results.len());
    assert_eq!(failed, Vec::<String>::new());
    let names: BTreeSet<_> = results.iter().map(|result| result.name).collect();
    assert_eq!(LACKS.iter().map(|(_, case, _)| case).find(|case| !names.contains(*case)), None);
    assert!(passed >= 91, "{passed}");
    let left = cloud.provider().list().await.unwrap();
    assert!(left.is_empty(), "{left:?} are left of all that");
}

struct AnyCloud(E2bConfig);

#[async_trait]
impl Subject for AnyCloud {
    fn provider(&self) -> Arc<dyn Provider> {
        Arc::new(E2b::open(self.0.clone()).unwrap())
    }

    fn session(&self) -> SessionId {
        session()
    }

    fn hidden(&self) -> Vec<PathBuf> {
        Vec::new()
    }

    fn left_of(&self, _session: &SessionId) -> Option<Vec<String>> {
        None
    }

    async fn create_and_die(&self, _spec: &SandboxSpec) -> Option<Result<(), String>> {
        None
    }

    async fn kill(&self, handle: &Handle) -> Option<Result<(), String>> {
        let AnyCloud(config) = self;
        let id = sandbox_of(&config.data_dir, &handle.open("e2b").unwrap().session);
        let api = config.api_url.clone().unwrap_or_else(|| format!("https://api.{}", config.domain));
        let request = reqwest::Client::new().delete(format!("{api}/sandboxes/{id}"));
        let answer = request.header("X-API-Key", config.key.get().unwrap()).send().await;
        Some(
            answer.and_then(reqwest::Response::error_for_status).map(drop).map_err(|error| error.to_string()),
        )
    }

    fn lacks(&self, room: &str, case: &str) -> Option<&'static str> {
        let lacks = LACKS.iter().find(|(of, one, _)| *of == room && *one == case);
        lacks.map(|(_, _, why)| *why)
    }
}

/// E2B's own, for whoever has a key: see "Against a real cloud" in docs/e2b.md.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_conforms_in_a_cloud_that_is_named() {
    let said = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let Some(cloud) = said(CLOUD) else {
        println!("skipped: {CLOUD} names no cloud");
        return;
    };
    let key = said(KEY).unwrap_or_else(|| panic!("{CLOUD} is {cloud}, and {KEY} says no key for it"));
    lamplight_engine::install_tls_provider();
    let data = tempfile::tempdir().unwrap();
    // Beside whatever else there is of the same key.
    let deployment = format!("test-{}", std::process::id());
    let config = E2bConfig::new(data.path().to_owned(), Key::new(&key), deployment);
    let config = E2bConfig { template: said(TEMPLATE).unwrap_or(config.template), ..config };
    conforms(match cloud.contains("://") {
        true => at(&cloud, config),
        false => E2bConfig { domain: cloud, ..config },
    })
    .await;
}
