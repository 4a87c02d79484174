//! Large files (Git LFS) that sessions bring. They are kept in the session's repository on this machine, where git-lfs looks for them, and go to
//! GitHub with the branch that they are of, when that is published: never before, and nothing that is of no commit there.
//!
//! ```text
//!  git lfs push (in the sandbox) ─▶ <repository>/lfs/objects ─▶ (published) GitHub
//!                                        └─▶ git lfs pull, of any session on this repository
//! ```
//! Source: github.com/git-lfs/git-lfs, `docs/spec.md`, `docs/api/batch.md`.

use crate::disk::{LOOK_AT_ROOM, has_room};
use crate::engine::Shared;
use crate::error::CommandError;
use crate::pull_request::in_words;
use crate::{clock, forge, git};
use anyhow::{Context as _, anyhow, bail};
use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use lamplight_domain::SessionId;
use lamplight_domain::session::SessionView;
use lamplight_gateway::NotBrought;
use lamplight_integrations::{GitHub, Repository};
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// No larger one is taken. Source: docs.github.com, "About Git Large File Storage": what GitHub takes on its smallest plan.
const LARGEST: u64 = 2 << 30;
/// Of all that one session brings.
const OF_SESSION: u64 = 4 << 30;
/// As which the smallest counts, in bytes, so that there is a bound on how many there are.
const SMALLEST: u64 = 64 << 10;
/// For one of them to arrive.
const WAIT: Duration = Duration::from_secs(60 * 60);
/// Of what git says of a branch's pointers, in bytes: tens of thousands.
const POINTERS_BYTES: usize = 16 << 20;
/// What is read of a file at a time.
const PIECE_BYTES: usize = 128 * 1024;
/// Directory of what each session has brought, in the data directory.
const BROUGHT: &str = "large-files";

/// Which are arriving.
#[derive(Default)]
pub(crate) struct Arriving {
    paths: Mutex<HashSet<PathBuf>>,
    /// Held while it is written down what a session has brought.
    writing: tokio::sync::Mutex<()>,
}

/// One that nobody else writes as long as this is there.
struct Turn<'a>(&'a Arriving, PathBuf);

impl Arriving {
    fn begin(&self, path: &Path) -> Option<Turn<'_>> {
        let mut paths = self.paths.lock().unwrap_or_else(PoisonError::into_inner);
        paths.insert(path.to_owned()).then(|| Turn(self, path.to_owned()))
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.paths.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.1);
    }
}

/// Where one lies, whether or not it is there. `id` is 64 hexadecimal digits.
async fn place(repository: &Path, id: &str) -> anyhow::Result<PathBuf> {
    let of = git::line(repository, &["rev-parse", "--git-common-dir"]).await?;
    Ok(repository.join(of).join("lfs/objects").join(&id[..2]).join(&id[2..4]).join(id))
}

async fn is_there(path: &Path, bytes: u64) -> bool {
    tokio::fs::metadata(path).await.is_ok_and(|found| found.is_file() && found.len() == bytes)
}

fn failed(error: &anyhow::Error) -> NotBrought {
    NotBrought::Failed(format!("The large file could not be kept: {error:#}."))
}

/// Whether it should be uploaded; not where it is here already. It counts from now on for what the session has brought.
pub(crate) async fn lacks(
    shared: &Shared,
    session: &SessionId,
    repository: &Path,
    id: &str,
    bytes: u64,
) -> Result<bool, NotBrought> {
    let path = place(repository, id).await.map_err(|error| failed(&error))?;
    if is_there(&path, bytes).await {
        return Ok(false);
    }
    if bytes > LARGEST {
        let most = LARGEST >> 30;
        return Err(NotBrought::NotAllowed(format!(
            "A large file of {bytes} bytes was not taken: none may have more than {most} GiB."
        )));
    }
    let _alone = shared.arriving.writing.lock().await;
    let noted = note(&shared.config.data_dir, session, id, bytes).await.map_err(|error| failed(&error))?;
    match noted {
        true => Ok(true),
        false => Err(NotBrought::NotAllowed(format!(
            "A large file of {bytes} bytes was not taken: all of one session may have no more than {} GiB.",
            OF_SESSION >> 30
        ))),
    }
}

/// Writes down that the session brings it; `false` where that would be too much. What was said to be larger before may have been brought as that.
async fn note(data_dir: &Path, session: &SessionId, id: &str, bytes: u64) -> anyhow::Result<bool> {
    let path = data_dir.join(BROUGHT).join(session.to_string());
    let text = match tokio::fs::read_to_string(&path).await {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(error).with_context(|| format!("read {}", path.display())),
    };
    let mut brought: BTreeMap<&str, u64> = text.lines().filter_map(parse).collect();
    let before = brought.get(id).copied();
    let bytes = bytes.max(SMALLEST).max(before.unwrap_or_default());
    brought.insert(id, bytes);
    if brought.values().fold(0, |sum: u64, bytes| sum.saturating_add(*bytes)) > OF_SESSION {
        return Ok(false);
    }
    if before != Some(bytes) {
        let text: String = brought.iter().map(|(id, bytes)| format!("{id} {bytes}\n")).collect();
        tokio::fs::create_dir_all(data_dir.join(BROUGHT)).await?;
        let new = path.with_extension("new");
        tokio::fs::write(&new, text).await.with_context(|| format!("write {}", new.display()))?;
        tokio::fs::rename(&new, &path).await?;
    }
    Ok(true)
}

fn parse(line: &str) -> Option<(&str, u64)> {
    let (id, bytes) = line.split_once(' ')?;
    Some((id, bytes.parse().ok()?))
}

/// Keeps what was said to be lacking: whole, and only if it is what its id says.
pub(crate) async fn keep(
    shared: &Shared,
    session: &SessionId,
    repository: &Path,
    (id, bytes): (&str, u64),
    content: BoxStream<'static, io::Result<Bytes>>,
) -> Result<(), NotBrought> {
    if !lacks(shared, session, repository, id, bytes).await? {
        return Ok(());
    }
    let path = place(repository, id).await.map_err(|error| failed(&error))?;
    let Some(_turn) = shared.arriving.begin(&path) else {
        return Err(NotBrought::Failed("This large file is arriving already: try again.".to_owned()));
    };
    let new = Unfinished(path.with_extension(format!("of-{session}")));
    let kept = match tokio::time::timeout(WAIT, write(&new.0, bytes, content, has_room)).await {
        Ok(Ok(hash)) if hash == id => tokio::fs::rename(&new.0, &path).await.map_err(anyhow::Error::from),
        Ok(Ok(_)) => Err(anyhow!("it is not what its SHA-256 says")),
        Ok(Err(error)) => Err(error),
        Err(_) => Err(anyhow!("it took longer than {} s", WAIT.as_secs())),
    };
    kept.map_err(|error| failed(&error))
}

/// One that arrives, under a name of its own until it is whole. Nothing of it is left, also where whoever brings it goes away, and with them
/// whoever writes it.
struct Unfinished(PathBuf);

impl Drop for Unfinished {
    fn drop(&mut self) {
        // Where nothing was written, or all was put in its place, nothing is there.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Its SHA-256.
async fn write(
    path: &Path,
    bytes: u64,
    mut content: BoxStream<'static, io::Result<Bytes>>,
    has_room: impl Fn(&Path) -> bool,
) -> anyhow::Result<String> {
    let directory = path.parent().context("it has no directory")?;
    tokio::fs::create_dir_all(directory).await?;
    let mut file =
        tokio::fs::File::create(path).await.with_context(|| format!("write {}", path.display()))?;
    let (mut hash, mut left, mut looks_at) = (Sha256::new(), bytes, bytes);
    while let Some(piece) = content.next().await {
        let piece = piece.context("it broke off")?;
        if left <= looks_at {
            anyhow::ensure!(has_room(directory), "the disk of this server is nearly full");
            looks_at = left.saturating_sub(LOOK_AT_ROOM);
        }
        left = left.checked_sub(piece.len() as u64).context("it is longer than was said")?;
        hash.update(&piece);
        file.write_all(&piece).await?;
    }
    anyhow::ensure!(left == 0, "it is shorter than was said");
    file.sync_all().await?;
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// What is here of it; `None` where it is not.
pub(crate) async fn read(
    repository: &Path,
    id: &str,
    bytes: u64,
) -> Option<BoxStream<'static, io::Result<Bytes>>> {
    let path = place(repository, id).await.ok()?;
    if !is_there(&path, bytes).await {
        return None;
    }
    let file = tokio::fs::File::open(path).await.ok()?;
    Some(pieces(file).boxed())
}

fn pieces(file: tokio::fs::File) -> impl futures::Stream<Item = io::Result<Bytes>> + Send + 'static {
    futures::stream::unfold(Some(file), async |file| {
        let mut file = file?;
        let mut piece = vec![0; PIECE_BYTES];
        match file.read(&mut piece).await {
            Ok(0) => None,
            Ok(count) => {
                piece.truncate(count);
                Some((Ok(Bytes::from(piece)), Some(file)))
            }
            Err(error) => Some((Err(error), None)),
        }
    })
}

/// Sends GitHub those that the branch's own commits point to and that are here, before it gets these commits. What it has it does not take again.
pub(crate) async fn send(
    shared: &Shared,
    github: &GitHub,
    repository: &Repository,
    view: &SessionView,
    head: &str,
) -> Result<(), CommandError> {
    let ours = Path::new(&view.repository);
    if !shared.config.of(ours).is_some_and(|config| config.lfs) {
        return Ok(());
    }
    for (id, bytes) in pointers(ours, &view.base, head).await? {
        let path = place(ours, &id).await?;
        if !is_there(&path, bytes).await {
            continue;
        }
        let begun = clock::now();
        let file = tokio::fs::File::open(&path).await.context("open a large file")?;
        let is_sent = github.send_large_file(repository, &id, bytes, file).await.map_err(in_words)?;
        tracing::info!(session.id = %view.id, id, bytes, is_sent, ms = clock::now().since_ms(begun), "a large file is on GitHub");
        // A mirror is ours, and what GitHub has can be had from there.
        if forge::is_mirror(&shared.config.data_dir, &view.repository) {
            let _ = tokio::fs::remove_file(&path).await;
        }
    }
    Ok(())
}

/// Of large files that come into the repository by commits that the base does not have.
async fn pointers(repository: &Path, base: &str, head: &str) -> anyhow::Result<BTreeMap<String, u64>> {
    let range = format!("refs/heads/{base}..{head}");
    let arguments = [
        "log",
        "-p",
        "-m",
        "--format=",
        "--text",
        "--no-color",
        "--no-textconv",
        "--no-ext-diff",
        "-G^oid sha256:",
        &range,
    ];
    let (text, more) = git::bounded(repository, &arguments, POINTERS_BYTES).await?;
    if more {
        bail!("the branch changes more large files than can be sent at a time");
    }
    Ok(read_pointers(&String::from_utf8_lossy(&text)))
}

/// Of what `git log -p` says: a new id, and the size that stands behind it, new or as it was.
fn read_pointers(patch: &str) -> BTreeMap<String, u64> {
    let (mut found, mut id) = (BTreeMap::new(), None);
    for line in patch.lines() {
        if let Some(new) = line.strip_prefix("+oid sha256:") {
            let is_id = new.len() == 64 && new.bytes().all(|byte| byte.is_ascii_hexdigit());
            id = is_id.then(|| new.to_ascii_lowercase());
        } else if let Some(size) = line.strip_prefix("+size ").or_else(|| line.strip_prefix(" size "))
            && let (Some(id), Ok(size)) = (id.take(), size.trim().parse())
        {
            found.insert(id, size);
        } else if line.starts_with("diff --git ") {
            id = None;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_patch_adds_is_sent_and_what_it_takes_away_is_not() {
        let (a, b, c) = ("a".repeat(64), "b".repeat(64), "c".repeat(64));
        let patch = format!(
            "diff --git a/new.bin b/new.bin\n+version https://git-lfs.github.com/spec/v1\n+oid sha256:{a}\n+size 5\n\
             diff --git a/changed.bin b/changed.bin\n version https://git-lfs.github.com/spec/v1\n-oid sha256:{c}\n+oid sha256:{b}\n size 7\n\
             diff --git a/gone.bin b/gone.bin\n-oid sha256:{c}\n-size 7\n\
             diff --git a/odd.txt b/odd.txt\n+oid sha256:short\n+size 9\n+oid sha256:{c}\ndiff --git a/x b/x\n+size 3\n"
        );
        assert_eq!(read_pointers(&patch), BTreeMap::from([(a, 5), (b, 7)]));
    }

    #[tokio::test]
    async fn a_session_brings_so_much_and_no_more_whenever_the_server_starts() {
        let dir = tempfile::tempdir().unwrap();
        let session: SessionId = "01JAZZZZZZZZZZZZZZZZZZZZZZ".parse().unwrap();
        let half = OF_SESSION / 2;
        let noted = async |id: &str, bytes| note(dir.path(), &session, id, bytes).await.unwrap();
        assert!(noted("a", half).await && noted("b", half).await);
        assert!(noted("b", half).await, "the same again is no more");
        assert!(!noted("c", 1).await && !noted("b", half + 1).await);
        // Said to be smaller, it makes no room: it may be there as large as it was said to be before.
        assert!(noted("b", 1).await && !noted("c", half - 1).await);
    }

    #[tokio::test]
    async fn of_one_that_nobody_goes_on_with_nothing_is_left() {
        let dir = tempfile::tempdir().unwrap();
        let new = Unfinished(dir.path().join("new"));
        let begun = futures::stream::iter([Ok(Bytes::from_static(b"begun"))]);
        let content = begun.chain(futures::stream::pending()).boxed();
        let waited =
            tokio::time::timeout(Duration::from_millis(200), write(&new.0, 9, content, |_| true)).await;
        assert!(waited.is_err() && new.0.exists());
        let path = new.0.clone();
        drop(new);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn one_for_which_there_is_no_room_is_not_taken() {
        let dir = tempfile::tempdir().unwrap();
        let written = async |pieces: usize, rooms: usize| {
            let piece = Bytes::from(vec![0; 32 << 20]);
            let content = futures::stream::iter(std::iter::repeat_n(piece, pieces).map(Ok)).boxed();
            let asked = std::cell::Cell::new(0);
            let has_room = |_: &Path| asked.replace(asked.get() + 1) < rooms;
            write(&dir.path().join("new"), (pieces as u64) * (32 << 20), content, has_room).await
        };
        assert!(written(3, 2).await.is_ok());
        assert!(written(3, 1).await.unwrap_err().to_string().contains("nearly full"));
        assert!(written(1, 0).await.is_err());
    }

    #[tokio::test]
    async fn those_of_no_size_count_too() {
        let dir = tempfile::tempdir().unwrap();
        let session: SessionId = "01JAZZZZZZZZZZZZZZZZZZZZZZ".parse().unwrap();
        let noted = async |id: &str, bytes| note(dir.path(), &session, id, bytes).await.unwrap();
        assert!(noted("a", OF_SESSION - SMALLEST).await && noted("b", 0).await && noted("b", 0).await);
        assert!(!noted("c", 0).await);
    }
}
