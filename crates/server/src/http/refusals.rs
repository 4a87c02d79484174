//! What the engine refuses, as problems. Every failure that is not the caller's is logged here, once, in full, and
//! answered without its inside.

use super::problem::Problem;
use axum::http::StatusCode;
use lamplight_domain::session::Refusal;
use lamplight_engine::CommandError;

impl From<CommandError> for Problem {
    fn from(error: CommandError) -> Self {
        let code = error.code();
        match error {
            CommandError::NotFound => Self::new(
                StatusCode::NOT_FOUND,
                code,
                "there is no such session",
                "List the sessions and take an id from there.",
            ),
            CommandError::Refused(refusal) => refused(&refusal),
            CommandError::Invalid { message, what_to_do, .. } => {
                Self::new(invalid_status(code), code, message, what_to_do)
            }
            CommandError::StorageFull => Self::new(
                StatusCode::INSUFFICIENT_STORAGE,
                code,
                "the disk with the data directory is full, so nothing can be recorded",
                "Free some space; the server goes on by itself.",
            ),
            CommandError::Unreachable(why) => {
                tracing::warn!("the database cannot be reached: {why}");
                Self::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    code,
                    "the database cannot be reached, so nothing can be looked up or recorded",
                    "Wait a moment; the server goes on by itself when the database is there again.",
                )
            }
            CommandError::StorageUnavailable(why) => {
                tracing::warn!("the object store cannot be used: {why}");
                Self::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    code,
                    "the object store cannot be used, so no file can be kept or read; nothing was changed",
                    "Try again in a moment; if it stays, `lamplight doctor` says what is wrong with it.",
                )
            }
            CommandError::Busy => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                code,
                "the session did not answer in time",
                "Try again in a moment.",
            ),
            CommandError::Moved => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                code,
                "the session is at another server, or on its way to one",
                "Try again in a moment.",
            ),
            CommandError::Newer => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                code,
                "a server of a newer version has had this session, and none of that version is there",
                "Bring a server of the newer version back, or this one to that version: \"Upgrading\" in docs/several-servers.md.",
            ),
            CommandError::Failed(error) => {
                tracing::error!(error = format!("{error:#}"), "a request failed");
                Self::new(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    code,
                    "something went wrong inside the server; its log says what",
                    "Try again; if it stays, read the server's log and run `lamplight doctor`.",
                )
            }
        }
    }
}

fn refused(refusal: &Refusal) -> Problem {
    let (status, what_to_do) = match refusal {
        Refusal::Ended => (StatusCode::CONFLICT, "Start a new session."),
        Refusal::TurnRunning { .. } => (StatusCode::CONFLICT, "Stop the turn or wait for its end."),
        Refusal::NoTurnRunning => (StatusCode::CONFLICT, "Nothing: no turn is running."),
        Refusal::TurnStopping { .. } => (StatusCode::CONFLICT, "Wait a moment."),
        Refusal::NothingToPause => (StatusCode::CONFLICT, "Nothing: no sandbox of it runs."),
        Refusal::NotPaused => (StatusCode::CONFLICT, "Nothing: it is not paused."),
        Refusal::SandboxStarting => (StatusCode::CONFLICT, "Wait a moment."),
        Refusal::NoSandbox => (StatusCode::CONFLICT, "Send a prompt; the sandbox is started for it."),
        Refusal::CheckpointNotFound { .. } => {
            (StatusCode::NOT_FOUND, "Take one of the session's `checkpoints`; each turn leaves one.")
        }
        Refusal::RestoreRunning => (StatusCode::CONFLICT, "Wait a moment."),
        Refusal::BranchMoved => (StatusCode::CONFLICT, "Try again."),
        Refusal::BudgetSpent { .. } => (StatusCode::CONFLICT, "Raise the session's budget."),
        Refusal::GuardSpent { .. } => {
            (StatusCode::CONFLICT, "Let it go on once: `lamplight continue`, or the button on its page.")
        }
        Refusal::NothingToContinue => (StatusCode::CONFLICT, "Send a prompt."),
        Refusal::CannotBeContinued { .. } => {
            (StatusCode::CONFLICT, "Do what the session's `reason` says; then send a prompt.")
        }
        Refusal::NotTheirsToRaise { .. } => {
            (StatusCode::FORBIDDEN, "Ask an admin of this server to let it go on, or to raise the budget.")
        }
        Refusal::MonthBudgetSpent { .. } => (
            StatusCode::CONFLICT,
            "Raise it in the server's configuration and restart the server, or wait for the next month (UTC).",
        ),
        Refusal::PromptNotFound => (StatusCode::NOT_FOUND, "Nothing: it may have been sent already."),
        Refusal::PermissionNotOpen => (StatusCode::CONFLICT, "Nothing: it is answered, or its turn is over."),
        Refusal::OptionNotOffered { .. } => (StatusCode::BAD_REQUEST, "Choose one of the options offered."),
        Refusal::QuestionNotOpen => (StatusCode::CONFLICT, "Nothing: it is answered, or its turn is over."),
        Refusal::AnswerDoesNotFit { .. } => (
            StatusCode::BAD_REQUEST,
            "Fill in what the question asks for, as the session's `question` says it.",
        ),
        Refusal::NothingToRetry => (StatusCode::CONFLICT, "Nothing; a prompt goes on with the session."),
        Refusal::NotAnAttempt => (
            StatusCode::CONFLICT,
            "Begin several at once: `lamplight run --attempts 3`, or `attempts` of a new session.",
        ),
        Refusal::AttemptTaken { .. } => (
            StatusCode::CONFLICT,
            "Go on with the one that was taken; the branches of the others are still there.",
        ),
        Refusal::ChildTooDeep { .. } => {
            (StatusCode::CONFLICT, "Begin it for a session above, or set children.depth higher.")
        }
        Refusal::TooManyChildren { .. } => {
            (StatusCode::CONFLICT, "Prompt one of its children, or set children.per_session higher.")
        }
        Refusal::EmptyPrompt => (StatusCode::BAD_REQUEST, "Say what is to be done."),
        Refusal::ModelUnknown { .. } => (StatusCode::BAD_REQUEST, "Choose one of the models offered."),
        Refusal::QueueFull { .. } => {
            (StatusCode::TOO_MANY_REQUESTS, "Wait for the agent or remove a prompt.")
        }
    };
    Problem::new(status, refusal.code(), refusal.to_string(), what_to_do)
}

/// A request that is well formed and cannot be served: 409 where the state of something stands against it, else 400.
fn invalid_status(code: &str) -> StatusCode {
    match code {
        "merge_conflict" | "nothing_to_merge" | "merged_by_parent" | "turn_running" | "busy"
        | "secrets_key" => StatusCode::CONFLICT,
        "nothing_to_publish" | "no_forge" | "push_refused" => StatusCode::CONFLICT,
        "github_unauthorized" | "github_forbidden" | "github_not_found" | "github_refused" => {
            StatusCode::CONFLICT
        }
        "no_pull_request" => StatusCode::NOT_FOUND,
        "pull_request_of_fork"
        | "branch_diverged"
        | "branch_protected"
        | "pull_request_closed"
        | "checks_running"
        | "github_not_installed"
        | "fetch_failed"
        | "merged_elsewhere" => StatusCode::CONFLICT,
        "github_limited" => StatusCode::TOO_MANY_REQUESTS,
        "github_unreachable" => StatusCode::BAD_GATEWAY,
        "sandbox_paused" | "sandbox_starting" | "no_sandbox" | "sandbox_lost" | "sandbox_too_old" => {
            StatusCode::CONFLICT
        }
        "file_unreadable" | "file_failed" => StatusCode::CONFLICT,
        "file_denied" => StatusCode::FORBIDDEN,
        "file_not_found" => StatusCode::NOT_FOUND,
        "attachment_not_found" => StatusCode::NOT_FOUND,
        "attachment_too_large" => StatusCode::PAYLOAD_TOO_LARGE,
        "uploads_full" => StatusCode::TOO_MANY_REQUESTS,
        "terminal_not_found" | "nothing_listens" => StatusCode::NOT_FOUND,
        "code_not_installed" | "code_ended" | "code_port_taken" => StatusCode::CONFLICT,
        "too_many_terminals" | "terminal_refused" | "port_refused" => StatusCode::CONFLICT,
        "link_used_up" => StatusCode::UNAUTHORIZED,
        "not_invited" => StatusCode::FORBIDDEN,
        "name_taken" | "last_owner" | "too_many_tokens" | "too_many_hooks" | "template_building" => {
            StatusCode::CONFLICT
        }
        "person_not_found" | "credential_not_found" | "hook_not_found" | "delivery_not_found" => {
            StatusCode::NOT_FOUND
        }
        "automation_not_found" => StatusCode::NOT_FOUND,
        "automation_name_taken" | "automation_running" | "too_many_automations" => StatusCode::CONFLICT,
        "no_webhook" | "repository_not_listed" => StatusCode::CONFLICT,
        "idempotency_key_reused" => StatusCode::UNPROCESSABLE_ENTITY,
        _ => StatusCode::BAD_REQUEST,
    }
}
