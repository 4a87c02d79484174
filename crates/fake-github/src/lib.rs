//! Stands for GitHub where there is none: as much of its REST interface as Lamplight uses, and the repositories themselves, which are real
//! ones, served by `git http-backend`. It refuses what GitHub refuses, with GitHub's status and words; what it does not know is 404.
//!
//! Source: docs.github.com, REST API 2022-11-28; the words of refusals as issues of GitHub's own clients quote them.

mod faults;
mod git;
mod pulls;

pub use faults::{Fault, Moment};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use pulls::Pull;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

const LONGEST_BODY: usize = 256 << 20;

/// One that listens, until its last copy is dropped.
#[derive(Debug, Clone)]
pub struct FakeGitHub {
    address: SocketAddr,
    shared: Arc<Shared>,
    _serving: Arc<JoinSet<()>>,
}

#[derive(Debug)]
struct Shared {
    /// `<owner>/<name>.git` below it are the repositories that there are.
    root: PathBuf,
    token: String,
    state: Mutex<Content>,
}

#[derive(Debug, Default)]
struct Content {
    /// By `owner/name`.
    pulls: BTreeMap<String, Vec<Pull>>,
    faults: Vec<Fault>,
    /// `METHOD /path` of all that was asked.
    requests: Vec<String>,
    without_drafts: bool,
}

impl FakeGitHub {
    /// Listens on a free port of loopback.
    pub async fn start(root: &Path, token: &str) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let shared =
            Arc::new(Shared { root: root.to_owned(), token: token.to_owned(), state: Mutex::default() });
        let address = listener.local_addr()?;
        let router = Router::new().fallback(handle).with_state(shared.clone());
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            // It never returns.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { address, shared, _serving: Arc::new(serving) })
    }

    /// Of the REST interface.
    pub fn api(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Of git.
    pub fn git(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What it knows of the pull requests of a repository, oldest first, as it would tell.
    pub fn pulls(&self, repository: &str) -> Vec<Value> {
        self.shared.state().pulls.get(repository).into_iter().flatten().map(Pull::told).collect()
    }

    /// A person's change of a pull request's text.
    pub fn edit(&self, repository: &str, number: u64, change: impl FnOnce(&str) -> String) {
        let mut state = self.shared.state();
        let pulls = state.pulls.get_mut(repository).expect("there is such a repository with a pull request");
        let pull = pulls.iter_mut().find(|pull| pull.number == number).expect("there is such a pull request");
        pull.body = change(&pull.body);
    }

    /// All that was asked, as `METHOD /path`.
    pub fn requests(&self) -> Vec<String> {
        self.shared.state().requests.clone()
    }

    /// What goes wrong next; each fault once.
    pub fn plan(&self, fault: Fault) {
        self.shared.state().faults.push(fault);
    }

    /// As in private repositories of some plans.
    pub fn have_no_drafts(&self) {
        self.shared.state().without_drafts = true;
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, Content> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Of `owner/name`, where there is one.
    fn directory(&self, owner: &str, name: &str) -> Option<PathBuf> {
        let is_plain = |part: &str| !part.is_empty() && !part.starts_with('.') && !part.contains('/');
        let path = self.root.join(owner).join(format!("{name}.git"));
        (is_plain(owner) && is_plain(name) && path.is_dir()).then_some(path)
    }
}

async fn handle(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let path = head.uri.path().to_owned();
    let fault = {
        let mut state = shared.state();
        state.requests.push(format!("{} {path}", head.method));
        let planned = state.faults.iter().position(|fault| fault.is_of(&head.method, &path));
        planned.map(|at| state.faults.remove(at))
    };
    if let Some(answer) = fault.as_ref().and_then(Fault::before) {
        return answer;
    }
    let Ok(body) = axum::body::to_bytes(body, LONGEST_BODY).await else {
        return problem(StatusCode::PAYLOAD_TOO_LARGE, "too large");
    };
    let answer = match path.strip_prefix("/repos/") {
        Some(rest) => rest_answer(&shared, &head.method, &head.headers, rest, head.uri.query(), &body).await,
        None => git::answer(&shared, &head, body).await,
    };
    match fault {
        Some(fault) => fault.after(answer),
        None => answer,
    }
}

async fn rest_answer(
    shared: &Shared,
    method: &Method,
    headers: &HeaderMap,
    path: &str,
    query: Option<&str>,
    body: &Bytes,
) -> Response {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if text(header::USER_AGENT).is_empty() {
        return problem(StatusCode::FORBIDDEN, "Request forbidden by administrative rules.");
    }
    if text(header::AUTHORIZATION) != format!("Bearer {}", shared.token) {
        return problem(StatusCode::UNAUTHORIZED, "Bad credentials");
    }
    let parts: Vec<&str> = path.split('/').collect();
    let (Some(directory), [owner, name, rest @ ..]) =
        (parts.get(..2).and_then(|two| shared.directory(two[0], two[1])), &parts[..])
    else {
        return problem(StatusCode::NOT_FOUND, "Not Found");
    };
    let repository = format!("{owner}/{name}");
    match (method, rest) {
        (&Method::GET, ["pulls"]) => pulls::list(shared, &repository, query),
        (&Method::POST, ["pulls"]) => pulls::open(shared, &repository, &directory, body).await,
        (&Method::PATCH, ["pulls", number]) => pulls::change(shared, &repository, number, body),
        _ => problem(StatusCode::NOT_FOUND, "Not Found"),
    }
}

/// A refusal in GitHub's form.
fn problem(status: StatusCode, message: &str) -> Response {
    let text = json!({ "message": message, "documentation_url": "https://docs.github.com/rest" }).to_string();
    (status, [(header::CONTENT_TYPE, "application/json; charset=utf-8")], Body::from(text)).into_response()
}
