//! Stands for GitHub where there is none: as much of its REST interface as Lamplight uses, and the repositories themselves, which are real
//! ones, served by `git http-backend`. It refuses what GitHub refuses, with GitHub's status and words; what it does not know is 404.
//!
//! Source: docs.github.com, REST API 2022-11-28; the words of refusals as issues of GitHub's own clients quote them.

mod apps;
mod content;
mod conversation;
mod doors;
mod faults;
mod git;
mod hooks;
mod judge;
mod large_files;
mod people;
mod pulls;
mod rest;
mod reviews;
mod sign_in;

pub use apps::App;
pub use content::Permission;
pub use faults::{Fault, Moment};
pub use hooks::{Delivery, Hook, signature};
pub use judge::{Judge, Judged};

use apps::Minted;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use content::Content;
use doors::{Addresses, Door};
use serde_json::{Value, json};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// Any free port of loopback.
const FREE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
const LONGEST_BODY: usize = 256 << 20;

/// One that listens, until its last copy is dropped.
#[derive(Debug, Clone)]
pub struct FakeGitHub {
    addresses: Addresses,
    pub(crate) shared: Arc<Shared>,
    _serving: Arc<JoinSet<()>>,
}

#[derive(Debug)]
pub(crate) struct Shared {
    /// `<owner>/<name>.git` below it are the repositories that there are.
    root: PathBuf,
    token: String,
    state: Mutex<Content>,
}

impl FakeGitHub {
    /// Listens on a free port of loopback.
    pub async fn start(root: &Path, token: &str) -> io::Result<Self> {
        Self::start_at(root, token, FREE).await
    }

    /// The same at this address, for where it has to be known before.
    pub async fn start_at(root: &Path, token: &str, address: SocketAddr) -> io::Result<Self> {
        let (mut serving, shared) = (JoinSet::new(), shared(root, token));
        let one = listen(&mut serving, &shared, Door::All, address).await?;
        let addresses = Addresses { rest: one, graphql: one, web: one, git: one, is_apart: false };
        Ok(Self { addresses, shared, _serving: Arc::new(serving) })
    }

    /// Likewise, as an Enterprise Server whose parts are at four addresses.
    pub async fn start_apart(root: &Path, token: &str) -> io::Result<Self> {
        let (mut serving, shared) = (JoinSet::new(), shared(root, token));
        let addresses = Addresses {
            rest: listen(&mut serving, &shared, Door::Rest, FREE).await?,
            graphql: listen(&mut serving, &shared, Door::GraphQl, FREE).await?,
            web: listen(&mut serving, &shared, Door::Web, FREE).await?,
            git: listen(&mut serving, &shared, Door::Git, FREE).await?,
            is_apart: true,
        };
        Ok(Self { addresses, shared, _serving: Arc::new(serving) })
    }

    /// Of the REST interface.
    pub fn api(&self) -> String {
        let below = if self.addresses.is_apart { "/api/v3" } else { "" };
        format!("http://{}{below}", self.addresses.rest)
    }

    /// Of the GraphQL interface.
    pub fn graphql(&self) -> String {
        let above = if self.addresses.is_apart { "/api" } else { "" };
        format!("http://{}{above}/graphql", self.addresses.graphql)
    }

    /// Of its pages.
    pub fn web(&self) -> String {
        format!("http://{}", self.addresses.web)
    }

    /// Of git.
    pub fn git(&self) -> String {
        format!("http://{}", self.addresses.git)
    }

    /// All of them, as the lines of `[github]` that say where it is.
    pub fn lines(&self) -> String {
        let all =
            [("api", self.api()), ("graphql", self.graphql()), ("web", self.web()), ("git", self.git())];
        all.map(|(name, address)| format!("{name} = {address:?}\n")).concat()
    }

    /// What it knows of the pull requests of a repository, oldest first, as it would tell.
    pub fn pulls(&self, repository: &str) -> Vec<Value> {
        self.shared.state().pulls.get(repository).into_iter().flatten().map(pulls::Pull::told).collect()
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

    /// What GraphQL was asked, as `query` and `variables`.
    pub fn graphql_asked(&self) -> Vec<Value> {
        self.shared.state().graphql.clone()
    }

    /// The tokens that were given out, as `repository: permissions`.
    pub fn minted(&self) -> Vec<String> {
        self.shared.state().minted.iter().map(Minted::told).collect()
    }

    /// From now on no token that was given out is good any more.
    pub fn revoke_tokens(&self) {
        self.shared.state().minted.iter_mut().for_each(|minted| minted.until_s = 0);
    }

    /// What goes wrong next; each fault once.
    pub fn plan(&self, fault: Fault) {
        self.shared.state().faults.push(fault);
    }

    /// As in private repositories of some plans.
    pub fn have_no_drafts(&self) {
        self.shared.state().without_drafts = true;
    }

    /// Whoever asks for the pull requests of a branch is told of all.
    pub fn heed_no_filter(&self) {
        self.shared.state().without_filters = true;
    }

    /// An App that is installed on all repositories; the token of a person stays good.
    pub fn register(&self, app: App) {
        self.shared.state().app = Some(app);
    }
}

impl Shared {
    pub(crate) fn state(&self) -> MutexGuard<'_, Content> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Of `owner/name`, where there is one.
    pub(crate) fn directory(&self, owner: &str, name: &str) -> Option<PathBuf> {
        let is_plain = |part: &str| !part.is_empty() && !part.starts_with('.') && !part.contains('/');
        let path = self.root.join(owner).join(format!("{name}.git"));
        (is_plain(owner) && is_plain(name) && path.is_dir()).then_some(path)
    }
}

/// Seconds since 1970: it stands for another machine, with a clock of its own.
#[expect(clippy::disallowed_methods, reason = "this is another machine's clock")]
pub(crate) fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

fn shared(root: &Path, token: &str) -> Arc<Shared> {
    Arc::new(Shared { root: root.to_owned(), token: token.to_owned(), state: Mutex::default() })
}

async fn listen(
    serving: &mut JoinSet<()>,
    shared: &Arc<Shared>,
    door: Door,
    address: SocketAddr,
) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    let router = Router::new().fallback(handle).with_state((shared.clone(), door));
    serving.spawn(async move {
        // It never returns.
        let _ = axum::serve(listener, router).await;
    });
    Ok(address)
}

async fn handle(State((shared, door)): State<(Arc<Shared>, Door)>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let Some(path) = door.path(head.uri.path()) else {
        shared.state().requests.push(format!("{} {} at {door:?}", head.method, head.uri.path()));
        return problem(StatusCode::NOT_FOUND, "Not Found");
    };
    let fault = {
        let mut state = shared.state();
        state.requests.push(format!("{} {path}", head.method));
        let planned = state.faults.iter().position(|fault| fault.is_of(&head.method, &path));
        planned.map(|at| state.faults.remove(at))
    };
    if let Some(answer) = fault.as_ref().and_then(Fault::before) {
        return answer;
    }
    if fault.as_ref().is_some_and(Fault::hangs) {
        std::future::pending::<()>().await;
    }
    let Ok(body) = axum::body::to_bytes(body, LONGEST_BODY).await else {
        return problem(StatusCode::PAYLOAD_TOO_LARGE, "too large");
    };
    let answer = doors::answer(&shared, head, path, body).await;
    if fault.as_ref().is_some_and(Fault::hangs_then) {
        std::future::pending::<()>().await;
    }
    match fault {
        Some(fault) => fault.after(answer),
        None => answer,
    }
}

/// A refusal in GitHub's form.
pub(crate) fn problem(status: StatusCode, message: &str) -> Response {
    let text = json!({ "message": message, "documentation_url": "https://docs.github.com/rest" }).to_string();
    (status, [(header::CONTENT_TYPE, "application/json; charset=utf-8")], Body::from(text)).into_response()
}

/// What was sent is no such thing.
pub(crate) fn invalid(resource: &str, field: &str, code: &str) -> Response {
    let error = json!({ "resource": resource, "field": field, "code": code });
    let all = json!({ "message": "Validation Failed", "errors": [error] });
    (StatusCode::UNPROCESSABLE_ENTITY, axum::Json(all)).into_response()
}
