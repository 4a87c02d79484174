//! `POST /sessions`

use crate::http::App;
use crate::http::access::{Caller, may_begin, may_use};
use crate::http::attachments::AttachRequest;
use crate::http::audit::Told;
use crate::http::extract;
use crate::http::problem::Problem;
use crate::http::resources::{Network, SessionView};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use lamplight_domain::permission::Policy;
use lamplight_domain::{ImageChoice, SandboxLimits, SomeLimits, session};
use lamplight_engine::{CommandError, Fork, NewAttempt, NewSession, Parent};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Whoever asks with the same one again means the same session.
pub(in crate::http) const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// An `Idempotency-Key` longer than this is refused, in bytes.
const MAX_KEY: usize = 256;

/// A task to be worked on. What is left out comes from the configuration or the repository.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSessionRequest {
    /// Absolute path of a git repository on the server's machine.
    #[serde(default)]
    pub repository: String,
    /// May be empty where a file says it all.
    pub prompt: String,
    /// At most 10, uploaded before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<AttachRequest>,
    /// Goes on from another session's files; then `repository` and `base` are its, and all else that is left out is as it is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fork: Option<ForkRequest>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// The agent's own id of a model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The branch to start from and merge into.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permissions: Option<PermissionPolicy>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<LimitsRequest>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<Network>,
    /// What the sandbox's files begin with: the name of an image, or `host`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    pub sandbox: Option<SandboxLimitsRequest>,
    /// The session that it is a child of; then `repository` is its, and all else that is left out is as it is there, but for `base`: that is the
    /// session's branch, once it has committed something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// Gives the task to as many sessions as there are entries, from 2 to what `attempts.most` says (5), of which a person takes one later; the answer is the first of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attempts: Vec<AttemptRequest>,
}

/// What one of several attempts has of its own; `{}` is as all have it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AttemptRequest {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// The agent's own id of a model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
}

/// The session, and its checkpoint, that a fork goes on from.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ForkRequest {
    pub session: String,
    /// One of the session's `checkpoints`; without it, the newest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<u32>,
}

/// Who answers when the agent asks for leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PermissionPolicy {
    Allow,
    Ask,
    Reject,
}

/// Bounds of turns, of the session and of idleness; what is left out is as configured. Whoever is no admin gets no more than the policy of
/// guards says.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LimitsRequest {
    pub steps: Option<u32>,
    pub failures_in_a_row: Option<u32>,
    pub identical_calls: Option<u32>,
    pub silence_ms: Option<u64>,
    pub wall_clock_ms: Option<u64>,
    pub permission_ms: Option<u64>,
    pub start_ms: Option<u64>,
    pub cancel_grace_ms: Option<u64>,
    pub paused_ms: Option<u64>,
    pub pause_ms: Option<u64>,
    pub idle_ms: Option<u64>,
    pub idle_warning_ms: Option<u64>,
    /// 0 keeps no checkpoints.
    pub checkpoint_ms: Option<u64>,
    /// Of the whole session, in millionths of a dollar; 0 is no bound.
    pub budget_micros: Option<u64>,
    /// Of one turn, what models were sent and said together, what is cached included; 0 is no bound, and so for all that follow.
    pub turn_tokens: Option<u64>,
    /// Of one turn, in millionths of a dollar.
    pub turn_cost_micros: Option<u64>,
    /// Tool calls of the whole session.
    pub session_steps: Option<u64>,
    pub session_tokens: Option<u64>,
    /// Of all turns together.
    pub session_wall_clock_ms: Option<u64>,
}

impl From<LimitsRequest> for SomeLimits {
    fn from(asked: LimitsRequest) -> Self {
        Self {
            steps: asked.steps,
            failures_in_a_row: asked.failures_in_a_row,
            identical_calls: asked.identical_calls,
            silence_ms: asked.silence_ms,
            wall_clock_ms: asked.wall_clock_ms,
            permission_ms: asked.permission_ms,
            start_ms: asked.start_ms,
            cancel_grace_ms: asked.cancel_grace_ms,
            paused_ms: asked.paused_ms,
            pause_ms: asked.pause_ms,
            idle_ms: asked.idle_ms,
            idle_warning_ms: asked.idle_warning_ms,
            checkpoint_ms: asked.checkpoint_ms,
            budget_micros: asked.budget_micros,
            turn_tokens: asked.turn_tokens,
            turn_cost_micros: asked.turn_cost_micros,
            session_steps: asked.session_steps,
            session_tokens: asked.session_tokens,
            session_wall_clock_ms: asked.session_wall_clock_ms,
        }
    }
}

/// What the session's sandboxes may use; what is left out is as configured.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SandboxLimitsRequest {
    /// Processor time, in thousandths of one processor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_thousandths: Option<u32>,
    /// Of everything inside, together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// Processes and threads at a time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub processes: Option<u32>,
    /// All files of the session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disk_bytes: Option<u64>,
    /// Of each process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open_files: Option<u32>,
    /// Whether programs inside may make sandboxes of their own, as browsers do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nested_sandboxes: Option<bool>,
}

impl From<SandboxLimitsRequest> for SandboxLimits {
    fn from(request: SandboxLimitsRequest) -> Self {
        Self {
            cpu_thousandths: request.cpu_thousandths,
            memory_bytes: request.memory_bytes,
            processes: request.processes,
            disk_bytes: request.disk_bytes,
            open_files: request.open_files,
            nested_sandboxes: request.nested_sandboxes,
        }
    }
}

/// Starts a session, or with `attempts` several with the same task. With an `Idempotency-Key` the same request again, within a day, gives the session of the first.
#[utoipa::path(post, path = "/sessions", operation_id = "create_session", tag = "sessions", request_body = NewSessionRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "Any text of at most 256 bytes; one per intended session")),
    responses(
        (status = 201, body = SessionView, headers(("Location", description = "Path of the session"))),
        (status = 400, body = Problem, content_type = "application/problem+json", description = "invalid_request, empty_prompt, too_many_attachments, repository_not_found, agent_unknown, agent_not_installed, model_unreachable, sandbox_limits, memory_beyond_queue, attempts_out_of_bounds, child_alone, image_unknown, image_not_here, image_of_a_fork"),
        (status = 403, body = Problem, content_type = "application/problem+json", description = "repository_not_allowed"),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "attachment_not_found; session_not_found, checkpoint_not_found: of a fork or a parent"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "session_ended, budget_spent, guard_spent: of a fork or a parent; too_many_children, child_too_deep"),
        (status = 422, body = Problem, content_type = "application/problem+json", description = "idempotency_key_reused"),
        (status = 507, body = Problem, content_type = "application/problem+json", description = "storage_full")))]
pub(in crate::http) async fn handle(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    extract::Json(request): extract::Json<NewSessionRequest>,
) -> Result<Response, Problem> {
    let key = idempotency_key(&headers)?.map(|key| own(&caller, key));
    let (fingerprint, attempts) = (fingerprint(&request), request.attempts.clone());
    let new = request.into_new(&app, &caller).await?;
    may_make(&app, &caller, &new).await?;
    let once = key.as_ref().map(|key| (key.as_str(), fingerprint.as_str()));
    let view: session::SessionView = match once {
        once if !attempts.is_empty() => {
            let each =
                attempts.into_iter().map(|AttemptRequest { agent, model }| NewAttempt { agent, model });
            app.engine.create_attempts(once, new, each.collect()).await?
        }
        Some((key, fingerprint)) => app.engine.create_once(key, fingerprint, new).await?,
        None => app.engine.create(new).await?,
    };
    let location = format!("/api/v1/sessions/{}", view.id);
    let told = Extension(Told(view.repository.clone()));
    let head = [(header::LOCATION, location)];
    Ok((StatusCode::CREATED, head, told, Json(SessionView::from(view))).into_response())
}

impl NewSessionRequest {
    pub(super) async fn into_new(self, app: &App, caller: &Caller) -> Result<NewSession, Problem> {
        let network = self.network.map(lamplight_domain::Network::try_from).transpose();
        let network = network.map_err(|error| Problem::invalid_request(error.to_string()))?;
        let image = self.image.map(|image| image.parse::<ImageChoice>()).transpose();
        let image = image.map_err(|error| Problem::invalid_request(error.to_string()))?;
        let fork = self.fork.map(|fork| match fork.session.parse() {
            Ok(session) => Ok(Fork { session, checkpoint: fork.checkpoint }),
            Err(_) => Err(CommandError::NotFound),
        });
        let parent = self.parent.map(|parent| match parent.parse() {
            Ok(session) => Ok(Parent { session, asked_by: None }),
            Err(_) => Err(CommandError::NotFound),
        });
        Ok(NewSession {
            fork: fork.transpose()?,
            parent: parent.transpose()?,
            repository: self.repository,
            prompt: self.prompt,
            attachments: self.attachments.into_iter().map(Into::into).collect(),
            title: self.title,
            base: self.base,
            branch: None,
            agent: self.agent,
            model: self.model,
            permissions: self.permissions.map(|policy| match policy {
                PermissionPolicy::Allow => Policy::Allow,
                PermissionPolicy::Ask => Policy::Ask,
                PermissionPolicy::Reject => Policy::Reject,
            }),
            network,
            image,
            limits: self.limits.map(SomeLimits::from).unwrap_or_default(),
            sandbox: self.sandbox.map(SandboxLimits::from).unwrap_or_default(),
            role: caller.role(),
            person: match caller {
                Caller::Solo => app.config.person.clone(),
                Caller::Known(_) | Caller::Nobody => Some(caller.person(app).await?),
            },
        })
    }
}

pub(super) fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get(IDEMPOTENCY_KEY) else { return Ok(None) };
    match value.to_str() {
        Ok(key) if !key.is_empty() && key.len() <= MAX_KEY => Ok(Some(key.to_owned())),
        Ok(_) | Err(_) => Err(Problem::invalid_request(format!(
            "Idempotency-Key must be 1 to {MAX_KEY} visible ASCII characters"
        ))),
    }
}

/// Refuses unless the session's repository is one that they may use.
pub(super) async fn may_make(app: &App, caller: &Caller, new: &NewSession) -> Result<(), Problem> {
    let of =
        new.fork.as_ref().map(|fork| &fork.session).or(new.parent.as_ref().map(|parent| &parent.session));
    match of {
        Some(session) => may_use(app, caller, &app.engine.view(session).await?.repository).await,
        None => may_begin(app, caller, &new.repository).await,
    }
}

/// Two people with one key mean two requests.
pub(super) fn own(caller: &Caller, key: String) -> String {
    match caller.known() {
        Some(known) => format!("{} {key}", known.person.id),
        None => key,
    }
}

/// Tells two requests with one key apart. FNV-1a, 128 bits, because it stays the same over releases and machines; it
/// guards against mistakes, not against forgery.
pub(super) fn fingerprint(request: &impl Serialize) -> String {
    let text = serde_json::to_vec(request).expect("a request is strings and numbers");
    let hash = text.iter().fold(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d_u128, |hash, byte| {
        (hash ^ u128::from(*byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b)
    });
    format!("{hash:032x}")
}
