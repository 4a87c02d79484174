//! `POST /sign-in/{way}` and `GET /sign-in/{way}/callback`: by who else signs people in.
//!
//! What a sign-in is begun with goes away with the browser in a sealed cookie, so that only the browser that was sent comes back,
//! nothing is kept for those that never do, and nobody can fill anything up.

use crate::clock;
use crate::config::Tls;
use crate::http::App;
use crate::http::access::cookie;
use crate::http::audit::{Asker, Stranger};
use crate::http::extract;
use crate::http::problem::{Code, Problem};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use lamplight_domain::Timestamp;
use lamplight_engine::CommandError;
use lamplight_engine::people::{Entered, Entry, Wanted};
use lamplight_engine::sign_in::{Back, Draw, GitHubSignIn, Oidc, SignInError, Somebody};
use serde::{Deserialize, Serialize};
use std::fmt;
use utoipa::ToSchema;

/// From being sent away to coming back.
const AWAY_MS: u64 = 10 * 60 * 1000;
const COOKIE: &str = "lamplight-away";
/// What the seal is for.
const SEAL: &str = "sign-in";
/// Nothing of ours that is longer lets anybody in, in bytes.
const SECRET_BYTES: usize = 128;
/// Of what others say of somebody, in characters.
const SAID_CHARS: usize = 60;

/// Who else signs people in.
pub(in crate::http) struct Others {
    oidc: Option<Oidc>,
    github: Option<GitHubSignIn>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Oidc,
    GitHub,
}

/// What comes back with the browser.
#[derive(Serialize, Deserialize)]
struct Away {
    way: String,
    state: String,
    nonce: String,
    verifier: String,
    /// Of an invitation or a link.
    secret: Option<String>,
    until: i64,
}

#[derive(Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct BeginRequest {
    /// What came behind `#` of an invitation or a link: who signs in is then its person from now on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
}

impl fmt::Debug for BeginRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BeginRequest")
    }
}

/// Where the browser goes.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Begun {
    pub address: String,
}

/// What a browser brings back. What is not known of it is not looked at.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::http) struct BackParams {
    code: Option<String>,
    state: Option<String>,
    iss: Option<String>,
    error: Option<String>,
}

impl Others {
    /// Asks nobody yet.
    pub(in crate::http) fn new(config: &crate::config::Config) -> std::io::Result<Self> {
        let oidc = config.auth.oidc_config().map(Oidc::new).transpose().map_err(std::io::Error::other)?;
        let github = config.auth.github_config(&config.github).map(GitHubSignIn::new).transpose();
        Ok(Self { oidc, github: github.map_err(std::io::Error::other)? })
    }
}

/// Sends a browser to who else signs people in: `oidc` or `github`, where configured.
#[utoipa::path(post, path = "/sign-in/{way}", operation_id = "begin_sign_in", tag = "people", params(("way" = String, Path)), request_body = BeginRequest,
    responses(
        (status = 200, body = Begun, headers(("Set-Cookie", description = "What it has to come back with"))),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "no_such_way"),
        (status = 502, body = Problem, content_type = "application/problem+json", description = "sign_in_unreachable, sign_in_untrusted")))]
pub(in crate::http) async fn begin(
    State(app): State<App>,
    Path(way): Path<String>,
    headers: HeaderMap,
    extract::Json(request): extract::Json<BeginRequest>,
) -> Result<Response, Problem> {
    let way = Way::of(&way)?;
    if request.secret.as_ref().is_some_and(|secret| secret.len() > SECRET_BYTES) {
        return Err(Problem::invalid_request("this is no secret of a link"));
    }
    let draw = draw()?;
    let redirect = redirect(&app, way, &headers);
    let address = match (way, &app.others.oidc, &app.others.github) {
        (Way::Oidc, Some(oidc), _) => oidc.begin(&draw, &redirect).await.map_err(failed)?,
        (Way::GitHub, _, Some(github)) => github.begin(&draw, &redirect).map_err(failed)?,
        (Way::Oidc | Way::GitHub, _, _) => return Err(no_such_way()),
    };
    let away = Away {
        way: way.word().to_owned(),
        state: draw.state,
        nonce: draw.nonce,
        verifier: draw.verifier,
        secret: request.secret,
        until: clock::now().plus_ms(AWAY_MS).0,
    };
    let text = serde_json::to_string(&away).expect("it is texts and a number");
    let sealed = app.seals.seal(SEAL, &text).map_err(|_| not_drawn())?;
    let headers = [
        (header::SET_COOKIE, away_cookie(&app, &sealed, AWAY_MS / 1000)),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    Ok((headers, Json(Begun { address })).into_response())
}

/// Where a browser comes back to, and is signed in. It is led on to the page, with what went wrong if something did.
#[utoipa::path(get, path = "/sign-in/{way}/callback", operation_id = "finish_sign_in", tag = "people", params(("way" = String, Path)),
    responses((status = 303, description = "To the page")))]
pub(in crate::http) async fn callback(
    State(app): State<App>,
    Path(way): Path<String>,
    Extension(asker): Extension<Asker>,
    headers: HeaderMap,
    extract::Query(back): extract::Query<BackParams>,
) -> Response {
    let (to, cookie, code) = match finish(&app, &way, &headers, back).await {
        Ok(entered) => {
            asker.is(&entered.person.name);
            cookie::leave(&app, &headers).await;
            ("/".to_owned(), Some(cookie::set(&app, Some(&entered.secret))), None)
        }
        Err(problem) => {
            tracing::info!(code = &*problem.code, "somebody could not sign in: {}", problem.detail);
            (format!("/sign-in?problem={}", problem.code), None, Some(problem.code))
        }
    };
    let location = HeaderValue::try_from(to).expect("a path and a word");
    let mut response = (StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response();
    if let Some(code) = code {
        response.extensions_mut().insert(Code(code));
        // Whoever comes back with nonsense could do so very often.
        response.extensions_mut().insert(Stranger);
    }
    let headers = response.headers_mut();
    headers.append(header::SET_COOKIE, away_cookie(&app, "", 0));
    headers.extend(cookie.map(|cookie| (header::SET_COOKIE, cookie)));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

async fn finish(app: &App, way: &str, headers: &HeaderMap, back: BackParams) -> Result<Entered, Problem> {
    let way = Way::of(way)?;
    let away = away(app, way, headers, &back).ok_or_else(other_browser)?;
    if let Some(error) = back.error {
        let word: String = error.chars().filter(char::is_ascii_graphic).take(80).collect();
        return Err(refused(format!("it was refused there: {word}")));
    }
    let draw = Draw { state: away.state, nonce: away.nonce, verifier: away.verifier };
    let back = Back { code: back.code.unwrap_or_default(), issuer: back.iss };
    let redirect = redirect(app, way, headers);
    let somebody = match (way, &app.others.oidc, &app.others.github) {
        (Way::Oidc, Some(oidc), _) => oidc.finish(&back, &draw, &redirect, clock::now().0 / 1000).await,
        (Way::GitHub, _, Some(github)) => github.finish(&back, &draw, &redirect).await,
        (Way::Oidc | Way::GitHub, _, _) => return Err(no_such_way()),
    };
    let entry = entry(app, way, somebody.map_err(failed)?, away.secret)?;
    match app.engine.enter(entry.clone(), Wanted::Browser).await {
        Err(error) if error.code() == "name_taken" => {
            Ok(app.engine.enter(told_apart(entry), Wanted::Browser).await?)
        }
        other => Ok(other?),
    }
}

/// What this browser was sent away with, if it is this one, and in time.
fn away(app: &App, way: Way, headers: &HeaderMap, back: &BackParams) -> Option<Away> {
    let sealed = cookie::one(headers, &away_name(app))?;
    let away: Away = serde_json::from_str(&app.seals.unseal(SEAL, &sealed)?).ok()?;
    let is_it = away.way == way.word()
        && back.state.as_ref() == Some(&away.state)
        && clock::now() < Timestamp(away.until);
    is_it.then_some(away)
}

fn entry(app: &App, way: Way, somebody: Somebody, secret: Option<String>) -> Result<Entry, Problem> {
    let login = (way == Way::GitHub).then_some(somebody.login.as_str());
    let allowed = app.config.auth.allow.role_of(somebody.email.as_deref(), login, &somebody.organisations);
    // Commits need one. GitHub has such addresses for those who show none.
    let email = somebody.email.clone().unwrap_or_else(|| match way {
        Way::GitHub => {
            format!("{}+{}@users.noreply.{}", somebody.subject, somebody.login, app.config.github.host)
        }
        Way::Oidc => format!("{}@{}", slug(&somebody.subject), host_of(&somebody.issuer)),
    });
    let login = plain(&somebody.login, &slug(&somebody.subject));
    Ok(Entry::Identity {
        issuer: somebody.issuer,
        subject: somebody.subject,
        name: plain(&somebody.name, &login),
        login,
        email,
        role: allowed,
        secret,
        token: somebody.token,
    })
}

/// Two people of one name: the second one's login stands behind it.
fn told_apart(entry: Entry) -> Entry {
    match entry {
        Entry::Identity { issuer, subject, login, name, email, role, secret, token } => {
            let name = format!("{name} ({login})");
            Entry::Identity { issuer, subject, login, name, email, role, secret, token }
        }
        Entry::Once { .. } => entry,
    }
}

/// As it can stand in a commit, or `otherwise` where nothing of it can.
fn plain(text: &str, otherwise: &str) -> String {
    let fine = text.chars().filter(|c| !c.is_control() && !matches!(c, '<' | '>')).take(SAID_CHARS);
    let fine = fine.collect::<String>().trim().to_owned();
    if fine.is_empty() { otherwise.to_owned() } else { fine }
}

/// As it can stand in an address.
fn slug(text: &str) -> String {
    let is_fine = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    text.chars().map(|c| if is_fine(c) { c } else { '-' }).take(SAID_CHARS).collect()
}

fn host_of(address: &str) -> &str {
    let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
    rest.split(['/', ':']).next().unwrap_or_default()
}

impl Way {
    fn of(text: &str) -> Result<Self, Problem> {
        [Self::Oidc, Self::GitHub].into_iter().find(|way| way.word() == text).ok_or_else(no_such_way)
    }

    fn word(self) -> &'static str {
        match self {
            Self::Oidc => "oidc",
            Self::GitHub => "github",
        }
    }
}

/// Where the browser is sent back to: under the name that it has for us, which `http/guard.rs` has judged.
fn redirect(app: &App, way: Way, headers: &HeaderMap) -> String {
    let scheme = if app.config.server.tls == Some(Tls::InFront) { "https" } else { "http" };
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    format!("{scheme}://{host}/api/v1/sign-in/{}/callback", way.word())
}

fn draw() -> Result<Draw, Problem> {
    let text = || lamplight_engine::people::random_text().map_err(|_| not_drawn());
    Ok(Draw { state: text()?, nonce: text()?, verifier: text()? })
}

fn away_name(app: &App) -> String {
    let prefix = if app.config.server.tls == Some(Tls::InFront) { "__Host-" } else { "" };
    format!("{prefix}{COOKIE}")
}

fn away_cookie(app: &App, value: &str, seconds: u64) -> HeaderValue {
    let name = away_name(app);
    let secure = if name.starts_with("__Host-") { "; Secure" } else { "" };
    let text = format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}");
    let mut header = HeaderValue::try_from(text).expect("it is letters and digits");
    header.set_sensitive(true);
    header
}

fn failed(error: SignInError) -> Problem {
    let (code, status) = match &error {
        SignInError::Refused { .. } => ("sign_in_refused", StatusCode::FORBIDDEN),
        SignInError::Untrusted { .. } => ("sign_in_untrusted", StatusCode::BAD_GATEWAY),
        SignInError::Unreachable { .. } => ("sign_in_unreachable", StatusCode::BAD_GATEWAY),
    };
    Problem::new(status, code, error.to_string(), "Try again; if it stays, tell an admin of this server.")
}

fn refused(detail: String) -> Problem {
    Problem::new(StatusCode::FORBIDDEN, "sign_in_refused", detail, "Try again.")
}

fn other_browser() -> Problem {
    let detail = "this browser has not begun this sign-in, or it took too long";
    Problem::new(StatusCode::FORBIDDEN, "sign_in_stale", detail, "Begin again.")
}

fn no_such_way() -> Problem {
    let detail = "nobody signs people in this way here";
    Problem::new(StatusCode::NOT_FOUND, "no_such_way", detail, "GET /sign-in says which ways there are.")
}

fn not_drawn() -> Problem {
    CommandError::Failed(anyhow::anyhow!("the system gives no random bytes")).into()
}
