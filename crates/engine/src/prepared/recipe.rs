//! What a repository says of its own setup: `.lamplight.toml`, as committed on the branch that a session starts from.
//!
//! ```toml
//! [setup]
//! run = "npm ci"                    # a shell script, in the workspace
//! inputs = ["package-lock.json"]    # what its result depends on; without it, the lock files of the usual package managers
//! timeout_s = 900
//!
//! [check]
//! run = ["cargo fmt --check", "cargo test"]         # or one command; run on what a turn has committed
//! timeout_s = 900                                   # for all of them together
//!
//! [task]
//! template = "What is wrong:\nHow to see it:\n"    # offered to whoever writes a task
//! ```

use crate::git;
use anyhow::{Context as _, anyhow, bail};
use lamplight_domain::check::MAX_CHECKS;
use lamplight_domain::{CheckPlan, ImageDigest, SessionImage};
use serde::{Deserialize, Serialize};
use std::path::Path;

const FILE: &str = ".lamplight.toml";
/// A longer file is no configuration; bytes.
const FILE_BYTES: usize = 64 * 1024;
/// The list of input files; bytes.
const INPUT_BYTES: usize = 1 << 20;
/// The longest command of a check; bytes. It is told to people and in the pull request.
const COMMAND_BYTES: usize = 1_000;
/// In seconds.
pub(crate) const DEFAULT_TIMEOUT: u64 = 15 * 60;
const LONGEST_TIMEOUT: u64 = 2 * 60 * 60;

/// Where nothing is said: what tells package managers exactly what to install.
const LOCK_FILES: &[&str] = &[
    "Cargo.lock",
    "Gemfile.lock",
    "Pipfile.lock",
    "bun.lock",
    "composer.lock",
    "go.sum",
    "package-lock.json",
    "pnpm-lock.yaml",
    "poetry.lock",
    "requirements.txt",
    "uv.lock",
    "yarn.lock",
];

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    setup: Option<Setup>,
    check: Option<Check>,
    task: Option<Task>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Check {
    run: Commands,
    timeout_s: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "a command or a list of commands")]
enum Commands {
    One(String),
    Several(Vec<String>),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Task {
    template: Option<String>,
}

impl File {
    /// As it is in that commit; `None` when there is none.
    async fn read(at: &Path, commit: &str) -> anyhow::Result<Option<Self>> {
        let blob = format!("{commit}:{FILE}");
        if git::line(at, &["rev-parse", "--verify", "--quiet", &blob]).await.is_err() {
            return Ok(None);
        }
        let (text, more) = git::bounded(at, &["cat-file", "blob", &blob], FILE_BYTES).await?;
        if more {
            bail!("{FILE} is longer than {} KiB", FILE_BYTES / 1024);
        }
        let text = String::from_utf8(text).with_context(|| format!("{FILE} is not UTF-8"))?;
        toml::from_str(&text).map(Some).map_err(|error| anyhow!("{FILE}: {}", error.message()))
    }
}

/// What a branch says of the checks of the repository.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Named {
    /// `None` where it names none.
    pub(crate) plan: Option<CheckPlan>,
    /// There is a setup, which has put in place what the checks need.
    pub(crate) has_setup: bool,
}

pub(crate) async fn named_checks(repository: &str, base: &str) -> anyhow::Result<Named> {
    let file = File::read(Path::new(repository), &format!("refs/heads/{base}")).await?;
    let has_setup = file.as_ref().is_some_and(|file| file.setup.is_some());
    let Some(check) = file.and_then(|file| file.check) else { return Ok(Named { plan: None, has_setup }) };
    let commands = match check.run {
        Commands::One(command) => vec![command],
        Commands::Several(commands) => commands,
    };
    if commands.is_empty() || commands.len() > MAX_CHECKS {
        bail!("{FILE}: check.run names {} commands, and not from 1 to {MAX_CHECKS}", commands.len());
    }
    if commands.iter().any(|command| command.trim().is_empty() || command.len() > COMMAND_BYTES) {
        bail!("{FILE}: check.run has a command that is empty, or longer than {COMMAND_BYTES} bytes");
    }
    let timeout_ms = timeout_ms("check", check.timeout_s)?;
    Ok(Named { plan: Some(CheckPlan { commands, detected: None, timeout_ms }), has_setup })
}

fn timeout_ms(section: &str, said: Option<u64>) -> anyhow::Result<u64> {
    let timeout = said.unwrap_or(DEFAULT_TIMEOUT);
    if !(1..=LONGEST_TIMEOUT).contains(&timeout) {
        bail!("{FILE}: {section}.timeout_s is {timeout}, and not from 1 to {LONGEST_TIMEOUT}");
    }
    Ok(timeout * 1000)
}

/// The text that the repository offers to whoever writes a task for it.
pub(crate) async fn template(repository: &str) -> anyhow::Result<Option<String>> {
    let file = File::read(Path::new(repository), "HEAD").await?;
    Ok(file.and_then(|file| file.task?.template).filter(|text| !text.trim().is_empty()))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Setup {
    run: String,
    inputs: Option<Vec<String>>,
    timeout_s: Option<u64>,
}

/// A setup, and all that its result depends on. Without anything to run it is the clone alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Recipe {
    pub(super) repository: String,
    pub(super) base: String,
    pub(super) run: String,
    /// As git lists them: name and content.
    pub(super) inputs: String,
    /// What its files are on top of; `None` is the machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) image: Option<ImageDigest>,
    #[serde(skip)]
    pub(super) timeout_ms: u64,
}

impl Recipe {
    /// The clone alone. On nothing else does it depend: whoever starts from it fetches what is newer.
    pub(super) fn of_clone(repository: &str, base: &str) -> Self {
        Self {
            repository: repository.to_owned(),
            base: base.to_owned(),
            run: String::new(),
            inputs: String::new(),
            image: None,
            timeout_ms: 0,
        }
    }

    pub(super) fn has_setup(&self) -> bool {
        !self.run.is_empty()
    }

    /// `None` when the repository has none.
    pub(super) async fn read(repository: &str, base: &str) -> anyhow::Result<Option<Self>> {
        let at = Path::new(repository);
        let Some(file) = File::read(at, &format!("refs/heads/{base}")).await? else { return Ok(None) };
        let Some(setup) = file.setup.filter(|setup| !setup.run.trim().is_empty()) else { return Ok(None) };
        let timeout_ms = timeout_ms("setup", setup.timeout_s)?;
        let tree = format!("refs/heads/{base}");
        let mut list = vec!["--literal-pathspecs", "ls-tree", "-r", &tree, "--"];
        match &setup.inputs {
            Some(inputs) => list.extend(inputs.iter().map(String::as_str)),
            None => list.extend(LOCK_FILES),
        }
        let (inputs, more) = git::bounded(at, &list, INPUT_BYTES).await?;
        if more {
            bail!("{FILE}: setup.inputs names too many files");
        }
        Ok(Some(Self {
            repository: repository.to_owned(),
            base: base.to_owned(),
            run: setup.run,
            inputs: String::from_utf8_lossy(&inputs).into_owned(),
            image: None,
            timeout_ms,
        }))
    }

    /// The same on this image.
    pub(super) fn on(self, image: Option<&SessionImage>) -> Self {
        Self { image: image.map(|image| image.digest.clone()), ..self }
    }

    /// Its first line, for people.
    pub(super) fn command(&self) -> &str {
        self.run.trim().lines().next().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn repository(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (name, content) in files {
            std::fs::write(dir.path().join(name), content).unwrap();
        }
        let person = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"];
        for arguments in
            [&["init", "-q", "-b", "main"][..], &["add", "."], &["commit", "-q", "--allow-empty", "-m", "x"]]
        {
            let all: Vec<&str> = person.iter().chain(arguments).copied().collect();
            assert!(git::output(dir.path(), &all).await.unwrap().status.success());
        }
        dir
    }

    async fn read(files: &[(&str, &str)]) -> anyhow::Result<Option<Recipe>> {
        let dir = repository(files).await;
        let recipe = Recipe::read(dir.path().to_str().unwrap(), "main").await;
        recipe.map(|recipe| recipe.map(|recipe| Recipe { repository: String::new(), ..recipe }))
    }

    async fn checks(file: &str) -> anyhow::Result<(Vec<String>, u64)> {
        let dir = repository(&[(FILE, file)]).await;
        let plan = named_checks(dir.path().to_str().unwrap(), "main").await?.plan.unwrap();
        Ok((plan.commands, plan.timeout_ms))
    }

    #[tokio::test]
    async fn what_the_result_depends_on_tells_two_recipes_apart() {
        let setup = "[setup]\nrun = 'npm ci'\n";
        let with = async |lock: &str, readme: &str| {
            let files = [(FILE, setup), ("package-lock.json", lock), ("README", readme)];
            read(&files).await.unwrap().unwrap()
        };
        let first = with("{}", "one").await;
        assert_eq!((first.command(), first.timeout_ms), ("npm ci", 900_000));
        assert_eq!(with("{}", "two").await, first, "of the readme it depends on nothing");
        assert_ne!(with("{ }", "one").await, first);
        let named = "[setup]\nrun = 'npm ci'\ninputs = ['README']\n";
        let one = read(&[(FILE, named), ("README", "one")]).await.unwrap();
        let two = read(&[(FILE, named), ("README", "two")]).await.unwrap();
        assert_ne!(one, two);
    }

    #[tokio::test]
    async fn no_setup_is_fine_and_a_wrong_one_is_told() {
        assert_eq!(read(&[]).await.unwrap(), None);
        assert_eq!(read(&[(FILE, "")]).await.unwrap(), None);
        assert_eq!(read(&[(FILE, "[setup]\nrun = ' '\n")]).await.unwrap(), None);
        assert_eq!(checks("[check]\nrun = 'make'").await.unwrap(), (vec!["make".to_owned()], 900_000));
        let two = checks("[check]\nrun = ['a', 'b']\ntimeout_s = 7").await.unwrap();
        assert_eq!(two, (vec!["a".to_owned(), "b".to_owned()], 7_000));
        for (text, why) in [
            ("[check]\nrun = 1", "a command or a list of commands"),
            ("[check]\nrun = []", "names 0 commands"),
            ("[check]\nrun = ['a', ' ']", "a command that is empty"),
            ("[check]\nrun = 'x'\ntimeout_s = 7201", "check.timeout_s is 7201"),
        ] {
            let error = checks(text).await.unwrap_err().to_string();
            assert!(error.starts_with(FILE) && error.contains(why), "{error}");
        }
        for (text, why) in [
            ("[setup]\nrun = 1", "invalid type"),
            ("[setup]\nrum = 'x'", "unknown field"),
            ("[setup]\nrun = 'x'\ntimeout_s = 0", "timeout_s is 0"),
        ] {
            let error = read(&[(FILE, text)]).await.unwrap_err().to_string();
            assert!(error.starts_with(FILE) && error.contains(why), "{error}");
        }
    }
}
