//! Names, who is on what, and what goes when.

use super::{Place, archive, file, name};
use crate::providers::local::disk::{SessionDir, private_dir};
use crate::providers::local::images::{Images, Missing};
use std::fs;
use std::process::Command;

const SESSION: &str = "01JD5ZK8W3Q4R6T7V8X9Y0Z1A2";

/// When set, [`unpacker`] unpacks into the data directory that it names, without end.
const UNPACK: &str = "LAMPLIGHT_TEST_UNPACK";

fn session(place: &Place) -> SessionDir {
    let session = place.images.sandboxes.session(&SESSION.parse().unwrap());
    private_dir(&session.0).unwrap();
    session
}

#[tokio::test]
async fn a_name_means_what_was_added_last_and_sessions_keep_what_they_have() {
    let place = Place::new();
    let first = place.add_file(&archive(&[file("a", "1")])).await.unwrap();
    let on = session(&place);
    place.images.use_in(&on, &first.digest).unwrap();
    assert_eq!(place.images.find(&name("it")).unwrap().unwrap().sessions, 1);

    let second = place.add_file(&archive(&[file("a", "2")])).await.unwrap();
    assert_ne!(first.digest, second.digest);
    assert_eq!(place.images.list().unwrap(), std::slice::from_ref(&second));
    // The session's is still there, and goes with it.
    place.images.use_in(&on, &first.digest).unwrap();
    fs::remove_dir_all(&on.0).unwrap();
    place.images.tidy().unwrap();
    assert_eq!(place.left(), [second.digest.as_str()]);
    assert!(place.images.open(&first.digest).unwrap_err().is::<Missing>());
    assert!(place.images.use_in(&session(&place), &first.digest).unwrap_err().is::<Missing>());

    assert!(place.images.remove(&name("it")).unwrap());
    assert!(!place.images.remove(&name("it")).unwrap());
    assert_eq!((place.left(), place.images.list().unwrap()), (Vec::new(), Vec::new()));
}

#[tokio::test]
async fn what_is_removed_while_a_session_is_on_it_goes_with_the_session() {
    let place = Place::new();
    let image = place.add_file(&archive(&[file("a", "1")])).await.unwrap();
    let on = session(&place);
    place.images.use_in(&on, &image.digest).unwrap();
    assert!(place.images.remove(&name("it")).unwrap());
    assert_eq!(place.images.find(&name("it")).unwrap(), None);
    assert!(place.tree(&image).join("a").exists());
    fs::remove_dir_all(&on.0).unwrap();
    place.images.tidy().unwrap();
    assert_eq!(place.left(), [""; 0]);
}

#[tokio::test]
async fn other_names_of_the_same_content_keep_it() {
    let place = Place::new();
    let image = place.add_file(&archive(&[file("a", "1")])).await.unwrap();
    let source = place.path("source");
    let same = place.images.add(&name("other"), source.to_str().unwrap(), |_| {}).await.unwrap();
    assert_eq!(same.digest, image.digest);
    place.images.remove(&name("it")).unwrap();
    assert!(place.tree(&image).exists());
    assert_eq!(place.images.list().unwrap().len(), 1);
}

/// Not a test of its own: what [`a_killed_unpack_leaves_nothing_that_is_taken_for_an_image`] kills.
#[tokio::test]
async fn unpacker() {
    let Ok(data) = std::env::var(UNPACK) else { return };
    let images = Images::of(data.as_ref());
    let fifo = format!("{data}/fifo");
    // The archive never ends: it stops in the middle of a file.
    let _ = images.add(&name("it"), &fifo, |_| {}).await;
    unreachable!("it was to be killed");
}

#[tokio::test]
async fn a_killed_unpack_leaves_nothing_that_is_taken_for_an_image() {
    let place = Place::new();
    let data = place.path("data");
    let fifo = data.join("fifo");
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0)
        .unwrap();
    let mut unpacker = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "providers::local::images::tests::store::unpacker", "--nocapture"])
        .env(UNPACK, &data)
        .spawn()
        .unwrap();
    let content = "x".repeat(100_000);
    let whole = archive(&[file("a", "1"), file("b", &content)]);
    let mut pipe = fs::OpenOptions::new().write(true).open(&fifo).unwrap();
    // More than a pipe holds: when this is written, some of it has been read.
    std::io::Write::write_all(&mut pipe, &whole[..90_000]).unwrap();
    unpacker.kill().unwrap();
    unpacker.wait().unwrap();
    assert_eq!(place.left().len(), 2, "a folder and its lock: {:?}", place.left());
    assert_eq!(place.images.list().unwrap(), []);
    place.images.tidy().unwrap();
    assert_eq!(place.left(), [""; 0]);
}

#[tokio::test]
async fn nobody_tidies_what_somebody_makes() {
    let place = Place::new();
    let new = place.images.begin().unwrap();
    fs::write(new.tree().join("a"), "x").unwrap();
    place.images.tidy().unwrap();
    assert!(new.tree().join("a").exists());
    drop(new);
    assert_eq!(place.left(), [""; 0]);
}
