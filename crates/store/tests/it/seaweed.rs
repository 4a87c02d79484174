//! An S3 server of a test's own: SeaweedFS from PyPI, which holds to signatures and to conditions of writing, with its data in a temporary
//! directory. It ends with the thread that started it.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

const WANTED: &str = include_str!("../s3/requirements.txt");
/// How pip says that there is no network.
const NO_NETWORK: [&str; 5] = [
    "NewConnectionError",
    "NameResolutionError",
    "Temporary failure in name resolution",
    "Network is unreachable",
    "ConnectTimeoutError",
];
/// How often it is asked whether it is ready, and how long apart.
const ASKED: u32 = 1200;
const BETWEEN: Duration = Duration::from_millis(50);
/// For one answer of it.
const ANSWER: Duration = Duration::from_secs(5);
/// What the bucket is called that is there.
pub(crate) const BUCKET: &str = "blobs";
/// Whom it lets in.
pub(crate) const LET_IN: [(&str, &str); 2] =
    [("AWS_ACCESS_KEY_ID", "AKIDTEST"), ("AWS_SECRET_ACCESS_KEY", "SECRETTEST")];

pub(crate) struct Seaweed {
    dir: TempDir,
    program: PathBuf,
    ports: Ports,
    server: Option<Child>,
}

/// Where its parts listen.
struct Ports {
    master: [u16; 2],
    volume: [u16; 2],
    filer: [u16; 2],
    s3: [u16; 2],
}

impl Seaweed {
    /// `None`, and a word about it, where it is not installed and there is no network to install it from.
    pub(crate) fn start() -> Option<Self> {
        let Some(program) = program() else {
            println!("skipped: SeaweedFS is not installed, and there is no network to install it from");
            return None;
        };
        let dir = tempfile::tempdir().unwrap();
        let [(_, key), (_, secret)] = LET_IN;
        let let_in = format!(
            r#"{{"identities":[{{"name":"lamplight","credentials":[{{"accessKey":"{key}","secretKey":"{secret}"}}],"actions":["Read","List","Write"]}}]}}"#
        );
        std::fs::write(dir.path().join("s3.json"), let_in).unwrap();
        let mut seaweed = Self { dir, program, ports: Ports::free(), server: None };
        seaweed.go_on();
        Some(seaweed)
    }

    /// Starts the server again.
    pub(crate) fn go_on(&mut self) {
        assert!(self.server.is_none(), "it runs");
        let Ports { master, volume, filer, s3 } = &self.ports;
        // What its election of one leader from one server remembers makes it wait for twenty seconds.
        let _ = std::fs::remove_dir_all(self.dir.path().join(format!("m{}", master[0])));
        let mut server = Command::new(&self.program);
        server.args([
            "server",
            "-dir=.",
            "-ip=127.0.0.1",
            "-ip.bind=127.0.0.1",
            "-filer",
            "-s3",
            "-iam=false",
        ]);
        server.args(["-s3.config=s3.json", "-s3.port.iceberg=0", "-s3.port.lance=0", "-volume.max=8"]);
        server.args(["-master.volumeSizeLimitMB=64", "-master.telemetry=false"]);
        for (part, [http, grpc]) in [("master", master), ("volume", volume), ("filer", filer), ("s3", s3)] {
            server.arg(format!("-{part}.port={http}")).arg(format!("-{part}.port.grpc={grpc}"));
        }
        server.current_dir(self.dir.path()).env("TMPDIR", self.dir.path());
        server.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        // SAFETY: prctl with these arguments touches no memory, and may be called between fork and exec.
        unsafe {
            server.pre_exec(|| {
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
                Ok(())
            });
        }
        self.server = Some(server.spawn().unwrap());
        let is_ready = || {
            let bucket = ask(filer[0], "POST", &format!("/buckets/{BUCKET}/"));
            matches!(bucket, Some(201 | 409))
                && ask(filer[0], "PUT", "/ready/now") == Some(201)
                && ask(s3[0], "GET", "/") == Some(403)
        };
        for _ in 0..ASKED {
            if is_ready() {
                return;
            }
            std::thread::sleep(BETWEEN);
        }
        panic!("SeaweedFS does not start");
    }

    /// Ends it as a crash does.
    pub(crate) fn crash(&mut self) {
        let mut server = self.server.take().unwrap();
        server.kill().unwrap();
        server.wait().unwrap();
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports.s3[0])
    }

    /// What it answers to this request of somebody whom nothing lets in; below the bucket, or below `/`.
    pub(crate) fn behind(&self, method: &str, path: &str) -> Option<u16> {
        ask(self.ports.filer[0], method, path)
    }
}

impl Drop for Seaweed {
    fn drop(&mut self) {
        if self.server.is_some() {
            self.crash();
        }
    }
}

impl Ports {
    fn free() -> Self {
        // All are held until all are known, so that they differ.
        let listeners = [(); 8].map(|()| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
        let [a, b, c, d, e, f, g, h] =
            listeners.each_ref().map(|listener| listener.local_addr().unwrap().port());
        Self { master: [a, b], volume: [c, d], filer: [e, f], s3: [g, h] }
    }
}

/// The status of its answer.
fn ask(port: u16, method: &str, path: &str) -> Option<u16> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()?;
    stream.set_read_timeout(Some(ANSWER)).unwrap();
    let body = if method == "PUT" { "hello" } else { "" };
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
    .ok()?;
    let mut head = [0; 12];
    stream.read_exact(&mut head).ok()?;
    std::str::from_utf8(&head).ok()?.split(' ').nth(1)?.parse().ok()
}

/// Installed on first use, below the target directory; `None` where there is no network to do that.
fn program() -> Option<PathBuf> {
    let (home, done) = (Path::new(env!("CARGO_TARGET_TMPDIR")).join("seaweed"), "as-wanted");
    let is_done = || std::fs::read_to_string(home.join(done)).is_ok_and(|there| there == WANTED);
    // Tests are processes of their own, and two of them may want the same.
    let lock = File::create(home.with_extension("lock")).unwrap();
    lock.lock().unwrap();
    if !is_done() {
        let _old = std::fs::remove_dir_all(&home);
        run(Command::new("python3").args(["-m", "venv"]).arg(&home))?;
        let mut pip = Command::new(home.join("bin/python"));
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--retries", "1"]);
        run(pip.args(WANTED.split_whitespace()))?;
        std::fs::write(home.join(done), WANTED).unwrap();
    }
    Some(home.join("bin/weed"))
}

/// `None` where that fails for want of a network.
fn run(command: &mut Command) -> Option<()> {
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    if !output.status.success() && NO_NETWORK.iter().any(|words| said.contains(words)) {
        return None;
    }
    assert!(output.status.success(), "{command:?}: {said}");
    Some(())
}
