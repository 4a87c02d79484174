//! Directories, a repository and a configuration.

use super::{LAMPLIGHT, scripted_agent};
use crate::cluster::Cluster;
use std::path::PathBuf;
use std::process::{Command, Output};
use tempfile::TempDir;

/// Directories, a repository and a configuration; no process yet.
pub(crate) struct Place {
    pub(super) dir: TempDir,
    pub(super) listen: String,
    /// What its programs find in their environment beside the little that all have.
    pub(crate) environment: Vec<(&'static str, &'static str)>,
    /// Where its log is, if not on SQLite.
    pub(crate) cluster: Option<Cluster>,
    /// Whose repository and database it shares.
    pub(super) beside: Option<Beside>,
}

#[derive(Clone)]
pub(super) struct Beside {
    repository: PathBuf,
    database: String,
}

impl Place {
    /// With more in its configuration.
    pub(crate) fn with(configuration: &str) -> Self {
        let place = Self::new();
        let path = place.path("lamplight.toml");
        let before = std::fs::read_to_string(&path).unwrap();
        let more = configuration
            .replace("{repository}", &place.repository().display().to_string())
            .replace("{data}", &place.path("data").display().to_string());
        std::fs::write(&path, format!("{before}{more}")).unwrap();
        place
    }

    pub(crate) fn new() -> Self {
        Self::within(tempfile::tempdir().unwrap())
    }

    /// In a directory that is this one's alone.
    pub(crate) fn within(dir: TempDir) -> Self {
        for name in ["home", "tools/scripted"] {
            std::fs::create_dir_all(dir.path().join(name)).unwrap();
        }
        std::fs::copy(scripted_agent(), dir.path().join("tools/scripted/agent")).unwrap();
        let place = Self {
            dir,
            listen: "127.0.0.1:0".to_owned(),
            environment: Vec::new(),
            cluster: None,
            beside: None,
        };
        place.make_repository();
        std::fs::write(
            place.path("lamplight.toml"),
            format!(
                "[server]\ndata_dir = {data:?}\n[agent]\ndefault = 'scripted'\ntools_dir = {tools:?}\n\
                 [person]\nname = 'Ada'\nemail = 'ada@example.org'\n\
                 [[agents]]\nname = 'scripted'\ntitle = 'Scripted'\ncommand = '{{tools}}/scripted/agent'\n",
                data = place.path("data"),
                tools = place.path("tools"),
            ),
        )
        .unwrap();
        place
    }

    /// With its log on a PostgreSQL of its own.
    pub(crate) fn on_postgres() -> Self {
        Self { cluster: Some(Cluster::start()), ..Self::new() }
    }

    /// Another machine, as far as one can be had: with directories of its own, and the repository and the database of this place.
    pub(crate) fn beside(&self) -> Self {
        let database = self.cluster.as_ref().expect("it is on PostgreSQL").url();
        let place = Self { environment: self.environment.clone(), ..Self::new() };
        let read = |place: &Self| std::fs::read_to_string(place.path("lamplight.toml")).unwrap();
        let (ours, theirs) = (read(self), read(&place));
        // What was added to the configuration of this place holds there too.
        let own = format!(
            "{theirs}{}",
            ours.lines().skip(theirs.lines().count()).map(|line| format!("{line}\n")).collect::<String>()
        );
        std::fs::write(place.path("lamplight.toml"), own).unwrap();
        Self { beside: Some(Beside { repository: self.repository(), database }), ..place }
    }

    /// Its server listens on this port.
    pub(crate) fn listening(port: u16) -> Self {
        Self { listen: format!("127.0.0.1:{port}"), ..Self::new() }
    }

    pub(crate) fn listening_on(self, address: &str) -> Self {
        Self { listen: address.to_owned(), ..self }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn repository(&self) -> PathBuf {
        self.beside.as_ref().map_or_else(|| self.path("repository"), |beside| beside.repository.clone())
    }

    fn make_repository(&self) {
        std::fs::create_dir_all(self.repository()).unwrap();
        self.git(&["init", "--quiet", "--initial-branch=main"]);
        self.git(&["config", "user.name", "Ada"]);
        self.git(&["config", "user.email", "ada@example.org"]);
        std::fs::write(self.repository().join("readme.txt"), "hello\n").unwrap();
        self.git(&["add", "."]);
        self.git(&["commit", "--quiet", "-m", "Begin"]);
    }

    /// What git says in the person's repository.
    pub(crate) fn git(&self, arguments: &[&str]) -> String {
        let mut git = Command::new("git");
        git.args(arguments).current_dir(self.repository()).env("HOME", self.path("home"));
        let output = git.output().unwrap();
        assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// The program with nothing of this machine's environment but its `PATH`.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(LAMPLIGHT);
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", self.path("home"))
            .env("LAMPLIGHT_CONFIG", self.path("lamplight.toml"))
            .env("LAMPLIGHT_LISTEN", &self.listen)
            // Tests of other things have as many sandboxes as they like.
            .env("LAMPLIGHT_QUEUE_SANDBOXES_PER_PERSON", "0")
            .envs(self.cluster.as_ref().map(|cluster| ("LAMPLIGHT_DATABASE", cluster.url())))
            .envs(self.beside.as_ref().map(|beside| ("LAMPLIGHT_DATABASE", &beside.database)))
            .envs(self.environment.iter().copied())
            .current_dir(self.repository())
            .args(arguments);
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Like [`Place::run`], and it must succeed; what it printed.
    pub(crate) fn say(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(
            output.status.success(),
            "lamplight {arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    }
}
