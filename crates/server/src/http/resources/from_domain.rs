//! From the domain's views to the API's resources.

use super::{
    Checkpoint, Contact, Cost, Image, Merged, Model, Moment, Network, OpenPermission, OpenQuestion, Origin,
    PermissionOption, PermissionOptionKind, Person, Phase, PullRequest, QueuedPrompt, Sandbox, SandboxState,
    SessionSummary, SessionView, Tokens, TurnCommit,
};
use lamplight_domain::permission::OptionKind;
use lamplight_domain::session::{self, view};
use lamplight_domain::{HostPattern, NotAHost};
use std::sync::Arc;

impl From<session::Phase> for Phase {
    fn from(phase: session::Phase) -> Self {
        match phase {
            session::Phase::Queued => Self::Queued,
            session::Phase::Starting => Self::Starting,
            session::Phase::Planning => Self::Planning,
            session::Phase::Executing => Self::Executing,
            session::Phase::WaitingForYou => Self::WaitingForYou,
            session::Phase::Stuck => Self::Stuck,
            session::Phase::Paused => Self::Paused,
            session::Phase::Done => Self::Done,
            session::Phase::Failed => Self::Failed,
        }
    }
}

impl From<lamplight_domain::transcript::Tokens> for Tokens {
    fn from(tokens: lamplight_domain::transcript::Tokens) -> Self {
        Self {
            input: tokens.input,
            output: tokens.output,
            cached: tokens.cached,
            cache_written: tokens.cache_written,
            reasoning: tokens.reasoning,
        }
    }
}

impl From<view::Cost> for Cost {
    fn from(cost: view::Cost) -> Self {
        Self { micros: cost.micros, is_partial: cost.is_partial }
    }
}

impl From<lamplight_domain::Person> for Person {
    fn from(person: lamplight_domain::Person) -> Self {
        Self { name: person.name, email: person.email }
    }
}

impl From<OptionKind> for PermissionOptionKind {
    fn from(kind: OptionKind) -> Self {
        match kind {
            OptionKind::AllowOnce => Self::AllowOnce,
            OptionKind::AllowAlways => Self::AllowAlways,
            OptionKind::RejectOnce => Self::RejectOnce,
            OptionKind::RejectAlways => Self::RejectAlways,
        }
    }
}

impl From<view::OpenPermission> for OpenPermission {
    fn from(open: view::OpenPermission) -> Self {
        let options = open.options.into_iter();
        Self {
            request: open.request,
            title: open.title,
            options: options
                .map(|option| PermissionOption { id: option.id, name: option.name, kind: option.kind.into() })
                .collect(),
            deadline: Moment(open.deadline),
        }
    }
}

impl From<view::OpenQuestion> for OpenQuestion {
    fn from(open: view::OpenQuestion) -> Self {
        Self { request: open.request, question: open.question, deadline: Moment(open.deadline) }
    }
}

impl From<view::TurnCommit> for TurnCommit {
    fn from(view::TurnCommit { turn, commit }: view::TurnCommit) -> Self {
        Self {
            turn: turn.0,
            id: commit.id,
            files: commit.files,
            insertions: commit.insertions,
            deletions: commit.deletions,
        }
    }
}

impl From<view::CheckpointView> for Checkpoint {
    fn from(kept: view::CheckpointView) -> Self {
        Self {
            checkpoint: kept.checkpoint,
            at: Moment(kept.at),
            turn: kept.turn.0,
            in_turn: kept.in_turn,
            commit: kept.commit,
        }
    }
}

impl From<view::OriginView> for Origin {
    fn from(origin: view::OriginView) -> Self {
        Self { session: origin.session.into(), checkpoint: origin.checkpoint }
    }
}

impl From<lamplight_domain::Network> for Network {
    fn from(network: lamplight_domain::Network) -> Self {
        match network {
            lamplight_domain::Network::Open => Self::Open,
            lamplight_domain::Network::None => Self::None,
            lamplight_domain::Network::Allowlist { hosts } => {
                Self::Allowlist { hosts: hosts.into_iter().map(String::from).collect() }
            }
        }
    }
}

impl From<session::SandboxState> for SandboxState {
    fn from(state: session::SandboxState) -> Self {
        match state {
            session::SandboxState::None => Self::None,
            session::SandboxState::Starting => Self::Starting,
            session::SandboxState::Running => Self::Running,
            session::SandboxState::Paused => Self::Paused,
            session::SandboxState::Stopped => Self::Stopped,
        }
    }
}

impl TryFrom<Network> for lamplight_domain::Network {
    type Error = NotAHost;

    fn try_from(network: Network) -> Result<Self, NotAHost> {
        Ok(match network {
            Network::Open => Self::Open,
            Network::None => Self::None,
            Network::Allowlist { hosts } => Self::Allowlist {
                hosts: hosts.into_iter().map(HostPattern::try_from).collect::<Result<_, _>>()?,
            },
        })
    }
}

impl From<lamplight_domain::event::Contact> for Contact {
    fn from(contact: lamplight_domain::event::Contact) -> Self {
        Self { host: contact.host, port: contact.port, refused: contact.refused }
    }
}

impl From<session::SessionView> for SessionView {
    fn from(view: session::SessionView) -> Self {
        Self {
            id: view.id.into(),
            title: view.title,
            phase: view.phase.into(),
            reason: view.reason,
            repository: view.repository,
            base: view.base,
            branch: view.branch,
            agent: view.agent,
            model: view.model,
            models: Arc::unwrap_or_clone(view.models)
                .into_iter()
                .map(|model| Model { id: model.id, name: model.name })
                .collect(),
            person: view.person.into(),
            turn: view.turn.0,
            steps: view.steps,
            tokens: view.tokens.into(),
            cost: view.cost.into(),
            turn_cost: view.turn_cost.into(),
            budget_micros: view.budget_micros,
            guards: view.guards.into_iter().map(Into::into).collect(),
            tripped: view.tripped.map(Into::into),
            elapsed_ms: view.elapsed_ms,
            turn_started_at: view.turn_started_at.map(Moment),
            queued: view
                .queued
                .into_iter()
                .map(Arc::unwrap_or_clone)
                .map(|queued| QueuedPrompt {
                    prompt: queued.prompt.into(),
                    text: queued.text,
                    by: queued.by,
                    attachments: queued.attachments.into_iter().map(Into::into).collect(),
                })
                .collect(),
            permission: view.permission.map(OpenPermission::from),
            question: view.question.map(OpenQuestion::from),
            commits: Arc::unwrap_or_clone(view.commits).into_iter().map(TurnCommit::from).collect(),
            checks: view.checked.map(Into::into),
            merged: view.merged.map(|merged| Merged { into: merged.into, commit: merged.commit }),
            pull_request: view.pull_request.map(PullRequest::from),
            checkpoints: view.checkpoints.into_iter().map(Checkpoint::from).collect(),
            origin: view.origin.map(Origin::from),
            attempts: view.attempts.map(Into::into),
            family: view.family.into(),
            network: view.network.into(),
            image: view.image.map(|image| Image { name: image.name.into(), digest: image.digest.into() }),
            contacts: Arc::unwrap_or_clone(view.contacts).into_iter().map(Contact::from).collect(),
            sandbox_state: view.sandbox_state.into(),
            priority: view.priority,
            queue_position: None,
            estimated_wait_seconds: None,
            sandbox: view.enforced.map(Sandbox::from),
            ended: view.ended,
            archived: view.archived,
            dead: view.dead,
            last_seq: view.last_seq.0,
            created_at: Moment(view.created_at),
            updated_at: Moment(view.updated_at),
        }
    }
}

impl From<lamplight_domain::PullRequest> for PullRequest {
    fn from(shown: lamplight_domain::PullRequest) -> Self {
        let lamplight_domain::PullRequest { repository, number, url, draft, head, checked: _ } = shown;
        Self { repository, number, url, draft, head }
    }
}

impl From<session::SessionSummary> for SessionSummary {
    fn from(summary: session::SessionSummary) -> Self {
        Self {
            id: summary.id.into(),
            title: summary.title,
            phase: summary.phase.into(),
            reason: summary.reason,
            repository: summary.repository,
            branch: summary.branch,
            agent: summary.agent,
            model: summary.model,
            turn: summary.turn.0,
            steps: summary.steps,
            tokens: summary.tokens.into(),
            cost: summary.cost.into(),
            elapsed_ms: summary.elapsed_ms,
            turn_started_at: summary.turn_started_at.map(Moment),
            queued_count: summary.queued_count,
            last_seq: summary.last_seq.0,
            created_at: Moment(summary.created_at),
            updated_at: Moment(summary.updated_at),
            ended: summary.ended,
            archived: summary.archived,
            dead: summary.dead,
            person: summary.person,
            is_unsafe: summary.is_unsafe,
            attempts: summary.attempts.map(Into::into),
            parent: summary.parent.map(String::from),
            queue_position: None,
            estimated_wait_seconds: None,
        }
    }
}
