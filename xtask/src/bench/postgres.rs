//! A PostgreSQL for measuring, with its data beside what it is compared with and all settings as they come.

use super::process::Running;
use crate::command::run;
use crate::missing;
use anyhow::{Context, Result};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Nobody, on every Linux: PostgreSQL refuses to run as root.
const NOBODY: u32 = 65_534;

/// It ends with this value.
pub(super) struct Postgres {
    _running: Running,
    /// Of its database, behind a Unix socket.
    pub url: String,
}

impl Postgres {
    /// Makes one in an empty directory and waits until it is ready.
    pub(super) fn start(directory: &Path) -> Result<Self> {
        missing::provide_postgresql()?;
        let programs = missing::postgresql_programs().unwrap_or_default();
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::chown(directory, Some(NOBODY), Some(NOBODY))
                .context("give it its directory")?;
        }
        let data = directory.join("data");
        let mut initdb = program(&programs, "initdb");
        initdb.args(["--username=lamplight", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8"]);
        run(initdb.arg("--pgdata").arg(&data).stdout(Stdio::null()))?;
        let mut server = program(&programs, "postgres");
        server.arg("-D").arg(&data).arg("-k").arg(directory).args(["-c", "listen_addresses="]);
        let is_ready = || {
            let asked = program(&programs, "pg_isready").arg("-q").arg("-h").arg(directory).status();
            asked.is_ok_and(|status| status.success())
        };
        let log = directory.with_extension("log");
        let running = Running::start_until(server, 0, &log, is_ready).context("start PostgreSQL")?;
        let host = directory.to_string_lossy().replace('/', "%2F");
        Ok(Self { _running: running, url: format!("postgres://lamplight@{host}/postgres") })
    }
}

fn program(programs: &Path, name: &str) -> Command {
    let path: PathBuf = programs.join(name);
    let mut command = Command::new(path);
    command.current_dir("/");
    if rustix::process::geteuid().is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}
