//! From what a person asks to the first two entries of a session's log.

mod naming;

use crate::children::{self, Claim};
use crate::engine::{Engine, Shared};
use crate::error::CommandError;
use crate::images;
use crate::prepared::{self, Ahead};
use crate::prompts::key_reused;
use crate::session::writing::AskedFor;
use crate::session::{load, writing};
use crate::{Fork, NewSession, clock, git, ids};
use crate::{agents, attachments, provider};
use lamplight_domain::session::{Session, SessionView};
use lamplight_domain::{Attempts, Event, Person, PromptId, Seq, SessionId, SessionImage, SessionSpec};
use lamplight_store::{AppendError, Remembered};
pub(crate) use naming::first_line;
use naming::{short, slug};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Longest prompt; bytes.
const PROMPT_BYTES: usize = 256 * 1024;

/// How the same session is not made twice.
pub(crate) enum Once<'a> {
    /// Each request makes one.
    Never,
    /// One for this key; another request with it, told by its fingerprint, is refused.
    For { key: &'a str, fingerprint: &'a str },
    /// With these ids, which somebody has written down before.
    As { session: &'a SessionId, prompt: PromptId },
}

pub(crate) async fn create(
    shared: &Arc<Shared>,
    new: NewSession,
    once: Once<'_>,
) -> Result<SessionView, CommandError> {
    let is_child_once = new.parent.is_some() && matches!(once, Once::For { .. });
    let _alone = if is_child_once { Some(shared.beginning.lock().await) } else { None };
    match &once {
        Once::Never => {}
        Once::For { key, fingerprint } => {
            if let Some(before) = shared.store.recall(key, clock::now()).await? {
                return made_before(shared, before, fingerprint).await;
            }
        }
        Once::As { session, .. } => {
            if let Some(row) = shared.store.summary(session).await? {
                shared.wake(session);
                return crate::engine::parse_view(&row.body);
            }
        }
    }
    let (id, first_prompt) = match &once {
        Once::As { session, prompt } => ((*session).clone(), prompt.clone()),
        Once::Never | Once::For { .. } => (ids::session_id(), ids::prompt_id()),
    };
    let once = match once {
        Once::For { key, fingerprint } => Some((key, fingerprint)),
        Once::Never | Once::As { .. } => None,
    };
    let drafted = draft(shared, id, first_prompt, new, None).await?;
    keep(shared, drafted, once).await
}

/// A session that can be made; nothing of it is written down yet.
pub(crate) struct Drafted {
    id: SessionId,
    repository: String,
    /// What its parent has to take, where it is a child.
    claim: Option<Claim>,
    events: Vec<Event>,
}

/// Refuses what cannot be made. `attempts` are those that it is to be one of.
pub(crate) async fn draft(
    shared: &Shared,
    id: SessionId,
    first_prompt: PromptId,
    new: NewSession,
    attempts: Option<Attempts>,
) -> Result<Drafted, CommandError> {
    if new.prompt.len() > PROMPT_BYTES {
        return Err(CommandError::invalid(
            "prompt_too_long",
            "the prompt is longer than 256 KiB",
            "put the details into a file of the repository",
        ));
    }
    if new.parent.is_some() && (new.fork.is_some() || attempts.is_some()) {
        return Err(CommandError::invalid(
            "child_alone",
            "a child is begun alone: it is neither a fork nor one of several attempts",
            "leave out `parent`, or `fork` and `attempts`",
        ));
    }
    provider::refuse_shape(shared, new.image.as_ref(), &new.sandbox)?;
    let new = without_secrets(shared, new);
    let by = new.person.as_ref().map(|person| person.name.clone());
    let attachments = attachments::claim(shared, new.attachments.clone()).await?;
    let prompt = attachments::text(new.prompt, &attachments);
    let new = NewSession { prompt: prompt.clone(), ..new };
    let parent = new.parent.clone();
    let spec = match (&new.fork, &parent) {
        (Some(fork), _) => forked(shared, &id, fork.clone(), new).await?,
        (None, Some(parent)) => children::spec(shared, &id, &parent.session, new).await?,
        (None, None) => fresh(shared, &id, new).await?,
    };
    shared.budgets.refuse_if_spent(&shared.config, &spec.person.name, &spec.repository)?;
    let by = by.unwrap_or_else(|| spec.person.name.clone());
    let by = parent.as_ref().and_then(|parent| parent.asked_by.clone()).unwrap_or(by);
    let claim = parent.map(|parent| Claim::new(parent, &id, &spec, &by));
    let repository = spec.repository.clone();
    let spec = SessionSpec { attempts, ..spec };
    let events = Session::create(spec, first_prompt, prompt, by, attachments)?;
    Ok(Drafted { id, repository, claim, events })
}

/// Writes it down, and wakes it; or gives the session that another request with the same key has made meanwhile.
pub(crate) async fn keep(
    shared: &Arc<Shared>,
    drafted: Drafted,
    once: Option<(&str, &str)>,
) -> Result<SessionView, CommandError> {
    let Drafted { id, repository, claim, events } = drafted;
    if let Some(claim) = claim {
        claim.make(shared).await?;
    }
    let remembered = once.map(|(key, fingerprint)| Remembered {
        key: key.to_owned(),
        fingerprint: fingerprint.to_owned(),
        response: id.to_string(),
        at: clock::now(),
    });
    let view = match store_first(shared, &id, events, remembered).await {
        Err(AppendError::Repeated(before)) => {
            let fingerprint = once.map_or("", |(_, fingerprint)| fingerprint);
            return made_before(shared, before, fingerprint).await;
        }
        other => other?,
    };
    shared.changed(&view);
    shared.wake(&id);
    // Lists of repositories alone know of it; the session is there.
    if let Err(error) = shared.store.touch_repository(&repository, clock::now()).await {
        tracing::warn!(%error, "it could not be noted that somebody works on {repository}");
    }
    Ok(view)
}

impl Engine {
    /// The repository that this path is in, as sessions of it name it.
    pub async fn repository_at(&self, path: &str) -> Result<PathBuf, CommandError> {
        find_repository(path).await
    }

    /// Somebody is about to ask for a session like this: what it would wait for, clone and setup, is made in the background. What it
    /// says is not looked at.
    pub async fn ahead(&self, new: NewSession) -> Result<Ahead, CommandError> {
        if new.fork.is_some() || new.parent.is_some() {
            return Ok(Ahead::Ready);
        }
        let spec = fresh(&self.shared, &ids::session_id(), new).await?;
        self.shared.budgets.refuse_if_spent(&self.shared.config, &spec.person.name, &spec.repository)?;
        prepared::ahead(&self.shared, spec).await.map_err(CommandError::Failed)
    }
}

/// A branch is named after the title; what is in its name can no longer be found.
fn without_secrets(shared: &Shared, new: NewSession) -> NewSession {
    let redactor = shared.config.redaction.now();
    let clean = |text: String| redactor.text(&text).into_owned();
    NewSession { prompt: clean(new.prompt), title: new.title.map(clean), ..new }
}

async fn store_first(
    shared: &Arc<Shared>,
    id: &SessionId,
    events: Vec<Event>,
    once: Option<Remembered>,
) -> Result<SessionView, AppendError> {
    let redactor = shared.config.redaction.now();
    let events = events.into_iter().map(|event| (event, None));
    let entries = writing::entries(&redactor, Seq(0), clock::now(), events);
    let session = Session::replay(&entries).expect("a session's first event is its creation");
    let hub = crate::hub::Hub::new(Seq(0));
    let view = session.view(id.clone());
    let told = writing::told(shared, &session, &view, &entries).undecided();
    let asked = AskedFor { once, ..AskedFor::default() };
    writing::append(shared, &hub, (id, session.spec()), &entries, Some(told), asked).await?;
    Ok(view)
}

/// The session that an earlier request with the same key has made. Nobody may have woken it: whoever made it may have gone before.
pub(crate) async fn made_before(
    shared: &Arc<Shared>,
    before: Remembered,
    fingerprint: &str,
) -> Result<SessionView, CommandError> {
    if before.fingerprint != fingerprint {
        return Err(key_reused());
    }
    let id = before.response.parse().map_err(|error| CommandError::Failed(anyhow::Error::new(error)))?;
    let row = shared.store.summary(&id).await?.ok_or(CommandError::NotFound)?;
    shared.wake(&id);
    crate::engine::parse_view(&row.body)
}

/// As is asked for, else as its repository's sessions are, else as all are.
async fn fresh(shared: &Shared, id: &SessionId, new: NewSession) -> Result<SessionSpec, CommandError> {
    let repository = find_repository(&new.repository).await?;
    let ours = shared.config.of(&repository).cloned().unwrap_or_default();
    let guards = shared.config.guards.of(&repository.to_string_lossy(), new.role);
    let new = NewSession {
        agent: new.agent.or(ours.agent),
        permissions: new.permissions.or(ours.permissions),
        limits: new.limits.or(&guards).or(&ours.limits),
        sandbox: new.sandbox.over(&ours.sandbox),
        network: new.network.or(ours.network),
        image: new.image.or(ours.image),
        ..new
    };
    let image = images::chosen(&shared.config, new.image.as_ref()).await?;
    spec(shared, id, repository, new, image).await
}

/// As its origin, but for what is asked for.
async fn forked(
    shared: &Shared,
    id: &SessionId,
    fork: Fork,
    new: NewSession,
) -> Result<SessionSpec, CommandError> {
    let session = load(shared, &fork.session).await?;
    let (mut origin, from) = (session.origin(&fork.session, fork.checkpoint)?, session.spec());
    let agent = new.agent.as_ref().unwrap_or(&from.agent);
    let same_agent = *agent == from.agent;
    if !same_agent {
        origin.agent_session = None;
    }
    let image = images::kept(from.image.as_ref(), new.image.as_ref())?;
    let model = new.model.or_else(|| session.model().filter(|_| same_agent).map(str::to_owned));
    let new = NewSession {
        repository: from.repository.clone(),
        base: Some(from.base.clone()),
        agent: Some(agent.clone()),
        model,
        permissions: Some(new.permissions.unwrap_or(from.permissions)),
        network: Some(new.network.unwrap_or_else(|| from.network.clone())),
        sandbox: new.sandbox.over(&from.sandbox),
        ..new
    };
    let limits = session.limits_of_a_fork(&new.limits)?;
    let limits = shared.config.guards.at_most(&from.repository, new.role).cap(limits);
    let repository = find_repository(&from.repository).await?;
    Ok(SessionSpec { origin: Some(origin), limits, ..spec(shared, id, repository, new, image).await? })
}

pub(crate) async fn spec(
    shared: &Shared,
    id: &SessionId,
    repository: PathBuf,
    new: NewSession,
    image: Option<SessionImage>,
) -> Result<SessionSpec, CommandError> {
    let config = &shared.config;
    let agent = new.agent.unwrap_or_else(|| config.default_agent.clone());
    let usable = agents::usable(shared, &agent)?;
    let mode = usable.mode.map(str::to_owned);
    let default_model = config.default_model.clone().filter(|_| agent == config.default_agent);
    let model = new.model.or(default_model);
    agents::refuse_unreachable(shared, usable, model.as_deref())?;
    let base = find_base(&repository, new.base).await?;
    let person = match new.person.or_else(|| config.person.clone()) {
        Some(person) => person,
        None => person_of(&repository).await?,
    };
    let sandbox = new.sandbox.over(&config.sandbox.limits);
    sandbox.check().map_err(|why| {
        CommandError::invalid(
            "sandbox_limits",
            format!("no sandbox can live within its limits: {why}"),
            "ask for more",
        )
    })?;
    shared.queue.refuse_if_too_large(&sandbox)?;
    let at_most = config.guards.at_most(&repository.to_string_lossy(), new.role);
    let title = new.title.filter(|title| !title.trim().is_empty()).unwrap_or_else(|| first_line(&new.prompt));
    Ok(SessionSpec {
        branch: new.branch.unwrap_or_else(|| format!("lamplight/{}-{}", slug(&title), short(id))),
        title,
        repository: repository.to_string_lossy().into_owned(),
        base,
        mode,
        agent,
        model,
        person,
        limits: at_most.cap(new.limits.over(&config.limits)),
        sandbox,
        permissions: new.permissions.unwrap_or(config.permissions),
        checks: config.checks,
        network: new.network.unwrap_or_else(|| config.network.clone()),
        image,
        origin: None,
        attempts: None,
        parents: Vec::new(),
    })
}

/// The top of the repository that `path` is in.
pub(crate) async fn find_repository(path: &str) -> Result<PathBuf, CommandError> {
    let wrong = |message: String| {
        CommandError::invalid(
            "repository_not_found",
            message,
            "give the path of a git repository on this machine",
        )
    };
    let path = Path::new(path);
    if !path.is_absolute() {
        return Err(wrong(format!("{} is not an absolute path", path.display())));
    }
    if !path.is_dir() {
        return Err(wrong(format!("{} is not a directory", path.display())));
    }
    let bare = git::line(path, &["rev-parse", "--is-bare-repository"]).await;
    let top = match bare.as_deref() {
        Ok("true") => git::line(path, &["rev-parse", "--absolute-git-dir"]).await,
        _ => git::line(path, &["rev-parse", "--show-toplevel"]).await,
    };
    top.map(PathBuf::from)
        .map_err(|error| wrong(format!("{} is not a git repository ({error:#})", path.display())))
}

/// The branch to start from: the one asked for, or the one checked out.
async fn find_base(repository: &Path, asked: Option<String>) -> Result<String, CommandError> {
    let base = match asked {
        Some(base) => base,
        None => git::line(repository, &["symbolic-ref", "--short", "HEAD"]).await.map_err(|_| {
            CommandError::invalid(
                "base_not_found",
                "the repository has no branch checked out",
                "name the branch to start from (--base)",
            )
        })?,
    };
    let reference = format!("refs/heads/{base}^{{commit}}");
    git::line(repository, &["rev-parse", "--verify", "--quiet", &reference]).await.map_err(|_| {
        CommandError::invalid(
            "base_not_found",
            format!("the repository has no branch {base:?} with a commit on it"),
            "commit something first, or name another branch (--base)",
        )
    })?;
    Ok(base)
}

/// Who git says the person is.
async fn person_of(repository: &Path) -> Result<Person, CommandError> {
    let name = git::line(repository, &["config", "user.name"]).await.unwrap_or_default();
    let email = git::line(repository, &["config", "user.email"]).await.unwrap_or_default();
    if name.is_empty() || email.is_empty() {
        return Err(CommandError::invalid(
            "person_unknown",
            "git does not know who you are, and commits need an author",
            "git config --global user.name \"Your Name\" and git config --global user.email you@example.org",
        ));
    }
    Ok(Person { name, email })
}
