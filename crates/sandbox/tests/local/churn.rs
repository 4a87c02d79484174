//! Many sandboxes, made, used and destroyed fifty at a time, while servers, launchers and guests are killed at random: after one
//! reconcile nothing of them is left on the machine.
//!
//! ```text
//! this test ── starts, and kills ──▶ a server (this program again) ── creates, uses, destroys ──▶ sandboxes
//!     └── kills launchers and guests               └── writes down what it begins, as the log does
//! ```

use super::{Here, launcher, runtime};
use lamplight_domain::{Generation, SessionId};
use lamplight_sandbox::handle::{Handle, HandleContent};
use lamplight_sandbox::link::{Link, LinkError, ProcessSpec, RunLimits};
use lamplight_sandbox::provider::{Files, Provider, SandboxSpec};
use lamplight_sandbox::providers::local::{DiskLimit, Local};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Write;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

/// When set, how many sandboxes there are; otherwise [`FEW`].
const COUNT: &str = "LAMPLIGHT_CHURN_SANDBOXES";
const FEW: usize = 200;
/// Of those that take longer.
const FEW_VOLUMES: usize = 100;

/// When set, the seed of an earlier run.
const SEED: &str = "LAMPLIGHT_CHURN_SEED";

/// When set, [`churning_server`] is one: it names the folder of the test, the number to stop at, a seed, and whether there are volumes.
const SERVER: &str = "LAMPLIGHT_TEST_CHURN";

/// Sandboxes at a time.
const AT_ONCE: usize = 50;

/// A server is killed when it has destroyed fewer than this.
const SERVER_LIVES: usize = 60;

/// Milliseconds from one kill to the next, at most: a sandbox lives for as long as it takes fifty of them to get what they need.
const BETWEEN: u64 = 24;

/// From the last kill to the end of the last process; launchers that nobody waits for any more end by themselves.
const END: Timespec = Timespec { tv_sec: 20, tv_nsec: 0 };

#[test]
fn nothing_is_left_of_many_sandboxes_whoever_was_killed() {
    churn(DiskLimit::Watched, FEW);
}

/// Each with a file system and a loop device.
#[test]
fn nothing_is_left_of_many_volumes_whoever_was_killed() {
    let nowhere = tempfile::tempdir().unwrap();
    if super::volumes::here(nowhere.path()).is_some() {
        churn(DiskLimit::Volume, FEW_VOLUMES);
    }
}

fn churn(disk_limit: DiskLimit, few: usize) {
    let count = std::env::var(COUNT).ok().and_then(|count| count.parse().ok()).unwrap_or(few);
    let seed =
        std::env::var(SEED).ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(|| fastrand::u64(..));
    println!("{count} sandboxes; again by {SEED}={seed}");
    let folder = tempfile::tempdir().unwrap();
    let place = Place::new(folder.path(), disk_limit);
    // What the first one opens for all stays open.
    drop(runtime());
    let before = fs::read_dir("/proc/self/fd").unwrap().count();
    let killed = place.churn(count, seed);
    println!("killed: {killed:?}");

    let unfinished = runtime().block_on(place.reconcile());
    println!("{unfinished} of {count} were not destroyed by whoever made them");
    assert!(killed.servers > 0 && killed.launchers.len() + killed.guests > 0, "nobody was killed");
    assert_eq!(place.left(&killed), Vec::<String>::new(), "seed {seed}");
    assert_eq!(fs::read_dir("/proc/self/fd").unwrap().count(), before, "descriptors of this process");
}

/// Not a test: the server.
#[test]
fn churning_server() {
    let Ok(text) = std::env::var(SERVER) else { return };
    let [folder, count, seed, volumes] = text.split('\n').collect::<Vec<_>>().try_into().unwrap();
    let disk_limit = if volumes.is_empty() { DiskLimit::Watched } else { DiskLimit::Volume };
    let place = Place { folder: folder.into(), disk_limit };
    let mut random = fastrand::Rng::with_seed(seed.parse().unwrap());
    let first = place.begun().len();
    runtime().block_on(async {
        let local = Arc::new(Local::open(place.here().config()).unwrap());
        let places = Arc::new(tokio::sync::Semaphore::new(AT_ONCE));
        let mut tasks = tokio::task::JoinSet::new();
        for number in first..count.parse().unwrap() {
            let permit = Arc::clone(&places).acquire_owned().await.unwrap();
            let session = place.begin(number);
            let (local, log, random) = (Arc::clone(&local), place.log("ended"), random.fork());
            tasks.spawn(async move {
                let spec = SandboxSpec { session: session.clone(), ..one() };
                // What is killed on the way is destroyed like everything else.
                let _ = live(&local, &spec, random).await;
                local.destroy(&handle(&session), Files::Remove).await.unwrap();
                note(&log, &session);
                drop(permit);
            });
        }
        while let Some(done) = tasks.join_next().await {
            done.unwrap();
        }
    });
}

/// A short life, with something of all that can be done to a sandbox.
async fn live(local: &Local, spec: &SandboxSpec, mut random: fastrand::Rng) -> Result<(), String> {
    let text = |error: lamplight_sandbox::error::SandboxError| error.to_string();
    let handle = local.create(spec).await.map_err(text)?;
    let (link, _gateway) =
        Link::open(local.dial(&handle).await.map_err(text)?).await.map_err(|error| error.to_string())?;
    run(&link, "head -c 64K /dev/zero > file; sleep 60 & echo done")
        .await
        .map_err(|error| error.to_string())?;
    match random.u8(0..4) {
        0 => {
            local.pause(&handle).await.map_err(text)?;
            if random.bool() {
                local.resume(&handle).await.map_err(text)?;
            }
        }
        1 => drop(local.checkpoint(&handle, 1).await.map_err(text)?),
        _ => run(&link, "rm file").await.map_err(|error| error.to_string())?,
    }
    Ok(())
}

async fn run(link: &Link, command: &str) -> Result<(), LinkError> {
    let argv = ["/bin/sh", "-c", command].map(str::to_owned).to_vec();
    let spec = ProcessSpec { argv, env: [].into(), cwd: Some("/workspace".into()), stdin: false };
    link.run(&spec, None, RunLimits { timeout_ms: 30_000, output_bytes: 1024 }).await.map(drop)
}

fn one() -> SandboxSpec {
    SandboxSpec {
        session: "0".repeat(26).parse().unwrap(),
        generation: Generation(1),
        environment: [].into(),
        mounts: Vec::new(),
        image: None,
        limits: Default::default(),
        egress: true,
        gateway: true,
    }
}

fn handle(session: &SessionId) -> Handle {
    Handle::new(HandleContent {
        provider: "local".into(),
        session: session.clone(),
        generation: Generation(1),
    })
}

/// Its number, and what names it and no other.
type Process = (i32, OwnedFd);

#[derive(Debug, Default)]
struct Killed {
    servers: usize,
    guests: usize,
    /// Their numbers: what they were about to use is named after them.
    launchers: BTreeSet<i32>,
}

/// A deployment of its own, with a launcher of its own, by which processes are known as this test's.
struct Place {
    folder: PathBuf,
    disk_limit: DiskLimit,
}

impl Place {
    fn new(folder: &Path, disk_limit: DiskLimit) -> Self {
        let place = Self { folder: folder.to_owned(), disk_limit };
        fs::copy(launcher(), place.launcher()).unwrap();
        for log in ["begun", "ended"] {
            File::create(place.folder.join(log)).unwrap();
        }
        place
    }

    /// That no other folder has, wherever it is mounted.
    fn name(&self) -> String {
        self.folder.file_name().unwrap().to_string_lossy().into_owned()
    }

    fn launcher(&self) -> PathBuf {
        self.folder.join("launch")
    }

    fn here(&self) -> Here {
        let disk_limit = self.disk_limit;
        Here { disk_limit, ..Here::new(&self.folder.join("data"), self.launcher()) }
    }

    fn log(&self, name: &str) -> Arc<File> {
        Arc::new(File::options().append(true).open(self.folder.join(name)).unwrap())
    }

    fn begin(&self, number: usize) -> SessionId {
        // Cgroups are named after sessions, and other tests run beside this one.
        let unique =
            self.name().bytes().fold(0_u64, |sum, byte| (sum * 31 + u64::from(byte)) % 10_u64.pow(16));
        let session = format!("{unique:016}{number:010}").parse().unwrap();
        note(&self.log("begun"), &session);
        session
    }

    fn begun(&self) -> Vec<SessionId> {
        self.read("begun")
    }

    fn read(&self, log: &str) -> Vec<SessionId> {
        let text = fs::read_to_string(self.folder.join(log)).unwrap();
        // The last may be on its way.
        text.lines().filter_map(|line| line.parse().ok()).collect()
    }

    /// Until as many were begun, and none goes on.
    fn churn(&self, count: usize, seed: u64) -> Killed {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut killed = Killed::default();
        let mut server = self.server(count, random.u64(..));
        let mut last = random.usize(1..SERVER_LIVES);
        loop {
            std::thread::sleep(Duration::from_millis(random.u64(1..=BETWEEN)));
            if let Some(status) = server.try_wait().unwrap() {
                assert!(status.success(), "the server ended with {status}");
                return killed;
            }
            let ended = self.read("ended").len();
            if ended >= last {
                last = ended + random.usize(1..SERVER_LIVES);
                server.kill().unwrap();
                server.wait().unwrap();
                killed.servers += 1;
                server = self.server(count, random.u64(..));
            } else {
                self.kill_one(&mut random, &mut killed);
            }
        }
    }

    fn server(&self, count: usize, seed: u64) -> Child {
        let volumes = if self.disk_limit == DiskLimit::Volume { "volumes" } else { "" };
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "churn::churning_server", "--nocapture"])
            .env(SERVER, format!("{}\n{count}\n{seed}\n{volumes}", self.folder.display()))
            .stdout(Stdio::null())
            .spawn()
            .unwrap()
    }

    /// A launcher, which may be one that waits, or that has become the first process of a sandbox; or a guest.
    fn kill_one(&self, random: &mut fastrand::Rng, killed: &mut Killed) {
        let (launchers, guests) = self.processes();
        let of_launchers = random.bool() && !launchers.is_empty();
        let chosen = random.choice(if of_launchers { launchers } else { guests });
        let Some((pid, process)) = chosen else { return };
        if pidfd_send_signal(&process, Signal::KILL).is_ok() {
            if of_launchers {
                killed.launchers.insert(pid);
            } else {
                killed.guests += 1;
            }
        }
    }

    /// Launchers, and those that have this deployment's files mounted otherwise.
    fn processes(&self) -> (Vec<Process>, Vec<Process>) {
        let (mut launchers, mut guests) = (Vec::new(), Vec::new());
        let ours = self.name();
        for entry in fs::read_dir("/proc").unwrap().filter_map(Result::ok) {
            let Ok(pid) = entry.file_name().to_string_lossy().parse::<i32>() else { continue };
            // First: afterwards it cannot be another's.
            let Ok(process) = pidfd_open(Pid::from_raw(pid).unwrap(), PidfdFlags::empty()) else { continue };
            if fs::read_link(entry.path().join("exe")).is_ok_and(|exe| exe == self.launcher()) {
                launchers.push((pid, process));
            } else if fs::read_to_string(entry.path().join("mountinfo"))
                .is_ok_and(|text| text.contains(&ours))
            {
                guests.push((pid, process));
            }
        }
        (launchers, guests)
    }

    /// As the next server does it: what runs and nobody claims is found by looking, what was to be destroyed is in the log.
    async fn reconcile(&self) -> usize {
        let local = Local::open(self.here().config()).unwrap();
        for found in local.list().await.unwrap() {
            local.destroy(&found.handle, Files::Remove).await.unwrap();
        }
        let ended: BTreeSet<_> = self.read("ended").into_iter().collect();
        let unfinished: Vec<_> = self.begun().into_iter().filter(|begun| !ended.contains(begun)).collect();
        for session in &unfinished {
            local.destroy(&handle(session), Files::Remove).await.unwrap();
        }
        unfinished.len()
    }

    /// Whatever there still is of it.
    fn left(&self, killed: &Killed) -> Vec<String> {
        let (launchers, others) = self.processes();
        for (_, process) in launchers.iter().chain(&others) {
            let mut ended = [PollFd::new(process, PollFlags::IN)];
            rustix::io::retry_on_intr(|| poll(&mut ended, Some(&END))).unwrap();
        }
        let (launchers, others) = self.processes();
        let mut left: Vec<_> =
            launchers.iter().chain(&others).map(|(pid, _)| format!("process {pid}")).collect();
        let ours = self.name();
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
        left.extend(mounts.lines().filter(|line| line.contains(&ours)).map(|line| format!("mount {line}")));
        // A namespace outlives its processes by a mount or a descriptor; of those there are none but these.
        left.extend(
            mounts.lines().filter(|line| line.contains(" - nsfs ")).map(|line| format!("namespace {line}")),
        );
        for device in fs::read_dir("/sys/block").into_iter().flatten().filter_map(Result::ok) {
            let file = fs::read_to_string(device.path().join("loop/backing_file")).unwrap_or_default();
            if file.contains(&ours) {
                left.push(format!("loop device of {file}"));
            }
        }
        let begun = self.begun();
        let of_ours = |name: &str| {
            let parked = name.strip_prefix("parked-").and_then(|pid| pid.parse().ok());
            parked.is_some_and(|pid: i32| killed.launchers.contains(&pid))
                || begun.iter().any(|session| name.starts_with(session.as_str()))
        };
        // Who has which users is noted in a folder beside them, and free again with the session that it names.
        let data = self.folder.join("data");
        let mut folders = vec![PathBuf::from("/sys/fs/cgroup")];
        folders.extend(["sandboxes", "layers", "volumes"].map(|name| data.join(name)));
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).into_iter().flatten().filter_map(Result::ok) {
                let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
                let is_lock = entry.file_name() == "lock";
                if of_ours(&entry.file_name().to_string_lossy()) || folder.starts_with(&data) && !is_lock {
                    left.push(format!("file {}", entry.path().display()));
                }
                if is_folder {
                    folders.push(entry.path());
                }
            }
        }
        left
    }
}

/// One line, whole, whoever is killed meanwhile.
fn note(mut log: &File, session: &SessionId) {
    log.write_all(format!("{session}\n").as_bytes()).unwrap();
}
