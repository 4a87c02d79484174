//! The fake against the conformance suite, as whoever runs the tests and, when that is root, as an ordinary user too; and that it
//! refuses what nobody should ask for.

#[path = "local/damage.rs"]
mod damage;

use async_trait::async_trait;
use lamplight_domain::sandbox::Tier;
use lamplight_domain::{Generation, SessionId};
use lamplight_sandbox::conformance::{self, Damage, Obstacle, Outcome, Subject};
use lamplight_sandbox::error::ErrorKind;
use lamplight_sandbox::handle::Handle;
use lamplight_sandbox::link::Link;
use lamplight_sandbox::provider::{Files, Provider, ReadOnlyMount, SandboxSpec, inside};
use lamplight_sandbox::providers::fake::Fake;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::any::Any;
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// An ordinary user without a name.
const USER: u32 = 64_322;

/// When set, [`maker`] creates the sandbox that it names (data directory, session) and waits to be killed.
const MAKE: &str = "LAMPLIGHT_TEST_MAKE";

/// When set, everything here is run by the ordinary user.
const AS_USER: &str = "LAMPLIGHT_TEST_AS_USER";

/// What cannot hold without isolation: a room, a case of it or all of them, and why.
const LACKS: [(&str, Option<&str>, &str); 5] = [
    ("isolation", None, "the fake isolates nothing: what runs inside may do what the caller may"),
    ("files", Some("the_agent_is_at_home"), "the fake has no users: what runs inside is the caller"),
    (
        "limits",
        Some("what_is_enforced_is_told_for_as_long_as_it_is_there"),
        "the fake enforces nothing, and says so",
    ),
    ("limits", Some("sandboxes_inside_need_leave"), "the fake forbids nothing"),
    ("network", Some("without_a_way_out_there_is_none"), "the fake has the network of the caller"),
];

struct Here(PathBuf);

static SESSIONS: AtomicU32 = AtomicU32::new(0);

impl Here {
    fn fake(&self) -> Fake {
        Fake::open(&self.0).unwrap()
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
}

#[async_trait]
impl Subject for Here {
    fn provider(&self) -> Arc<dyn Provider> {
        Arc::new(self.fake())
    }

    fn session(&self) -> SessionId {
        let number = SESSIONS.fetch_add(1, Ordering::Relaxed);
        format!("{:016}{number:010}", std::process::id()).parse().unwrap()
    }

    fn hidden(&self) -> Vec<PathBuf> {
        Vec::new()
    }

    fn left_of(&self, session: &SessionId) -> Option<Vec<String>> {
        let mut left = Vec::new();
        for process in fs::read_dir("/proc").unwrap().filter_map(Result::ok) {
            let has = |file: &str| {
                let there = fs::read(process.path().join(file)).unwrap_or_default();
                String::from_utf8_lossy(&there).contains(session.as_str())
            };
            // Of one that has ended both are empty.
            if has("environ") || has("cmdline") {
                left.push(format!("process {}", process.file_name().display()));
            }
        }
        let folder = self.0.join("sandboxes").join(session.as_str());
        left.extend(folder.exists().then(|| format!("folder {}", folder.display())));
        Some(left)
    }

    async fn create_and_die(&self, spec: &SandboxSpec) -> Option<Result<(), String>> {
        let mut maker = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "maker", "--nocapture"])
            .env(MAKE, format!("{}\n{}", self.0.display(), spec.session))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let status = tokio::task::spawn_blocking(move || maker.wait()).await.unwrap().unwrap();
        Some(match status.signal() {
            Some(9) => Ok(()),
            _ => Err(format!("the maker ended with {status}")),
        })
    }

    async fn kill(&self, handle: &Handle) -> Option<Result<(), String>> {
        let handle: serde_json::Value = serde_json::from_str(handle.as_str()).unwrap();
        let folder = self.0.join("sandboxes").join(handle["session"].as_str().unwrap());
        let record = fs::read(folder.join(handle["generation"].to_string()).join("sandbox.json")).unwrap();
        let record: serde_json::Value = serde_json::from_slice(&record).unwrap();
        let pid = Pid::from_raw(record["process"]["pid"].as_i64().unwrap().try_into().unwrap()).unwrap();
        let process = pidfd_open(pid, PidfdFlags::empty()).unwrap();
        pidfd_send_signal(&process, Signal::KILL).unwrap();
        rustix::io::retry_on_intr(|| poll(&mut [PollFd::new(&process, PollFlags::IN)], None)).unwrap();
        Some(Ok(()))
    }

    async fn damage(&self, handle: &Handle, damage: Damage) -> Option<Result<(), String>> {
        Some(damage::damage(&self.0, handle, damage))
    }

    fn obstruct(&self, session: &SessionId, obstacle: Obstacle) -> Option<Box<dyn Any + Send>> {
        damage::obstruct(&self.0, session, obstacle)
    }

    fn lacks(&self, room: &str, case: &str) -> Option<&'static str> {
        let lacks = LACKS.iter().find(|(of, one, _)| *of == room && one.is_none_or(|one| one == case));
        lacks.map(|(_, _, why)| *why)
    }

    fn elsewhere(&self, handle: &Handle) -> Vec<(&'static str, String)> {
        let fake = self.fake();
        let session = handle.open("fake").unwrap().session;
        let there = |place: &'static str| (place, fake.place(&session, place).display().to_string());
        let places = [inside::WORKSPACE, inside::HOME, "/tmp", "/var/tmp", "/dev/shm"].map(there);
        let gateway = (inside::GATEWAY, fake.gateway(handle).unwrap().to_string());
        places.into_iter().chain([gateway]).collect()
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

#[test]
fn conforms() {
    let data = tempfile::tempdir().unwrap();
    let subject = Here(data.path().to_owned());
    let results = runtime().block_on(conformance::run(&subject, |result| println!("{result}")));
    let failed: Vec<_> = results
        .iter()
        .filter(|result| matches!(result.outcome, Outcome::Failed(_)))
        .map(ToString::to_string)
        .collect();
    let passed = results.iter().filter(|result| result.outcome == Outcome::Passed).count();
    println!("{passed} passed, {} failed, of {}", failed.len(), results.len());
    assert_eq!(failed, Vec::<String>::new());
    // A case that is named as lacking, and is not there, is a reason that nobody needs.
    let names: BTreeSet<_> = results.iter().map(|result| result.name).collect();
    assert_eq!(LACKS.iter().filter_map(|(_, case, _)| *case).find(|case| !names.contains(case)), None);
    assert!(passed >= 70, "{passed}");
}

#[test]
fn it_says_that_nothing_should_run_in_it() {
    let data = tempfile::tempdir().unwrap();
    let here = Here(data.path().to_owned());
    runtime().block_on(async {
        let (fake, session) = (here.fake(), here.session());
        let handle = fake.create(&here.spec(&session, 1)).await.unwrap();
        let enforced = fake.inspect(&handle).await.unwrap().enforced.unwrap();
        assert_eq!(enforced.tier(), Tier::Refused);
        fake.forget(&session).await.unwrap();
    });
}

#[test]
fn misuse_is_refused() {
    let data = tempfile::tempdir().unwrap();
    let here = Here(data.path().to_owned());
    runtime().block_on(async {
        let (fake, session) = (here.fake(), here.session());
        let kind = async |spec: SandboxSpec| fake.create(&spec).await.unwrap_err().kind;
        let mounts = vec![ReadOnlyMount { host: "/usr/share".into(), inside: "/opt/lamplight/x".into() }];
        assert_eq!(kind(SandboxSpec { mounts, ..here.spec(&session, 1) }).await, ErrorKind::Invalid);

        let first = fake.create(&here.spec(&session, 1)).await.unwrap();
        let environment = [("OTHER".to_owned(), "than before".to_owned())].into();
        assert_eq!(kind(SandboxSpec { environment, ..here.spec(&session, 1) }).await, ErrorKind::Invalid);
        let second = fake.create(&here.spec(&session, 2)).await.unwrap();
        assert_eq!(fake.checkpoint(&first, 1).await.unwrap_err().kind, ErrorKind::Gone);
        // Not even when nothing runs that has the files.
        fake.destroy(&second, Files::Keep).await.unwrap();
        assert_eq!(kind(here.spec(&session, 1)).await, ErrorKind::Gone);

        // What an agent put in the place of a directory leads nowhere.
        let (workspace, elsewhere) = (fake.place(&session, inside::WORKSPACE), data.path().join("elsewhere"));
        fs::create_dir(&elsewhere).unwrap();
        fs::write(elsewhere.join("secret"), "secret").unwrap();
        fs::remove_dir(&workspace).unwrap();
        std::os::unix::fs::symlink(&elsewhere, &workspace).unwrap();
        assert_eq!(fake.checkpoint(&second, 1).await.unwrap_err().kind, ErrorKind::Invalid);
        assert_eq!(fake.checkpoints(&session).await.unwrap(), Vec::new());
        assert_eq!(kind(here.spec(&session, 3)).await, ErrorKind::Invalid);
        fake.forget(&session).await.unwrap();
        assert_eq!(here.left_of(&session), Some(Vec::new()));
        assert_eq!(fs::read_to_string(elsewhere.join("secret")).unwrap(), "secret");
    });
}

/// Whoever holds a sandbox for a copy writes that down; when they are killed, the next that dials lets it go.
#[test]
fn what_a_killed_checkpoint_holds_goes_on() {
    let data = tempfile::tempdir().unwrap();
    let here = Here(data.path().to_owned());
    runtime().block_on(async {
        let (fake, session) = (here.fake(), here.session());
        let handle = fake.create(&here.spec(&session, 1)).await.unwrap();
        let mark = data.path().join("sandboxes").join(session.as_str()).join("1/held");
        fake.pause(&handle).await.unwrap();
        fs::write(&mark, "").unwrap();
        Link::open(fake.dial(&handle).await.unwrap()).await.unwrap();
        assert!(!mark.exists());

        // Paused since: it stays so.
        fs::write(&mark, "").unwrap();
        fake.pause(&handle).await.unwrap();
        assert!(!mark.exists());
        fake.forget(&session).await.unwrap();
    });
}

/// Everything in this file once more, as an ordinary user.
#[test]
fn the_same_as_an_ordinary_user() {
    if !rustix::process::geteuid().is_root() || std::env::var_os(AS_USER).is_some() {
        println!("skipped: only root can become another user");
        return;
    }
    // Where that user can read it: the target directory may be in root's home.
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let (tests, temporary) = (folder.path().join("tests"), folder.path().join("tmp"));
    fs::copy(std::env::current_exe().unwrap(), &tests).unwrap();
    fs::create_dir(&temporary).unwrap();
    std::os::unix::fs::chown(&temporary, Some(USER), Some(USER)).unwrap();
    let output = Command::new(tests)
        .args(["--skip", "the_same_as_an_ordinary_user", "--show-output", "--test-threads", "1"])
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("TMPDIR", &temporary)
        .env(AS_USER, "yes")
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
    assert_eq!(fs::read_dir(&temporary).unwrap().count(), 0, "left behind");
}

/// Not a test: the process that [`Here::create_and_die`] starts, makes a sandbox with, and sees killed.
#[test]
fn maker() {
    let Ok(make) = std::env::var(MAKE) else { return };
    let [data, session] = make.split('\n').collect::<Vec<_>>().try_into().unwrap();
    let here = Here(Path::new(data).to_owned());
    let spec = here.spec(&session.parse().unwrap(), 1);
    runtime().block_on(here.fake().create(&spec)).unwrap();
    let own = std::process::id().to_string();
    Command::new("kill").args(["-KILL", &own]).status().unwrap();
    unreachable!("SIGKILL cannot be survived");
}
