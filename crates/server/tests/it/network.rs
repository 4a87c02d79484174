//! What an agent's programs reach of the outside: unmodified curl, python and git in real sandboxes, and an engine in this process, so
//! that names lead where the test says.

use crate::support::{LAMPLIGHT, PATIENCE, Place};
use async_trait::async_trait;
use lamplight_domain::event::{Contact, Event};
use lamplight_domain::{Entry, Network, Seq, SessionId};
use lamplight_engine::{Engine, NewSession, Outside, Resolver, Unresolved};
use lamplight_server::config::{Config, Flags};
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// Every name below `test` is this machine.
struct Here;

#[async_trait]
impl Resolver for Here {
    async fn resolve(&self, name: &str) -> Result<Vec<IpAddr>, Unresolved> {
        if name.ends_with(".test") {
            Ok(vec![Ipv4Addr::LOCALHOST.into()])
        } else {
            Err(Unresolved::NoSuchName)
        }
    }
}

/// A web server on this machine's loopback, which no sandbox may reach but by a name that is allowed.
struct Web {
    port: u16,
    /// Requests that came for a host that is not allowed, or for none.
    stray: Arc<AtomicUsize>,
    _serving: JoinSet<()>,
}

impl Web {
    async fn open(files: PathBuf) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let stray = Arc::new(AtomicUsize::new(0));
        let count = stray.clone();
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((connection, _)) = listener.accept().await {
                let (files, count) = (files.clone(), count.clone());
                connections.spawn(async move {
                    let _client_left = respond(connection, &files, port, &count).await;
                });
            }
        });
        Self { port, stray, _serving: serving }
    }
}

async fn respond(
    mut connection: tokio::net::TcpStream,
    files: &Path,
    port: u16,
    stray: &AtomicUsize,
) -> std::io::Result<()> {
    let mut lines = BufReader::new(&mut connection).lines();
    let request = lines.next_line().await?.unwrap_or_default();
    let mut host = String::new();
    while let Some(line) = lines.next_line().await?.filter(|line| !line.is_empty()) {
        if let Some((_, value)) = line.split_once(':').filter(|(name, _)| name.eq_ignore_ascii_case("host")) {
            host = value.trim().to_owned();
        }
    }
    stray.fetch_add(
        usize::from(!host.starts_with("service.test:") && !host.starts_with("198.")),
        Ordering::SeqCst,
    );
    let path = request.split(' ').nth(1).unwrap_or_default().split('?').next().unwrap_or_default();
    let (status, more, body) = match (path, std::fs::read(files.join(path.trim_start_matches('/')))) {
        ("/away", _) => ("302 Found", format!("Location: http://private.test:{port}/hello\r\n"), Vec::new()),
        (_, Ok(body)) => ("200 OK", String::new(), body),
        (_, Err(_)) => ("404 Not Found", String::new(), Vec::new()),
    };
    let head =
        format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n{more}\r\n", body.len());
    connection.write_all(head.as_bytes()).await?;
    connection.write_all(&body).await
}

async fn start(place: &Place, network: Network) -> Engine {
    let flags = Flags { config: Some(place.path("lamplight.toml")), ..Flags::default() };
    let home = ("HOME".to_owned(), place.path("home").display().to_string());
    let mut config = Config::load(&flags, &[home].into()).unwrap().engine();
    config.sandbox.launcher = Some(LAMPLIGHT.into());
    config.network = network;
    config.outside = Outside {
        allow_private: vec!["service.test".parse().unwrap()],
        resolver: Arc::new(Here),
        ..Outside::default()
    };
    Engine::open(config).await.unwrap()
}

async fn create(engine: &Engine, place: &Place, prompt: String, network: Option<Network>) -> SessionId {
    let new = NewSession {
        repository: place.repository().display().to_string(),
        prompt,
        attachments: Vec::new(),
        title: None,
        base: None,
        branch: None,
        agent: None,
        model: None,
        permissions: None,
        limits: Default::default(),
        network,
        image: None,
        sandbox: Default::default(),
        person: None,
        role: lamplight_domain::Role::Owner,
        fork: None,
        parent: None,
    };
    engine.create(new).await.unwrap().id
}

/// Follows the log to the end of the n-th turn.
async fn until_committed(engine: &Engine, id: &SessionId, turns: usize) -> Vec<Event> {
    let mut follower = engine.follow(id, Seq(0)).await.unwrap();
    let mut events = Vec::new();
    let committed =
        |event: &&Event| matches!(event, Event::WorkCommitted { .. } | Event::WorkNotCommitted { .. });
    while events.iter().filter(committed).count() < turns {
        let batch = tokio::time::timeout(PATIENCE, follower.next()).await.expect("the turn ends").unwrap();
        events.extend(
            batch.into_iter().map(|(_, entry)| serde_json::from_slice::<Entry>(&entry).unwrap().event),
        );
    }
    events
}

/// Ends the session, and waits until its sandbox is gone.
async fn end(engine: &Engine, id: &SessionId) {
    engine.end(id, "Ada").await.unwrap();
    let mut follower = engine.follow(id, Seq(0)).await.unwrap();
    loop {
        let batch = tokio::time::timeout(PATIENCE, follower.next()).await.expect("the sandbox goes").unwrap();
        if batch.iter().any(|(_, entry)| entry.windows(17).any(|part| part == b"sandbox_destroyed")) {
            return;
        }
    }
}

/// A repository that can be cloned over plain files, and a file.
fn files(place: &Place) -> PathBuf {
    let files = place.path("files");
    std::fs::create_dir(&files).unwrap();
    std::fs::write(files.join("hello"), "hello from outside\n").unwrap();
    let bare = files.join("other.git");
    let repository = place.repository();
    for arguments in [
        vec!["clone", "-q", "--bare", repository.to_str().unwrap(), bare.to_str().unwrap()],
        vec!["-C", bare.to_str().unwrap(), "update-server-info"],
    ] {
        assert!(Command::new("git").args(arguments).status().unwrap().success());
    }
    files
}

/// What a command in the sandbox left in a file of the branch.
fn left(place: &Place, view: &lamplight_domain::session::SessionView, file: &str) -> String {
    place.git(&["show", &format!("{}:{file}", view.branch)])
}

fn answers(contacts: &[Contact]) -> Vec<(&str, bool)> {
    contacts.iter().map(|contact| (contact.host.as_str(), contact.refused.is_none())).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unmodified_programs_reach_what_the_policy_allows_and_go_on_after_a_restart() {
    let place = Place::new();
    let web = Web::open(files(&place)).await;
    let port = web.port;
    let engine = start(&place, Network::Open).await;
    let prompt = format!(
        "!run curl -sS http://service.test:{port}/hello > curl.txt\n\
         !run python3 -c 'import urllib.request as r; print(r.urlopen(\"http://service.test:{port}/hello\").read())' > python.txt\n\
         !run git clone -q http://service.test:{port}/other.git /tmp/other && cp /tmp/other/readme.txt git.txt\n\
         !run curl -sS -x http://127.0.0.1:7412 http://service.test:{port}/hello > proxy.txt; curl -sSp -x socks5h://127.0.0.1:7412 http://service.test:{port}/hello >> proxy.txt\n\
         !run getent ahostsv4 service.test | cut -d ' ' -f 1 | sort -u > address.txt\n\
         !run for u in private.test:{port} 127.0.0.1:{port} 10.0.0.1 169.254.169.254 192.168.1.1:{port} no-such-name.example 0x7f.1:{port}; do curl -sS -m 20 http://$u/hello; echo $?; done > refused.txt 2>&1\n\
         !run curl -sS -m 20 -L http://service.test:{port}/away > away.txt 2>&1; echo $? >> away.txt\n\
         !run python3 -c 'import socket; [socket.create_server((\"\", p)) for p in (53, 80, 443, 8080)]' > ports.txt 2>&1; echo $? >> ports.txt",
    );
    let id = create(&engine, &place, prompt, None).await;
    until_committed(&engine, &id, 1).await;
    let view = engine.view(&id).await.unwrap();
    assert_eq!(left(&place, &view, "curl.txt"), "hello from outside");
    assert_eq!(left(&place, &view, "python.txt"), "b'hello from outside\\n'");
    assert_eq!(left(&place, &view, "git.txt"), "hello");
    assert_eq!(left(&place, &view, "proxy.txt"), "hello from outside\nhello from outside");
    assert_eq!(left(&place, &view, "ports.txt"), "0");
    let refused = left(&place, &view, "refused.txt");
    assert_eq!(refused.matches("curl: ").count(), 7, "{refused}");
    let away = left(&place, &view, "away.txt");
    assert!(away.contains("private.test") && !away.ends_with("\n0"), "{away}");
    assert_eq!(view.network, Network::Open);
    assert_eq!(
        answers(&view.contacts),
        [
            ("service.test", true),
            ("private.test", false),
            ("10.0.0.1", false),
            ("169.254.169.254", false),
            ("192.168.1.1", false),
        ]
    );

    // The sandbox lives on without us. A name that it remembers is still that name.
    engine.shutdown().await;
    drop(engine);
    let engine = start(&place, Network::Open).await;
    let address = left(&place, &view, "address.txt");
    assert_eq!(view.contacts[0].known_as.unwrap().to_string(), address);
    let again = format!(
        "!run curl -sS http://{address}:{port}/hello > remembered.txt\n!run curl -sS http://service.test:{port}/hello > again.txt"
    );
    engine.prompt(&id, again, Vec::new(), "Ada", None).await.unwrap();
    let events = until_committed(&engine, &id, 2).await;
    let view = engine.view(&id).await.unwrap();
    for file in ["remembered.txt", "again.txt"] {
        assert_eq!(left(&place, &view, file), "hello from outside");
    }
    let created = events.iter().filter(|event| matches!(event, Event::SandboxCreated { .. })).count();
    let contacted = events.iter().filter(|event| matches!(event, Event::HostContacted { .. })).count();
    assert_eq!((created, contacted), (1, view.contacts.len()), "the same sandbox, and nothing told twice");
    assert_eq!(web.stray.load(Ordering::SeqCst), 0);
    end(&engine, &id).await;
    engine.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_or_nothing_is_all_that_a_session_reaches() {
    let place = Place::new();
    let web = Web::open(files(&place)).await;
    let port = web.port;
    let engine = start(&place, Network::None).await;
    let prompt = format!(
        "!run for u in service.test:{port} other.test:{port} 1.1.1.1; do curl -sS -m 20 http://$u/hello; echo; done > all.txt 2>&1\n\
         !run curl -sS -m 20 -x http://127.0.0.1:7412 http://service.test:{port}/hello > proxy.txt 2>&1"
    );
    let list =
        Network::Allowlist { hosts: vec!["service.test".parse().unwrap(), "*.example.org".parse().unwrap()] };
    let listed = create(&engine, &place, prompt.clone(), Some(list.clone())).await;
    let none = create(&engine, &place, prompt, None).await;
    for id in [&listed, &none] {
        until_committed(&engine, id, 1).await;
    }
    let view = engine.view(&listed).await.unwrap();
    let all = left(&place, &view, "all.txt");
    assert!(all.starts_with("hello from outside\n") && all.matches("curl: ").count() == 2, "{all}");
    assert_eq!(view.network, list);
    assert_eq!(answers(&view.contacts), [("service.test", true), ("other.test", false), ("1.1.1.1", false)]);

    // Without any network the work was still pushed: the branch is here.
    let view = engine.view(&none).await.unwrap();
    let all = left(&place, &view, "all.txt");
    assert_eq!(all.matches("curl: ").count(), 3, "{all}");
    assert!(left(&place, &view, "proxy.txt").starts_with("curl: "));
    assert_eq!((view.network, view.contacts.to_vec()), (Network::None, Vec::new()));
    for id in [&listed, &none] {
        end(&engine, id).await;
    }
    engine.shutdown().await;
}
