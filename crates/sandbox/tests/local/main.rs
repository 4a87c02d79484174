//! The local provider against the conformance suite, as whoever runs the tests and, when that is root, as an ordinary
//! user too.

mod churn;
mod damage;
mod files;
mod images;
mod making;
mod runtime;
mod volumes;

use async_trait::async_trait;
use lamplight_domain::sandbox::{Strength, Tier, Wall};
use lamplight_domain::{Failure, FailureClass, Generation, SessionId, SessionImage};
use lamplight_sandbox::conformance::{self, Damage, Obstacle, Outcome, Subject};
use lamplight_sandbox::handle::Handle;
use lamplight_sandbox::link::{Link, ProcessSpec, RunLimits};
use lamplight_sandbox::provider::{Files, Provider, SandboxSpec};
use lamplight_sandbox::providers::local::{DiskLimit, Launcher, Local, LocalConfig, Tool, probe};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::any::Any;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// An ordinary user without a name; nothing on the host is its own.
const USER: u32 = 64_321;

/// When set, [`in_a_container`] is: it names the data directory.
const CONTAINER: &str = "LAMPLIGHT_TEST_CONTAINER";

/// When set, [`conforms`] runs as itself: it was started as the ordinary user.
const AS_USER: &str = "LAMPLIGHT_TEST_LAUNCHER";

struct Here {
    data: PathBuf,
    launcher: PathBuf,
    image: Option<SessionImage>,
    /// What puts sandboxes up instead of the launcher.
    runtime: Option<String>,
    disk_limit: DiskLimit,
}

/// Of the whole process: cgroups are named after sessions, and know no data directories.
static SESSIONS: AtomicU32 = AtomicU32::new(0);

impl Here {
    fn new(data: &Path, launcher: PathBuf) -> Self {
        let disk_limit = DiskLimit::Watched;
        Self { data: data.to_owned(), launcher, image: None, runtime: None, disk_limit }
    }

    fn config(&self) -> LocalConfig {
        let launcher = Launcher { program: self.launcher.clone(), arguments: Vec::new() };
        LocalConfig {
            data_dir: self.data.clone(),
            launcher,
            tools: Vec::new(),
            is_unsafe: false,
            runtime: self.runtime.clone(),
            disk_limit: self.disk_limit,
        }
    }

    /// Of a session that is new.
    fn spec(&self) -> SandboxSpec {
        SandboxSpec {
            session: self.session(),
            generation: Generation(1),
            environment: [].into(),
            mounts: Vec::new(),
            limits: Default::default(),
            image: self.image.clone(),
            egress: true,
            gateway: true,
        }
    }

    fn record(&self, session: &str, generation: &str) -> serde_json::Value {
        let file = self.data.join("sandboxes").join(session).join(generation).join("sandbox.json");
        serde_json::from_slice(&fs::read(file).unwrap()).unwrap()
    }
}

impl Here {
    /// Creates a generation, and speaks with it.
    async fn enter(&self, session: &SessionId, generation: u32) -> (Handle, Link) {
        let generation = Generation(generation);
        let spec = SandboxSpec { session: session.clone(), generation, ..self.spec() };
        let provider = self.provider();
        let handle = provider.create(&spec).await.unwrap();
        let (link, _gateway) = Link::open(provider.dial(&handle).await.unwrap()).await.unwrap();
        (handle, link)
    }
}

#[async_trait]
impl Subject for Here {
    fn provider(&self) -> Arc<dyn Provider> {
        Arc::new(Local::open(self.config()).unwrap())
    }

    fn session(&self) -> SessionId {
        let number = SESSIONS.fetch_add(1, Ordering::Relaxed);
        format!("{:016}{number:010}", std::process::id()).parse().unwrap()
    }

    fn image(&self) -> Option<SessionImage> {
        self.image.clone()
    }

    fn hidden(&self) -> Vec<PathBuf> {
        let mut hidden = vec![self.data.clone(), self.launcher.clone(), std::env::current_exe().unwrap()];
        hidden.extend(fs::read_dir("/home").unwrap().map(|entry| entry.unwrap().path()));
        hidden
    }

    fn lacks(&self, _room: &str, case: &str) -> Option<&'static str> {
        let has_own_kernel = |runtime: &String| Path::new(runtime).file_name() == Some("runsc".as_ref());
        self.runtime.as_ref().filter(|runtime| has_own_kernel(runtime)).and_then(|_| runtime::by_runsc(case))
    }

    fn left_of(&self, session: &SessionId) -> Option<Vec<String>> {
        let mut left = Vec::new();
        // Whatever runs in a sandbox sees the session's files, mounted.
        for process in fs::read_dir("/proc").unwrap().filter_map(Result::ok) {
            let mounts = fs::read_to_string(process.path().join("mountinfo")).unwrap_or_default();
            if mounts.contains(session.as_str()) {
                left.push(format!("process {}", process.file_name().display()));
            }
        }
        if fs::read_to_string("/proc/self/mountinfo").unwrap().contains(session.as_str()) {
            left.push("mount".into());
        }
        let mut folders = vec![PathBuf::from("/sys/fs/cgroup"), self.data.join("sandboxes")];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).into_iter().flatten().filter_map(Result::ok) {
                if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    if entry.file_name().to_string_lossy().starts_with(session.as_str()) {
                        left.push(format!("folder {}", entry.path().display()));
                    }
                    folders.push(entry.path());
                }
            }
        }
        Some(left)
    }

    async fn create_and_die(&self, spec: &SandboxSpec) -> Option<Result<(), String>> {
        let mut maker = making::start(self, &spec.session);
        // It kills itself when the sandbox is made.
        let status = tokio::task::spawn_blocking(move || maker.wait()).await.unwrap().unwrap();
        Some(match status.signal() {
            Some(9) => Ok(()),
            _ => Err(format!("the maker ended with {status}")),
        })
    }

    async fn kill(&self, handle: &Handle) -> Option<Result<(), String>> {
        let handle: serde_json::Value = serde_json::from_str(handle.as_str()).unwrap();
        let record = self.record(handle["session"].as_str().unwrap(), &handle["generation"].to_string());
        let pid = Pid::from_raw(record["process"]["pid"].as_i64().unwrap().try_into().unwrap()).unwrap();
        let process = pidfd_open(pid, PidfdFlags::empty()).unwrap();
        pidfd_send_signal(&process, Signal::KILL).unwrap();
        // Its link is cut before its socket is closed; this is after both.
        rustix::io::retry_on_intr(|| poll(&mut [PollFd::new(&process, PollFlags::IN)], None)).unwrap();
        Some(Ok(()))
    }

    async fn damage(&self, handle: &Handle, damage: Damage) -> Option<Result<(), String>> {
        Some(damage::damage(&self.data, handle, damage))
    }

    fn obstruct(&self, session: &SessionId, obstacle: Obstacle) -> Option<Box<dyn Any + Send>> {
        damage::obstruct(&self.data, session, obstacle)
    }
}

fn launcher() -> PathBuf {
    std::env::var_os(AS_USER).map_or_else(|| env!("CARGO_BIN_EXE_lamplight-launch").into(), PathBuf::from)
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

#[test]
fn conforms() {
    let data = tempfile::tempdir().unwrap();
    check_conformance(&Here::new(data.path(), launcher()));
}

fn check_conformance(subject: &Here) {
    let results = runtime().block_on(conformance::run(subject, |result| println!("{result}")));
    let failed: Vec<_> = results
        .iter()
        .filter(|result| matches!(result.outcome, Outcome::Failed(_)))
        .map(ToString::to_string)
        .collect();
    assert!(results.len() >= 120);
    assert_eq!(failed, Vec::<String>::new());
}

#[test]
fn probing_finds_what_this_machine_does() {
    let data = tempfile::tempdir().unwrap();
    let subject = Here::new(data.path(), launcher());
    let found = runtime().block_on(probe(subject.config()));
    assert!(found.findings[0].ok && found.tier != Tier::Refused, "{found:?}");
    // The disk limit is soft where nothing else is configured; the others depend on the machine, and are named.
    assert!(found.findings.iter().any(|finding| finding.name == "disk"), "{found:?}");
    println!("{found:#?}");
    assert!(!data.path().join("probe").exists());

    // A launcher that is none is told apart from a machine that cannot.
    let broken = Launcher { program: "/bin/false".into(), arguments: Vec::new() };
    let found = runtime().block_on(probe(LocalConfig { launcher: broken, ..subject.config() }));
    assert_eq!(found.tier, Tier::Refused);
    assert!(found.findings[0].detail.contains("the launcher ended with"), "{found:?}");
}

/// The toolchain that built this very test, inside.
#[test]
fn toolchains_of_a_home_work() {
    let home = std::env::var_os("HOME").map(PathBuf::from).filter(|home| home.join(".cargo/bin").is_dir());
    let Some(home) = home else {
        println!("skipped: this home has no Rust");
        return;
    };
    let data = tempfile::tempdir().unwrap();
    let here = Here::new(data.path(), launcher());
    let local = Local::open(LocalConfig { tools: Tool::discover(&home), ..here.config() }).unwrap();
    let script = "cargo init --quiet --name work --vcs none && cargo test --quiet --offline && cargo run --quiet --offline";
    let argv = ["sh", "-c", script].map(str::to_owned).to_vec();
    let spec = ProcessSpec { argv, env: [].into(), cwd: Some("/workspace".into()), stdin: false };
    runtime().block_on(async {
        let handle = local.create(&here.spec()).await.unwrap();
        let (link, _gateway) = Link::open(local.dial(&handle).await.unwrap()).await.unwrap();
        let limits = RunLimits { timeout_ms: 60_000, output_bytes: 64 * 1024 };
        let output = link.run(&spec, None, limits).await.unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(said.ends_with("Hello, world!\n"), "{said}{}", String::from_utf8_lossy(&output.stderr));
        local.destroy(&handle, Files::Remove).await.unwrap();
    });
}

/// In a container that hides a part of `/proc`, the kernel lets an ordinary user mount none of its own.
#[test]
fn without_a_wall_nothing_runs_unless_a_person_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let hide =
        "mount -t tmpfs none /proc/acpi && exec unshare --user --map-user=1000 --map-group=1000 \"$@\"";
    let output = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", hide, "sh"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "in_a_container", "--nocapture"])
        .env(CONTAINER, folder.path())
        .env(AS_USER, launcher())
        .output()
        .unwrap();
    println!("{}", String::from_utf8_lossy(&output.stdout));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Not a test by itself: what happens in the container above.
#[test]
fn in_a_container() {
    let Some(data) = std::env::var_os(CONTAINER).map(PathBuf::from) else { return };
    let config = Here::new(&data, launcher()).config();
    let unsafe_config = LocalConfig { is_unsafe: true, ..config.clone() };
    runtime().block_on(async {
        let found = probe(config.clone()).await;
        assert_eq!((found.tier, found.findings.len()), (Tier::Refused, 1), "{found:?}");
        assert!(found.findings[0].detail.contains("mount proc"), "{found:?}");
        let here = Here::new(&data, launcher());
        let spec = here.spec();
        let refused = Local::open(config).unwrap().create(&spec).await.unwrap_err();
        assert_eq!(Failure::from(refused).class, FailureClass::NeedsYou);

        // Said by a person, what is left of it runs, and tells what it lacks.
        let found = probe(unsafe_config.clone()).await;
        assert_eq!((found.tier, found.findings[0].name), (Tier::Refused, "unsafe"), "{found:?}");
        let local = Local::open(unsafe_config).unwrap();
        let handle = local.create(&spec).await.unwrap();
        let enforced = local.inspect(&handle).await.unwrap().enforced.unwrap();
        let weak = enforced.0.iter().find(|row| row.wall == Wall::Namespaces).unwrap();
        assert!(matches!(&weak.strength, Strength::Missing { why } if why.contains("visible")), "{weak:?}");
        local.destroy(&handle, Files::Remove).await.unwrap();
    });
    println!("refused, and unsafe: both seen");
}

/// A launcher killed at any moment leaves nothing that a later destroy does not find, and the next create succeeds.
#[test]
fn a_killed_launcher_leaves_nothing() {
    /// The longest that one is left to live; about as long as a launch takes.
    const LIFE_US: u32 = 20_000;
    let data = tempfile::tempdir().unwrap();
    kill_launchers(&Here::new(data.path(), launcher()), LIFE_US);
}

fn kill_launchers(subject: &Here, longest_us: u32) {
    const ROUNDS: u32 = 40;
    let mut made = 0;
    runtime().block_on(async {
        for round in 0..ROUNDS {
            let life = format!("{}e-6", 1 + longest_us / ROUNDS * round);
            let arguments = ["--signal=KILL".into(), life.into(), launcher().into_os_string()].to_vec();
            let killed = Launcher { program: "timeout".into(), arguments };
            let dying = Local::open(LocalConfig { launcher: killed, ..subject.config() }).unwrap();
            let spec = subject.spec();
            made += u32::from(dying.create(&spec).await.is_ok());
            let local = subject.provider();
            let handle = if round % 2 == 0 {
                let handle = local.create(&spec).await.unwrap();
                local.dial(&handle).await.unwrap();
                Some(handle)
            } else {
                // As a reconciler finds it.
                local.list().await.unwrap().pop().map(|found| found.handle)
            };
            match handle {
                Some(handle) => local.destroy(&handle, Files::Remove).await.unwrap(),
                // Killed before it began, or before it got as far as the sandbox's own folder.
                None => fs::remove_dir_all(subject.data.join("sandboxes").join(spec.session.as_str()))
                    .unwrap_or(()),
            }
            assert_eq!(subject.left_of(&spec.session), Some(Vec::new()));
        }
    });
    println!("{made} of {ROUNDS} launchers were done before they were killed");
    assert!(made < ROUNDS, "none was killed");
}

/// Everything in this file once more, as an ordinary user; part of the first round when root does not run it.
#[test]
fn the_same_as_an_ordinary_user() {
    if !rustix::process::geteuid().is_root() || std::env::var_os(AS_USER).is_some() {
        println!("skipped: only root can become another user");
        return;
    }
    // Where that user can read it: the target directory may be in root's home.
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let (tests, launch) = (folder.path().join("tests"), folder.path().join("launch"));
    fs::copy(std::env::current_exe().unwrap(), &tests).unwrap();
    fs::copy(launcher(), &launch).unwrap();
    let temporary = folder.path().join("tmp");
    fs::create_dir(&temporary).unwrap();
    std::os::unix::fs::chown(&temporary, Some(USER), Some(USER)).unwrap();
    let output = Command::new(tests)
        .args(["--skip", "the_same_as_an_ordinary_user", "--show-output", "--test-threads", "1"])
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("TMPDIR", &temporary)
        .env(AS_USER, launch)
        .current_dir(&temporary)
        .uid(USER)
        .gid(USER)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    // Of very many, those that failed.
    let failures = said.find("\nfailures:\n").map_or(&*said, |at| &said[at..]);
    assert!(output.status.success(), "{failures}{}", String::from_utf8_lossy(&output.stderr));
    println!("{said}");
    let left: Vec<_> = fs::read_dir(&temporary).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(left.is_empty(), "left behind: {left:?}");
}
