use super::*;
use crate::EndpointConfig;
use lamplight_gateway::Outside;
use std::path::Path;
use tempfile::TempDir;

const CANARY: &str = "sk-canary-4f2a91b7";

struct Stage {
    dir: TempDir,
    config: ModelsConfig,
}

/// A running server's share of it.
struct Running {
    store: Store,
    gateway: Gateway,
    keys: Keys,
    redaction: Redaction,
}

impl Stage {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), config: ModelsConfig::default() }
    }

    fn key_file(&self) -> std::path::PathBuf {
        self.dir.path().join("data.key")
    }

    async fn start(&self) -> Running {
        let store = Store::open(&self.dir.path().join("data")).unwrap();
        let redaction = Redaction::default();
        let source = SealingSource::File(self.key_file());
        let keys = Keys::load(self.config.clone(), source, redaction.clone(), &store).await.unwrap();
        let gateway = Gateway::new(keys.upstreams(), Outside::default()).unwrap();
        Running { store, gateway, keys, redaction }
    }
}

impl Running {
    async fn set(&self, name: UpstreamName, key: &str) -> Result<KeyInfo, CommandError> {
        self.keys.set(&self.store, &self.gateway, name, key).await
    }

    /// Which key the gateway asks with.
    fn asked_with(&self, name: UpstreamName) -> Option<String> {
        self.gateway.upstreams().get(name).map(|upstream| upstream.key.expose().to_owned())
    }

    async fn stop(self) {
        self.store.close().await;
    }
}

fn bytes_below(path: &Path) -> Vec<u8> {
    let read = |entry: std::fs::DirEntry| {
        if entry.path().is_dir() { bytes_below(&entry.path()) } else { std::fs::read(entry.path()).unwrap() }
    };
    std::fs::read_dir(path).unwrap().flat_map(|entry| read(entry.unwrap())).collect()
}

#[tokio::test]
async fn a_key_is_used_at_once_and_after_a_restart_and_is_nowhere_on_the_disk() {
    let stage = Stage::new();
    let running = stage.start().await;
    assert_eq!(running.keys.info(UpstreamName::OpenAi).source, KeySource::Missing);
    assert!(!stage.key_file().exists());
    let info = running.set(UpstreamName::OpenAi, &format!(" {CANARY}\n")).await.unwrap();
    assert!(matches!(info.source, KeySource::Stored { variable: None, .. }) && info.problem.is_none());
    assert_eq!(running.asked_with(UpstreamName::OpenAi).as_deref(), Some(CANARY));
    let redactor = running.redaction.now();
    running.stop().await;

    let running = stage.start().await;
    assert_eq!(running.asked_with(UpstreamName::OpenAi).as_deref(), Some(CANARY));
    assert_eq!(running.redaction.now().text(CANARY), "[secret openai key]");
    running.stop().await;
    // Both the key and what it is sealed with.
    assert_eq!(redactor.len(), 2);
    assert_eq!(redactor.find(&bytes_below(&stage.dir.path().join("data")), 0), None);
}

#[tokio::test]
async fn what_is_stored_comes_before_the_environment_until_it_is_removed() {
    let mut stage = Stage::new();
    let key = Some(Secret::new("sk-environment-1"));
    let variable = Some("OPENAI_API_KEY".to_owned());
    stage.config.openai =
        EndpointConfig { base: None, key, variable: variable.clone(), ..EndpointConfig::default() };
    stage.config.anthropic.base = Some("http://127.0.0.1:1".to_owned());
    let kept_back = "sk-kept-back-1";
    stage.config.anthropic.kept_back = Some(("ANTHROPIC_API_KEY".to_owned(), Secret::new(kept_back)));
    let running = stage.start().await;
    assert_eq!(
        running.keys.info(UpstreamName::OpenAi).source,
        KeySource::Environment { variable: "OPENAI_API_KEY".to_owned() }
    );
    let not_sent = KeySource::NotNeeded { variable: Some("ANTHROPIC_API_KEY".to_owned()) };
    assert_eq!(running.keys.info(UpstreamName::Anthropic).source, not_sent);
    assert_eq!(running.keys.redaction.now().text(kept_back), "[secret anthropic key]", "and seen nowhere");
    assert_eq!(running.asked_with(UpstreamName::Anthropic).as_deref(), Some(""));
    let info = running.set(UpstreamName::OpenAi, CANARY).await.unwrap();
    assert!(matches!(info.source, KeySource::Stored { variable: also, .. } if also == variable));
    assert_eq!(running.asked_with(UpstreamName::OpenAi).as_deref(), Some(CANARY));
    assert!(running.keys.remove(&running.store, &running.gateway, UpstreamName::OpenAi).await.unwrap());
    assert!(!running.keys.remove(&running.store, &running.gateway, UpstreamName::OpenAi).await.unwrap());
    assert_eq!(running.asked_with(UpstreamName::OpenAi).as_deref(), Some("sk-environment-1"));
    // All that it ever knew is kept out of what is written.
    for key in [CANARY, "sk-environment-1"] {
        assert_eq!(running.redaction.now().text(key), "[secret openai key]");
    }
}

#[tokio::test]
async fn a_lost_sealing_key_is_told_and_nothing_is_sealed_with_another_beside_what_it_sealed() {
    let mut stage = Stage::new();
    let running = stage.start().await;
    running.set(UpstreamName::OpenAi, CANARY).await.unwrap();
    running.set(UpstreamName::Gemini, "gemini-canary-2").await.unwrap();
    running.stop().await;
    let kept = std::fs::read(stage.key_file()).unwrap();
    std::fs::remove_file(stage.key_file()).unwrap();

    // The environment's key is not taken instead: it may be somebody else's.
    stage.config.openai.key = Some(Secret::new("sk-environment-1"));
    let running = stage.start().await;
    let problem = running.keys.info(UpstreamName::OpenAi).problem.unwrap();
    assert!(problem.contains("data.key is not there") && problem.contains("put it back"), "{problem}");
    assert_eq!(running.asked_with(UpstreamName::OpenAi), None);
    let refused = running.set(UpstreamName::OpenAi, CANARY).await.unwrap_err();
    assert_eq!(refused.code(), "secrets_key");
    assert!(!stage.key_file().exists());
    running.keys.remove(&running.store, &running.gateway, UpstreamName::Gemini).await.unwrap();
    running.set(UpstreamName::OpenAi, CANARY).await.unwrap();
    assert_eq!(running.asked_with(UpstreamName::OpenAi).as_deref(), Some(CANARY));
    running.stop().await;

    std::fs::write(stage.key_file(), kept).unwrap();
    let running = stage.start().await;
    let problem = running.keys.info(UpstreamName::OpenAi).problem.unwrap();
    assert!(problem.contains("sealed with another key"), "{problem}");
    assert_eq!(running.asked_with(UpstreamName::OpenAi), None);
}

#[tokio::test]
async fn what_is_no_key_is_refused() {
    let running = Stage::new().start().await;
    let long = "x1".repeat(LONGEST_KEY_BYTES);
    for wrong in [
        "",
        "sk-4f2a",
        "  sk-4f2a\n",
        "sk-canary 4f2a",
        "sk-canary\n4f2a",
        "schlüssel-4f2a",
        "passwords",
        &long,
    ] {
        let refused = running.set(UpstreamName::OpenAi, wrong).await.unwrap_err();
        assert_eq!(refused.code(), "key_unusable", "{wrong}");
    }
    assert_eq!(running.asked_with(UpstreamName::OpenAi), None);
}
