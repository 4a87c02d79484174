//! `POST /sign-in`: by the secret of an invitation, a link, or the setup.

use crate::http::App;
use crate::http::access::cookie;
use crate::http::audit::{Asker, Stranger};
use crate::http::me::Me;
use crate::http::people::ScopeView;
use crate::http::problem::Problem;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use lamplight_domain::Scope;
use lamplight_engine::people::{Entry, Wanted};
use serde::{Deserialize, Serialize};
use std::fmt;
use utoipa::ToSchema;

/// Somebody at the door.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EnterRequest {
    /// What came behind `#` of the link.
    pub secret: String,
    /// Who comes for the first time says who they are: commits are made in this name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// For a program: the name of a token that it gets, instead of a cookie.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
}

impl fmt::Debug for EnterRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EnterRequest")
    }
}

/// Who came in.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct Entered {
    pub me: Me,
    /// If one was asked for; it is said this once.
    pub token: Option<String>,
}

/// Lets somebody in, by a secret that counts once.
#[utoipa::path(post, path = "/sign-in", operation_id = "sign_in", tag = "people", request_body = EnterRequest,
    responses(
        (status = 200, body = Entered, headers(("Set-Cookie", description = "Unless a token was asked for"))),
        (status = 400, body = Problem, content_type = "application/problem+json", description = "invalid_request, name_needed"),
        (status = 401, body = Problem, content_type = "application/problem+json", description = "link_used_up"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "no_sign_in, name_taken")))]
pub(in crate::http) async fn handle(
    State(app): State<App>,
    Extension(asker): Extension<Asker>,
    headers: HeaderMap,
    request: Result<Json<EnterRequest>, JsonRejection>,
) -> Result<Response, Problem> {
    // What a parser says of a wrong body has parts of the body in it.
    let Json(request) = request.map_err(|_| {
        Problem::invalid_request("the body has to be {\"secret\": \"lmj_…\"}, as application/json")
    })?;
    if !app.config.auth.required {
        let what_to_do = "Set auth.required = true in its configuration to have several.";
        let detail = "this server has one person, who needs no sign-in";
        return Err(Problem::new(StatusCode::CONFLICT, "no_sign_in", detail, what_to_do));
    }
    let wanted = match &request.token {
        Some(name) => Wanted::Token { name: name.clone(), scope: Scope::Admin, expires_ms: None },
        None => Wanted::Browser,
    };
    let entry = Entry::Once { secret: request.secret, name: request.name, email: request.email };
    let entered = app.engine.enter(entry, wanted).await.map_err(Problem::from);
    // Whoever tries secrets could do so very often.
    let entered = match entered {
        Err(problem) if problem.code == "link_used_up" => {
            return Ok((Extension(Stranger), problem).into_response());
        }
        other => other?,
    };
    asker.is(&entered.person.name);
    let me = Me {
        id: Some(entered.person.id),
        name: entered.person.name,
        email: entered.person.email,
        role: entered.person.role.into(),
        scope: ScopeView::Admin,
        signs_in: true,
    };
    let mut response = match request.token {
        Some(_) => Json(Entered { me, token: Some(entered.secret) }).into_response(),
        None => {
            cookie::leave(&app, &headers).await;
            let cookie = cookie::set(&app, Some(&entered.secret));
            ([(header::SET_COOKIE, cookie)], Json(Entered { me, token: None })).into_response()
        }
    };
    response.headers_mut().insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
    Ok(response)
}
