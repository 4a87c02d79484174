//! A server process with everything of its own, and a way to talk to it.

mod place;
pub(crate) mod system;

pub(crate) use crate::socket::Socket;
pub(crate) use place::Place;

use reqwest::{Method, StatusCode, header};
use serde_json::{Value, json};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

/// Longer than anything takes that is not broken, on a machine that has other things to do.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// Keeps away what a server needs for so long, or for `LAMPLIGHT_AWAY_SECONDS` where that is longer.
pub(crate) async fn away(at_least: Duration) {
    let asked = std::env::var("LAMPLIGHT_AWAY_SECONDS").ok().and_then(|seconds| seconds.parse().ok());
    tokio::time::sleep(at_least.max(Duration::from_secs(asked.unwrap_or_default()))).await;
}

pub(crate) const LAMPLIGHT: &str = env!("CARGO_BIN_EXE_lamplight");

/// A running server.
pub(crate) struct Server {
    pub(crate) place: Place,
    process: Process,
    pub(crate) base: String,
    http: reqwest::Client,
    /// What it says after it is ready.
    says: Option<BufReader<ChildStdout>>,
}

enum Process {
    Ours(Child),
    /// Started by a command; its id.
    Found(u32),
}

impl Server {
    pub(crate) fn start() -> Self {
        Self::start_in(Place::new())
    }

    /// Starts a server and waits for its word that it is ready. From then on the place knows its address.
    pub(crate) fn start_in(place: Place) -> Self {
        Self::start_so(place, &["serve"])
    }

    pub(crate) fn start_so(place: Place, words: &[&str]) -> Self {
        match Self::try_start(place, words) {
            Ok(server) => server,
            Err(place) => panic!("{}", std::fs::read_to_string(place.path("server.log")).unwrap()),
        }
    }

    /// One that may not come up; the place as it was, then.
    pub(crate) fn try_start(mut place: Place, words: &[&str]) -> Result<Self, Box<Place>> {
        let log = File::options().create(true).append(true).open(place.path("server.log")).unwrap();
        let mut child = place.command(words).stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut line = String::new();
        let mut says = BufReader::new(child.stdout.take().unwrap());
        says.read_line(&mut line).unwrap();
        let Some((_, base)) = line.trim().rsplit_once(' ') else {
            child.wait().unwrap();
            return Err(Box::new(place));
        };
        place.listen = base.trim_start_matches("http://").to_owned();
        Ok(Self::of(place, Process::Ours(child), Some(says)))
    }

    /// The server that a command started in the background of this place.
    pub(crate) fn found(place: Place) -> Self {
        let data = place.path("data").into_os_string().into_encoded_bytes();
        let is_it = |command: &[u8]| {
            let mut words = command.split(|byte| *byte == 0);
            words.clone().any(|word| word == b"serve") && words.any(|word| word == data)
        };
        let processes = std::fs::read_dir("/proc")
            .unwrap()
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        let mut servers = processes
            .filter(|pid: &u32| is_it(&std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default()));
        let pid = servers.next().expect("a server runs");
        Self::of(place, Process::Found(pid), None)
    }

    fn of(place: Place, process: Process, says: Option<BufReader<ChildStdout>>) -> Self {
        lamplight_engine::install_tls_provider();
        let http =
            reqwest::Client::builder().no_proxy().tls_certs_only([]).timeout(PATIENCE).build().unwrap();
        Self { base: format!("http://{}", place.listen), place, process, http, says }
    }

    /// The next line that it says.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.says.as_mut().expect("it is our child").read_line(&mut line).unwrap();
        line.trim().to_owned()
    }

    pub(crate) fn authority(&self) -> &str {
        &self.place.listen
    }

    pub(crate) fn pid(&self) -> u32 {
        match &self.process {
            Process::Ours(child) => child.id(),
            Process::Found(pid) => *pid,
        }
    }

    pub(crate) fn signal(&self, name: &str) {
        let pid = self.pid().to_string();
        assert!(Command::new("kill").args([format!("-{name}"), pid]).status().unwrap().success());
    }

    /// Waits for the end of the process; the exit code, and what is left.
    pub(crate) fn ended(mut self) -> (Option<i32>, Place) {
        let Process::Ours(child) = &mut self.process else { panic!("not our child") };
        let code = child.wait().unwrap().code();
        let place = std::mem::replace(
            &mut self.place,
            Place {
                dir: tempfile::tempdir().unwrap(),
                listen: String::new(),
                environment: Vec::new(),
                cluster: None,
                beside: None,
            },
        );
        (code, place)
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.http.request(method, format!("{}{path}", self.base))
    }

    pub(crate) async fn get(&self, path: &str) -> (StatusCode, Value) {
        answer(self.request(Method::GET, &format!("/api/v1{path}"))).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> (StatusCode, Value) {
        answer(self.request(Method::POST, &format!("/api/v1{path}")).json(&body)).await
    }

    pub(crate) async fn put(&self, path: &str, body: Value) -> (StatusCode, Value) {
        answer(self.request(Method::PUT, &format!("/api/v1{path}")).json(&body)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> (StatusCode, Value) {
        answer(self.request(Method::DELETE, &format!("/api/v1{path}"))).await
    }

    /// A session with this prompt; its id.
    pub(crate) async fn create(&self, prompt: &str) -> String {
        let (status, view) =
            self.post("/sessions", json!({"repository": self.place.repository(), "prompt": prompt})).await;
        assert_eq!(status, StatusCode::CREATED, "{view}");
        view["id"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn view(&self, id: &str) -> Value {
        let (status, view) = self.get(&format!("/sessions/{id}")).await;
        assert_eq!(status, StatusCode::OK, "{view}");
        view
    }

    pub(crate) async fn socket(&self, path: &str) -> Socket {
        let url = format!("ws://{}/api/v1{path}", self.authority());
        let (socket, _) = connect_async(url).await.unwrap();
        Socket(socket)
    }

    /// The status with which a WebSocket from that origin is answered.
    pub(crate) async fn handshake(&self, path: &str, origin: &str) -> u16 {
        let mut request = format!("ws://{}/api/v1{path}", self.authority()).into_client_request().unwrap();
        request.headers_mut().insert(header::ORIGIN, origin.parse().unwrap());
        match connect_async(request).await {
            Ok((_, answer)) => answer.status().as_u16(),
            Err(tokio_tungstenite::tungstenite::Error::Http(answer)) => answer.status().as_u16(),
            Err(other) => panic!("{other}"),
        }
    }

    /// Follows the log from its beginning to the n-th event of this type; all entries up to there. Fails where it does not come in
    /// time, whatever else does.
    pub(crate) async fn until(&self, id: &str, kind: &str, times: usize) -> Vec<Value> {
        let (mut entries, mut seen) = (Vec::new(), 0);
        let follow = async {
            let mut socket = self.socket(&format!("/sessions/{id}/events?resume=0")).await;
            while seen < times {
                let entry = socket.entry().await;
                seen += usize::from(entry["event"]["type"] == kind);
                entries.push(entry);
            }
        };
        if tokio::time::timeout(PATIENCE, follow).await.is_err() {
            let log: String =
                entries.iter().map(|entry| format!("{}: {}\n", entry["seq"], entry["event"])).collect();
            panic!(
                "session {id} has {seen} of {times} times {kind:?} after {PATIENCE:?}; its log so far:\n{log}"
            );
        }
        entries
    }

    /// Ends a session, stopping what it is at.
    pub(crate) async fn finish(&self, id: &str) {
        loop {
            let (status, problem) = self.post(&format!("/sessions/{id}/end"), Value::Null).await;
            if status == StatusCode::OK {
                return;
            }
            assert_eq!(problem["code"], "turn_running", "{problem}");
            // It may have ended by itself in between.
            self.post(&format!("/sessions/{id}/stop"), Value::Null).await;
            let turn = self.view(id).await["turn"].as_u64().unwrap();
            self.until(id, "turn_ended", usize::try_from(turn).unwrap()).await;
        }
    }

    /// Ends every session and waits until nothing of their sandboxes is left.
    pub(crate) async fn clear(&self) {
        let (_, list) = self.get("/sessions?limit=200").await;
        for session in list["items"].as_array().unwrap() {
            let id = session["id"].as_str().unwrap();
            if session["ended"] == false {
                self.finish(id).await;
            }
            let entries = self.until(id, "session_ended", 1).await;
            let count = |kind: &str| entries.iter().filter(|entry| entry["event"]["type"] == kind).count();
            if count("sandbox_created") > 0 {
                self.until(id, "sandbox_destroyed", count("sandbox_released") + 1).await;
            }
        }
    }
}

impl Drop for Server {
    /// Also ends what a test left in its sandboxes: processes, which are those of each sandbox's first, and cgroups.
    fn drop(&mut self) {
        match &mut self.process {
            Process::Ours(child) => drop(child.kill().and_then(|()| child.wait())),
            Process::Found(_) => self.signal("KILL"),
        }
        if std::thread::panicking() {
            let log = std::fs::read_to_string(self.place.path("server.log")).unwrap_or_default();
            eprintln!("the server's log:\n{log}");
        }
        for record in sandbox_records(&self.place.path("data/sandboxes")) {
            let record = serde_json::from_slice::<Value>(&std::fs::read(record).unwrap_or_default());
            let Ok(record) = record else { continue };
            if let Some(pid) = find_pid(&record) {
                Command::new("kill").args(["-KILL", &pid.to_string()]).stderr(Stdio::null()).status().ok();
            }
            let legacy = record["legacy_cgroups"].as_array().into_iter().flatten();
            for cgroup in legacy.chain([&record["cgroup"]]).filter_map(Value::as_str) {
                remove_cgroup(Path::new(cgroup));
            }
        }
    }
}

/// When its processes are gone, for which it waits. Nobody else comes by to remove it: the records go with the test.
fn remove_cgroup(cgroup: &Path) {
    for _ in 0..200 {
        match std::fs::remove_dir(cgroup) {
            Err(error) if error.kind() == std::io::ErrorKind::ResourceBusy => {
                std::thread::sleep(Duration::from_millis(5));
            }
            _ => return,
        }
    }
}

pub(crate) fn sandbox_records(sandboxes: &Path) -> Vec<PathBuf> {
    let list = |path: &Path| -> Vec<PathBuf> {
        std::fs::read_dir(path).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path())).collect()
    };
    let generations = list(sandboxes).iter().flat_map(|session| list(session)).collect::<Vec<_>>();
    generations
        .into_iter()
        .map(|generation| generation.join("sandbox.json"))
        .filter(|path| path.exists())
        .collect()
}

pub(crate) fn find_pid(record: &Value) -> Option<u64> {
    record.as_object()?.iter().find_map(|(key, value)| match value {
        Value::Number(number) if key == "pid" => number.as_u64(),
        other => find_pid(other),
    })
}

pub(crate) async fn answer(request: reqwest::RequestBuilder) -> (StatusCode, Value) {
    let answer = request.send().await.unwrap();
    let status = answer.status();
    let bytes = answer.bytes().await.unwrap();
    (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
}

/// The agent that does what its prompt says, built beside this program.
pub(crate) fn scripted_agent() -> PathBuf {
    let profile_dir = Path::new(LAMPLIGHT).parent().unwrap();
    let program = profile_dir.join("scripted-agent");
    if !program.exists() {
        let built = Command::new(env!("CARGO"))
            .args([
                "build",
                "--quiet",
                "--package",
                "lamplight-agent",
                "--bin",
                "scripted-agent",
                "--target-dir",
            ])
            .arg(profile_dir.parent().unwrap())
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .status()
            .unwrap();
        assert!(built.success(), "the scripted agent does not build");
    }
    program
}
