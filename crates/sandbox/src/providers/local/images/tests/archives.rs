//! Archives and directories that mean well.

use super::{Item, Place, archive, directory, expected, file, hard_link, is_root, link, listing, mode};
use flate2::Compression;
use flate2::write::GzEncoder;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};
use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use tar::EntryType;

fn small() -> Vec<u8> {
    archive(&[
        directory("./"),
        directory("./etc"),
        file("./etc/name", "small"),
        link("./etc/link", "/etc/name"),
        hard_link("./etc/second", "./etc/name"),
        file("./without/a/directory", "made"),
    ])
}

fn small_listing() -> std::collections::BTreeMap<String, String> {
    expected(&[
        ("etc", "directory"),
        ("etc/name", "small"),
        ("etc/link", "-> /etc/name"),
        ("etc/second", "small"),
        ("without", "directory"),
        ("without/a", "directory"),
        ("without/a/directory", "made"),
    ])
}

#[tokio::test]
async fn every_form_of_an_archive_is_the_same_image() {
    let place = Place::new();
    let tar = small();
    let plain = place.add_file(&tar).await.unwrap();
    assert_eq!(listing(&place.tree(&plain)), small_listing());
    let second = fs::metadata(place.tree(&plain).join("etc/second")).unwrap();
    assert_eq!(second.nlink(), 2, "a hard link is one");

    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(&tar[..700]).unwrap();
    let mut two_members = gzip.finish().unwrap();
    let mut gzip = GzEncoder::new(&mut two_members, Compression::fast());
    gzip.write_all(&tar[700..]).unwrap();
    gzip.finish().unwrap();
    assert_eq!(place.add_file(&two_members).await.unwrap().digest, plain.digest);

    // Two frames, and one to be skipped before, between and after them.
    let skipped = [&0x184d_2a50_u32.to_le_bytes()[..], &3_u32.to_le_bytes(), b"abc"].concat();
    let frames = [&tar[..700], &tar[700..]].map(|part| compress_to_vec(part, CompressionLevel::Fastest));
    let zstd = [&skipped[..], &frames[0], &skipped, &frames[1], &skipped].concat();
    assert_eq!(place.add_file(&zstd).await.unwrap().digest, plain.digest);

    // And so is the directory that it was made from.
    let again = place.tree(&plain);
    let copied = place.images.add(&super::name("copy"), again.to_str().unwrap(), |_| {}).await.unwrap();
    assert_eq!(copied.digest, plain.digest);
    assert_eq!(place.left(), [plain.digest.as_str()], "two names, one image");
}

#[tokio::test]
async fn owners_and_permissions_are_kept_and_nothing_is_made_that_is_no_file() {
    let place = Place::new();
    let device = |kind| Item { kind, ..file("dev/null", "") };
    let items = [
        Item { mode: 0o700, owner: 7, ..directory("closed") },
        Item { mode: 0o4755, owner: 65_535, ..file("closed/sudo", "x") },
        Item { mode: 0o600, owner: 70_000, ..file("closed/far", "x") },
        Item { mode: 0o1777, ..directory("tmp") },
        device(EntryType::Char),
        device(EntryType::Block),
        device(EntryType::Fifo),
    ];
    let image = place.add_file(&archive(&items)).await.unwrap();
    let tree = place.tree(&image);
    assert_eq!(image.left_out, 3);
    assert!(!tree.join("dev/null").exists());
    assert_eq!(mode(&tree.join("tmp")), 0o1777);
    assert_eq!(mode(&tree.join("closed")), 0o700);
    assert_eq!(mode(&tree.join("closed/sudo")), 0o4755);
    let there = fs::metadata(tree.join("closed/sudo")).unwrap();
    assert_eq!(there.mtime(), 1_700_000_000);
    if is_root() {
        assert_eq!((there.uid(), there.gid()), (65_535, 65_535));
        assert_eq!(fs::metadata(tree.join("closed/far")).unwrap().uid(), 65_534, "nobody's");
        assert_eq!(fs::metadata(tree.join("closed")).unwrap().uid(), 7);
    }
}

#[tokio::test]
async fn later_entries_win() {
    let place = Place::new();
    let items = [
        file("a", "first"),
        file("a", "second"),
        directory("b"),
        file("b/inner", "x"),
        file("b", "a file now"),
        link("c", "nowhere"),
        directory("c"),
        file("c/inner", "y"),
        directory("d"),
        Item { mode: 0o700, ..directory("d") },
        file("d/kept", "z"),
        directory("d"),
    ];
    let image = place.add_file(&archive(&items)).await.unwrap();
    let tree = place.tree(&image);
    let want = expected(&[
        ("a", "second"),
        ("b", "a file now"),
        ("c", "directory"),
        ("c/inner", "y"),
        ("d", "directory"),
        ("d/kept", "z"),
    ]);
    assert_eq!(listing(&tree), want);
    assert_eq!(mode(&tree.join("d")), 0o755);
}

#[tokio::test]
async fn a_directory_is_copied_as_it_is_but_for_the_images_in_it() {
    let place = Place::new();
    let source = place.folder.path();
    fs::write(source.join("file"), "x").unwrap();
    fs::set_permissions(source.join("file"), fs::Permissions::from_mode(0o640)).unwrap();
    fs::hard_link(source.join("file"), source.join("same")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", source.join("link")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(source.join("socket")).unwrap();
    let image = place.add(source.to_str().unwrap()).await.unwrap();
    let tree = place.tree(&image);
    let want = expected(&[("data", "directory"), ("file", "x"), ("link", "-> /etc/passwd"), ("same", "x")]);
    assert_eq!(listing(&tree), want);
    assert_eq!((mode(&tree.join("file")), image.left_out), (0o640, 1));
    assert_eq!(fs::metadata(tree.join("same")).unwrap().nlink(), 2);
}
