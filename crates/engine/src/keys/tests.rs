use super::*;
use crate::{CloudKey, EndpointConfig};
use lamplight_gateway::Outside;
use std::path::Path;
use tempfile::TempDir;

const CANARY: &str = "sk-canary-4f2a91b7";

const OPENAI: KeyName = KeyName::Models(UpstreamName::OpenAi);
const ANTHROPIC: KeyName = KeyName::Models(UpstreamName::Anthropic);
const GEMINI: KeyName = KeyName::Models(UpstreamName::Gemini);

struct Stage {
    dir: TempDir,
    config: ModelsConfig,
    cloud: Option<CloudConfig>,
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
        Self { dir: tempfile::tempdir().unwrap(), config: ModelsConfig::default(), cloud: None }
    }

    fn key_file(&self) -> std::path::PathBuf {
        self.dir.path().join("data.key")
    }

    async fn start(&self) -> Running {
        let store = Store::open(&self.dir.path().join("data")).unwrap();
        let redaction = Redaction::default();
        let source = SealingSource::File(self.key_file());
        let (models, cloud) = (self.config.clone(), self.cloud.clone());
        let keys = Keys::load(models, cloud, source, redaction.clone(), &store).await.unwrap();
        let gateway = Gateway::new(keys.upstreams(), Outside::default()).unwrap();
        Running { store, gateway, keys, redaction }
    }
}

impl Running {
    async fn set(&self, name: KeyName, key: &str) -> Result<KeyInfo, CommandError> {
        self.keys.set(&self.store, &self.gateway, name, key).await
    }

    /// Which key the gateway asks with.
    fn asked_with(&self, name: UpstreamName) -> Option<String> {
        self.gateway.upstreams().get(&name).map(|upstream| upstream.key.expose().to_owned())
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
    assert_eq!(running.keys.info(OPENAI).source, KeySource::Missing);
    assert!(!stage.key_file().exists());
    let info = running.set(OPENAI, &format!(" {CANARY}\n")).await.unwrap();
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
        running.keys.info(OPENAI).source,
        KeySource::Environment { variable: "OPENAI_API_KEY".to_owned() }
    );
    let not_sent = KeySource::NotNeeded { variable: Some("ANTHROPIC_API_KEY".to_owned()) };
    assert_eq!(running.keys.info(ANTHROPIC).source, not_sent);
    assert_eq!(running.keys.redaction.now().text(kept_back), "[secret anthropic key]", "and seen nowhere");
    assert_eq!(running.asked_with(UpstreamName::Anthropic).as_deref(), Some(""));
    let info = running.set(OPENAI, CANARY).await.unwrap();
    assert!(matches!(info.source, KeySource::Stored { variable: also, .. } if also == variable));
    assert_eq!(running.asked_with(UpstreamName::OpenAi).as_deref(), Some(CANARY));
    assert!(running.keys.remove(&running.store, &running.gateway, OPENAI).await.unwrap());
    assert!(!running.keys.remove(&running.store, &running.gateway, OPENAI).await.unwrap());
    assert_eq!(running.asked_with(UpstreamName::OpenAi).as_deref(), Some("sk-environment-1"));
    // All that it ever knew is kept out of what is written.
    for key in [CANARY, "sk-environment-1"] {
        assert_eq!(running.redaction.now().text(key), "[secret openai key]");
    }
}

#[tokio::test]
async fn the_key_of_an_upstream_of_the_configuration_is_for_its_address_alone() {
    let mut stage = Stage::new();
    let name = |name: &str| KeyName::Models(name.parse().unwrap());
    for upstream in ["local", "router"] {
        let base = Some(format!("http://127.0.0.1:1/{upstream}"));
        let of_upstream = EndpointConfig { base, ..EndpointConfig::default() };
        stage.config.compatible.insert(upstream.parse().unwrap(), of_upstream);
    }
    let running = stage.start().await;
    assert_eq!(running.keys.info(name("local")).source, KeySource::NotNeeded { variable: None });
    running.set(name("router"), CANARY).await.unwrap();
    let asked_with = |running: &Running| {
        let all = running.gateway.upstreams();
        all.iter().map(|(name, at)| format!("{name} {} {}", at.base, at.key.expose())).collect::<Vec<_>>()
    };
    let router = format!("router http://127.0.0.1:1/router {CANARY}");
    assert_eq!(asked_with(&running), ["local http://127.0.0.1:1/local ".to_owned(), router.clone()]);
    running.stop().await;

    let running = stage.start().await;
    assert_eq!(asked_with(&running)[1], router, "after a restart, too");
    assert_eq!(running.redaction.now().text(CANARY), "[secret router key]");
    running.stop().await;

    // What the configuration no longer has is asked by nobody, and its key is told, to be removed.
    stage.config.compatible.remove("router");
    let running = stage.start().await;
    assert_eq!(asked_with(&running).len(), 1);
    assert_eq!(running.redaction.now().text(CANARY), "[secret router key]");
    let names: Vec<_> = running.keys.list().into_iter().map(|info| info.name.to_string()).collect();
    assert_eq!(names, ["openai", "anthropic", "gemini", "local", "router"]);
    let problem = running.keys.info(name("router")).problem.unwrap();
    assert!(problem.contains("write [models.compatible.router]"), "{problem}");
    assert!(running.keys.remove(&running.store, &running.gateway, name("router")).await.unwrap());
    assert_eq!(running.keys.list().len(), 4);
}

/// The provider and whoever stores a key have the same one, from its setting to its removal.
#[tokio::test]
async fn the_key_of_a_cloud_is_kept_as_any_other_and_the_cloud_is_asked_with_it() {
    let mut stage = Stage::new();
    let running = stage.start().await;
    assert_eq!(running.keys.list().len(), 3, "where no cloud makes sandboxes, nobody is asked for its key");
    running.stop().await;

    let current = CloudKey::default();
    stage.cloud = Some(cloud(current.clone()));
    let running = stage.start().await;
    let info = running.keys.info(KeyName::Cloud);
    assert_eq!(info.source, KeySource::Environment { variable: "E2B_API_KEY".to_owned() });
    assert_eq!(info.base, "https://api.sandboxes.example.org");
    assert_eq!(current.get().as_deref(), Some("e2b_environment1"));
    running.set(KeyName::Cloud, "e2b_stored1").await.unwrap();
    assert_eq!(current.get().as_deref(), Some("e2b_stored1"));
    assert_eq!(
        running.redaction.now().text("e2b_stored1 e2b_environment1"),
        "[secret e2b key] [secret e2b key]"
    );
    running.stop().await;

    current.set("");
    let running = stage.start().await;
    assert_eq!(current.get().as_deref(), Some("e2b_stored1"), "after a restart, too");
    let names: Vec<_> = running.keys.list().into_iter().map(|info| info.name.to_string()).collect();
    assert_eq!(names, ["openai", "anthropic", "gemini", "e2b"]);
    assert!(running.keys.remove(&running.store, &running.gateway, KeyName::Cloud).await.unwrap());
    assert_eq!(current.get().as_deref(), Some("e2b_environment1"));
}

fn cloud(current: CloudKey) -> CloudConfig {
    CloudConfig {
        key: Some(Secret::new("e2b_environment1")),
        variable: Some("E2B_API_KEY".to_owned()),
        current,
        domain: "sandboxes.example.org".to_owned(),
        api_url: None,
        sandbox_url: None,
        template: "base".to_owned(),
        user: "user".to_owned(),
        deployment: None,
        timeout_seconds: 900,
        internet: false,
        snapshots: true,
    }
}

#[tokio::test]
async fn a_lost_sealing_key_is_told_and_nothing_is_sealed_with_another_beside_what_it_sealed() {
    let mut stage = Stage::new();
    let running = stage.start().await;
    running.set(OPENAI, CANARY).await.unwrap();
    running.set(GEMINI, "gemini-canary-2").await.unwrap();
    running.stop().await;
    let kept = std::fs::read(stage.key_file()).unwrap();
    std::fs::remove_file(stage.key_file()).unwrap();

    // The environment's key is not taken instead: it may be somebody else's.
    stage.config.openai.key = Some(Secret::new("sk-environment-1"));
    let running = stage.start().await;
    let problem = running.keys.info(OPENAI).problem.unwrap();
    assert!(problem.contains("data.key is not there") && problem.contains("put it back"), "{problem}");
    assert_eq!(running.asked_with(UpstreamName::OpenAi), None);
    let refused = running.set(OPENAI, CANARY).await.unwrap_err();
    assert_eq!(refused.code(), "secrets_key");
    assert!(!stage.key_file().exists());
    running.keys.remove(&running.store, &running.gateway, GEMINI).await.unwrap();
    running.set(OPENAI, CANARY).await.unwrap();
    assert_eq!(running.asked_with(UpstreamName::OpenAi).as_deref(), Some(CANARY));
    running.stop().await;

    std::fs::write(stage.key_file(), kept).unwrap();
    let running = stage.start().await;
    let problem = running.keys.info(OPENAI).problem.unwrap();
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
        let refused = running.set(OPENAI, wrong).await.unwrap_err();
        assert_eq!(refused.code(), "key_unusable", "{wrong}");
    }
    assert_eq!(running.asked_with(UpstreamName::OpenAi), None);
}
