//! A PostgreSQL of a test's own: a cluster in a temporary directory, reached over a Unix socket there.
//!
//! It runs as somebody without rights where tests run as root, because PostgreSQL refuses to be root. It ends with the thread that started it.

use std::fs::File;
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// Nobody, on every Linux.
const NOBODY: u32 = 65_534;
/// How often it is asked whether it is ready, and how long apart.
const ASKED: u32 = 600;
const BETWEEN: Duration = Duration::from_millis(50);

pub(crate) struct Cluster {
    dir: TempDir,
    programs: PathBuf,
    server: Option<Child>,
}

impl Cluster {
    pub(crate) fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut cluster = Self { dir, programs: programs(), server: None };
        if is_root() {
            std::os::unix::fs::chown(cluster.dir.path(), Some(NOBODY), Some(NOBODY)).unwrap();
        }
        cluster.copy();
        // Here, and not with those below, so that a test can have it otherwise.
        let mut own = File::options().append(true).open(cluster.data().join("postgresql.auto.conf")).unwrap();
        own.write_all(b"listen_addresses = ''\n").unwrap();
        cluster.go_on();
        cluster
    }

    /// Copies what `initdb` makes, which takes a second: it runs once for all tests.
    fn copy(&self) {
        let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join("postgres");
        std::fs::create_dir_all(&kept).unwrap();
        let lock = File::create(kept.join("lock")).unwrap();
        lock.lock().unwrap();
        let kept = kept.join(self.programs.parent().and_then(Path::file_name).unwrap());
        let copy = |from: &Path, to: &Path| {
            assert!(Command::new("cp").arg("-a").args([from, to]).status().unwrap().success(), "{to:?}");
        };
        if kept.exists() {
            return copy(&kept, &self.data());
        }
        let mut initdb = self.program("initdb");
        initdb.args(["--no-sync", "--username=lamplight", "--auth=trust", "--encoding=UTF8"]);
        initdb.args(["--locale=C.UTF-8", "--pgdata"]).arg(self.data());
        let made = initdb.stderr(Stdio::piped()).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let whole = kept.with_extension("new");
        copy(&self.data(), &whole);
        std::fs::rename(whole, kept).unwrap();
    }

    /// Starts the server again.
    pub(crate) fn go_on(&mut self) {
        assert!(self.server.is_none(), "it runs");
        let mut server = self.program("postgres");
        server.arg("-D").arg(self.data()).arg("-k").arg(self.dir.path());
        for setting in ["shared_buffers=16MB", "max_connections=40", "jit=off"] {
            server.args(["-c", setting]);
        }
        self.server = Some(server.spawn().unwrap());
        for _ in 0..ASKED {
            let asked = self.program("pg_isready").arg("-q").arg("-h").arg(self.dir.path()).status().unwrap();
            if asked.success() {
                return;
            }
            std::thread::sleep(BETWEEN);
        }
        panic!("PostgreSQL does not start");
    }

    /// Ends it as a crash does: nothing is finished, and the next start has to recover.
    pub(crate) fn crash(&mut self) {
        let mut server = self.server.take().unwrap();
        signal(server.id(), libc::SIGQUIT);
        server.wait().unwrap();
    }

    /// For `lamplight`, and for whoever reads such addresses.
    pub(crate) fn url(&self) -> String {
        url(self.dir.path())
    }

    /// The socket on which it listens.
    pub(crate) fn socket(&self) -> PathBuf {
        self.dir.path().join(".s.PGSQL.5432")
    }

    /// What it answers, or why it refuses.
    pub(crate) fn sql(&self, text: &str) -> Result<String, String> {
        let mut shell = self.program("psql");
        shell.arg("-h").arg(self.dir.path()).args([
            "-U",
            "lamplight",
            "-d",
            "postgres",
            "-v",
            "ON_ERROR_STOP=1",
        ]);
        shell.args(["-qAt", "-c", text]).stdout(Stdio::piped()).stderr(Stdio::piped());
        let output = shell.output().unwrap();
        match output.status.success() {
            true => Ok(String::from_utf8(output.stdout).unwrap().trim().to_owned()),
            false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        }
    }

    fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    fn program(&self, name: &str) -> Command {
        let mut command = Command::new(self.programs.join(name));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).current_dir("/");
        if is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
        // SAFETY: prctl with these arguments touches no memory, and may be called between fork and exec.
        unsafe {
            command.pre_exec(|| {
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGQUIT);
                Ok(())
            });
        }
        command
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if self.server.is_some() {
            self.crash();
        }
    }
}

/// The address of the database behind the socket in `dir`.
pub(crate) fn url(dir: &Path) -> String {
    format!("postgres://lamplight@{}/postgres", dir.to_str().unwrap().replace('/', "%2F"))
}

/// The newest PostgreSQL of this machine.
fn programs() -> PathBuf {
    let installed = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let newest = installed
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok())
        .max()
        .map(|version| PathBuf::from(format!("/usr/lib/postgresql/{version}/bin")));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = || std::env::split_paths(&path).find(|dir| dir.join("initdb").is_file());
    newest
        .or_else(on_path)
        .expect("there is no PostgreSQL; cargo xtask test installs it, or apt-get install postgresql")
}

fn is_root() -> bool {
    // SAFETY: it touches no memory and cannot fail.
    unsafe { libc::geteuid() == 0 }
}

fn signal(process: u32, signal: libc::c_int) {
    // SAFETY: sends a signal to a child that was not waited for; no memory is involved.
    unsafe { libc::kill(process as libc::pid_t, signal) };
}
