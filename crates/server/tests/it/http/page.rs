//! The page, or the word that it has not been built.

use crate::support::Server;
use reqwest::{Method, StatusCode, header};

#[tokio::test]
async fn every_route_of_the_page_gets_the_page() {
    let server = Server::start();
    let get = |path: &'static str| {
        let request = server.request(Method::GET, path);
        async move { request.send().await.unwrap() }
    };
    let root = get("/").await;
    assert_eq!(root.status(), StatusCode::OK);
    assert!(root.headers()[header::CONTENT_TYPE].to_str().unwrap().starts_with("text/html"));
    let text = root.text().await.unwrap();
    assert!(text.contains("Lamplight"), "{text}");
    assert_eq!(get("/sessions/01JD0000000000000000000000").await.text().await.unwrap(), text);
    assert_eq!(get("/assets/nothing.js").await.status(), StatusCode::NOT_FOUND);
    assert_eq!(get("/..%2f..%2fetc/passwd").await.text().await.unwrap(), text);
    let posted = server.request(Method::POST, "/").send().await.unwrap();
    assert_eq!(posted.status(), StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn what_has_not_changed_is_not_sent_again() {
    let server = Server::start();
    let first = server.request(Method::GET, "/").send().await.unwrap();
    // Without the page there is nothing worth keeping.
    let Some(etag) = first.headers().get(header::ETAG).cloned() else { return };
    assert_eq!(first.headers()[header::CACHE_CONTROL], "no-cache");
    let again = server.request(Method::GET, "/").header(header::IF_NONE_MATCH, etag).send().await.unwrap();
    assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
    let text = first.text().await.unwrap();
    let asset =
        text.split(['"', '\'']).find(|part| part.starts_with("/assets/")).expect("the page loads a script");
    let asset = server.request(Method::GET, asset).send().await.unwrap();
    assert_eq!(asset.headers()[header::CACHE_CONTROL], "public, max-age=31536000, immutable");
    let name = asset.url().path().to_owned();
    let plain = asset.bytes().await.unwrap();
    for (takes, wanted) in [("gzip, br", "br"), ("gzip;q=0.5, br;q=0", "gzip")] {
        let request = server.request(Method::GET, &name).header(header::ACCEPT_ENCODING, takes);
        let sent = request.send().await.unwrap();
        assert_eq!(sent.headers()[header::CONTENT_ENCODING], wanted);
        assert_eq!(sent.headers()[header::VARY], "accept-encoding");
        assert!(sent.bytes().await.unwrap().len() * 2 < plain.len(), "{takes}");
    }
}
