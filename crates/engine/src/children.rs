//! Sessions that are begun for another one, by a person or by what runs in its sandbox.
//!
//! ```text
//! asked for ─▶ drafted, as its parent is ─▶ the parent's log takes it: not too many, not too deep, something left ─▶ it is a session like any other
//! it spends ─▶ set aside and spent in the accounts of all above it, at once ─▶ told to its parent, whose log counts it ─▶ told further up
//! its parent ends ─▶ it is told, stops, records its work and ends
//! ```
//! What is told may not come: a server dies, or the parent is at another. So a child that wakes looks, and whoever sets money aside for a
//! family first looks at what the store knows of it.

mod inside;

pub(crate) use inside::of;

use crate::engine::{Engine, Shared, parse_view};
use crate::error::CommandError;
use crate::servers::Whereabouts;
use crate::session::{Message, load};
use crate::{NewSession, create, git, images};
use lamplight_domain::session::{Command, Report, Session, SessionView};
use lamplight_domain::{ChildBegun, ChildBounds, SessionId, SessionSpec};
use std::path::Path;
use std::sync::Arc;

/// How far sessions may begin others.
#[derive(Debug, Clone, Copy)]
pub struct ChildrenConfig {
    pub bounds: ChildBounds,
    /// Whether programs in sandboxes may, too.
    pub by_agents: bool,
}

impl ChildrenConfig {
    pub(crate) fn may_be_begun_inside(self) -> bool {
        self.by_agents && self.bounds.depth > 0 && self.bounds.number > 0
    }
}

/// Whose child a new session is.
#[derive(Debug, Clone)]
pub struct Parent {
    pub session: SessionId,
    /// Who asked for the turn in which the agent begins it; `None` where a person does.
    pub asked_by: Option<String>,
}

/// How a child stands.
#[derive(Debug, Clone)]
pub struct ChildNow {
    pub session: SessionView,
    /// What its agent said last.
    pub said: String,
}

/// As its parent, but for what is asked for. It begins with what its parent has committed.
pub(crate) async fn spec(
    shared: &Shared,
    id: &SessionId,
    parent: &SessionId,
    new: NewSession,
) -> Result<SessionSpec, CommandError> {
    // Whoever asks in vain again and again has no log read for it.
    if let Some(view) = stored(shared, parent).await? {
        shared.config.children.bounds.check(&view.family)?;
    }
    let session = load(shared, parent).await?;
    let from = session.spec();
    let agent = new.agent.unwrap_or_else(|| from.agent.clone());
    let of_parent = session.model().filter(|_| agent == from.agent);
    let image = match &new.image {
        Some(image) => images::chosen(&shared.config, Some(image)).await?,
        None => from.image.clone(),
    };
    let base = match new.base {
        Some(base) => base,
        None => base_of_a_child(from).await,
    };
    let at_most = shared.config.guards.at_most(&from.repository, new.role);
    let limits = at_most.cap(session.limits_of_a_child(&new.limits)?);
    let new = NewSession {
        repository: from.repository.clone(),
        base: Some(base),
        model: new.model.or_else(|| of_parent.map(str::to_owned)),
        agent: Some(agent),
        permissions: Some(new.permissions.unwrap_or(from.permissions)),
        network: Some(new.network.unwrap_or_else(|| from.network.clone())),
        sandbox: new.sandbox.over(&from.sandbox),
        person: Some(new.person.unwrap_or_else(|| from.person.clone())),
        ..new
    };
    let parents = from.parents.iter().chain([parent]).cloned().collect();
    let repository = create::find_repository(&from.repository).await?;
    Ok(SessionSpec { parents, limits, ..create::spec(shared, id, repository, new, image).await? })
}

/// The parent's branch, once there is something on it.
async fn base_of_a_child(parent: &SessionSpec) -> String {
    let reference = format!("refs/heads/{}^{{commit}}", parent.branch);
    let found =
        git::line(Path::new(&parent.repository), &["rev-parse", "--verify", "--quiet", &reference]).await;
    if found.is_ok() { parent.branch.clone() } else { parent.base.clone() }
}

/// A child that its parent has not taken yet.
pub(crate) struct Claim {
    parent: SessionId,
    child: ChildBegun,
}

impl Claim {
    pub(crate) fn new(parent: Parent, id: &SessionId, spec: &SessionSpec, by: &str) -> Self {
        let (branch, by_agent) = (spec.branch.clone(), parent.asked_by.is_some());
        let child = ChildBegun { session: id.clone(), branch, by: by.to_owned(), by_agent };
        Self { parent: parent.session, child }
    }

    /// Before the child is there, so that there are never too many.
    pub(crate) async fn make(self, shared: &Arc<Shared>) -> Result<(), CommandError> {
        let engine = Engine { shared: shared.clone() };
        let bounds = shared.config.children.bounds;
        engine.command(&self.parent, Command::BeginChild { child: self.child, bounds }).await?;
        Ok(())
    }
}

impl Engine {
    /// The children of a session, in the order in which they were begun, without those that came to nothing.
    pub async fn children(&self, id: &SessionId) -> Result<Vec<ChildNow>, CommandError> {
        let mut all = Vec::new();
        for child in self.view(id).await?.family.children.iter() {
            match self.child(&child.session).await {
                Err(CommandError::NotFound) => {}
                child => all.push(child?),
            }
        }
        Ok(all)
    }

    async fn child(&self, id: &SessionId) -> Result<ChildNow, CommandError> {
        let session = self.view(id).await?;
        // A log may be away, or broken: how it stands, and how the others do, is known all the same.
        let said = self.said_last(&session).await.unwrap_or_else(|error| {
            tracing::warn!(session.id = %id, %error, "what a child's agent said last cannot be read");
            String::new()
        });
        Ok(ChildNow { session, said })
    }
}

/// Tells the parent of what was spent, and children of the end. A parent that sleeps is woken by the end of a turn and not by each answer
/// of a model: who spends asks the store.
pub(crate) fn tell(shared: &Arc<Shared>, id: &SessionId, before: &Session, now: &Session) {
    if let Some(parent) = now.spec().parent() {
        let is_news = now.cost_micros() > before.cost_micros();
        if is_news && shared.find(parent).is_some() {
            send(shared, parent.clone(), spent(id, now));
        } else if !now.is_in_turn() && (is_news || before.is_in_turn()) {
            catch_up(shared, id, now);
        }
    }
    if let Some(by) = now.ended_by().filter(|_| !before.ended()) {
        for child in now.children().iter() {
            send(shared, child.session.clone(), Report::ParentEnded { by: by.to_owned() });
        }
    }
}

/// A child wakes, or has come to rest: what should have been told of it, or to it, is told now.
pub(crate) fn catch_up(shared: &Arc<Shared>, id: &SessionId, session: &Session) {
    let Some(parent) = session.spec().parent().cloned() else { return };
    let (shared, id, has_ended) = (shared.clone(), id.clone(), session.ended());
    let (report, cost) = (spent(&id, session), session.cost_micros());
    shared.clone().tasks.spawn(async move {
        let Ok(Some(view)) = stored(&shared, &parent).await else { return };
        let told = view.family.children.iter().find(|child| child.session == id);
        if told.is_some_and(|child| child.cost_micros < cost) {
            send(&shared, parent, report);
        }
        if let Some(by) = view.who_ended().filter(|_| !has_ended) {
            let by = by.to_owned();
            send(&shared, id, Report::ParentEnded { by });
        }
    });
}

/// It spends nothing for whom it is a child of any more; who else does, looks anew.
pub(crate) fn asleep(shared: &Shared, session: &Session) {
    for above in &session.spec().parents {
        if shared.find(above).is_none() {
            shared.budgets.session_sleeps(above);
        }
    }
}

/// One of a family, as the store knows it, wherever it and those below it are.
#[derive(Debug)]
pub(crate) struct Relative {
    pub session: SessionId,
    /// In millionths of a dollar, as is what follows; 0 is no bound.
    pub budget_micros: u64,
    /// By it and by all below it.
    pub spent_micros: u64,
    pub ended_by: Option<String>,
}

/// These, of whom each is below the one before it; the lowest comes first.
pub(crate) async fn look(shared: &Shared, family: &[SessionId]) -> Result<Vec<Relative>, CommandError> {
    let mut found = Vec::new();
    for id in family.iter().rev() {
        let Some(view) = stored(shared, id).await? else { continue };
        let spent_micros = spent_by_all(shared, &view, &found).await?;
        let (budget_micros, ended_by) = (view.bound_micros(), view.who_ended().map(str::to_owned));
        found.push(Relative { session: id.clone(), budget_micros, spent_micros, ended_by });
    }
    Ok(found)
}

/// What a session and all below it have spent: what their own logs say, or what was told of them where that is more. Those that are `known`
/// are not read again.
async fn spent_by_all(shared: &Shared, view: &SessionView, known: &[Relative]) -> Result<u64, CommandError> {
    let mut spent = view.cost.micros;
    for child in view.family.children.iter() {
        let below = match known.iter().find(|one| one.session == child.session) {
            Some(one) => one.spent_micros,
            None => match stored(shared, &child.session).await? {
                Some(view) => Box::pin(spent_by_all(shared, &view, known)).await?,
                None => 0,
            },
        };
        spent = spent.saturating_add(below.max(child.cost_micros));
    }
    Ok(spent)
}

fn spent(id: &SessionId, session: &Session) -> Report {
    Report::ChildSpent { session: id.clone(), cost_micros: session.cost_micros() }
}

/// Unless there is no such session, or another server has it.
fn send(shared: &Arc<Shared>, to: SessionId, report: Report) {
    let engine = Engine { shared: shared.clone() };
    shared.tasks.spawn(async move {
        let is_here = engine.whereabouts(&to).await == Whereabouts::Here;
        if is_here && engine.existing(&to).await.is_ok() {
            // Whoever ends meanwhile asks its log when it wakes.
            let _ = engine.shared.send(&to, Message::Report(report)).await;
        }
    });
}

async fn stored(shared: &Shared, id: &SessionId) -> Result<Option<SessionView>, CommandError> {
    shared.store.summary(id).await?.map(|row| parse_view(&row.body)).transpose()
}
