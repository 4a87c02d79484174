//! What can go wrong with a request, before it is done or after.

use crate::problem;
use axum::body::{Body, Bytes};
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures::stream;
use std::io;

/// Of the next request that it fits.
#[derive(Debug, Clone)]
pub struct Fault {
    pub method: Method,
    /// The end of the path.
    pub path: &'static str,
    pub moment: Moment,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Nothing is done; this status is the answer.
    Instead(u16),
    /// Nothing is done: too many requests in a short time.
    SecondaryLimit { retry_after_s: u64 },
    /// It is done, and the connection breaks before anybody hears so.
    ThenDropped,
    /// Nothing is done, and nothing is answered.
    Hanging,
    /// It is done, and nothing is answered.
    ThenHanging,
}

impl Fault {
    pub(crate) fn is_of(&self, method: &Method, path: &str) -> bool {
        self.method == method && path.ends_with(self.path)
    }

    pub(crate) fn before(&self) -> Option<Response> {
        match self.moment {
            Moment::Instead(status) => {
                let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                Some(problem(status, "Server Error"))
            }
            Moment::SecondaryLimit { retry_after_s } => {
                let message = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.";
                let mut answer = problem(StatusCode::FORBIDDEN, message);
                answer.headers_mut().insert(header::RETRY_AFTER, retry_after_s.into());
                Some(answer)
            }
            Moment::ThenDropped | Moment::Hanging | Moment::ThenHanging => None,
        }
    }

    pub(crate) fn hangs(&self) -> bool {
        self.moment == Moment::Hanging
    }

    pub(crate) fn hangs_then(&self) -> bool {
        self.moment == Moment::ThenHanging
    }

    pub(crate) fn after(&self, answer: Response) -> Response {
        if self.moment != Moment::ThenDropped {
            return answer;
        }
        let torn = stream::once(async { Err::<Bytes, _>(io::Error::from(io::ErrorKind::ConnectionReset)) });
        (answer.status(), [(header::CONTENT_TYPE, "application/json")], Body::from_stream(torn))
            .into_response()
    }
}
