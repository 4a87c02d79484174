//! Images of a registry.

use super::layouts::{Built, layers, layers_listing};
use super::registry_program::Registry;
use super::{Place, listing};

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
