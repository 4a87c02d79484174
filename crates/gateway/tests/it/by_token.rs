//! The gateway over TCP: whoever has a session's token is that session, and nobody else is anybody.

use crate::door::{BRANCH, Book, grant};
use crate::repository::{Home, commit, git};
use crate::upstream::{Answer, KEY, Vendor, streaming};
use async_trait::async_trait;
use bytes::Bytes;
use lamplight_domain::Network;
use lamplight_gateway::{Asker, Doorkeeper, Gateway, Grant, Outside, Upstreams};
use std::net::SocketAddr;
use std::path::Path;
use std::process::Output;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

const TOKEN: &str = "lmg_the-session_0f";

/// One session with a token.
struct Entrance {
    address: SocketAddr,
    ledger: Arc<Book>,
    gone: CancellationToken,
    _serving: JoinSet<()>,
}

struct Keeper(Asker);

#[async_trait]
impl Doorkeeper for Keeper {
    async fn admit(&self, token: &str) -> Option<Asker> {
        (token == TOKEN && !self.0.gone.is_cancelled()).then(|| self.0.clone())
    }
}

impl Entrance {
    async fn open(upstreams: Upstreams, repository: &Path) -> Self {
        let outside = Outside { allow_private: vec!["127.0.0.1".parse().unwrap()], ..Outside::default() };
        let gateway = Gateway::new(upstreams, outside).unwrap();
        let (ledger, gone) = (Arc::new(Book::default()), CancellationToken::new());
        let grant = Arc::new(Grant { network: Network::Open, ..grant(repository) });
        let way_out = gateway.way_out(grant.clone(), ledger.clone(), &[]);
        let keeper = Keeper(Asker { grant, ledger: ledger.clone(), way_out, gone: gone.clone() });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut serving = JoinSet::new();
        serving.spawn(async move { gateway.listen(listener, Arc::new(keeper)).await });
        Self { address, ledger, gone, _serving: serving }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    fn git_url(&self, password: &str) -> String {
        format!("http://anybody:{password}@{}/git/repository.git", self.address)
    }

    async fn curl(&self, proxy: &str, arguments: &[&str]) -> Output {
        let mut curl = tokio::process::Command::new("curl");
        curl.args(["--silent", "--show-error", "--max-time", "20", "--proxy"]).arg(proxy).args(arguments);
        curl.env_clear().output().await.unwrap()
    }
}

fn whole() -> Answer {
    Answer::Whole(200, "application/json", Bytes::from_static(b"{}"))
}

/// As the vendors' SDKs ask, each with its own place for a key.
const ASKED: [(&str, &str); 4] = [
    ("/openai/v1/chat/completions", "authorization"),
    ("/anthropic/v1/messages", "x-api-key"),
    ("/anthropic/v1/messages", "authorization"),
    ("/gemini/v1beta/models/m:generateContent", "x-goog-api-key"),
];

fn ask(entrance: &Entrance, path: &str, header: &str, token: &str) -> reqwest::RequestBuilder {
    let value = if header == "authorization" { format!("Bearer {token}") } else { token.to_owned() };
    let body = if path.contains("gemini") { "{}" } else { r#"{"model":"m"}"# };
    reqwest::Client::new().post(entrance.url(path)).header(header, value).body(body)
}

#[tokio::test]
async fn a_token_is_worth_a_key_and_goes_no_further() {
    for (path, header) in ASKED {
        let vendor = Vendor::with([whole()]).await;
        let entrance = Entrance::open(vendor.upstreams(), Path::new("/nowhere")).await;
        let answer =
            ask(&entrance, path, header, TOKEN).header("proxy-authorization", TOKEN).send().await.unwrap();
        assert_eq!(
            (answer.status().as_u16(), answer.text().await.unwrap().as_str()),
            (200, "{}"),
            "{path} {header}"
        );
        let received = vendor.received().remove(0).headers.join("\n");
        assert!(received.contains(KEY) && !received.contains(TOKEN), "{received}");
        assert_eq!(entrance.ledger.used.lock().unwrap().len(), 1, "{path} {header}");
    }
}

#[tokio::test]
async fn without_a_token_nobody_is_asked() {
    let vendor = Vendor::with([]).await;
    let entrance = Entrance::open(vendor.upstreams(), Path::new("/nowhere")).await;
    for (path, header) in ASKED {
        for wrong in ["", "lamplight", "lmg_the-session_0e", &TOKEN.to_uppercase()] {
            let answer = ask(&entrance, path, header, wrong).send().await.unwrap();
            assert_eq!(answer.status(), 401, "{path} {header} {wrong:?}");
            assert_eq!(answer.headers()["x-should-retry"], "false");
            let said: serde_json::Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
            assert!(said["error"]["message"].as_str().unwrap().starts_with("The token is missing"), "{said}");
        }
        let answer = reqwest::Client::new().post(entrance.url(path)).send().await.unwrap();
        assert_eq!(answer.status(), 401, "{path}");
    }
    // On one connection as well: each request is judged by its own.
    let connection = TcpStream::connect(entrance.address).await.unwrap();
    let mut connection = tokio::io::BufReader::new(connection);
    for (token, expected) in [(TOKEN, " 404 "), ("x", " 401 "), (TOKEN, " 404 "), ("", " 401 ")] {
        let head = format!("GET /nothing HTTP/1.1\r\nhost: a\r\nx-api-key: {token}\r\n\r\n");
        connection.write_all(head.as_bytes()).await.unwrap();
        let said = answer(&mut connection).await;
        assert!(said.contains(expected), "{token}: {said}");
    }
    assert!(vendor.received().is_empty());
}

/// One answer with a length, from its status to its end.
async fn answer(connection: &mut (impl tokio::io::AsyncBufRead + Unpin)) -> String {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(tokio::io::AsyncBufReadExt::read_line(connection, &mut head).await.unwrap() > 0, "{head}");
    }
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    let mut body = vec![0; length.parse().unwrap()];
    connection.read_exact(&mut body).await.unwrap();
    head
}

#[tokio::test]
async fn git_comes_in_with_the_token_as_password() {
    let home = Home::new().await;
    let entrance = Entrance::open(Upstreams::default(), &home.repository()).await;
    let clone = home.clone_of(&entrance.git_url(TOKEN)).await;
    let pushed = commit(&clone, "more.txt", b"more\n").await;
    git(&clone, &["push", "-q", "origin", BRANCH]).await.expect_success();
    assert_eq!(*entrance.ledger.pushed.lock().unwrap(), [pushed]);
    git(&clone, &["push", "-q", "origin", &format!("{BRANCH}:main")]).await.expect_failure("main");
    for password in ["", "wrong"] {
        let there = home.path("refused");
        let clone = ["clone", "-q", &entrance.git_url(password), there.to_str().unwrap()];
        git(&home.repository(), &clone).await.expect_failure("Authentication failed");
    }
}

#[tokio::test]
async fn the_web_is_reached_by_those_who_say_who_they_are() {
    let vendor = Vendor::with([]).await;
    let entrance = Entrance::open(Upstreams::default(), Path::new("/nowhere")).await;
    let proxy = |token: &str| format!("http://lamplight:{token}@{}", entrance.address);
    for tunnel in [&["--proxytunnel"][..], &[]] {
        let arguments = [tunnel, &["--write-out", "%{http_code}", &vendor.address]].concat();
        let asked = entrance.curl(&proxy(TOKEN), &arguments).await;
        let said = String::from_utf8_lossy(&asked.stdout).into_owned();
        assert!(asked.status.success() && said.ends_with("wrong key401"), "{said}");
        let received = vendor.received().remove(0).headers.join("\n");
        assert!(!received.contains("proxy-authorization"), "{received}");
    }
    let code = ["--output", "/dev/null", "--proxytunnel", "--write-out", "%{http_connect}", &vendor.address];
    for wrong in [proxy("wrong"), format!("http://{}", entrance.address)] {
        let asked = entrance.curl(&wrong, &code).await;
        assert_eq!(String::from_utf8_lossy(&asked.stdout), "407", "{wrong}");
        let plain = ["--output", "/dev/null", "--write-out", "%{http_code}", &vendor.address];
        assert_eq!(entrance.curl(&wrong, &plain).await.stdout, b"407", "{wrong}");
    }
    // Judged as from inside.
    let asked = entrance.curl(&proxy(TOKEN), &["--proxytunnel", "http://127.0.0.2:1/"]).await;
    assert!(String::from_utf8_lossy(&asked.stderr).contains("403"), "{asked:?}");
    assert!(vendor.received().is_empty());
    let contacted = entrance.ledger.contacted.lock().unwrap();
    assert_eq!(
        contacted.iter().map(|contact| contact.host.as_str()).collect::<Vec<_>>(),
        ["127.0.0.1", "127.0.0.2"]
    );
}

#[tokio::test]
async fn when_a_session_ends_what_it_has_open_is_cut_and_its_token_is_nothing() {
    let (pieces, streamed) = streaming();
    let vendor = Vendor::with([streamed, whole()]).await;
    let entrance = Entrance::open(vendor.upstreams(), Path::new("/nowhere")).await;
    let (path, header) = ASKED[0];
    let mut answer = ask(&entrance, path, header, TOKEN).send().await.unwrap();
    pieces.send(Ok(Bytes::from_static(b"data: {}\n\n"))).await.unwrap();
    assert_eq!(answer.chunk().await.unwrap().unwrap(), "data: {}\n\n");
    let mut tunnel = TcpStream::connect(entrance.address).await.unwrap();
    let host = vendor.address.trim_start_matches("http://");
    let head = format!("CONNECT {host} HTTP/1.1\r\nProxy-Authorization: Bearer {TOKEN}\r\n\r\n");
    tunnel.write_all(head.as_bytes()).await.unwrap();
    tunnel.read_exact(&mut [0; 39]).await.unwrap();
    entrance.gone.cancel();
    assert!(answer.chunk().await.is_err());
    assert!(tunnel.read_u8().await.is_err());
    assert_eq!(ask(&entrance, path, header, TOKEN).send().await.unwrap().status(), 401);
    // What was asked is paid for all the same.
    while entrance.ledger.used.lock().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
}
