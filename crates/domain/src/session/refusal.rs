//! Why a command is refused. Reports are never refused; they are ignored when stale.

use super::view::Dollars;
use crate::event::Guard;
use crate::{BudgetOf, Role, TurnNumber};

/// A command that the session does not take now, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    Ended,
    TurnRunning {
        turn: TurnNumber,
    },
    NoTurnRunning,
    /// Somebody, or a guard, has asked for its end.
    TurnStopping {
        turn: TurnNumber,
    },
    /// There is no sandbox that runs, or it cannot be paused.
    NothingToPause,
    NotPaused,
    /// It is being made.
    SandboxStarting,
    /// It was given back, or never was.
    NoSandbox,
    CheckpointNotFound {
        checkpoint: u32,
        known: Vec<u32>,
    },
    RestoreRunning,
    /// The branch ends at another commit than was thought.
    BranchMoved,
    /// In millionths of a dollar.
    BudgetSpent {
        budget_micros: u64,
    },
    /// Of a guard of the whole session; `detail` is what it says.
    GuardSpent {
        guard: Guard,
        detail: String,
    },
    /// No guard stands against it, or not since that turn.
    NothingToContinue,
    /// It is not the session's own.
    CannotBeContinued {
        guard: Guard,
    },
    /// With this role nobody lets it go on past that.
    NotTheirsToRaise {
        guard: Guard,
        role: Role,
    },
    /// Of those who share a budget, in this month.
    MonthBudgetSpent {
        of: BudgetOf,
        budget_micros: u64,
    },
    PromptNotFound,
    PermissionNotOpen,
    OptionNotOffered {
        option: String,
    },
    QuestionNotOpen,
    /// `field` is `None` when it is the answer as a whole.
    AnswerDoesNotFit {
        field: Option<String>,
        why: String,
    },
    /// It was not begun beside others.
    NotAnAttempt,
    /// Of several, a person has taken another.
    AttemptTaken {
        number: u32,
        by: String,
    },
    /// Below so many generations of children there is none.
    ChildTooDeep {
        depth: u32,
    },
    /// One session has so many children in its life, and this one had them.
    TooManyChildren {
        number: u32,
    },
    EmptyPrompt,
    /// The last turn did not fail for want of a sandbox or the like.
    NothingToRetry,
    ModelUnknown {
        model: String,
        offered: Vec<String>,
    },
    /// The queue of prompts is full; `limit` is its bound.
    QueueFull {
        limit: usize,
    },
}

impl Refusal {
    /// Stable, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Ended => "session_ended",
            Self::TurnRunning { .. } => "turn_running",
            Self::NoTurnRunning => "no_turn_running",
            Self::TurnStopping { .. } => "turn_stopping",
            Self::NothingToPause => "nothing_to_pause",
            Self::NotPaused => "not_paused",
            Self::SandboxStarting => "sandbox_starting",
            Self::NoSandbox => "no_sandbox",
            Self::CheckpointNotFound { .. } => "checkpoint_not_found",
            Self::RestoreRunning => "restore_running",
            Self::BranchMoved => "branch_moved",
            Self::BudgetSpent { .. } => "budget_spent",
            Self::GuardSpent { .. } => "guard_spent",
            Self::NothingToContinue => "nothing_to_continue",
            Self::CannotBeContinued { .. } => "cannot_be_continued",
            Self::NotTheirsToRaise { .. } => "role_too_low",
            Self::MonthBudgetSpent { .. } => "month_budget_spent",
            Self::PromptNotFound => "prompt_not_found",
            Self::PermissionNotOpen => "permission_not_open",
            Self::OptionNotOffered { .. } => "option_not_offered",
            Self::QuestionNotOpen => "question_not_open",
            Self::AnswerDoesNotFit { .. } => "answer_does_not_fit",
            Self::NotAnAttempt => "not_an_attempt",
            Self::AttemptTaken { .. } => "attempt_taken",
            Self::ChildTooDeep { .. } => "child_too_deep",
            Self::TooManyChildren { .. } => "too_many_children",
            Self::EmptyPrompt => "empty_prompt",
            Self::NothingToRetry => "nothing_to_retry",
            Self::ModelUnknown { .. } => "model_unknown",
            Self::QueueFull { .. } => "queue_full",
        }
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Ended => write!(f, "the session has ended; start a new one"),
            Self::TurnRunning { turn } => write!(f, "turn {turn} is running; stop it or wait for its end"),
            Self::NoTurnRunning => write!(f, "no turn is running, so there is nothing to stop"),
            Self::TurnStopping { turn } => {
                write!(f, "turn {turn} is being stopped, which a pause would put off; wait a moment")
            }
            Self::NothingToPause => {
                write!(f, "no sandbox of this session runs that could be paused")
            }
            Self::NotPaused => write!(f, "the session is not paused, so there is nothing to resume"),
            Self::SandboxStarting => write!(f, "the session's sandbox is being started; wait a moment"),
            Self::NoSandbox => write!(
                f,
                "the session has no sandbox now, only its files; the next prompt starts one with them"
            ),
            Self::CheckpointNotFound { checkpoint, known } if known.is_empty() => {
                write!(f, "there is no checkpoint {checkpoint}: the session has none yet")
            }
            Self::CheckpointNotFound { checkpoint, known } => {
                let known = known.iter().map(u32::to_string).collect::<Vec<_>>().join(", ");
                write!(f, "there is no checkpoint {checkpoint}, or no longer; there are {known}")
            }
            Self::RestoreRunning => {
                write!(f, "the session's files are being restored already; wait for that")
            }
            Self::BranchMoved => write!(f, "the session has committed something meanwhile; try again"),
            Self::BudgetSpent { budget_micros } => {
                write!(f, "the session's budget of {} is spent; raise it to go on", Dollars(*budget_micros))
            }
            Self::GuardSpent { guard, detail } => write!(f, "{detail}; {}", guard.what_to_do()),
            Self::NothingToContinue => {
                write!(f, "no guard keeps this session from going on after that turn, so a prompt is enough")
            }
            Self::CannotBeContinued { guard } => write!(
                f,
                "the guard {} is not this session's own, so it cannot be let go on past it",
                guard.code()
            ),
            Self::NotTheirsToRaise { guard, role } => {
                write!(
                    f,
                    "only admins let a session go on past the guard {}, and this is {role}",
                    guard.code()
                )
            }
            Self::MonthBudgetSpent { of, budget_micros } => write!(
                f,
                "{} is spent; raise it in the configuration or wait for the next month",
                of.named(*budget_micros)
            ),
            Self::PromptNotFound => write!(f, "no such prompt is queued; it may have been sent already"),
            Self::PermissionNotOpen => write!(f, "this request is answered already, or its turn is over"),
            Self::OptionNotOffered { option } => write!(f, "the agent did not offer the option {option:?}"),
            Self::QuestionNotOpen => write!(f, "this question is answered already, or its turn is over"),
            Self::AnswerDoesNotFit { field: Some(field), why } => {
                write!(f, "the answer does not fit the question, in {field:?}: {why}")
            }
            Self::AnswerDoesNotFit { field: None, why } => {
                write!(f, "the answer does not fit the question: {why}")
            }
            Self::NotAnAttempt => {
                write!(f, "the session is not one of several attempts, so there is nothing to choose from")
            }
            Self::AttemptTaken { number, by } => write!(f, "{by} has taken attempt {number} already"),
            Self::ChildTooDeep { depth: 0 } => write!(f, "sessions have no children here"),
            Self::ChildTooDeep { depth } => {
                write!(f, "the session is {depth} deep itself, and none deeper may be begun")
            }
            Self::TooManyChildren { number } => {
                write!(f, "the session has had {number} children, and may have no more")
            }
            Self::EmptyPrompt => write!(f, "the prompt is empty; say what is to be done"),
            Self::NothingToRetry => {
                write!(f, "the session's last turn is no dead letter, so there is nothing to try again")
            }
            Self::ModelUnknown { model, offered } => {
                write!(f, "the agent does not offer the model {model:?}; it offers {}", offered.join(", "))
            }
            Self::QueueFull { limit } => {
                write!(f, "{limit} prompts are queued already; wait for the agent or remove some")
            }
        }
    }
}

impl std::error::Error for Refusal {}
