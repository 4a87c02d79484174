//! Blobs on the disk, in an object store in memory, and in a bucket of a real S3 server: the same for whoever puts and gets them.

use crate::seaweed::{BUCKET, LET_IN, Seaweed};
use bytes::Bytes;
use futures::TryStreamExt as _;
use lamplight_domain::Timestamp;
use lamplight_store::{BlobError, BlobId, Bucket, BucketAddress, BucketSettings, Places, Store};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore as _, ObjectStoreExt as _};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// More than goes in one request.
const LARGE: usize = 12 << 20;
/// Reached only by a test that fails: what cannot be done is given up sooner.
const PATIENCE: Duration = Duration::from_secs(60);
/// Of the empty blob.
const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// Where blobs are.
enum House {
    Disk(TempDir),
    Memory(Arc<InMemory>),
    S3(Seaweed),
}

impl House {
    fn disk() -> Option<Self> {
        Some(Self::Disk(tempfile::tempdir().unwrap()))
    }

    fn memory() -> Option<Self> {
        Some(Self::Memory(Arc::new(InMemory::new())))
    }

    fn s3() -> Option<Self> {
        Seaweed::start().map(Self::S3)
    }

    fn bucket(&self) -> Option<Bucket> {
        match self {
            Self::Disk(_) => None,
            Self::Memory(objects) => Some(Bucket::new(objects.clone(), Path::from("ours"), "memory")),
            Self::S3(seaweed) => Some(bucket(seaweed, BUCKET, LET_IN)),
        }
    }

    /// A store of one more server, whose log is in a directory of its own.
    fn open(&self) -> Server {
        match self {
            Self::Disk(dir) => Server { store: Store::open(dir.path()).unwrap(), _dir: None },
            Self::Memory(_) | Self::S3(_) => {
                let dir = tempfile::tempdir().unwrap();
                Server { store: open(&dir, self.bucket()), _dir: Some(dir) }
            }
        }
    }

    /// Whether a bucket has an object of this name.
    async fn has(&self, path: &str) -> bool {
        match self {
            Self::Disk(_) => panic!("it is no bucket"),
            Self::Memory(objects) => objects.head(&Path::from(format!("ours/{path}"))).await.is_ok(),
            Self::S3(seaweed) => {
                seaweed.behind("GET", &format!("/buckets/{BUCKET}/ours/{path}")) == Some(200)
            }
        }
    }

    /// Puts something else in place of a blob, behind everybody's back.
    async fn damage(&self, folder: &str, id: &BlobId) {
        let (home, name) = id.as_str().split_at(2);
        match self {
            Self::Disk(dir) => {
                std::fs::write(dir.path().join(folder).join(home).join(name), "hello").unwrap()
            }
            Self::Memory(objects) => {
                let path = Path::from(format!("ours/{folder}/{home}/{name}"));
                objects.put(&path, "hello".into()).await.unwrap();
            }
            Self::S3(seaweed) => {
                let path = format!("/buckets/{BUCKET}/ours/{folder}/{home}/{name}");
                assert_eq!(seaweed.behind("PUT", &path), Some(201));
            }
        }
    }
}

struct Server {
    store: Store,
    _dir: Option<TempDir>,
}

fn open(dir: &TempDir, bucket: Option<Bucket>) -> Store {
    Store::open_at(dir.path(), Places { database: None, bucket }).unwrap()
}

pub(crate) fn bucket(seaweed: &Seaweed, name: &str, let_in: [(&str, &str); 2]) -> Bucket {
    let settings = BucketSettings {
        url: format!("s3://{name}/ours"),
        endpoint: Some(seaweed.endpoint()),
        variables: let_in.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        ..BucketSettings::default()
    };
    BucketAddress::new(settings).unwrap().open().unwrap()
}

/// Makes a test of each of these at each place.
macro_rules! at {
    ([$($place:ident),*] $tests:tt) => { $(at!(@ $place $tests);)* };
    (@ $place:ident [$($test:ident),* $(,)?]) => {
        mod $place {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                if let Some(house) = super::House::$place() {
                    super::$test(house).await;
                }
            })*
        }
    };
}

at!([disk] [
    blobs_come_back_as_they_were_or_not_at_all,
    what_nobody_wants_any_more_is_swept_and_what_was_wanted_again_is_not,
    the_same_at_once_is_one,
]);
at!([memory, s3] [
    blobs_come_back_as_they_were_or_not_at_all,
    what_nobody_wants_any_more_is_swept_and_what_was_wanted_again_is_not,
    what_was_put_again_counts_once,
    the_same_at_once_is_one,
    one_server_sweeps_while_another_puts_the_same_again,
    what_was_on_the_disk_goes_into_the_bucket,
]);

async fn blobs_come_back_as_they_were_or_not_at_all(house: House) {
    let server = house.open();
    let blobs = server.store.blobs();
    for content in [Bytes::from(vec![7; 300_000]), Bytes::from(vec![8; LARGE]), Bytes::new()] {
        let id = blobs.put(content.clone()).await.unwrap();
        assert_eq!(blobs.put(content.clone()).await.as_ref(), Ok(&id));
        assert_eq!(blobs.get(&id).await, Ok(content));
        assert_eq!(
            server.store.attachments().get(&id).await,
            Err(BlobError::Missing(id)),
            "each place is its own"
        );
    }
    assert_eq!(blobs.put(Bytes::new()).await.unwrap().as_str(), EMPTY);
    let missing: BlobId = EMPTY.replace('e', "f").parse().unwrap();
    assert_eq!(blobs.get(&missing).await, Err(BlobError::Missing(missing)));
    assert!("../../etc/passwd".parse::<BlobId>().is_err());

    let id = blobs.put(Bytes::from_static(b"to be damaged")).await.unwrap();
    house.damage("blobs", &id).await;
    assert_eq!(blobs.get(&id).await, Err(BlobError::Damaged(id)));
    if let Some(bucket) = server.store.bucket() {
        bucket.answers().await.unwrap();
        bucket.try_out(Timestamp(5)).await.unwrap();
    }
}

async fn what_nobody_wants_any_more_is_swept_and_what_was_wanted_again_is_not(house: House) {
    let server = house.open();
    let uploads = server.store.uploads();
    let (old, renewed) = (Bytes::from_static(b"old"), Bytes::from_static(b"renewed"));
    let old_id = uploads.put(old.clone(), Timestamp(5_000)).await.unwrap();
    let renewed_id = uploads.put(renewed.clone(), Timestamp(5_000)).await.unwrap();
    assert_eq!(uploads.get(&old_id).await, Ok(old));
    assert_eq!(uploads.sweep(Timestamp(5_000)).await, Ok(10));
    uploads.put(renewed.clone(), Timestamp(10_000)).await.unwrap();
    assert_eq!(uploads.sweep(Timestamp(5_001)).await, Ok(7));
    assert_eq!(uploads.get(&old_id).await, Err(BlobError::Missing(old_id)));
    assert_eq!(uploads.get(&renewed_id).await, Ok(renewed));
    assert_eq!(uploads.sweep(Timestamp(10_001)).await, Ok(0));
    assert_eq!(uploads.get(&renewed_id).await, Err(BlobError::Missing(renewed_id)));
}

async fn what_was_put_again_counts_once(house: House) {
    let server = house.open();
    let uploads = server.store.uploads();
    let again = Bytes::from_static(b"again");
    let other = uploads.put(Bytes::from_static(b"other"), Timestamp(6_000)).await.unwrap();
    let mut ids = Vec::new();
    for at in [5_000, 7_000, 6_000] {
        ids.push(uploads.put(again.clone(), Timestamp(at)).await.unwrap());
    }
    let (home, name) = ids[0].as_str().split_at(2);
    let objects = ["5000", "6000", "7000"].map(|at| format!("uploads/{home}/{name}/{at:0>16}"));
    for object in &objects {
        assert!(house.has(object).await, "{object}");
    }
    assert_eq!(uploads.sweep(Timestamp(5_000)).await, Ok(10));
    for (object, is_there) in objects.iter().zip([false, false, true]) {
        assert_eq!(house.has(object).await, is_there, "{object}");
    }
    assert_eq!(uploads.get(&ids[0]).await, Ok(again));
    assert_eq!(uploads.sweep(Timestamp(6_001)).await, Ok(5));
    assert_eq!(uploads.get(&other).await, Err(BlobError::Missing(other)));
}

async fn the_same_at_once_is_one(house: House) {
    let server = house.open();
    let mut putting = JoinSet::new();
    for n in 0..24u8 {
        let store = server.store.clone();
        putting.spawn(async move {
            let content = Bytes::from(vec![n % 3; 100_000]);
            let id = store.attachments().put(content.clone()).await.unwrap();
            assert_eq!(store.attachments().get(&id).await, Ok(content));
            id
        });
    }
    let mut ids = putting.join_all().await;
    ids.sort_by(|one, other| one.as_str().cmp(other.as_str()));
    ids.dedup();
    assert_eq!(ids.len(), 3);
}

/// What was put is there, however somebody else's sweep falls together with it.
async fn one_server_sweeps_while_another_puts_the_same_again(house: House) {
    let (one, other) = (house.open(), house.open());
    let content = Bytes::from_static(b"wanted again and again");
    for round in 1..40 {
        let now = Timestamp(round * 1_000);
        let (put, swept) =
            tokio::join!(one.store.uploads().put(content.clone(), now), other.store.uploads().sweep(now));
        assert!(swept.unwrap() <= 2 * content.len() as u64, "what is old goes");
        assert_eq!(other.store.uploads().get(&put.unwrap()).await, Ok(content.clone()), "round {round}");
    }
}

async fn what_was_on_the_disk_goes_into_the_bucket(house: House) {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir, None);
    let (kept, upload) = (Bytes::from_static(b"kept"), Bytes::from_static(b"uploaded"));
    let kept_id = store.attachments().put(kept.clone()).await.unwrap();
    let upload_id = store.uploads().put(upload.clone(), Timestamp(7_000)).await.unwrap();
    let damaged = store.blobs().put(Bytes::from_static(b"to be damaged")).await.unwrap();
    let (home, name) = damaged.as_str().split_at(2);
    std::fs::write(dir.path().join("blobs").join(home).join(name), "hello").unwrap();
    store.close().await;
    drop(store);

    let store = open(&dir, house.bucket());
    let other = house.open().store;
    assert_eq!(store.attachments().get(&kept_id).await, Ok(kept.clone()), "found where it is");
    assert_eq!(store.uploads().get(&upload_id).await, Ok(upload.clone()));
    assert_eq!(other.attachments().get(&kept_id).await, Err(BlobError::Missing(kept_id.clone())));
    assert_eq!(store.take_blobs_along().await, Ok(2));
    assert_eq!(store.take_blobs_along().await, Ok(0));
    for server in [&store, &other] {
        assert_eq!(server.attachments().get(&kept_id).await, Ok(kept.clone()));
        assert_eq!(server.uploads().get(&upload_id).await, Ok(upload.clone()));
    }
    let (home, name) = kept_id.as_str().split_at(2);
    assert!(!dir.path().join("attachments").join(home).join(name).exists(), "it is in one place");
    assert_eq!(store.blobs().get(&damaged).await, Err(BlobError::Damaged(damaged)), "it is told, not lost");
    // It is as old as it was.
    assert_eq!(other.uploads().sweep(Timestamp(7_000)).await, Ok(8));
    assert_eq!(other.uploads().sweep(Timestamp(7_001)).await, Ok(0));
}

#[tokio::test]
async fn what_is_there_is_not_written_again_unless_it_is_not_whole() {
    let objects = Arc::new(InMemory::new());
    let house = House::Memory(objects.clone());
    let server = house.open();
    for content in [Bytes::from_static(b"small"), Bytes::from(vec![1; LARGE])] {
        let id = server.store.blobs().put(content.clone()).await.unwrap();
        let (home, name) = id.as_str().split_at(2);
        let path = Path::from(format!("ours/blobs/{home}/{name}"));
        let written = objects.head(&path).await.unwrap().e_tag;
        server.store.blobs().put(content.clone()).await.unwrap();
        assert_eq!(objects.head(&path).await.unwrap().e_tag, written);
        objects.put(&path, "half".into()).await.unwrap();
        server.store.blobs().put(content.clone()).await.unwrap();
        assert_eq!(server.store.blobs().get(&id).await, Ok(content));
    }
}

/// Somebody waits for the answer.
#[tokio::test]
async fn a_sweep_does_a_part_of_much_and_the_next_one_goes_on() {
    let objects = Arc::new(InMemory::new());
    let server = House::Memory(objects.clone()).open();
    let uploads = server.store.uploads();
    for n in 0..1_200u64 {
        uploads.put(Bytes::copy_from_slice(&n.to_le_bytes()), Timestamp(1_000)).await.unwrap();
    }
    uploads.put(Bytes::from_static(b"new"), Timestamp(9_000)).await.unwrap();
    for left in [701, 201, 1, 1] {
        assert_eq!(uploads.sweep(Timestamp(5_000)).await, Ok(3), "what is old counts no more");
        let all: Vec<_> = objects.list(None).try_collect().await.unwrap();
        assert_eq!(all.len(), left);
    }
}

/// Nothing that was answered is lost, nobody waits for ever, and all goes on by itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_s3_server_that_is_killed_and_started_again_loses_nothing() {
    let Some(mut seaweed) = Seaweed::start() else { return };
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir, Some(bucket(&seaweed, BUCKET, LET_IN)));
    let missing: BlobId = EMPTY.parse().unwrap();
    let (count, mut counted) = watch::channel(0);
    let (stop, stopped) = watch::channel(false);
    let mut putting = JoinSet::new();
    putting.spawn({
        let store = store.clone();
        async move {
            let (mut put, mut refused) = (Vec::new(), 0);
            for n in 0u64.. {
                // Every tenth in parts.
                let content =
                    Bytes::from(n.to_le_bytes().repeat(if n % 10 == 9 { LARGE / 8 } else { 1_000 }));
                match tokio::time::timeout(PATIENCE, store.blobs().put(content))
                    .await
                    .expect("it is not waited for ever")
                {
                    Ok(id) => put.push((n, id)),
                    Err(BlobError::Unavailable(_)) => refused += 1,
                    Err(other) => panic!("{other}"),
                }
                count.send_replace(put.len());
                if *stopped.borrow() {
                    break;
                }
            }
            (put, refused)
        }
    });
    counted.wait_for(|put| *put >= 15).await.unwrap();
    seaweed.crash();
    // Of what cannot be asked nobody says that it is not there.
    let away = tokio::time::timeout(PATIENCE, store.blobs().get(&missing)).await.unwrap();
    assert!(matches!(away, Err(BlobError::Unavailable(_))), "{away:?}");
    assert!(matches!(store.uploads().sweep(Timestamp(1)).await, Err(BlobError::Unavailable(_))));
    assert!(matches!(store.bucket().unwrap().answers().await, Err(BlobError::Unavailable(_))));
    seaweed.go_on();
    let before = *counted.borrow();
    let more = counted.wait_for(|put| *put >= before + 15);
    tokio::time::timeout(PATIENCE, more).await.expect("it goes on by itself").unwrap();
    stop.send_replace(true);
    let (put, refused) = putting.join_next().await.unwrap().unwrap();
    println!("{} blobs were put, {refused} refused", put.len());
    for (n, id) in put {
        let content = store.blobs().get(&id).await.unwrap_or_else(|error| panic!("{n}: {error}"));
        assert_eq!(content[..8], n.to_le_bytes());
    }
    assert_eq!(store.blobs().get(&missing).await, Err(BlobError::Missing(missing)));
}

#[tokio::test]
async fn who_is_not_let_in_and_what_is_no_bucket_is_told() {
    let Some(seaweed) = Seaweed::start() else { return };
    let [key, _] = LET_IN;
    for (name, let_in) in [(BUCKET, [key, ("AWS_SECRET_ACCESS_KEY", "another")]), ("nowhere", LET_IN)] {
        let dir = tempfile::tempdir().unwrap();
        let bucket = bucket(&seaweed, name, let_in);
        let store = open(&dir, Some(bucket.clone()));
        let tried = [
            bucket.answers().await.unwrap_err(),
            bucket.try_out(Timestamp(1)).await.unwrap_err(),
            store.blobs().get(&EMPTY.parse().unwrap()).await.unwrap_err(),
            store.blobs().put(Bytes::from_static(b"x")).await.unwrap_err(),
        ];
        for error in tried {
            assert!(matches!(error, BlobError::Unavailable(_)), "{name}: {error:?}");
            assert!(!error.to_string().contains("SECRETTEST"));
        }
    }
}
