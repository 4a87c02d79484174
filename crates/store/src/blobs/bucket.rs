//! Blobs as objects in a bucket, which all servers of one database share.
//!
//! ```text
//! <prefix>/attachments/ab/cdef…              kept: created if it is not there, and never changed
//! <prefix>/uploads/ab/cdef…/0001763726400000 swept: one object for each time that it was put, named by the moment; the newest counts
//! ```
//! Whatever is asked for may be asked for twice: the same content has the same name, so a request whose answer was lost is simply made again.

use super::{BlobError, BlobId, run};
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use lamplight_domain::Timestamp;
use object_store::path::Path;
use object_store::{
    Error, MultipartUpload, ObjectMeta, ObjectStore, ObjectStoreExt as _, PutMode, PutOptions,
};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

/// What is larger goes in parts, of which one is on its way at a time; bytes. No store takes smaller ones, and R2 wants all the same.
const PART: usize = 5 << 20;
/// For one thing that is asked of the store, with everything that it takes to ask again.
const WITHIN: Duration = Duration::from_secs(45);
/// Objects that one sweep removes at most, so that whoever waits for it is soon answered; the next one goes on. S3 takes as many in one
/// request, others ten at a time or more.
const SWEPT: usize = 500;
/// Digits of a moment in a name, in milliseconds since 1970, so that later ones are sorted behind.
const MOMENT_DIGITS: usize = 16;
/// How stores say that there is no bucket where they might also say that there is no such object.
const NO_BUCKET: [&str; 2] = ["NoSuchBucket", "ContainerNotFound"];

/// A bucket, or what is under a prefix in one. Cheap to clone.
#[derive(Clone)]
pub struct Bucket {
    objects: Arc<dyn ObjectStore>,
    prefix: Path,
    name: Arc<str>,
}

impl Bucket {
    /// What is under `prefix` in `objects`; `name` is what people are told.
    pub fn new(objects: Arc<dyn ObjectStore>, prefix: Path, name: &str) -> Self {
        Self { objects, prefix, name: name.into() }
    }

    pub(super) fn folder(&self, name: &'static str, naming: Naming) -> Folder {
        Folder { bucket: self.clone(), home: self.prefix.clone().join(name), naming }
    }

    /// Whether it can be reached, is there, and lets this server look into it.
    pub async fn answers(&self) -> Result<(), BlobError> {
        let nothing = self.prefix.clone().join("nothing");
        let mut listed = self.objects.list(Some(&nothing));
        bounded(listed.try_next()).await.map(drop).map_err(failed)
    }

    /// Looks into it, writes something small, reads it, and removes it.
    pub async fn try_out(&self, now: Timestamp) -> Result<(), BlobError> {
        self.answers().await?;
        let folder = self.folder("doctor", Naming::WithMoment);
        let id = folder.put(Bytes::from_static(b"lamplight doctor was here\n"), Some(now)).await?;
        let path = folder.path(&id, Some(now));
        folder.read(&path, &id).await?;
        bounded(self.objects.delete(&path)).await.map_err(failed)
    }
}

impl fmt::Display for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// Without what lets this server in.
impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What objects of a folder are named by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Naming {
    /// Their content alone: they are kept.
    ByContent,
    /// Also the moment at which they were put: they are swept.
    WithMoment,
}

/// One kind of blobs in it.
#[derive(Debug, Clone)]
pub(super) struct Folder {
    bucket: Bucket,
    home: Path,
    naming: Naming,
}

impl Folder {
    /// With a moment it is as old as that says, also where the same is there already; without, what is there stays.
    pub(super) async fn put(&self, content: Bytes, at: Option<Timestamp>) -> Result<BlobId, BlobError> {
        let id = name(&content).await?;
        let path = self.path(&id, at);
        match at {
            None => self.create(&path, content).await?,
            Some(_) => self.write(&path, content).await?,
        }
        Ok(id)
    }

    /// What was put elsewhere at that moment.
    pub(super) async fn take(&self, content: Bytes, put_at: Timestamp) -> Result<(), BlobError> {
        let at = match self.naming {
            Naming::ByContent => None,
            Naming::WithMoment => Some(put_at),
        };
        self.put(content, at).await.map(drop)
    }

    pub(super) async fn get(&self, id: &BlobId) -> Result<Bytes, BlobError> {
        match self.naming {
            Naming::ByContent => self.read(&self.under(id), id).await,
            Naming::WithMoment => match self.read(&self.newest(id).await?, id).await {
                // It was put again in between, and what had been the newest is swept.
                Err(BlobError::Missing(_)) => self.read(&self.newest(id).await?, id).await,
                found => found,
            },
        }
    }

    /// Removes what was put before that moment, and what the same content was put under before it was put again; how many bytes are left,
    /// those of each content once. What is put again meanwhile has another name.
    pub(super) async fn sweep(&self, before: Timestamp) -> Result<u64, BlobError> {
        let mut newest: BTreeMap<String, ObjectMeta> = BTreeMap::new();
        let (mut gone, mut others) = (Vec::new(), 0);
        let mut listed = self.bucket.objects.list(Some(&self.home));
        while let Some(object) = bounded(listed.try_next()).await.map_err(failed)? {
            let Some((content, put_at)) = apart(&object.location) else {
                others += object.size;
                continue;
            };
            if put_at < before {
                gone.push(object.location);
                continue;
            }
            match newest.entry(content) {
                Entry::Vacant(entry) => {
                    entry.insert(object);
                }
                Entry::Occupied(mut entry) => {
                    let is_newer = object.location > entry.get().location;
                    let older = if is_newer { entry.insert(object) } else { object };
                    gone.push(older.location);
                }
            }
        }
        gone.truncate(SWEPT);
        self.remove(gone).await?;
        Ok(others + newest.values().map(|object| object.size).sum::<u64>())
    }

    async fn remove(&self, paths: Vec<Path>) -> Result<(), BlobError> {
        let paths = stream::iter(paths).map(Ok).boxed();
        let mut removed = self.bucket.objects.delete_stream(paths);
        loop {
            match bounded(removed.try_next()).await {
                Ok(Some(_)) => {}
                Ok(None) => return Ok(()),
                // Another server was faster.
                Err(error) if is_missing(&error) => {}
                Err(error) => return Err(failed(error)),
            }
        }
    }

    /// What it was put under the last time.
    async fn newest(&self, id: &BlobId) -> Result<Path, BlobError> {
        let listed = self.bucket.objects.list(Some(&self.under(id)));
        let all: Vec<ObjectMeta> = bounded(listed.try_collect()).await.map_err(failed)?;
        let newest = all.into_iter().map(|object| object.location).max();
        newest.ok_or_else(|| BlobError::Missing(id.clone()))
    }

    fn under(&self, id: &BlobId) -> Path {
        let (home, rest) = id.place();
        self.home.clone().join(home).join(rest)
    }

    fn path(&self, id: &BlobId, at: Option<Timestamp>) -> Path {
        match at {
            None => self.under(id),
            Some(at) => self.under(id).join(format!("{:0MOMENT_DIGITS$}", at.0)),
        }
    }

    async fn read(&self, path: &Path, id: &BlobId) -> Result<Bytes, BlobError> {
        let found = bounded(async { self.bucket.objects.get(path).await?.bytes().await }).await;
        let content = match found {
            Ok(content) => content,
            Err(error) if is_missing(&error) => return Err(BlobError::Missing(id.clone())),
            Err(error) => return Err(failed(error)),
        };
        if name(&content).await? == *id { Ok(content) } else { Err(BlobError::Damaged(id.clone())) }
    }

    /// Only what is not there yet is written, decided by the store in the same request where it can.
    async fn create(&self, path: &Path, content: Bytes) -> Result<(), BlobError> {
        if content.len() <= PART {
            let new = PutOptions::from(PutMode::Create);
            match bounded(self.bucket.objects.put_opts(path, content.clone().into(), new)).await {
                Ok(_) => return Ok(()),
                // There, or on its way there by somebody else, who may not come to the end; or the store knows no conditions.
                Err(Error::AlreadyExists { .. } | Error::NotImplemented { .. }) => {}
                Err(error) => return Err(failed(error)),
            }
        }
        match bounded(self.bucket.objects.head(path)).await {
            Ok(found) if found.size == content.len() as u64 => Ok(()),
            Ok(_) => self.write(path, content).await,
            Err(error) if is_missing(&error) => self.write(path, content).await,
            Err(error) => Err(failed(error)),
        }
    }

    async fn write(&self, path: &Path, content: Bytes) -> Result<(), BlobError> {
        if content.len() <= PART {
            return bounded(self.bucket.objects.put(path, content.into())).await.map(drop).map_err(failed);
        }
        let mut upload = bounded(self.bucket.objects.put_multipart(path)).await.map_err(failed)?;
        let sent = send(&mut *upload, content).await;
        if sent.is_err() {
            // What cannot be taken back now is for the bucket's own rule about parts of uploads that were not completed.
            let _ = bounded(upload.abort()).await;
        }
        sent.map_err(failed)
    }
}

/// What was put under this path, without the moment, and the moment; `None` where that is nothing of ours.
fn apart(path: &Path) -> Option<(String, Timestamp)> {
    let (content, moment) = path.as_ref().rsplit_once('/')?;
    Some((content.to_owned(), Timestamp(moment.parse().ok()?)))
}

async fn send(upload: &mut dyn MultipartUpload, mut content: Bytes) -> Result<(), Error> {
    while !content.is_empty() {
        let part = content.split_to(content.len().min(PART));
        bounded(upload.put_part(part.into())).await?;
    }
    bounded(upload.complete()).await.map(drop)
}

/// Hashing keeps a thread busy for a while.
async fn name(content: &Bytes) -> Result<BlobId, BlobError> {
    let content = content.clone();
    run(move || Ok(BlobId::of(&content))).await
}

async fn bounded<T>(asked: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let late = || {
        let source = format!("there was no answer within {} s", WITHIN.as_secs()).into();
        Error::Generic { store: "bucket", source }
    };
    tokio::time::timeout(WITHIN, asked).await.unwrap_or_else(|_| Err(late()))
}

/// Of a bucket that is not there nobody can say that a blob is not in it.
fn is_missing(error: &Error) -> bool {
    let Error::NotFound { source, .. } = error else { return false };
    let said = source.to_string();
    !NO_BUCKET.iter().any(|word| said.contains(word))
}

fn failed(error: Error) -> BlobError {
    BlobError::Unavailable(in_words(&error))
}

/// Why, without the request and the whole of what was answered: of that the code, as all stores give it.
fn in_words(error: &Error) -> String {
    let first: &(dyn std::error::Error + 'static) = error;
    let causes = std::iter::successors(Some(first), |error| error.source());
    let said = causes.last().map(ToString::to_string).unwrap_or_default();
    let line = said.split(['<', '\n']).next().unwrap_or_default().trim_end_matches([' ', ':']);
    match said.split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>")) {
        Some((code, _)) => format!("{line}, {code}"),
        None => line.to_owned(),
    }
}
