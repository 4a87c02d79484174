//! GitHub Apps: who signs what, and the tokens that they get for it.
//!
//! Source: docs.github.com, "Generating a JSON Web Token (JWT) for a GitHub App", "Create an installation access token for an app".

use crate::content::moment;
use crate::pulls::parameter;
use crate::{Shared, invalid, now_s, problem};
use axum::Json;
use axum::body::Bytes;
use axum::http::StatusCode;
use axum::http::header::LINK;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt;
use std::process::Stdio;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

/// The most that a statement may be good for.
const LONGEST_S: u64 = 10 * 60;
const TOKEN_S: u64 = 60 * 60;
/// The one installation.
pub(crate) const INSTALLATION: u64 = 4711;

/// One App, as GitHub knows it.
#[derive(Clone)]
pub struct App {
    pub id: u64,
    /// Its comments are by `<slug>[bot]`.
    pub slug: String,
    /// Of its public key, PKCS#1 in DER.
    pub public_key: Vec<u8>,
    /// What it was given, such as `issues: write`.
    pub permissions: BTreeMap<String, String>,
    /// What it is told of.
    pub events: Vec<String>,
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App").field("id", &self.id).finish_non_exhaustive()
    }
}

/// A token that was given out.
#[derive(Debug, Clone)]
pub(crate) struct Minted {
    pub(crate) token: String,
    /// `owner/name`; `None` is all.
    repositories: Option<Vec<String>>,
    permissions: BTreeMap<String, String>,
    pub(crate) until_s: u64,
}

impl Minted {
    pub(crate) fn told(&self) -> String {
        let of = self.repositories.as_ref().map_or("all".to_owned(), |names| names.join(","));
        let each = self.permissions.iter().map(|(name, level)| format!("{name}={level}"));
        format!("{of}: {}", each.collect::<Vec<_>>().join(" "))
    }

    pub(crate) fn is_for(&self, repository: &str) -> bool {
        let name = repository.rsplit('/').next().unwrap_or_default();
        self.repositories.as_ref().is_none_or(|names| names.iter().any(|known| known == name))
    }

    /// Whoever may write may read.
    pub(crate) fn may(&self, what: &str, level: &str) -> bool {
        self.permissions.get(what).is_some_and(|given| given == level || given == "write")
    }
}

#[derive(Deserialize)]
struct Claims {
    iat: u64,
    exp: u64,
    iss: Value,
}

/// Whether this is a statement of the App's; why not, in GitHub's words.
pub(crate) fn is_app(shared: &Shared, statement: &str) -> Result<(), Box<Response>> {
    let refused = |message: &str| Box::new(problem(StatusCode::UNAUTHORIZED, message));
    let state = shared.state();
    let (Some(app), Some((signed, signature))) = (&state.app, statement.rsplit_once('.')) else {
        return Err(refused("A JSON web token could not be decoded"));
    };
    let decode = |text: &str| BASE64_URL_SAFE_NO_PAD.decode(text).ok();
    let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &app.public_key);
    let is_signed = decode(signature).is_some_and(|tag| key.verify(signed.as_bytes(), &tag).is_ok());
    let claims = signed.split_once('.').and_then(|(_, claims)| decode(claims));
    let claims: Option<Claims> = claims.and_then(|claims| serde_json::from_slice(&claims).ok());
    let (true, Some(claims)) = (is_signed, claims) else {
        return Err(refused("A JSON web token could not be decoded"));
    };
    let now = now_s();
    if claims.exp <= now {
        return Err(refused(
            "'Expiration time' claim ('exp') must be a numeric value representing the future time at which the assertion expires",
        ));
    }
    if claims.exp > now + LONGEST_S || claims.exp > claims.iat + LONGEST_S {
        return Err(refused("'Expiration time' claim ('exp') is too far in the future"));
    }
    if claims.iat > now {
        return Err(refused(
            "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued",
        ));
    }
    if claims.iss.as_str().and_then(|id| id.parse().ok()).or(claims.iss.as_u64()) != Some(app.id) {
        return Err(Box::new(problem(StatusCode::NOT_FOUND, "Integration not found")));
    }
    Ok(())
}

pub(crate) fn show(shared: &Shared) -> Response {
    let state = shared.state();
    let Some(app) = &state.app else { return problem(StatusCode::NOT_FOUND, "Not Found") };
    let told =
        json!({ "id": app.id, "slug": app.slug, "permissions": app.permissions, "events": app.events });
    Json(told).into_response()
}

/// Where it sends to; without a webhook all is empty.
pub(crate) fn hook_config(shared: &Shared) -> Response {
    let told = match &shared.state().hook {
        Some(hook) => json!({
            "url": format!("http://{}{}", hook.authority, hook.path), "content_type": "json",
            "insecure_ssl": "0", "secret": "********",
        }),
        None => json!({}),
    };
    Json(told).into_response()
}

/// The newest first, page by page: `cursor` is the newest that is told, and where the next page begins is told in `Link`.
///
/// Source: docs.github.com, "List deliveries for an app webhook", "Using pagination in the REST API".
pub(crate) fn deliveries(shared: &Shared, query: Option<&str>) -> Response {
    let count = parameter(query, "per_page").and_then(|count| count.parse().ok()).unwrap_or(30).clamp(1, 100);
    let from = match parameter(query, "cursor")
        .map(|cursor| cursor.strip_prefix("v1_").and_then(|at| at.parse().ok()))
    {
        Some(Some(at)) => at,
        Some(None) => return problem(StatusCode::UNPROCESSABLE_ENTITY, "Invalid cursor"),
        None => usize::MAX,
    };
    let state = shared.state();
    let told = (1..).zip(&state.deliveries).map(|(id, one): (u64, _)| {
        let status = match one.status {
            Some(200..300) => "OK",
            Some(_) => "Invalid HTTP Response",
            None => "failed to connect to host",
        };
        json!({
            "id": id, "guid": one.id, "event": one.event, "status": status,
            "status_code": one.status.unwrap_or(0), "delivered_at": moment(one.at_s),
        })
    });
    let mut told: Vec<Value> = told.take(from).collect();
    told.reverse();
    let older = told.len().saturating_sub(count);
    told.truncate(count);
    let mut answer = Json(told).into_response();
    if older > 0 {
        let next = format!(
            "<https://api.github.com/app/hook/deliveries?per_page={count}&cursor=v1_{older}>; rel=\"next\""
        );
        answer.headers_mut().insert(LINK, next.parse().expect("it is a header"));
    }
    answer
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Asked {
    #[serde(default)]
    repositories: Option<Vec<String>>,
    #[serde(default)]
    permissions: Option<BTreeMap<String, String>>,
}

/// Never more than the App itself was given.
pub(crate) fn mint(shared: &Shared, body: &Bytes) -> Response {
    let asked = if body.is_empty() { Ok(Asked::default()) } else { serde_json::from_slice(body) };
    let Ok(Asked { repositories, permissions }) = asked else {
        return problem(StatusCode::BAD_REQUEST, "Problems parsing JSON");
    };
    let mut state = shared.state();
    let given = state.app.as_ref().map(|app| app.permissions.clone()).unwrap_or_default();
    let permissions = permissions.unwrap_or_else(|| given.clone());
    let has = |name: &String, level: &String| {
        given.get(name).is_some_and(|given| given == level || given == "write")
    };
    if permissions.iter().any(|(name, level)| !has(name, level)) {
        let message = "The permissions requested are not granted to this installation.";
        return problem(StatusCode::UNPROCESSABLE_ENTITY, message);
    }
    if repositories.as_ref().is_some_and(Vec::is_empty) {
        return invalid("Installation", "repositories", "invalid");
    }
    let until_s = now_s() + TOKEN_S;
    let token = format!("ghs_{:036}", state.next_id());
    let told = json!({
        "token": token, "expires_at": moment(until_s), "permissions": permissions, "repository_selection": "selected",
    });
    state.minted.push(Minted { token, repositories, permissions, until_s });
    (StatusCode::CREATED, Json(told)).into_response()
}

/// Source: docs.github.com, "Registering a GitHub App from a manifest".
#[derive(Deserialize)]
struct Manifest {
    name: String,
    url: String,
    redirect_url: String,
    #[serde(default)]
    hook_attributes: Option<HookAttributes>,
    #[serde(default)]
    default_permissions: BTreeMap<String, String>,
    #[serde(default)]
    default_events: Vec<String>,
}

#[derive(Deserialize)]
struct HookAttributes {
    url: String,
}

/// A manifest that was sent, and not taken yet.
#[derive(Debug)]
pub(crate) struct Ordered {
    code: String,
    app: App,
    secret: Option<String>,
    pem: String,
}

/// A person presses the button of a page elsewhere, and is led back.
pub(crate) async fn order(shared: &Shared, query: Option<&str>, body: &Bytes) -> Response {
    let form = std::str::from_utf8(body).ok();
    let Some(manifest) = crate::pulls::parameter(form, "manifest")
        .and_then(|text| serde_json::from_str::<Manifest>(&text).ok())
        .filter(|manifest| !manifest.name.is_empty() && manifest.url.starts_with("http"))
    else {
        return problem(StatusCode::UNPROCESSABLE_ENTITY, "Error Invalid GitHub App configuration");
    };
    // Without a hook there is nobody to be told of anything.
    if manifest.hook_attributes.is_none() && !manifest.default_events.is_empty() {
        return problem(
            StatusCode::UNPROCESSABLE_ENTITY,
            "Error Default events are not supported without a hook",
        );
    }
    let Some((pem, public_key)) = key().await else {
        return problem(StatusCode::INTERNAL_SERVER_ERROR, "Server Error");
    };
    let mut state = shared.state();
    let id = state.next_id();
    let code = format!("{id:020x}");
    let hook = manifest.hook_attributes.filter(|hook| hook.url.starts_with("http"));
    let app = App {
        id,
        slug: manifest.name.to_lowercase().replace(' ', "-"),
        public_key,
        permissions: manifest.default_permissions,
        events: manifest.default_events,
    };
    let secret = hook.map(|_| format!("{id:040x}"));
    state.ordered.push(Ordered { code: code.clone(), app, secret, pem });
    let given = crate::pulls::parameter(query, "state").unwrap_or_default();
    let to = format!("{}?code={code}&state={given}", manifest.redirect_url);
    (StatusCode::FOUND, [(axum::http::header::LOCATION, to)]).into_response()
}

/// Once for each code.
pub(crate) fn convert(shared: &Shared, code: &str) -> Response {
    let mut state = shared.state();
    let Some(at) = state.ordered.iter().position(|ordered| ordered.code == code) else {
        return problem(StatusCode::NOT_FOUND, "Not Found");
    };
    let Ordered { app, secret, pem, .. } = state.ordered.remove(at);
    state.made_secret.clone_from(&secret);
    let told = json!({
        "id": app.id, "slug": app.slug, "html_url": format!("https://github.example/apps/{}", app.slug),
        "pem": pem, "webhook_secret": secret, "client_id": "Iv1.0", "client_secret": "0",
    });
    state.app = Some(app);
    (StatusCode::CREATED, Json(told)).into_response()
}

/// A private key in PEM, and its public half in DER.
async fn key() -> Option<(String, Vec<u8>)> {
    let make = ["genpkey", "-quiet", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"];
    let pem = Command::new("openssl").args(make).output().await.ok()?.stdout;
    let show = ["rsa", "-RSAPublicKey_out", "-outform", "DER"];
    let mut child = Command::new("openssl")
        .args(show)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    child.stdin.take()?.write_all(&pem).await.ok()?;
    let public = child.wait_with_output().await.ok()?.stdout;
    Some((String::from_utf8(pem).ok()?, public))
}
