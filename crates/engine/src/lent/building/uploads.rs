//! Files that clients have uploaded for templates, each person's by the hash that the client has made of them: it is of what is in the
//! archive and not of the archive, so that nobody's is taken for somebody else's.

use super::super::lock;
use super::MAX_STEPS;
use crate::disk::{LOOK_AT_ROOM, has_room};
use crate::engine::Engine;
use crate::error::CommandError;
use anyhow::Context;
use bytes::Bytes;
use futures::{Stream, StreamExt};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::fs;
use tokio::io::AsyncWriteExt;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

/// The longest archive, in bytes.
pub const LONGEST_UPLOAD: u64 = 4 << 30;

/// All of one person, in bytes.
const OF_ONE: u64 = 5 * LONGEST_UPLOAD;

/// Between two pieces of one.
const PIECE: Duration = Duration::from_secs(60);

/// Of one person at once. More wait, as clients send all that a template needs at the same time.
const AT_ONCE: usize = 3;

/// Of one person, with those that wait: one for each step of a recipe.
const WAITING: usize = MAX_STEPS;

/// For its turn, at the most.
const TURN: Duration = Duration::from_secs(60 * 60);

/// One that was uploaded so long ago is removed.
const KEPT: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// So is one that did not come whole, and that nobody has written to for so long.
const DEAD: Duration = Duration::from_secs(60 * 60);

/// How one is called until it is whole.
const NEW: &str = "new";

#[derive(Debug, thiserror::Error)]
pub enum NotUploaded {
    #[error("it is longer than {LONGEST_UPLOAD} bytes")]
    TooLong,
    #[error("it did not come whole")]
    Broken,
    #[error(
        "the disk of this server is nearly full; make room on it, or remove uploads: lamplight sandboxes templates"
    )]
    NoRoom,
    #[error("too many other uploads of yours are under way; wait until they are over")]
    Busy,
    #[error("it could not be kept")]
    Failed(#[from] anyhow::Error),
}

/// Whose uploads are under way. There are no more of these than people who have templates.
#[derive(Default)]
pub(in super::super) struct Uploading(Mutex<HashMap<String, Arc<Turns>>>);

struct Turns {
    all: Semaphore,
    now: Semaphore,
}

impl Uploading {
    fn of(&self, person: &str) -> Arc<Turns> {
        let turns = || Arc::new(Turns { all: Semaphore::new(WAITING), now: Semaphore::new(AT_ONCE) });
        Arc::clone(lock(&self.0).entry(person.to_owned()).or_insert_with(turns))
    }
}

impl Turns {
    /// Waits for its turn; it ends when what this gives is dropped.
    async fn take(&self) -> Result<[SemaphorePermit<'_>; 2], NotUploaded> {
        let waits = self.all.try_acquire().map_err(|_| NotUploaded::Busy)?;
        match timeout(TURN, self.now.acquire()).await {
            Ok(Ok(turn)) => Ok([waits, turn]),
            Ok(Err(_)) | Err(_) => Err(NotUploaded::Busy),
        }
    }
}

/// All that somebody has uploaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LentUploads {
    /// Made of their name.
    pub id: String,
    /// `None` where nobody is known who would have this id.
    pub person: Option<String>,
    pub files: u64,
    pub bytes: u64,
}

/// Where those of all people are, each in a folder.
fn folder(data_dir: &Path) -> PathBuf {
    data_dir.join("lent")
}

/// What the folder of a person is called.
fn whose(person: &str) -> String {
    Sha256::digest(person).iter().fold(String::new(), |mut text, byte| {
        let _always = write!(text, "{byte:02x}");
        text
    })
}

/// Whether it may be the name of an archive, or of the folder of a person: 64 hexadecimal digits.
pub fn is_hash(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

/// Where an archive is, or would be. `None` of what is no hash.
pub(super) fn place(data_dir: &Path, person: &str, hash: &str) -> Option<PathBuf> {
    is_hash(hash).then(|| folder(data_dir).join(whose(person)).join(hash))
}

impl Engine {
    /// Whether a person has uploaded this.
    pub fn has_lent_upload(&self, person: &str, hash: &str) -> bool {
        place(&self.shared.config.data_dir, person, hash).is_some_and(|place| place.exists())
    }

    /// What everybody has uploaded, also who was removed.
    pub async fn lent_uploads(&self) -> Result<Vec<LentUploads>, CommandError> {
        let mut names: Vec<String> = self.all_lent_templates().into_iter().map(|one| one.person).collect();
        names.extend(self.people().await?.into_iter().map(|person| person.name));
        let names: HashMap<String, String> = names.into_iter().map(|name| (whose(&name), name)).collect();
        let mut all = Vec::new();
        for folder in folders(&self.shared.config.data_dir).await {
            let Some(id) = folder.file_name().and_then(|name| name.to_str()) else { continue };
            let kept = files(&folder).await;
            if !kept.is_empty() {
                let (id, person) = (id.to_owned(), names.get(id).cloned());
                let (files, bytes) = (kept.len() as u64, kept.iter().map(|one| one.length).sum());
                all.push(LentUploads { id, person, files, bytes });
            }
        }
        all.sort_by(|a, b| (&a.person, &a.id).cmp(&(&b.person, &b.id)));
        Ok(all)
    }

    /// Removes all that somebody has uploaded, by its id. False where there is nothing.
    pub async fn remove_lent_uploads(&self, id: &str) -> Result<bool, CommandError> {
        if !is_hash(id) {
            return Ok(false);
        }
        match fs::remove_dir_all(folder(&self.shared.config.data_dir).join(id)).await {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(CommandError::Failed(anyhow::Error::new(error).context("remove uploads"))),
        }
    }

    /// Keeps an archive, when it is its turn; one that does not come whole leaves nothing.
    pub async fn keep_lent_upload<E>(
        &self,
        person: &str,
        hash: &str,
        content: impl Stream<Item = Result<Bytes, E>> + Unpin,
    ) -> Result<(), NotUploaded> {
        let place = place(&self.shared.config.data_dir, person, hash).context("it has no hash")?;
        let turns = self.shared.lending.uploading.of(person);
        let _turn = turns.take().await?;
        keep(&place, content, has_room).await
    }
}

async fn keep<E>(
    place: &Path,
    content: impl Stream<Item = Result<Bytes, E>> + Unpin,
    has_room: impl Fn(&Path) -> bool,
) -> Result<(), NotUploaded> {
    let folder = place.parent().context("it has no folder")?;
    fs::create_dir_all(folder).await.context("make the folder of uploads")?;
    let new = folder.join(format!("{}.{NEW}", crate::ids::terminal_id()));
    let kept = async {
        let file = fs::File::create(&new).await.context("begin a file")?;
        // It counts already, also for others that begin now.
        tidy(folder).await;
        write(file, content, || has_room(folder)).await?;
        fs::rename(&new, place).await.context("put it in place")?;
        Ok(())
    };
    let kept = kept.await;
    if kept.is_err() {
        // What is left of it is removed with the old ones, at the latest.
        let _ = fs::remove_file(&new).await;
    }
    kept
}

async fn write<E>(
    mut file: fs::File,
    mut content: impl Stream<Item = Result<Bytes, E>> + Unpin,
    has_room: impl Fn() -> bool,
) -> Result<(), NotUploaded> {
    let (mut length, mut looks_at) = (0, 0);
    while let Some(piece) = timeout(PIECE, content.next()).await.map_err(|_| NotUploaded::Broken)? {
        let piece = piece.map_err(|_| NotUploaded::Broken)?;
        length += piece.len() as u64;
        if length > LONGEST_UPLOAD {
            return Err(NotUploaded::TooLong);
        }
        if length >= looks_at {
            if !has_room() {
                return Err(NotUploaded::NoRoom);
            }
            looks_at = length + LOOK_AT_ROOM;
        }
        file.write_all(&piece).await.context("write what comes")?;
    }
    file.sync_all().await.context("write it to the disk")?;
    Ok(())
}

/// What is in a folder of uploads.
struct Kept {
    age: Duration,
    length: u64,
    path: PathBuf,
}

impl Kept {
    fn is_whole(&self) -> bool {
        self.path.extension().is_none_or(|of| of != NEW)
    }

    fn is_old(&self) -> bool {
        self.age > if self.is_whole() { KEPT } else { DEAD }
    }
}

/// The folders of all people.
async fn folders(data_dir: &Path) -> Vec<PathBuf> {
    // Where nobody ever uploaded anything, no thread is asked: every start comes by here.
    if !folder(data_dir).is_dir() {
        return Vec::new();
    }
    let Ok(mut entries) = fs::read_dir(folder(data_dir)).await else { return Vec::new() };
    let mut all = Vec::new();
    while let Ok(Some(entry)) = entries.next_entry().await {
        if entry.file_name().to_str().is_some_and(is_hash) {
            all.push(entry.path());
        }
    }
    all
}

async fn files(folder: &Path) -> Vec<Kept> {
    let Ok(mut entries) = fs::read_dir(folder).await else { return Vec::new() };
    let mut all = Vec::new();
    while let Ok(Some(entry)) = entries.next_entry().await {
        let Ok(about) = entry.metadata().await else { continue };
        let age = about.modified().ok().and_then(|modified| modified.elapsed().ok()).unwrap_or_default();
        all.push(Kept { age, length: about.len(), path: entry.path() });
    }
    all
}

/// Old ones go; and the oldest, where there would be too much when all that is under way has come.
async fn tidy(folder: &Path) {
    let mut all = files(folder).await;
    all.sort_by_key(|one| one.age);
    let mut bytes = 0;
    for one in all {
        bytes += if one.is_whole() { one.length } else { LONGEST_UPLOAD };
        if one.is_old() || (one.is_whole() && bytes > OF_ONE) {
            // Whoever reads it has it open; who comes later uploads it again.
            let _ = fs::remove_file(one.path).await;
        }
    }
}

/// Old ones of everybody go.
pub(in super::super) async fn sweep(data_dir: &Path) {
    for folder in folders(data_dir).await {
        for one in files(&folder).await {
            if one.is_old() {
                let _ = fs::remove_file(one.path).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::{FutureExt, stream};
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn uploads_are_by_person_and_hash() {
        let at = |person: &str, hash: &str| place(Path::new("/d"), person, hash);
        let hash = "a".repeat(64);
        assert_ne!(at("Ada", &hash), at("Bob", &hash));
        assert!(at("../x", &hash).unwrap().starts_with("/d/lent"));
        for wrong in ["", "..", "../../../etc/passwd", &"A".repeat(64), &"a".repeat(63)] {
            assert_eq!(at("Ada", wrong), None, "{wrong}");
        }
    }

    fn pieces(count: usize) -> impl Stream<Item = Result<Bytes, io::Error>> + Unpin {
        stream::iter((0..count).map(|_| Ok(Bytes::from(vec![0; 32 << 20]))))
    }

    fn names(folder: &Path) -> Vec<String> {
        let all =
            std::fs::read_dir(folder).unwrap().map(|one| one.unwrap().file_name().into_string().unwrap());
        let mut all: Vec<_> = all.collect();
        all.sort();
        all
    }

    fn made(folder: &Path, name: &str, age: Duration) {
        let file = std::fs::File::create(folder.join(name)).unwrap();
        let now = file.metadata().unwrap().modified().unwrap();
        file.set_modified(now - age).unwrap();
    }

    #[tokio::test]
    async fn one_for_which_the_room_ends_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("all").join("a".repeat(64));
        let asked = AtomicUsize::new(0);
        let ends = |_: &Path| asked.fetch_add(1, Ordering::Relaxed) < 2;
        let kept = keep(&place, pieces(6), ends).await;
        assert!(matches!(kept, Err(NotUploaded::NoRoom)), "{kept:?}");
        assert_eq!(names(&folder.path().join("all")), Vec::<String>::new());
        keep(&place, pieces(1), |_| true).await.unwrap();
        assert_eq!(names(&folder.path().join("all")), ["a".repeat(64)]);
    }

    #[tokio::test]
    async fn a_fourth_of_one_person_waits() {
        let uploading = Uploading::default();
        let (ada, bob) = (uploading.of("Ada"), uploading.of("Bob"));
        let mut taken: Vec<_> = (0..AT_ONCE).map(|_| ada.take().now_or_never().unwrap().unwrap()).collect();
        assert!(uploading.of("Ada").take().now_or_never().is_none(), "it waits");
        assert!(bob.take().now_or_never().is_some(), "nobody else does");
        taken.pop();
        assert!(ada.take().now_or_never().unwrap().is_ok());
    }

    #[tokio::test]
    async fn more_than_can_be_needed_are_refused() {
        let turns = Uploading::default().of("Ada");
        let mut all: Vec<_> = (0..WAITING).map(|_| Box::pin(turns.take())).collect();
        let now = all.iter_mut().filter_map(|one| one.now_or_never()).collect::<Vec<_>>();
        assert_eq!(now.len(), AT_ONCE);
        assert!(matches!(turns.take().await, Err(NotUploaded::Busy)));
    }

    #[tokio::test]
    async fn what_is_old_goes_and_what_is_under_way_counts_as_whole() {
        let data = tempfile::tempdir().unwrap();
        let person = folder(data.path()).join(whose("Ada"));
        std::fs::create_dir_all(&person).unwrap();
        let second = Duration::from_secs(1);
        for (name, age) in [
            ("old", KEPT + second),
            ("kept", KEPT - 60 * second),
            ("dead.new", DEAD + second),
            ("live.new", second),
        ] {
            made(&person, name, age);
        }
        sweep(data.path()).await;
        assert_eq!(names(&person), ["kept", "live.new"]);
        // Four more are under way, and nothing else fits in.
        for name in ["1.new", "2.new", "3.new", "4.new"] {
            made(&person, name, second);
        }
        tidy(&person).await;
        assert_eq!(names(&person), ["1.new", "2.new", "3.new", "4.new", "kept", "live.new"]);
        std::fs::write(person.join("kept"), "more").unwrap();
        std::fs::File::open(person.join("kept"))
            .unwrap()
            .set_modified(std::fs::metadata(person.join("1.new")).unwrap().modified().unwrap() - 9 * second)
            .unwrap();
        tidy(&person).await;
        assert_eq!(names(&person), ["1.new", "2.new", "3.new", "4.new", "live.new"]);
    }
}
