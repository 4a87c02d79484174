//! The provider `e2b`, whose cloud is this server: it conforms as any provider does.

use super::any_cloud::{self, at};
use super::raw::{Cloud, KEY, Sandbox};
use super::{cloud, until};
use crate::support::PATIENCE;
use lamplight_domain::{Failure, FailureClass, Generation, SessionId};
use lamplight_sandbox::error::ErrorKind;
use lamplight_sandbox::handle::Handle;
use lamplight_sandbox::link::{Link, ProcessSpec, RunLimits};
use lamplight_sandbox::provider::{Files, ListedState, Provider, ReadOnlyMount, SandboxSpec};
use lamplight_sandbox::providers::e2b::{E2b, E2bConfig, Key};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;

struct There {
    cloud: Cloud,
    data: TempDir,
}

impl There {
    fn new() -> Self {
        Self { cloud: cloud(), data: tempfile::tempdir().unwrap() }
    }

    fn config(&self) -> E2bConfig {
        at(&self.cloud.server.base, E2bConfig::new(self.data.path().into(), Key::new(KEY), "here".into()))
    }

    fn session(&self) -> SessionId {
        any_cloud::session()
    }

    fn e2b(&self) -> E2b {
        E2b::open(self.config()).unwrap()
    }

    fn spec(&self, session: &SessionId, generation: u32) -> SandboxSpec {
        SandboxSpec {
            session: session.clone(),
            generation: Generation(generation),
            environment: [].into(),
            mounts: Vec::new(),
            image: None,
            limits: Default::default(),
            egress: false,
            gateway: true,
        }
    }

    /// What the cloud calls the sandbox that a session has.
    fn id(&self, session: &SessionId) -> String {
        any_cloud::sandbox_of(self.data.path(), session)
    }

    async fn told(&self, id: &str) -> Value {
        let (status, told) = self.cloud.control(Method::GET, &format!("/sandboxes/{id}"), Value::Null).await;
        assert_eq!(status, StatusCode::OK, "{told}");
        told
    }

    async fn known(&self) -> Vec<Value> {
        let all = self.cloud.control(Method::GET, "/v2/sandboxes?state=running,paused", Value::Null).await.1;
        all.as_array().unwrap().clone()
    }

    async fn snapshots(&self) -> usize {
        self.cloud.control(Method::GET, "/snapshots", Value::Null).await.1.as_array().unwrap().len()
    }
}

async fn enter(provider: &E2b, handle: &Handle) -> Link {
    Link::open(provider.dial(handle).await.unwrap()).await.unwrap().0
}

async fn sh(link: &Link, command: &str) -> String {
    let argv = ["/bin/sh", "-c", command].map(str::to_owned).to_vec();
    let spec = ProcessSpec { argv, ..ProcessSpec::default() };
    let output = link.run(&spec, None, RunLimits { timeout_ms: 20_000, output_bytes: 64 * 1024 }).await;
    let output = output.unwrap();
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).trim().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_conforms_as_any_provider() {
    let there = There::new();
    any_cloud::conforms(there.config()).await;
    // Nothing is left in the cloud of all that.
    assert_eq!((there.known().await, there.snapshots().await), (Vec::new(), 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_cloud_cannot_have_is_said() {
    let there = There::new();
    let (e2b, session) = (there.e2b(), there.session());
    let kind = async |spec: SandboxSpec| e2b.create(&spec).await.unwrap_err().kind;
    let mounts = vec![ReadOnlyMount { host: "/usr/share".into(), inside: "/opt/lamplight/x".into() }];
    assert_eq!(kind(SandboxSpec { mounts, ..there.spec(&session, 1) }).await, ErrorKind::Invalid);
    let nothing_of = E2bConfig { template: "nowhere".into(), ..there.config() };
    let error = E2b::open(nothing_of).unwrap().create(&there.spec(&session, 1)).await.unwrap_err();
    assert!(error.to_string().contains("nowhere"), "{error}");
    assert_eq!(Failure::from(error).class, FailureClass::NeedsYou);
    let of_nobody = E2bConfig { key: Key::new("sesame"), ..there.config() };
    let error = E2b::open(of_nobody).unwrap().list().await.unwrap_err();
    assert!(!error.to_string().contains("sesame"), "{error}");
    assert_eq!(error.kind, ErrorKind::Unsupported);
    // Nobody listens at a port that was free a moment ago.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let away = E2bConfig { api_url: Some(format!("http://{free}")), ..there.config() };
    let error = E2b::open(away).unwrap().list().await.unwrap_err();
    assert_eq!((error.kind, error.retryable), (ErrorKind::Unavailable, true));
    assert_eq!(there.known().await, Vec::<Value>::new());
}

/// When a server is gone, the cloud pauses what it left; the next that dials goes on with it, memory and all.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_cloud_has_paused_goes_on_for_who_dials() {
    let there = There::new();
    let (e2b, session) = (there.e2b(), there.session());
    let handle = e2b.create(&there.spec(&session, 1)).await.unwrap();
    let link = enter(&e2b, &handle).await;
    let argv = ["/bin/sh", "-c", "sleep 600"].map(str::to_owned).to_vec();
    let started = link.spawn("busy", &ProcessSpec { argv, ..ProcessSpec::default() }).await.unwrap();
    let id = there.id(&session);
    let (status, _) = there.cloud.control(Method::POST, &format!("/sandboxes/{id}/pause"), json!({})).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    tokio::time::timeout(PATIENCE, link.closed()).await.unwrap();
    assert_eq!(there.told(&id).await["state"], "paused");

    let link = enter(&there.e2b(), &handle).await;
    let processes = link.processes().await.unwrap();
    assert_eq!(processes.iter().map(|one| one.pid).collect::<Vec<_>>(), [started.pid]);
    assert_eq!(there.told(&id).await["state"], "running");
    // What we have paused ourselves does not.
    e2b.pause(&handle).await.unwrap();
    assert_eq!(there.e2b().dial(&handle).await.map(drop).unwrap_err().kind, ErrorKind::Unavailable);
    assert_eq!(there.told(&id).await["state"], "paused");
    e2b.forget(&session).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_time_of_a_sandbox_is_extended_while_somebody_works_in_it() {
    let there = There::new();
    let (e2b, session) = (there.e2b(), there.session());
    let handle = e2b.create(&there.spec(&session, 1)).await.unwrap();
    let id = there.id(&session);
    let left = async || {
        let told = there.told(&id).await;
        let at = |name: &str| told[name].as_str().unwrap().parse::<jiff::Timestamp>().unwrap().as_second();
        at("endAt") - at("startedAt")
    };
    // An extension by whoever made it may still be under way.
    until("its time is short", async || {
        let path = format!("/sandboxes/{id}/timeout");
        let (status, _) = there.cloud.control(Method::POST, &path, json!({"timeout": 60})).await;
        assert_eq!(status, StatusCode::NO_CONTENT);
        left().await < 300
    })
    .await;
    let link = enter(&e2b, &handle).await;
    until("its time is extended", async || left().await >= 850).await;
    drop(link);
    e2b.forget(&session).await.unwrap();
}

/// The sandbox is there, and its guest is not: the next generation has the files as they are.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_its_guest_a_sandbox_is_gone_and_its_files_are_not() {
    let there = There::new();
    let (e2b, session) = (there.e2b(), there.session());
    let handle = e2b.create(&there.spec(&session, 1)).await.unwrap();
    let link = enter(&e2b, &handle).await;
    assert_eq!(sh(&link, "echo kept > /workspace/kept; cat /workspace/kept").await, "kept");
    let id = there.id(&session);
    let token = there.told(&id).await["envdAccessToken"].as_str().unwrap().to_owned();
    // What is about to become another program has the guest's name too, and may be gone by then.
    let end = "for name in /proc/[0-9]*/comm; do [ \"$(cat $name)\" != guest ] || kill -KILL $(basename $(dirname $name)) || true; done";
    there.cloud.as_root(&Sandbox { id, token }, end).await;
    tokio::time::timeout(PATIENCE, link.closed()).await.unwrap();
    assert_eq!(e2b.dial(&handle).await.map(drop).unwrap_err().kind, ErrorKind::Gone);

    let next = e2b.create(&there.spec(&session, 2)).await.unwrap();
    assert_eq!(sh(&enter(&e2b, &next).await, "cat /workspace/kept").await, "kept");
    assert_eq!(there.known().await.len(), 1);
    e2b.destroy(&next, Files::Remove).await.unwrap();
    assert_eq!((there.known().await, there.snapshots().await), (Vec::new(), 0));
}

/// Who works in a sandbox may leave anything where everybody writes, and it is kept: under the names of all that is put in, too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_agent_leaves_does_not_get_between_us_and_the_next_guest() {
    let there = There::new();
    let (e2b, session) = (there.e2b(), there.session());
    let handle = e2b.create(&there.spec(&session, 1)).await.unwrap();
    let left = "mkdir /tmp/lamplight-guest /tmp/guest.new && touch /tmp/lamplight-guest/kept && ls /tmp/lamplight-guest";
    assert_eq!(sh(&enter(&e2b, &handle).await, left).await, "kept");
    let next = e2b.create(&there.spec(&session, 2)).await.unwrap();
    let link = enter(&e2b, &next).await;
    assert_eq!(
        sh(&link, "stat -c '%U %a' /var/lib/lamplight /var/lib/lamplight/guest").await,
        "root 755\nroot 755"
    );
    assert_eq!(
        sh(&link, "ls /tmp/lamplight-guest; ls /var/lib/lamplight | sort").await,
        "kept\nguest\nrun\nuser"
    );
    e2b.destroy(&next, Files::Remove).await.unwrap();
}

/// Made by somebody who was killed before they could write it down.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_has_written_down_is_found_by_its_metadata_and_ended() {
    let there = There::new();
    let (e2b, session) = (there.e2b(), there.session());
    let orphan = async |deployment: &str, generation: u32| {
        let metadata = json!({
            "lamplight_deployment": deployment, "lamplight_session": session.as_str(),
            "lamplight_generation": generation.to_string()
        });
        there.cloud.create(json!({"templateID": "base", "metadata": metadata})).await
    };
    let (_ours, another) = (orphan("here", 3).await, orphan("elsewhere", 3).await);
    let [found] = &e2b.list().await.unwrap()[..] else { panic!("one is ours") };
    assert_eq!(
        (&found.session, found.generation, found.state),
        (&session, Generation(3), ListedState::Running)
    );
    e2b.destroy(&found.handle, Files::Keep).await.unwrap();
    assert!(e2b.list().await.unwrap().is_empty());
    // And whoever makes the session's next one ends it first.
    let _ours = orphan("here", 1).await;
    let handle = e2b.create(&there.spec(&session, 1)).await.unwrap();
    assert_eq!(e2b.list().await.unwrap().len(), 1);
    e2b.destroy(&handle, Files::Remove).await.unwrap();
    let ids: Vec<_> = there.known().await.iter().map(|one| one["sandboxID"].clone()).collect();
    assert_eq!(ids, [json!(another.id)]);
}

/// What an agent runs does not end the guest, and speaks with nobody in its place.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_works_in_a_sandbox_is_not_root_and_cannot_become_it() {
    let there = There::new();
    let (e2b, session) = (there.e2b(), there.session());
    let handle = e2b.create(&there.spec(&session, 1)).await.unwrap();
    let link = enter(&e2b, &handle).await;
    assert_eq!(
        sh(&link, "id -un; id -Gn; echo $HOME; stat -c %U . ~").await,
        "lamplight\nlamplight\n/home/agent\nlamplight\nlamplight"
    );
    let check = async |command: &str, refusal: &str| {
        let said = sh(&link, &format!("{command} 2>&1; echo ended $?")).await;
        assert!(said.contains(refusal) && !said.ends_with("ended 0"), "{command}: {said}");
    };
    check("kill -KILL $PPID", "ermitted").await;
    check("ls /var/lib/lamplight/run", "ermission denied").await;
    check("rm -rf /var/lib/lamplight/guest", "ermission denied").await;
    check("cat /proc/$PPID/environ", "ermission denied").await;
    // Who works in a sandbox of the cloud becomes root by this.
    check("/run/lamplight/bin/sudo id", "").await;
    assert_eq!(sh(&link, "echo still there").await, "still there");
    e2b.destroy(&handle, Files::Remove).await.unwrap();
}
