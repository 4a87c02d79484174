//! The JSON-RPC ids of our requests. Each says by itself what was asked, so an answer needs no memory of the question.

use lamplight_domain::TurnNumber;
use lamplight_domain::agent::{AgentInput, RequestKind};

const INITIALIZE: &str = "initialize";
const NEW_SESSION: &str = "new-session";
const LOAD_SESSION: &str = "load-session:";
const CHOOSE_MODEL: &str = "choose-model";
const CHOOSE_MODE: &str = "choose-mode";
const PROMPT: &str = "prompt-";

/// What the id of an answer says about the question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    Initialize,
    NewSession,
    /// The answer itself does not say which conversation was loaded, so the id does.
    LoadSession {
        agent_session: String,
    },
    ChooseModel,
    ChooseMode,
    Prompt(TurnNumber),
}

impl Asked {
    pub fn kind(&self) -> RequestKind {
        match self {
            Self::Initialize => RequestKind::Initialize,
            Self::NewSession => RequestKind::NewSession,
            Self::LoadSession { .. } => RequestKind::LoadSession,
            Self::ChooseModel => RequestKind::ChooseModel,
            Self::ChooseMode => RequestKind::ChooseMode,
            Self::Prompt(_) => RequestKind::Prompt,
        }
    }
}

/// The id under which an input is sent; `None` for answers and notifications, which have none of ours.
pub fn of(input: &AgentInput) -> Option<String> {
    match input {
        AgentInput::Initialize => Some(INITIALIZE.to_owned()),
        AgentInput::NewSession => Some(NEW_SESSION.to_owned()),
        AgentInput::LoadSession { agent_session } => Some(format!("{LOAD_SESSION}{agent_session}")),
        AgentInput::ChooseModel { .. } => Some(CHOOSE_MODEL.to_owned()),
        AgentInput::ChooseMode { .. } => Some(CHOOSE_MODE.to_owned()),
        AgentInput::Prompt { turn, retry: 0, .. } => Some(format!("{PROMPT}{turn}")),
        AgentInput::Prompt { turn, retry, .. } => Some(format!("{PROMPT}{turn}-{retry}")),
        AgentInput::Cancel { .. }
        | AgentInput::AnswerPermission { .. }
        | AgentInput::AnswerQuestion { .. }
        | AgentInput::Unsupported { .. } => None,
    }
}

/// The inverse of [`of`]; `None` when the id is not one of ours.
pub fn parse(id: &str) -> Option<Asked> {
    match id {
        INITIALIZE => Some(Asked::Initialize),
        NEW_SESSION => Some(Asked::NewSession),
        CHOOSE_MODEL => Some(Asked::ChooseModel),
        CHOOSE_MODE => Some(Asked::ChooseMode),
        _ => {
            if let Some(agent_session) = id.strip_prefix(LOAD_SESSION) {
                return Some(Asked::LoadSession { agent_session: agent_session.to_owned() });
            }
            let turn = id.strip_prefix(PROMPT)?;
            let turn = turn.split_once('-').map_or(turn, |(turn, _retry)| turn).parse().ok()?;
            Some(Asked::Prompt(TurnNumber(turn)))
        }
    }
}
