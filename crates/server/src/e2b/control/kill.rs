//! `DELETE /sandboxes/{id}`

use super::super::answer::Refused;
use super::{Mine, name_of};
use crate::http::App;
use axum::extract::State;
use axum::http::StatusCode;

pub(super) async fn handle(State(app): State<App>, Mine(sandbox): Mine) -> Result<StatusCode, Refused> {
    match app.engine.take_back(&sandbox.id).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Refused::no_sandbox(&name_of(&sandbox.id))),
    }
}
