//! A guest in a PID namespace, ended with all that it started when the test ends.

use lamplight_sandbox::GUEST;
use lamplight_sandbox::link::{GatewayStream, Link, Offsets, Output, ProcessSpec, RunLimits};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;
use tempfile::TempDir;
use tokio::net::UnixStream;
use tokio::sync::mpsc;

/// For anything in these tests that is to happen: long enough for a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Sandbox {
    child: Child,
    pub(crate) folder: TempDir,
}

impl Sandbox {
    /// With a gateway that no test connects to.
    pub(crate) fn start() -> Self {
        Self::with_gateway("127.0.0.1:0")
    }

    pub(crate) fn with_gateway(gateway: &str) -> Self {
        Self::start_by(unshare(), gateway)
    }

    /// Unread output finds a disk of two megabytes.
    pub(crate) fn with_a_small_disk() -> Self {
        let mut command = unshare();
        let script = "for spool; do :; done; mount -t tmpfs -o size=2m none $spool && exec \"$@\"";
        command.args(["sh", "-c", script, "sh"]);
        Self::start_by(command, "127.0.0.1:0")
    }

    /// Not as PID 1: what a provider without PID namespaces would have to do.
    pub(crate) fn start_beside_others() -> Self {
        Self::start_by(Command::new("env"), "127.0.0.1:0")
    }

    fn start_by(mut command: Command, gateway: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let guest = write_guest(folder.path());
        let listener = UnixListener::bind(folder.path().join("link.sock")).unwrap();
        // Inherited: then nobody has to wait for the socket to appear.
        rustix::io::fcntl_setfd(&listener, rustix::io::FdFlags::empty()).unwrap();
        command.arg(guest).arg("--listen-fd").arg(listener.as_raw_fd().to_string());
        let spool = folder.path().join("spool");
        std::fs::create_dir(&spool).unwrap();
        command.args(["--gateway", gateway]).arg("--spool").arg(spool);
        command.env("FROM", "the guest").env("OVER", "the guest");
        Self { child: command.spawn().unwrap(), folder }
    }

    pub(crate) async fn dial(&self) -> UnixStream {
        UnixStream::connect(self.folder.path().join("link.sock")).await.unwrap()
    }

    pub(crate) async fn link(&self) -> Link {
        self.link_with_gateway().await.0
    }

    pub(crate) async fn link_with_gateway(&self) -> (Link, mpsc::Receiver<GatewayStream>) {
        Link::open(self.dial().await).await.unwrap()
    }

    /// The guest's number out here.
    pub(crate) fn guest_pid(&self) -> u32 {
        let parent = self.child.id();
        let children = std::fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).unwrap();
        children.split_whitespace().next().map_or(parent, |pid| pid.parse().unwrap())
    }

    pub(crate) fn guest_memory_kib(&self) -> (u64, u64) {
        memory_kib(self.guest_pid())
    }
}

/// Resident memory of a process in KiB: now, and at its highest.
pub(crate) fn memory_kib(pid: u32) -> (u64, u64) {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let field = |name| {
        let line = status.lines().find_map(|line: &str| line.strip_prefix(name)).unwrap();
        line.split_whitespace().next().unwrap().parse().unwrap()
    };
    (field("VmRSS:"), field("VmHWM:"))
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts what follows as PID 1 of a namespace that ends with it.
fn unshare() -> Command {
    let mut unshare = Command::new("unshare");
    if !rustix::process::geteuid().is_root() {
        unshare.args(["--user", "--map-root-user"]);
    }
    unshare.args(["--pid", "--fork", "--kill-child", "--mount-proc"]);
    unshare
}

pub(crate) fn write_guest(folder: &Path) -> PathBuf {
    let path = folder.join("lamplight-guest");
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o755).open(&path).unwrap();
    std::io::Write::write_all(&mut file, GUEST).unwrap();
    path
}

pub(crate) fn spec(argv: &[&str]) -> ProcessSpec {
    let path = ("PATH".to_owned(), "/usr/local/bin:/usr/bin:/bin".to_owned());
    let argv = argv.iter().map(|&argument| argument.to_owned()).collect();
    ProcessSpec { argv, env: [path].into(), cwd: Some("/".into()), stdin: false }
}

pub(crate) fn shell(script: &str) -> ProcessSpec {
    spec(&["sh", "-c", script])
}

pub(crate) fn with_stdin(spec: ProcessSpec) -> ProcessSpec {
    ProcessSpec { stdin: true, ..spec }
}

pub(crate) const LIMITS: RunLimits = RunLimits { timeout_ms: 30_000, output_bytes: 1024 * 1024 };

pub(crate) const START: Offsets = Offsets { stdout: 0, stderr: 0 };

/// The whole output of a process from these offsets on, and how it ended.
pub(crate) async fn read_to_end(link: &Link, process: &str, from: Offsets) -> (Vec<u8>, Vec<u8>, Output) {
    let mut attached = link.attach(process, from).await.unwrap();
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    loop {
        match tokio::time::timeout(PATIENCE, attached.next()).await.expect("output in time").unwrap() {
            Some(Output::Stdout { bytes, .. }) => stdout.extend_from_slice(&bytes),
            Some(Output::Stderr { bytes, .. }) => stderr.extend_from_slice(&bytes),
            Some(exited @ Output::Exited { .. }) => {
                assert_eq!(attached.next().await.unwrap(), None);
                return (stdout, stderr, exited);
            }
            None => unreachable!("an end comes after `Exited` only"),
        }
    }
}
