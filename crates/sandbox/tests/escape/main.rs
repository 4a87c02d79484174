//! Everything that an agent could try to get out, to take more than its share or to reach another session, tried in real
//! sandboxes of the local provider: as root and as an ordinary user. A control run, without any wall, shows that each
//! attempt would succeed, so that none stands in the list for nothing.
//!
//! ```text
//! nothing_is_open ─┬─ lamplight-escape control                      every attempt without walls, as root
//!                  ├─ lamplight-escape host ── inner, as root       every attempt in sandboxes, beside a stand-in
//!                  └─ lamplight-escape host ── inner, as a user     for the host's listeners and addresses
//! ```
//! `cargo xtask escape` shows the table, and keeps it in docs/security.md.

mod document;
mod inside;
mod known_open;
mod outside;
mod place;
mod report;

use place::Place;
use report::{Made, Ran, Row, Verdict};
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// An ordinary user without a name; nothing on the host is its own.
const USER: u32 = 64_322;

/// When set, [`inner`] makes the attempts and puts what came of them into this folder.
const INNER: &str = "LAMPLIGHT_ESCAPE_FOLDER";

/// When set, [`inner`] first becomes this user.
const BECOME: &str = "LAMPLIGHT_ESCAPE_USER";

/// What stands for a secret in the environment of the server.
const SECRET: &str = "LAMPLIGHT_ESCAPE_SECRET";

/// When set, the table is written there.
const TABLE: &str = "LAMPLIGHT_ESCAPE_TABLE";

#[test]
fn nothing_is_open() {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    let programs = Programs::copied_to(folder.path());
    let runs = if rustix::process::geteuid().is_root() {
        // Beside each other: what they wait for is mostly the disk.
        std::thread::scope(|scope| {
            let root = scope.spawn(|| programs.beside_the_host(&folder.path().join("root"), None));
            let user = programs.beside_the_host(&folder.path().join("user"), Some(USER));
            [Some(root.join().unwrap()), Some(user)]
        })
    } else {
        println!("as this user only, and without the control: root can do both");
        [None, Some(programs.beside_the_host(&folder.path().join("user"), None))]
    };
    let control = runs[0].is_some().then(|| programs.control(&folder.path().join("control")));
    let rows = report::merge(programs.listed(), control, runs);
    println!("{}", report::table(&rows, false));
    if let Some(file) = std::env::var_os(TABLE) {
        fs::write(&file, report::table(&rows, true)).unwrap();
    }
    assert!(rows.len() >= 90, "{} attempts", rows.len());
    let complaints: Vec<String> = rows.iter().flat_map(complaints).collect();
    assert_eq!(complaints, Vec::<String>::new());
}

/// What is wrong with one attempt.
fn complaints(row: &Row) -> Vec<String> {
    let mut all = Vec::new();
    for (who, made) in [("root", &row.root), ("user", &row.user)] {
        let Some(made) = made else { continue };
        match (made.verdict, known_open::reason(row.name.as_str(), who)) {
            (Verdict::Open, None) => all.push(format!("OPEN as {who}: {}: {}", row.name, made.detail)),
            (Verdict::Unexpected, _) => {
                all.push(format!(
                    "not stopped by what should stop it, as {who}: {}: {}",
                    row.name, made.detail
                ));
            }
            // A person alone may have been given more than the user that root plays here.
            (Verdict::Blocked | Verdict::Limited | Verdict::Lacking, Some(_)) if row.root.is_none() => {}
            (Verdict::Blocked | Verdict::Limited | Verdict::Lacking, Some(_)) => {
                all.push(format!("no longer open as {who}, take it off the list: {}", row.name));
            }
            (Verdict::Open, Some(_)) | (Verdict::Blocked | Verdict::Limited | Verdict::Lacking, None) => {}
        }
    }
    if let Some(control) = &row.control
        && !control.would_succeed()
    {
        all.push(format!("shows nothing, as it fails without walls too: {}: {}", row.name, control.detail));
    }
    all
}

#[test]
fn every_attempt_is_in_the_document() {
    let folder = tempfile::tempdir().unwrap();
    let listed = Programs::copied_to(folder.path()).listed();
    let names = listed.into_iter().map(|row| row.name).chain(outside::names());
    document::check(names.collect());
}

/// Not a test: what is run beside the stand-in for the host.
#[test]
fn inner() {
    let Some(folder) = std::env::var_os(INNER).map(PathBuf::from) else { return };
    let own = std::env::current_exe().unwrap();
    if let Some(user) = std::env::var(BECOME).ok().map(|user| user.parse().unwrap()) {
        let mut again = Command::new(own);
        again.args(["--exact", "inner", "--nocapture"]).env_remove(BECOME).uid(user).gid(user);
        assert!(again.status().unwrap().success());
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let place = Place::new(&folder);
    let ran = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        runtime.block_on(async {
            Ran { inside: inside::run(&place).await, outside: outside::run(&place).await }
        })
    }));
    // Also after an attempt that ended the suite: no sandbox may outlive it.
    runtime.block_on(place.clear());
    let ran = ran.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    fs::write(folder.join("ran.json"), serde_json::to_vec(&ran).unwrap()).unwrap();
}

/// Copies, where an ordinary user can read them: the target directory may be in root's home.
struct Programs {
    tests: PathBuf,
    launch: PathBuf,
    escape: PathBuf,
}

impl Programs {
    fn copied_to(folder: &Path) -> Self {
        let copy = |from: &Path, name: &str| {
            let to = folder.join(name);
            fs::copy(from, &to).unwrap();
            to
        };
        Self {
            tests: copy(&std::env::current_exe().unwrap(), "tests"),
            launch: copy(env!("CARGO_BIN_EXE_lamplight-launch").as_ref(), "launch"),
            escape: copy(env!("CARGO_BIN_EXE_lamplight-escape").as_ref(), "lamplight-escape"),
        }
    }

    fn listed(&self) -> Vec<Row> {
        let output = Command::new(&self.escape).arg("list").output().unwrap();
        report::lines(&output.stdout)
    }

    fn control(&self, folder: &Path) -> Vec<Made> {
        fs::create_dir(folder).unwrap();
        let mut control = Command::new(&self.escape);
        let output = control.arg("control").arg(folder).env(SECRET, "secret").output().unwrap();
        assert!(output.status.success(), "the control: {}", String::from_utf8_lossy(&output.stderr));
        report::lines(&output.stdout)
    }

    fn beside_the_host(&self, folder: &Path, user: Option<u32>) -> Ran {
        fs::create_dir(folder).unwrap();
        let shown = folder.join("shown");
        fs::create_dir(&shown).unwrap();
        fs::copy(&self.escape, shown.join("lamplight-escape")).unwrap();
        fs::copy(&self.launch, folder.join("launch")).unwrap();
        let mut host = Command::new(&self.escape);
        host.arg("host").arg(folder).arg(&self.tests).args(["--exact", "inner", "--nocapture"]);
        host.env(INNER, folder).env(SECRET, "secret").env("TMPDIR", folder).current_dir("/");
        if let Some(user) = user {
            for directory in [folder, &shown] {
                chown(directory, Some(user), Some(user)).unwrap();
            }
            host.env(BECOME, user.to_string());
        }
        let output = host.output().unwrap();
        let said = [&output.stdout[..], &output.stderr[..]].map(String::from_utf8_lossy).concat();
        assert!(output.status.success(), "{said}");
        serde_json::from_slice(&fs::read(folder.join("ran.json")).unwrap()).unwrap()
    }
}
