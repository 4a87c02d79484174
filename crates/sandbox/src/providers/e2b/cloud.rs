//! The control plane of the cloud: sandboxes and snapshots, made, found and ended. Each call asks once.

use super::config::{E2bConfig, Key};
use super::envd::Door;
use super::error::{no_key, of_status, of_transport, said, strange, too_late};
use crate::error::{ErrorKind, SandboxError};
use bytes::Bytes;
use lamplight_e2b::ENVD_PORT;
use lamplight_e2b::control::{Metric, NewSandbox, NewSnapshot, Sandbox, SandboxState, Seen, Snapshot, Terms};
use reqwest::header::HeaderMap;
use reqwest::redirect::Policy;
use reqwest::{Client, Method, StatusCode, Url};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::time::Duration;

const CONNECT: Duration = Duration::from_secs(15);

/// From asking to the whole answer.
const CALL: Duration = Duration::from_secs(30);
/// Where a machine starts, stands still or goes on before it is answered.
const MACHINE: Duration = Duration::from_secs(120);
/// Where files are kept before it is answered.
const FILES: Duration = Duration::from_secs(300);

/// Of a list of sandboxes; with a hundred each, more than any account may have.
const MAX_PAGES: usize = 100;
const PAGE: &str = "100";

/// What tells the next page of a list.
const NEXT: &str = "x-next-token";

pub(super) struct Cloud {
    http: Client,
    api: Url,
    /// One address for all sandboxes, where there is one.
    sandboxes: Option<Url>,
    domain: String,
    key: Key,
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Cloud {
    pub(super) fn new(config: &E2bConfig) -> Result<Self, SandboxError> {
        let invalid = |what: String, why: String| {
            SandboxError::new(ErrorKind::Unsupported, format!("[e2b_provider] {what}: {why}"))
        };
        let url = |name: &str, text: &str| {
            Url::parse(text).map_err(|error| invalid(format!("{name} {text:?}"), error.to_string()))
        };
        let api = config.api_url.clone().unwrap_or_else(|| format!("https://api.{}", config.domain));
        // Whoever answers sends nobody elsewhere: the key and the tokens are for the addresses that are configured, and what is behind this
        // machine is not for those inside a sandbox.
        let http = Client::builder().connect_timeout(CONNECT).redirect(Policy::none()).build();
        Ok(Self {
            http: http.map_err(|error| invalid("HTTP".to_owned(), error.to_string()))?,
            api: url("api_url", &api)?,
            sandboxes: config.sandbox_url.as_deref().map(|text| url("sandbox_url", text)).transpose()?,
            domain: config.domain.clone(),
            key: config.key.clone(),
        })
    }

    /// Makes one. What it is to be made from not being there is for a person to change.
    pub(super) async fn create(&self, new: &NewSandbox) -> Result<Sandbox, SandboxError> {
        let what = "make a sandbox";
        let answer = self.ask(what, Method::POST, &["v2", "sandboxes"], MACHINE, json(new)).await?;
        if answer.status == StatusCode::NOT_FOUND {
            let why = said(&answer.body);
            let message = format!("{what}: the cloud has no template {}: {why}", new.template_id);
            return Err(SandboxError::new(ErrorKind::Unsupported, message));
        }
        answer.whole(what)
    }

    /// What is known of one; gone is one that is not there any more.
    pub(super) async fn see(&self, id: &str) -> Result<Seen, SandboxError> {
        let what = format!("look at sandbox {id}");
        self.ask(&what, Method::GET, &["sandboxes", id], CALL, Value::Null).await?.whole(&what)
    }

    /// All that have these metadata, running or paused. Names and values are letters, digits, `_` and `-`.
    pub(super) async fn list(&self, metadata: &[(&str, &str)]) -> Result<Vec<Seen>, SandboxError> {
        let what = "list the sandboxes";
        let pairs: Vec<_> = metadata.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let (mut all, mut next) = (Vec::new(), None);
        for _ in 0..MAX_PAGES {
            let mut url = self.url(&["v2", "sandboxes"]);
            url.query_pairs_mut()
                .append_pair("metadata", &pairs.join("&"))
                .append_pair("state", "running,paused")
                .append_pair("limit", PAGE)
                .extend_pairs(next.iter().map(|token: &String| ("nextToken", token)));
            let answer = self.send(what, Method::GET, url, CALL, Value::Null).await?;
            next = answer.headers.get(NEXT).and_then(|token| token.to_str().ok()).map(str::to_owned);
            all.extend(answer.whole::<Vec<Seen>>(what)?);
            if next.as_ref().is_none_or(String::is_empty) {
                return Ok(all);
            }
        }
        Err(strange(what, format!("it has more than {MAX_PAGES} pages")))
    }

    /// Ends one, paused or not, with its files; of one that is gone is fine.
    pub(super) async fn kill(&self, id: &str) -> Result<(), SandboxError> {
        let what = format!("end sandbox {id}");
        let answer = self.ask(&what, Method::DELETE, &["sandboxes", id], MACHINE, Value::Null).await?;
        if answer.status == StatusCode::NOT_FOUND {
            return Ok(());
        }
        answer.done(&what)
    }

    /// With its memory; again is fine.
    pub(super) async fn pause(&self, id: &str) -> Result<(), SandboxError> {
        let what = format!("pause sandbox {id}");
        let answer = self
            .ask(&what, Method::POST, &["sandboxes", id, "pause"], MACHINE, json(&Terms::default()))
            .await?;
        // It may be because it is paused already, in whatever words this cloud has for it.
        if answer.status == StatusCode::CONFLICT && self.see(id).await?.state == SandboxState::Paused {
            return Ok(());
        }
        answer.done(&what)
    }

    /// Goes on with one, for so long; of one that runs is fine.
    pub(super) async fn resume(&self, id: &str, time: Duration) -> Result<Sandbox, SandboxError> {
        let what = format!("resume sandbox {id}");
        let path = ["v2", "sandboxes", id, "connect"];
        self.ask(&what, Method::POST, &path, MACHINE, json(&terms(time))).await?.whole(&what)
    }

    /// Lets one that runs run for so long from now on.
    pub(super) async fn run_for(&self, id: &str, time: Duration) -> Result<(), SandboxError> {
        let what = format!("let sandbox {id} run longer");
        let path = ["sandboxes", id, "timeout"];
        self.ask(&what, Method::POST, &path, CALL, json(&terms(time))).await?.done(&what)
    }

    /// Keeps the files of one that runs; what runs in it goes on. Returns what a new one is made from to have them.
    pub(super) async fn snapshot(&self, id: &str, name: Option<&str>) -> Result<String, SandboxError> {
        let what = format!("keep the files of sandbox {id}");
        let new = NewSnapshot { name: name.map(str::to_owned), memory: Some(false) };
        let path = ["sandboxes", id, "snapshots"];
        let answer = self.ask(&what, Method::POST, &path, FILES, json(&new)).await?;
        Ok(answer.whole::<Snapshot>(&what)?.snapshot_id)
    }

    /// Of one that is gone is fine.
    pub(super) async fn remove_snapshot(&self, snapshot: &str) -> Result<(), SandboxError> {
        let what = format!("remove snapshot {snapshot}");
        let answer = self.ask(&what, Method::DELETE, &["templates", snapshot], CALL, Value::Null).await?;
        if answer.status == StatusCode::NOT_FOUND {
            return Ok(());
        }
        answer.done(&what)
    }

    /// What one used last, where the cloud knows.
    pub(super) async fn metric(&self, id: &str) -> Result<Option<Metric>, SandboxError> {
        let what = format!("ask what sandbox {id} uses");
        let answer = self.ask(&what, Method::GET, &["sandboxes", id, "metrics"], CALL, Value::Null).await?;
        Ok(answer.whole::<Vec<Metric>>(&what)?.pop())
    }

    /// The way into one that runs. `domain` is what the cloud said of it.
    pub(super) fn door(
        &self,
        id: &str,
        token: Option<String>,
        domain: Option<&str>,
    ) -> Result<Door, SandboxError> {
        let base = match &self.sandboxes {
            Some(base) => base.clone(),
            None => {
                let domain = domain.filter(|domain| !domain.is_empty()).unwrap_or(&self.domain);
                let text = format!("https://{ENVD_PORT}-{id}.{domain}");
                Url::parse(&text).map_err(|error| strange("find the sandbox", error))?
            }
        };
        Ok(Door::new(self.http.clone(), base, id.to_owned(), token))
    }

    async fn ask(
        &self,
        what: &str,
        method: Method,
        path: &[&str],
        within: Duration,
        body: Value,
    ) -> Result<Answer, SandboxError> {
        self.send(what, method, self.url(path), within, body).await
    }

    fn url(&self, path: &[&str]) -> Url {
        at(&self.api, path)
    }

    async fn send(
        &self,
        what: &str,
        method: Method,
        url: Url,
        within: Duration,
        body: Value,
    ) -> Result<Answer, SandboxError> {
        let key = self.key.get().ok_or_else(|| no_key(what))?;
        let mut request = self.http.request(method, url).header("X-API-Key", key);
        if !body.is_null() {
            request = request.json(&body);
        }
        let answer = async {
            let answer = request.send().await?;
            let (status, headers) = (answer.status(), answer.headers().clone());
            Ok::<_, reqwest::Error>(Answer { status, headers, body: answer.bytes().await? })
        };
        match tokio::time::timeout(within, answer).await {
            Ok(answer) => answer.map_err(|error| of_transport(what, error)),
            Err(_) => Err(too_late(what)),
        }
    }
}

impl Answer {
    fn done(&self, what: &str) -> Result<(), SandboxError> {
        if self.status.is_success() { Ok(()) } else { Err(of_status(what, self.status, &self.body)) }
    }

    fn whole<T: DeserializeOwned>(&self, what: &str) -> Result<T, SandboxError> {
        self.done(what)?;
        serde_json::from_slice(&self.body).map_err(|error| strange(what, error))
    }
}

/// Below a base, whose own path is kept.
pub(super) fn at(base: &Url, path: &[&str]) -> Url {
    let mut url = base.clone();
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.pop_if_empty().extend(path);
    }
    url
}

fn json(body: &impl serde::Serialize) -> Value {
    serde_json::to_value(body).unwrap_or_default()
}

fn terms(time: Duration) -> Terms {
    Terms { timeout: Some(i64::try_from(time.as_secs()).unwrap_or(i64::MAX)), ..Terms::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_a_path_stays_one_part_of_it() {
        let url = at(&Url::parse("http://127.0.0.1:7410/below/").unwrap(), &["templates", "ns/name:tag"]);
        assert_eq!(url.as_str(), "http://127.0.0.1:7410/below/templates/ns%2Fname:tag");
        assert_eq!(
            at(&Url::parse("https://api.e2b.app").unwrap(), &["v2"]).as_str(),
            "https://api.e2b.app/v2"
        );
    }
}
