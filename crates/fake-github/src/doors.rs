//! Where it is reached: all at one address as it is easiest to use, or as an Enterprise Server of some companies, with REST, GraphQL, pages and
//! git on hosts of their own, of which none answers for another.

use crate::{Shared, git, large_files, problem, rest, sign_in};
use axum::body::Bytes;
use axum::http::request::Parts;
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use std::net::SocketAddr;

/// What is behind one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Door {
    All,
    Rest,
    GraphQl,
    Web,
    Git,
}

/// Each its own, or all the same.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Addresses {
    pub(crate) rest: SocketAddr,
    pub(crate) graphql: SocketAddr,
    pub(crate) web: SocketAddr,
    pub(crate) git: SocketAddr,
    pub(crate) is_apart: bool,
}

const REST: [&str; 7] = ["/repos/", "/app", "/graphql", "/user", "/settings/", "/meta", "/rate_limit"];

impl Door {
    /// The path behind what an Enterprise Server's addresses begin with; `None` is behind another door.
    pub(crate) fn path(self, path: &str) -> Option<String> {
        let is_page = path.starts_with("/login/") || path.starts_with("/settings/");
        let is_rest = |path: &str| REST.iter().any(|start| path.starts_with(start));
        let found = match self {
            Self::All => Some(path),
            Self::Rest => path.strip_prefix("/api/v3").filter(|path| is_rest(path) && *path != "/graphql"),
            Self::GraphQl => path.strip_prefix("/api").filter(|path| *path == "/graphql"),
            Self::Web => is_page.then_some(path),
            Self::Git => {
                let is_git = path.contains(".git/") && !is_page && !path.starts_with("/api/");
                (is_git || large_files::is_of_storage(path)).then_some(path)
            }
        };
        found.map(str::to_owned)
    }
}

pub(crate) async fn answer(shared: &Shared, mut head: Parts, path: String, body: Bytes) -> Response {
    let query = head.uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    match format!("{path}{query}").parse::<Uri>() {
        Ok(uri) => head.uri = uri,
        Err(_) => return problem(StatusCode::BAD_REQUEST, "Bad Request"),
    }
    if let Some(answer) = large_files::answer(shared, &head, &body) {
        return answer;
    }
    match () {
        () if REST.iter().any(|start| path.starts_with(start)) => rest::answer(shared, &head, &body).await,
        () if path.starts_with("/login/") => sign_in::answer(shared, &head, &body),
        () => git::answer(shared, &head, body).await,
    }
}
