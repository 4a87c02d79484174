//! Archives that want something else than to be unpacked. None of them changes anything outside, and none leaves anything.

use super::{Bounds, Item, Place, archive, directory, file, hard_link, link};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::fs;
use std::io::{self, Write};
use tar::EntryType;

/// Is refused for this reason, without a trace.
async fn check(content: &[u8], why: &str) {
    check_in(&Place::new(), content, why).await;
}

async fn check_in(place: &Place, content: &[u8], why: &str) {
    fs::write(place.path("victim"), "untouched").unwrap();
    let error = place.add_file(content).await.expect_err(why);
    assert!(format!("{error:#}").contains(why), "not {why:?}: {error:#}");
    assert_eq!(place.left(), [""; 0], "{why}");
    assert_eq!(fs::read_to_string(place.path("victim")).unwrap(), "untouched", "{why}");
    let beside = fs::read_dir(place.folder.path()).unwrap().count();
    assert_eq!(beside, 3, "{why}: something was made beside data, source and victim");
}

#[tokio::test]
async fn paths_that_lead_out_are_refused() {
    let victim = Place::new();
    let absolute = victim.path("victim");
    let absolute = absolute.to_str().unwrap();
    check(&archive(&[file(absolute, "x")]), "leads out of the image").await;
    check(&archive(&[file("../victim", "x")]), "leads out of the image").await;
    check(&archive(&[file("a/../../../../victim", "x")]), "leads out of the image").await;
    check(&archive(&[directory("..")]), "leads out of the image").await;
    check(&archive(&[file(".", "x")]), "is no place for a file").await;
    assert!(!victim.path("victim").exists());
}

#[tokio::test]
async fn nothing_is_written_through_a_link() {
    for target in ["../../../..", "/tmp", ".", "b"] {
        let through = "is reached through a symbolic link";
        check(&archive(&[directory("b"), link("a", target), file("a/victim", "x")]), through).await;
        check(&archive(&[directory("b"), link("a", target), directory("a/new")]), through).await;
        check(&archive(&[directory("b"), link("a", target), link("a/new", "x")]), through).await;
        check(&archive(&[file("f", "x"), link("a", target), hard_link("a/new", "f")]), through).await;
    }
    // A link is replaced by what comes later under its name, and not followed.
    let place = Place::new();
    fs::write(place.path("victim"), "untouched").unwrap();
    let victim = place.path("victim");
    let victim = victim.to_str().unwrap();
    let image = place.add_file(&archive(&[link("a", victim), file("a", "x")])).await.unwrap();
    assert!(fs::symlink_metadata(place.tree(&image).join("a")).unwrap().is_file());
    assert_eq!(fs::read_to_string(victim).unwrap(), "untouched");
}

#[tokio::test]
async fn hard_links_lead_nowhere_else() {
    check(&archive(&[hard_link("a", "/etc/passwd")]), "leads out of the image").await;
    check(&archive(&[hard_link("a", "../../../victim")]), "leads out of the image").await;
    check(&archive(&[hard_link("a", "not/there")]), "find not/there").await;
    check(&archive(&[directory("d"), hard_link("a", "d")]), "is no file of it").await;
    check(&archive(&[link("l", "/etc"), hard_link("a", "l/passwd")]), "through a symbolic link").await;
    check(&archive(&[file("f", "x"), file("f/g", "x")]), "is reached through a file").await;
    // A second name of a link is a link, and what it leads to stays what it is.
    let place = Place::new();
    let items = [link("l", "/etc/passwd"), hard_link("a", "l"), file("a", "x")];
    let image = place.add_file(&archive(&items)).await.unwrap();
    assert!(fs::symlink_metadata(place.tree(&image).join("l")).unwrap().is_symlink());
}

#[tokio::test]
async fn what_is_too_large_is_refused() {
    let small = || Place::bounded(Bounds { bytes: 1 << 20, entries: 100 });
    let many: Vec<String> = (0..100).map(|n| format!("f{n}")).collect();
    let many: Vec<Item> = many.iter().map(|path| file(path, "")).collect();
    check_in(&small(), &archive(&[&many[..], &[file("one more", "")]].concat()), "too many files").await;
    small().add_file(&archive(&many)).await.unwrap();

    // A hundred megabytes of zeros are a hundred kilobytes.
    let mut bomb = GzEncoder::new(Vec::new(), Compression::fast());
    let mut header = tar::Header::new_gnu();
    header.as_gnu_mut().unwrap().name[..4].copy_from_slice(b"bomb");
    header.set_size(100 << 20);
    header.set_mode(0o644);
    header.set_cksum();
    bomb.write_all(header.as_bytes()).unwrap();
    io::copy(&mut io::Read::take(io::repeat(0), 100 << 20), &mut bomb).unwrap();
    check_in(&small(), &bomb.finish().unwrap(), "it is too large").await;

    // Holes count as what they are read as.
    let mut sparse = tar::Header::new_gnu();
    let fields = sparse.as_gnu_mut().unwrap();
    fields.name[..4].copy_from_slice(b"hole");
    fields.realsize[..11].copy_from_slice(b"77777777777");
    fields.sparse[0].offset[..11].copy_from_slice(b"77777777777");
    fields.sparse[0].numbytes[..11].copy_from_slice(b"00000000000");
    sparse.set_entry_type(EntryType::GNUSparse);
    sparse.set_mode(0o644);
    sparse.set_size(0);
    sparse.set_cksum();
    let sparse = [sparse.as_bytes().as_slice(), &[0; 1024]].concat();
    check_in(&small(), &sparse, "it is too large").await;

    // What is left out has to be read as well.
    let socket = vec![1; 2 << 20];
    let unknown = Item { kind: EntryType::new(b'Z'), content: &socket, ..file("unknown", "") };
    check_in(&small(), &archive(&[unknown]), "it is too large").await;
}

#[tokio::test]
async fn a_header_is_not_held_in_memory_whatever_its_size() {
    let long = vec![b'a'; 3 << 20];
    let name = Item { kind: EntryType::GNULongName, content: &long, ..file("././@LongLink", "") };
    check(&archive(&[name, file("x", "")]), "a header is too large").await;
    let pax = Item { kind: EntryType::XHeader, content: &long, ..file("pax", "") };
    check(&archive(&[pax, file("x", "")]), "a header is too large").await;
    let hole = Item { kind: EntryType::XHeader, content: b"22 GNU.sparse.major=1\n", ..file("pax", "") };
    check(&archive(&[hole, file("x", "")]), "in a form that is not understood").await;
    let nul = Item { kind: EntryType::GNULongName, content: b"a\0b/../../c", ..file("././@LongLink", "") };
    let place = Place::new();
    // Names end at the first NUL, or are refused; either way nothing is outside.
    let _ = place.add_file(&archive(&[nul, file("x", "")])).await;
    assert_eq!(fs::read_dir(place.folder.path()).unwrap().count(), 2);
}

#[tokio::test]
async fn what_is_cut_off_is_refused() {
    let content = "x".repeat(5000);
    let whole = archive(&[file("a", &content), file("b", &content)]);
    for length in [100, 512, 700, 512 + 5120, 512 + 5120 + 600, whole.len() - 1024] {
        check(&whole[..length], "").await;
    }
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(&whole).unwrap();
    let gzip = gzip.finish().unwrap();
    check(&gzip[..gzip.len() / 2], "").await;
    let zstd = ruzstd::encoding::compress_to_vec(&whole[..], ruzstd::encoding::CompressionLevel::Fastest);
    check(&zstd[..zstd.len() / 2], "").await;
    check(b"", "cut off, or is none").await;
    check(b"no archive at all", "").await;
    check(b"BZh91AY&SY", "bzip2").await;
    check(&[0xfd, b'7', b'z', b'X', b'Z', 0], "xz").await;
}
