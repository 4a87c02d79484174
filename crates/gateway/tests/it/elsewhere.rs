//! Repositories beside the session's own, which are only read, and large files: as far as the grant has them.

use crate::door::{Door, grant};
use crate::repository::{Home, commit, git, head};
use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{BoxStream, StreamExt as _, TryStreamExt as _};
use lamplight_gateway::{Elsewhere, Grant, NotBrought, Upstreams};
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

const BIG: &[u8] = b"large";

/// `acme/lib` is one repository; a large file is what its id says of it. None of more than a hundred bytes is taken.
#[derive(Debug)]
struct Beside {
    lib: PathBuf,
    has_large_files: bool,
    kept: Kept,
}

/// Ids with what was brought.
type Kept = Arc<Mutex<Vec<(String, Vec<u8>)>>>;

#[async_trait]
impl Elsewhere for Beside {
    async fn repository(&self, name: &str) -> Result<PathBuf, NotBrought> {
        match name {
            "acme/lib" | "lib" => Ok(self.lib.clone()),
            "acme/library" => Err(NotBrought::Beside("https://github.example/acme/library.git".to_owned())),
            "acme/gone" => Err(NotBrought::NotThere("acme/gone is not there.".to_owned())),
            "acme/away" => Err(NotBrought::Failed("It cannot be reached.".to_owned())),
            _ => Err(NotBrought::NotAllowed(format!("{name} is not for this session."))),
        }
    }

    fn has_large_files(&self) -> bool {
        self.has_large_files
    }

    async fn large_file(
        &self,
        of: Option<&str>,
        id: &str,
        bytes: u64,
    ) -> Result<BoxStream<'static, io::Result<Bytes>>, NotBrought> {
        if of.is_some_and(|of| of != "acme/lib") {
            return Err(NotBrought::NotAllowed(format!(
                "{} is not for this session.",
                of.unwrap_or_default()
            )));
        }
        if id.starts_with('0') {
            return Err(NotBrought::NotThere("There is no such large file.".to_owned()));
        }
        assert!(bytes < 100);
        Ok(futures::stream::iter([Ok(Bytes::from_static(BIG))]).boxed())
    }

    async fn lacks_large_file(&self, id: &str, bytes: u64) -> Result<bool, NotBrought> {
        match bytes {
            ..=100 => Ok(!self.kept.lock().unwrap().iter().any(|(known, _)| known == id)),
            _ => Err(NotBrought::NotAllowed("It is too large.".to_owned())),
        }
    }

    async fn keep_large_file(
        &self,
        id: &str,
        bytes: u64,
        content: BoxStream<'static, io::Result<Bytes>>,
    ) -> Result<(), NotBrought> {
        let content: Vec<Bytes> = content.try_collect().await.unwrap();
        let content = content.concat();
        if content.len() as u64 != bytes {
            return Err(NotBrought::Failed("It is not what was said.".to_owned()));
        }
        self.kept.lock().unwrap().push((id.to_owned(), content));
        Ok(())
    }
}

fn with(lib: &Path, has_large_files: bool) -> Grant {
    with_kept(lib, has_large_files, &Kept::default())
}

fn with_kept(lib: &Path, has_large_files: bool, kept: &Kept) -> Grant {
    let elsewhere = Beside { lib: lib.to_owned(), has_large_files, kept: kept.clone() };
    Grant { elsewhere: Some(Arc::new(elsewhere)), ..grant(lib) }
}

fn client() -> reqwest::Client {
    let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
    client.tls_certs_only([]).build().unwrap()
}

#[tokio::test]
async fn another_repository_is_cloned_and_never_pushed_to() {
    let (own, lib) = (Home::new().await, Home::new().await);
    let newest = commit(&lib.repository(), "lib.txt", b"lib\n").await;
    let grant = Grant { repository: own.repository(), ..with(&lib.repository(), false) };
    let door = Door::open(grant, Upstreams::default()).await;
    for (name, at) in [("acme/lib.git", "1"), ("acme/lib", "2"), ("lib.git", "3")] {
        let (address, to) = (format!("http://{}/git/{name}", door.address), own.path(at));
        git(&own.repository(), &["clone", "-q", &address, to.to_str().unwrap()]).await.expect_success();
        assert_eq!(head(&to).await, newest, "{name}");
        let pushed = git(&to, &["push", "-q", "origin", "HEAD:refs/heads/lamplight/mine"]).await;
        assert!(pushed.text.contains("403"), "{}", pushed.text);
    }
    // Its own is still its own.
    assert_eq!(head(&own.clone_of(&door.git_url()).await).await, head(&own.repository()).await);
    let refused = door.ledger.refused.lock().unwrap().clone();
    assert!(refused.len() == 3 && refused.iter().all(|one| one.contains("is only read")), "{refused:?}");
}

#[tokio::test]
async fn of_what_is_not_to_be_had_it_is_said_why() {
    let home = Home::new().await;
    let door = Door::open(with(&home.repository(), false), Upstreams::default()).await;
    let ask = async |path: &str| {
        let address = format!("http://{}/git/{path}", door.address);
        client().get(address).send().await.unwrap()
    };
    let refs = "info/refs?service=git-upload-pack";
    for (path, status) in [
        (format!("acme/secret.git/{refs}"), StatusCode::FORBIDDEN),
        (format!("acme/gone.git/{refs}"), StatusCode::NOT_FOUND),
        (format!("acme/away.git/{refs}"), StatusCode::BAD_GATEWAY),
        (format!("a/b/c.git/{refs}"), StatusCode::NOT_FOUND),
        (format!(".git/{refs}"), StatusCode::NOT_FOUND),
        ("acme/lib.git/info/refs".to_owned(), StatusCode::NOT_FOUND),
        ("acme/lib.git/HEAD".to_owned(), StatusCode::NOT_FOUND),
    ] {
        assert_eq!(ask(&path).await.status(), status, "{path}");
    }
    let beside = ask(&format!("acme/library.git/{refs}")).await;
    assert_eq!(beside.status(), StatusCode::TEMPORARY_REDIRECT);
    assert_eq!(
        beside.headers()["location"],
        format!("https://github.example/acme/library.git/{refs}").as_str()
    );
    assert_eq!(*door.ledger.refused.lock().unwrap(), ["acme/secret is not for this session."]);
}

async fn batch(door: &Door, asked: &Value) -> (StatusCode, Value) {
    let address = format!("{}/info/lfs/objects/batch", door.git_url());
    let answer = client().post(address).body(asked.to_string()).send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], "application/vnd.git-lfs+json");
    (answer.status(), serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap())
}

#[tokio::test]
async fn a_large_file_is_downloaded() {
    let home = Home::new().await;
    let door = Door::open(with(&home.repository(), true), Upstreams::default()).await;
    let (there, gone) = ("a1".repeat(32), "0".repeat(64));
    let object = |id: &str, size: u64| json!({ "oid": id, "size": size });
    let asked = json!({ "operation": "download", "transfers": ["basic"], "objects": [
        object(&there, 5), object(&there, 4), object(&gone, 5), object("../../etc/passwd", 5),
    ] });
    let (status, told) = batch(&door, &asked).await;
    assert_eq!((status, &told["objects"][3]["error"]["code"]), (StatusCode::OK, &json!(422)), "{told}");
    let get = async |number: usize| {
        let href = told["objects"][number]["actions"]["download"]["href"].as_str().unwrap();
        assert!(href.starts_with(&format!("http://{}/git/repository.git/", door.address)), "{href}");
        let answer = client().get(href).send().await?;
        let status = answer.status();
        Ok::<_, reqwest::Error>((status, answer.bytes().await?))
    };
    assert_eq!(get(0).await.unwrap(), (StatusCode::OK, Bytes::from_static(BIG)));
    // Longer than was said is not passed on.
    assert!(get(1).await.is_err());
    assert_eq!(get(2).await.unwrap().0, StatusCode::NOT_FOUND);

    let of = |change: Value| {
        let mut all = asked.clone();
        all.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        all
    };
    for (change, expected) in [
        (json!({ "operation": "delete" }), StatusCode::UNPROCESSABLE_ENTITY),
        (json!({ "transfers": ["ssh"] }), StatusCode::UNPROCESSABLE_ENTITY),
        (json!({ "hash_algo": "md5" }), StatusCode::CONFLICT),
        (json!({ "objects": 1 }), StatusCode::UNPROCESSABLE_ENTITY),
    ] {
        let (status, told) = batch(&door, &of(change.clone())).await;
        assert_eq!(status, expected, "{change} {told}");
        assert!(!told["message"].as_str().unwrap().is_empty());
    }
    let closed = Door::open(with(&home.repository(), false), Upstreams::default()).await;
    assert_eq!(batch(&closed, &asked).await.0, StatusCode::FORBIDDEN);
    let refused = closed.ledger.refused.lock().unwrap().clone();
    assert_eq!(refused, ["Large files (Git LFS) were asked for."]);
}

#[tokio::test]
async fn a_large_file_is_uploaded_to_the_sessions_own_repository_alone() {
    let home = Home::new().await;
    let kept = Kept::default();
    let door = Door::open(with_kept(&home.repository(), true, &kept), Upstreams::default()).await;
    let (new, large) = ("a1".repeat(32), "b2".repeat(32));
    let object = |id: &str, size: u64| json!({ "oid": id, "size": size });
    let asked = json!({ "operation": "upload", "transfers": ["basic"], "objects": [
        object(&new, 5), object(&large, 101), object("../x", 5),
    ] });
    let (status, told) = batch(&door, &asked).await;
    assert_eq!(status, StatusCode::OK, "{told}");
    let error = |number: usize| told["objects"][number]["error"]["code"].as_u64();
    assert_eq!((error(0), error(1), error(2)), (None, Some(403), Some(422)), "{told}");
    let href = told["objects"][0]["actions"]["upload"]["href"].as_str().unwrap();
    let put = async |address: &str, content: &'static [u8]| {
        client().put(address).body(content).send().await.unwrap().status()
    };
    assert_eq!(put(href, b"four").await, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(put(&href.replace(&new, "..%2Fx"), BIG).await, StatusCode::FORBIDDEN);
    assert_eq!(put(href, BIG).await, StatusCode::OK);
    assert_eq!(*kept.lock().unwrap(), [(new.clone(), BIG.to_vec())]);
    // What is there is not asked for again.
    let (_, told) = batch(&door, &asked).await;
    assert!(told["objects"][0]["actions"].is_null() && told["objects"][0]["error"].is_null(), "{told}");
    assert_eq!(*door.ledger.refused.lock().unwrap(), ["It is too large.", "It is too large."]);

    // Where nothing may be pushed, nothing is uploaded; nor to another repository.
    let address = format!("http://{}/git/acme/lib.git/info/lfs/objects", door.address);
    let lib = client().post(format!("{address}/batch")).body(asked.to_string()).send().await.unwrap();
    assert_eq!(lib.status(), StatusCode::FORBIDDEN);
    assert_eq!(put(&format!("{address}/{new}?bytes=5"), BIG).await, StatusCode::METHOD_NOT_ALLOWED);
    let grant = Grant { branch: String::new(), ..with_kept(&home.repository(), true, &kept) };
    let still = Door::open(grant, Upstreams::default()).await;
    assert_eq!(batch(&still, &asked).await.0, StatusCode::FORBIDDEN);
    let href = href.replace(&door.address, &still.address).replace(&new, &large);
    assert_eq!((put(&href, BIG).await, kept.lock().unwrap().len()), (StatusCode::FORBIDDEN, 1));
}

#[tokio::test]
async fn large_files_of_submodules_are_read_where_both_are_allowed() {
    let home = Home::new().await;
    let door = Door::open(with(&home.repository(), true), Upstreams::default()).await;
    let id = "a1".repeat(32);
    let asked = json!({ "operation": "download", "objects": [{ "oid": id, "size": 5 }] });
    for (name, status) in [
        ("acme/lib.git", StatusCode::OK),
        ("acme/lib", StatusCode::OK),
        ("acme/other.git", StatusCode::FORBIDDEN),
    ] {
        let address = format!("http://{}/git/{name}/info/lfs/objects/batch", door.address);
        let answer = client().post(address).body(asked.to_string()).send().await.unwrap();
        let told: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
        let href = told["objects"][0]["actions"]["download"]["href"].as_str().unwrap();
        let of = name.trim_end_matches(".git");
        assert!(href.starts_with(&format!("http://{}/git/{of}.git/", door.address)), "{href}");
        let file = client().get(href).send().await.unwrap();
        assert_eq!(file.status(), status, "{name}");
        assert_eq!(file.bytes().await.unwrap() == BIG, status == StatusCode::OK, "{name}");
    }
    assert_eq!(*door.ledger.refused.lock().unwrap(), ["acme/other is not for this session."]);
    let closed = Door::open(with(&home.repository(), false), Upstreams::default()).await;
    let address = format!("http://{}/git/acme/lib.git/info/lfs/objects", closed.address);
    let answer = client().post(format!("{address}/batch")).body(asked.to_string()).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    let answer = client().get(format!("{address}/{id}?bytes=5")).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
}
