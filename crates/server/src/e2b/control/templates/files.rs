//! `GET /templates/{id}/files/{hash}`, and `PUT` at the address that it names: archives for the steps of a template.

use super::super::super::ids::id_of;
use super::super::super::target::is_under;
use super::{Key, name_of, no_template};
use crate::clock;
use crate::e2b::answer::Refused;
use crate::http::App;
use axum::Json;
use axum::extract::{Path, RawQuery, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use lamplight_domain::SessionId;
use lamplight_e2b::listing::pairs;
use lamplight_e2b::signature::{Operation, Signed};
use lamplight_e2b::template::UploadPlace;
use lamplight_engine::{NotUploaded, is_upload_hash};

/// For as long as an upload may take, in seconds.
const COUNTS: i64 = 60 * 60;

/// Whoever has this address may put this one archive there, in time.
pub(in super::super) async fn link(
    State(app): State<App>,
    key: Key,
    Path((template, hash)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<(StatusCode, Json<UploadPlace>), Refused> {
    let all = app.engine.lent_templates(&key.person.name);
    let build = all.into_iter().find(|one| name_of(&one.family) == template);
    let build = build.ok_or_else(|| no_template(&template))?;
    if !is_upload_hash(&hash) {
        return Err(Refused::bad_request("the hash has to be 64 hexadecimal digits"));
    }
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let scheme = if is_under(&headers, app.config.e2b.domain.as_deref()) { "https" } else { "http" };
    let path = format!("/templates/{template}/files/{hash}");
    let expires = clock::now().0 / 1000 + COUNTS;
    let signature = signed(&app, &build.id, &path, expires).await?;
    let signature = signature.replace('+', "%2B").replace('/', "%2F");
    let (build, present) = (name_of(&build.id), app.engine.has_lent_upload(&key.person.name, &hash));
    let url = format!("{scheme}://{host}{path}?build={build}&expires={expires}&signature={signature}");
    Ok((StatusCode::CREATED, Json(UploadPlace { present, url: Some(url) })))
}

async fn signed(app: &App, build: &SessionId, path: &str, expires: i64) -> Result<String, Refused> {
    let token = app.engine.lent_token(build).await?;
    Ok(Signed { path, operation: Operation::Write, user: "", expires: Some(expires) }.sign(&token))
}

pub(in super::super) async fn upload(
    State(app): State<App>,
    Path((template, hash)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    request: Request,
) -> Result<StatusCode, Refused> {
    let query = pairs(&query.unwrap_or_default());
    let said = |of: &str| query.iter().find(|(name, _)| name == of).map_or("", |(_, value)| value.as_str());
    let refused = || Refused::new(StatusCode::UNAUTHORIZED, "invalid signature");
    let expires: i64 = said("expires").parse().map_err(|_| refused())?;
    let build = id_of(said("build")).ok_or_else(refused)?;
    let path = format!("/templates/{template}/files/{hash}");
    let token = app.engine.lent_token(&build).await?;
    let of = Signed { path: &path, operation: Operation::Write, user: "", expires: Some(expires) };
    if !of.is_signed_by(&token, said("signature")) {
        return Err(refused());
    }
    if expires < clock::now().0 / 1000 {
        return Err(Refused::new(StatusCode::UNAUTHORIZED, "signature is already expired"));
    }
    let owner = app.engine.lent_template_owner(&build).ok_or_else(|| no_template(&template))?;
    let content = request.into_body().into_data_stream();
    match app.engine.keep_lent_upload(&owner, &hash, content).await {
        Ok(()) => Ok(StatusCode::OK),
        Err(error @ NotUploaded::TooLong) => {
            Err(Refused::new(StatusCode::PAYLOAD_TOO_LARGE, error.to_string()))
        }
        Err(error @ NotUploaded::Broken) => Err(Refused::bad_request(error.to_string())),
        Err(error @ NotUploaded::NoRoom) => {
            Err(Refused::new(StatusCode::INSUFFICIENT_STORAGE, error.to_string()))
        }
        Err(error @ NotUploaded::Busy) => Err(Refused::new(StatusCode::TOO_MANY_REQUESTS, error.to_string())),
        Err(NotUploaded::Failed(error)) => {
            tracing::error!(error = format!("{error:#}"), "an upload for a template could not be kept");
            Err(Refused::new(
                StatusCode::INSUFFICIENT_STORAGE,
                "it could not be kept; see the log of this server",
            ))
        }
    }
}
