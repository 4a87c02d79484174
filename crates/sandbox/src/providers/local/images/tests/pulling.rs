//! Images of a registry.

use super::layouts::{Built, layers, layers_listing};
use super::registry_program::{Registry, To};
use super::{Place, listing};
use crate::providers::local::images::{ImageReference, RegistryLogin};
use lamplight_domain::ImageDigest;
use std::collections::BTreeSet;

/// As the program's own `main` does.
fn with_tls() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_is_fetched_by_its_tag_or_digest() {
    with_tls();
    let place = Place::new();
    let built = Built::of(&layers()).indexed();
    let registry = Registry::start(built.clone());
    let image = place.add(&registry.reference("1")).await.unwrap();
    assert_eq!(listing(&place.tree(&image)), layers_listing());
    assert_eq!(image.source, registry.reference("1"));
    assert_eq!(place.left(), [image.digest.as_str()]);
    let asked = registry.asked();
    assert_eq!(asked[0], "/v2/team/tool/manifests/1", "{asked:#?}");
    assert_eq!(asked.iter().filter(|path| path.starts_with("/token")).count(), 1, "{asked:#?}");

    let by_digest = place.add(&registry.reference(&built.top)).await.unwrap();
    assert_eq!(by_digest.digest, image.digest);
}

/// How it is seen that there is a byte more of it: of a manifest by its digest, of all else while it is fetched.
fn why(built: &Built, digest: &str) -> &'static str {
    let text = String::from_utf8_lossy(&built.blobs[digest]);
    if text.contains(r#""layers""#) || text.contains(r#""manifests""#) {
        "was made for"
    } else {
        "more of it"
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_what_it_should_be_is_not_taken() {
    with_tls();
    let place = Place::new();
    let built = Built::of(&layers()).indexed();
    let check = async |built: Built, version: &str, why: &str| {
        let registry = Registry::start(built);
        let error = place.add(&registry.reference(version)).await.expect_err(why);
        assert!(format!("{error:#}").contains(why), "not {why:?}: {error:#}");
        assert_eq!(place.left(), [""; 0], "{why}");
    };
    for digest in built.blobs.keys() {
        let mut longer = built.clone();
        longer.blobs.get_mut(digest).unwrap().push(b' ');
        let mut shorter = built.clone();
        shorter.blobs.get_mut(digest).unwrap().pop();
        // What a tag means is the registry's to say; all else has a digest.
        check(longer.clone(), &built.top, why(&built, digest)).await;
        check(shorter, &built.top, "").await;
        if *digest != built.top {
            check(longer, "1", why(&built, digest)).await;
        }
    }
    check(built.clone(), "2", "MANIFEST_UNKNOWN").await;
    let missing = built.blobs.keys().find(|digest| **digest != built.top).unwrap();
    let mut without = built.clone();
    without.blobs.remove(missing);
    check(without, "1", "404").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_there_is_told() {
    with_tls();
    let place = Place::new();
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = place.add(&format!("{closed}/a/b:1")).await.unwrap_err();
    assert!(format!("{error:#}").contains("ask 127.0.0.1"), "{error:#}");
    assert_eq!(place.left(), [""; 0]);
}

/// More than any of these has.
const ROOM: u64 = 1 << 20;

async fn fetch(place: &Place, registry: &Registry, as_whom: Option<&str>) -> anyhow::Result<ImageDigest> {
    let reference = ImageReference::parse(&registry.reference("1")).unwrap();
    let login = as_whom.map(|name| RegistryLogin { name: name.to_owned(), password: "secret".to_owned() });
    place.images.fetch(&reference, login.as_ref(), ROOM, |_| {}).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_program_asks_for_is_fetched_once_and_goes_when_nobody_wants_it() {
    with_tls();
    let place = Place::new();
    let registry = Registry::start(Built::of(&layers()).indexed());
    let digest = fetch(&place, &registry, None).await.unwrap();
    let unpacked = place.images.open(&digest).unwrap();
    assert_eq!(listing(&unpacked.tree()), layers_listing());
    assert_eq!(place.images.list().unwrap(), [], "it has no name");
    let blobs = || registry.asked().iter().filter(|path| path.contains("/blobs/")).count();
    let before = blobs();
    assert_eq!(fetch(&place, &registry, None).await.unwrap(), digest);
    assert_eq!(blobs(), before, "nothing but its manifests was asked for again");

    let fetched = place.images.all_fetched().unwrap();
    assert_eq!(fetched.keys().collect::<Vec<_>>(), [&digest]);
    assert!(fetched[&digest] > 0);
    place.images.keep_fetched(&BTreeSet::from([digest.clone()])).unwrap();
    assert_eq!(place.left(), [digest.as_str()]);
    place.images.keep_fetched(&BTreeSet::new()).unwrap();
    assert_eq!(place.left(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_image_is_for_whom_its_registry_knows_also_when_it_is_here_already() {
    with_tls();
    for to in [To::Ada, To::AdaWithoutToken] {
        let place = Place::new();
        let registry = Registry::start_for(to, Built::of(&layers()).indexed());
        let refused = async |as_whom: Option<&str>| {
            let error = format!("{:#}", fetch(&place, &registry, as_whom).await.unwrap_err());
            assert!(error.contains("401") || error.contains("whom it knows"), "{error}");
            assert!(!error.contains("secret"), "{error}");
        };
        refused(None).await;
        refused(Some("bob")).await;
        let digest = fetch(&place, &registry, Some("ada")).await.unwrap();
        refused(None).await;
        refused(Some("bob")).await;
        assert_eq!(fetch(&place, &registry, Some("ada")).await.unwrap(), digest);
    }
    let login = RegistryLogin { name: "ada".to_owned(), password: "secret".to_owned() };
    assert_eq!(format!("{login:?}"), "RegistryLogin(not shown)");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_larger_than_there_is_room_for_is_not_fetched() {
    with_tls();
    let place = Place::new();
    let built = Built::of(&layers());
    let packed: usize =
        built.blobs.iter().filter(|(digest, _)| **digest != built.top).map(|(_, blob)| blob.len()).sum();
    let registry = Registry::start(built);
    let reference = ImageReference::parse(&registry.reference("1")).unwrap();
    let error = place.images.fetch(&reference, None, packed as u64 - 1, |_| {}).await.unwrap_err();
    assert!(format!("{error:#}").contains("there is room for"), "{error:#}");
    assert!(!registry.asked().iter().any(|path| path.contains("/blobs/")), "nothing of it was fetched");
    place.images.tidy().unwrap();
    assert_eq!(place.left(), [""; 0]);
}
