//! What a session may have beside its own repository: those of submodules, which `[[repositories]]` names, and large files of all of them. Fetched
//! here, with a token for that one repository, into a directory that all sessions read from.

use crate::engine::Shared;
use crate::pull_request::origin_of;
use crate::{clock, git, large_files};
use anyhow::Context as _;
use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{BoxStream, StreamExt as _};
use lamplight_domain::{SessionId, SessionSpec};
use lamplight_gateway::{Elsewhere, NotBrought};
use lamplight_integrations::github::Scope;
use lamplight_integrations::{GitHub, GitHubError, Repository};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::{fmt, io};

/// Directory of all of them, in the data directory.
const DIRECTORY: &str = "submodules";
/// What was fetched so lately is not fetched again: one `git submodule update` asks twice for each.
const FRESH_MS: i64 = 30_000;
/// What git holds while it writes beside its refs.
const LOCKS: [&str; 4] = ["config.lock", "HEAD.lock", "packed-refs.lock", "shallow.lock"];
/// Of what git says, in bytes.
const SAID_BYTES: usize = 500;

/// When each was fetched last, in milliseconds since 1970; who holds it is fetching.
type Turn = Arc<tokio::sync::Mutex<i64>>;

/// Who is fetching: one at a time into each.
#[derive(Default)]
pub(crate) struct Submodules(Mutex<HashMap<PathBuf, Turn>>);

impl Submodules {
    fn turn(&self, path: &Path) -> Turn {
        let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        turns.entry(path.to_owned()).or_default().clone()
    }
}

/// As one session may use it.
struct Beside {
    shared: Weak<Shared>,
    session: SessionId,
    repository: String,
    base: String,
    submodules: Vec<String>,
    has_large_files: bool,
}

impl fmt::Debug for Beside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Beside").field("repository", &self.repository).finish_non_exhaustive()
    }
}

/// Of a session; `None` where it may have nothing else.
pub(crate) fn of(
    shared: &Arc<Shared>,
    session: &SessionId,
    spec: &SessionSpec,
) -> Option<Arc<dyn Elsewhere>> {
    let config = shared.config.of(Path::new(&spec.repository))?;
    if config.submodules.is_empty() && !config.lfs {
        return None;
    }
    Some(Arc::new(Beside {
        shared: Arc::downgrade(shared),
        session: session.clone(),
        repository: spec.repository.clone(),
        base: spec.base.clone(),
        submodules: config.submodules.clone(),
        has_large_files: config.lfs,
    }))
}

/// What git in the sandbox has to know, as variables of the script that clones: the host, the repositories on it that are reached through
/// the gateway, and whether there are large files.
pub(crate) fn variables(shared: &Shared, spec: &SessionSpec) -> [(&'static str, String); 3] {
    let host = shared.config.github.as_ref().map(|github| github.host.clone());
    let config = shared.config.of(Path::new(&spec.repository)).filter(|_| host.is_some());
    let submodules = config.map(|config| config.submodules.join(" "));
    let large_files = config.filter(|config| config.lfs).map(|_| "yes".to_owned());
    [
        ("LAMPLIGHT_FORGE", host.unwrap_or_default()),
        ("LAMPLIGHT_SUBMODULES", submodules.unwrap_or_default()),
        ("LAMPLIGHT_LFS", large_files.unwrap_or_default()),
    ]
}

#[async_trait]
impl Elsewhere for Beside {
    async fn repository(&self, name: &str) -> Result<PathBuf, NotBrought> {
        let shared = self.shared()?;
        let github = github(&shared)?;
        let repository = self.submodule(github, name)?;
        bring(&shared, github, &repository).await.map_err(|error| match error {
            Trouble::GitHub(error @ GitHubError::NotFound { .. }) => NotBrought::NotThere(sentence(&error)),
            Trouble::GitHub(error) => NotBrought::Failed(sentence(&error)),
            Trouble::Git(error) => {
                NotBrought::Failed(format!("{repository} could not be fetched: {error:#}."))
            }
        })
    }

    fn has_large_files(&self) -> bool {
        self.has_large_files
    }

    async fn large_file(
        &self,
        of: Option<&str>,
        id: &str,
        bytes: u64,
    ) -> Result<BoxStream<'static, io::Result<Bytes>>, NotBrought> {
        let shared = self.shared()?;
        let own = Path::new(&self.repository);
        if of.is_none()
            && let Some(here) = large_files::read(own, id, bytes).await
        {
            return Ok(here);
        }
        let github = github(&shared)?;
        let repository = match of {
            Some(name) => self.submodule(github, name)?,
            None => origin_of(own, &self.base, github)
                .await
                .map_err(|error| NotBrought::NotThere(format!("{error}.")))?,
        };
        let file = github.large_file(&repository, id, bytes).await.map_err(|error| match error {
            GitHubError::NotFound { .. } => NotBrought::NotThere(sentence(&error)),
            error => NotBrought::Failed(sentence(&error)),
        })?;
        let pieces = futures::stream::unfold(Some(file), async |file| {
            let mut file = file?;
            match file.next().await {
                Ok(piece) => piece.map(|piece| (Ok(piece), Some(file))),
                Err(error) => Some((Err(io::Error::other(error)), None)),
            }
        });
        Ok(pieces.boxed())
    }

    async fn lacks_large_file(&self, id: &str, bytes: u64) -> Result<bool, NotBrought> {
        large_files::lacks(&*self.shared()?, &self.session, Path::new(&self.repository), id, bytes).await
    }

    async fn keep_large_file(
        &self,
        id: &str,
        bytes: u64,
        content: BoxStream<'static, io::Result<Bytes>>,
    ) -> Result<(), NotBrought> {
        let repository = Path::new(&self.repository);
        large_files::keep(&*self.shared()?, &self.session, repository, (id, bytes), content).await
    }
}

impl Beside {
    fn shared(&self) -> Result<Arc<Shared>, NotBrought> {
        self.shared.upgrade().ok_or_else(|| NotBrought::Failed("The server is stopping.".to_owned()))
    }

    fn submodule(&self, github: &GitHub, name: &str) -> Result<Repository, NotBrought> {
        let known = self.named(name).and_then(|wanted| github.repository(wanted));
        known.ok_or_else(|| self.refused(github, name))
    }

    /// As it is configured. The last part alone is enough where it is of one only.
    fn named(&self, name: &str) -> Option<&str> {
        let is_it = |known: &&String| match name.contains('/') {
            true => known.eq_ignore_ascii_case(name),
            false => known.rsplit('/').next().is_some_and(|last| last.eq_ignore_ascii_case(name)),
        };
        let mut all = self.submodules.iter().filter(is_it);
        all.next().filter(|_| all.next().is_none()).map(String::as_str)
    }

    /// git puts our address in the place of a beginning, so that `acme/lib` also leads `acme/library` here.
    fn refused(&self, github: &GitHub, name: &str) -> NotBrought {
        let begins = |known: &String| name.len() > known.len() && name.starts_with(known.as_str());
        match github.repository(name).filter(|_| self.submodules.iter().any(begins)) {
            Some(repository) => NotBrought::Beside(github.git_address(&repository)),
            None => NotBrought::NotAllowed(format!(
                "{name} is none of the repositories that this session may read beside its own; `submodules` under [[repositories]] names them."
            )),
        }
    }
}

fn github(shared: &Shared) -> Result<&GitHub, NotBrought> {
    let none =
        || NotBrought::NotAllowed("This server has neither a token nor an App of GitHub's.".to_owned());
    shared.github.as_ref().ok_or_else(none)
}

fn sentence(error: &GitHubError) -> String {
    format!("{error}.")
}

enum Trouble {
    GitHub(GitHubError),
    Git(anyhow::Error),
}

/// All of its branches and tags, as they are there now.
async fn bring(shared: &Shared, github: &GitHub, repository: &Repository) -> Result<PathBuf, Trouble> {
    let path = shared.config.data_dir.join(DIRECTORY).join(&repository.host);
    let path =
        path.join(repository.owner.to_lowercase()).join(format!("{}.git", repository.name.to_lowercase()));
    let turn = shared.submodules.turn(&path);
    let mut fetched = turn.lock().await;
    if clock::now().0.saturating_sub(*fetched) < FRESH_MS {
        return Ok(path);
    }
    let token = github.token(repository, Scope::Fetch).await.map_err(Trouble::GitHub)?;
    fetch(github, repository, &path, &token).await.map_err(Trouble::Git)?;
    *fetched = clock::now().0;
    Ok(path)
}

async fn fetch(github: &GitHub, repository: &Repository, path: &Path, token: &str) -> anyhow::Result<()> {
    tokio::fs::create_dir_all(path).await.with_context(|| format!("make {}", path.display()))?;
    // Whoever fetched before has ended, and whoever fetches now has the turn: a git that was killed has left these, and keeps all others out.
    for left in LOCKS {
        let _ = tokio::fs::remove_file(path.join(left)).await;
    }
    git::line(path, &["init", "--quiet", "--bare"]).await?;
    let place = git::Place { address: &github.config().git, token };
    let address = github.git_address(repository);
    let asked = async |arguments: &[&str]| {
        let output = git::elsewhere(path, &place, arguments).await?;
        let mut said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        said.truncate(said.floor_char_boundary(SAID_BYTES));
        anyhow::ensure!(output.status.success(), "{said}");
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let all = ["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"];
    asked(&["fetch", "--quiet", "--prune", "--no-tags", "--no-write-fetch-head", &address, all[0], all[1]])
        .await?;
    let head = asked(&["ls-remote", "--symref", &address, "HEAD"]).await?;
    let head = head.lines().find_map(|line| line.strip_prefix("ref: ")?.split_whitespace().next());
    match head {
        Some(head) => git::line(path, &["symbolic-ref", "HEAD", head]).await.map(drop),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_part_alone_is_enough_where_it_is_of_one() {
        let submodules = ["acme/lib", "acme/tools", "other/tools"].map(str::to_owned).to_vec();
        let (repository, base) = (String::new(), String::new());
        let session = "01JAZZZZZZZZZZZZZZZZZZZZZZ".parse().unwrap();
        let (shared, has_large_files) = (Weak::new(), false);
        let beside = Beside { shared, session, repository, base, submodules, has_large_files };
        for (name, expected) in [
            ("acme/lib", Some("acme/lib")),
            ("Acme/Lib", Some("acme/lib")),
            ("lib", Some("acme/lib")),
            ("tools", None),
            ("other/tools", Some("other/tools")),
            ("other/lib", None),
            ("acme/library", None),
            ("acme", None),
            ("", None),
        ] {
            assert_eq!(beside.named(name), expected, "{name}");
        }
    }
}
