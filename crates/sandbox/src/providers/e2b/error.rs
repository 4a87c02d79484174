//! What the cloud says of a failure, in our kinds. It is the infrastructure's, always: what an agent does wrong, its process tells.

use crate::error::{ErrorKind, SandboxError};
use lamplight_e2b::connect::{Code, Error};
use lamplight_e2b::control;
use reqwest::StatusCode;

/// What is told of an answer at most; characters.
const REASON: usize = 300;

/// How whoever stands before a sandbox says that it is gone, or paused.
const NOT_THERE: &str = "was not found";

/// An answer that is no success.
pub(super) fn of_status(what: &str, status: StatusCode, body: &[u8]) -> SandboxError {
    let said = said(body);
    let kind = match status.as_u16() {
        401 | 403 => {
            let message = format!(
                "{what}: the cloud does not let us ({said}); look at its key (lamplight keys test e2b)"
            );
            return SandboxError::new(ErrorKind::Unsupported, message);
        }
        404 | 410 => ErrorKind::Gone,
        502 if said.contains(NOT_THERE) => ErrorKind::Gone,
        429 | 507 => ErrorKind::Exhausted,
        408 | 409 | 502..=504 => ErrorKind::Unavailable,
        501 => ErrorKind::Unsupported,
        400..=499 => ErrorKind::Invalid,
        _ => ErrorKind::Failed,
    };
    SandboxError::new(kind, format!("{what}: the cloud answers {}: {said}", status.as_u16()))
}

/// Nothing can be asked.
pub(super) fn no_key(what: &str) -> SandboxError {
    let message = format!("{what}: there is no key for the cloud; set one with lamplight keys set e2b");
    SandboxError::new(ErrorKind::Unsupported, message)
}

/// No answer.
pub(super) fn of_transport(what: &str, error: reqwest::Error) -> SandboxError {
    SandboxError::new(ErrorKind::Unavailable, format!("{what}: the cloud cannot be reached"))
        .with_source(error.without_url())
}

pub(super) fn too_late(what: &str) -> SandboxError {
    SandboxError::new(ErrorKind::Unavailable, format!("{what}: the cloud does not answer in time"))
}

/// What is no answer to what was asked.
pub(super) fn strange(what: &str, why: impl std::fmt::Display) -> SandboxError {
    SandboxError::new(ErrorKind::Failed, format!("{what}: the cloud's answer is not understood: {why}"))
}

/// A call to a sandbox that has failed.
pub(super) fn of_call(what: &str, error: &Error) -> SandboxError {
    let kind = match error.code {
        Code::NotFound => ErrorKind::Gone,
        Code::Unauthenticated | Code::PermissionDenied | Code::Unimplemented => ErrorKind::Unsupported,
        Code::ResourceExhausted => ErrorKind::Exhausted,
        Code::Unavailable | Code::DeadlineExceeded | Code::Canceled | Code::Aborted => ErrorKind::Unavailable,
        Code::Unknown
        | Code::InvalidArgument
        | Code::AlreadyExists
        | Code::FailedPrecondition
        | Code::OutOfRange
        | Code::Internal => ErrorKind::Failed,
    };
    SandboxError::new(kind, format!("{what}: {}", short(&error.message)))
}

/// The message of E2B's error body, or what there is.
pub(super) fn said(body: &[u8]) -> String {
    match serde_json::from_slice::<control::Error>(body) {
        Ok(error) => short(&error.message),
        Err(_) => short(String::from_utf8_lossy(body).trim()),
    }
}

fn short(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(REASON).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_answer_has_its_kind() {
        let check = |status: u16, body: &str, kind, retryable| {
            let error = of_status("ask", StatusCode::from_u16(status).unwrap(), body.as_bytes());
            assert_eq!((error.kind, error.retryable), (kind, retryable), "{status} {error}");
        };
        check(401, r#"{"code":401,"message":"no"}"#, ErrorKind::Unsupported, false);
        check(404, r#"{"code":404,"message":"no"}"#, ErrorKind::Gone, false);
        check(429, r#"{"code":429,"message":"too many"}"#, ErrorKind::Exhausted, true);
        check(409, "", ErrorKind::Unavailable, true);
        check(503, "<html>", ErrorKind::Unavailable, true);
        check(400, r#"{"code":400,"message":"bad"}"#, ErrorKind::Invalid, false);
        check(501, "", ErrorKind::Unsupported, false);
        check(500, "", ErrorKind::Failed, true);
        let gone = r#"{"sandboxId":"i","message":"The sandbox was not found","code":502}"#;
        check(502, gone, ErrorKind::Gone, false);
        let closed = r#"{"sandboxId":"i","message":"The sandbox is running but port is not open","port":1,"code":502}"#;
        check(502, closed, ErrorKind::Unavailable, true);
    }

    #[test]
    fn what_is_told_is_short_and_plain() {
        let long = format!("a\u{1b}[31m{}", "b".repeat(2 * REASON));
        let told = said(long.as_bytes());
        assert_eq!(told.chars().count(), REASON);
        assert!(!told.contains('\u{1b}'));
        assert_eq!(said(br#"{"code":400,"message":"why"}"#), "why");
    }
}
