//! `GET /sessions/{id}/children`

use crate::http::App;
use crate::http::extract::Id;
use crate::http::problem::Problem;
use crate::http::queue;
use crate::http::resources::SessionView;
use axum::Json;
use axum::extract::State;
use lamplight_engine::ChildNow;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Sessions that were begun for a session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ChildList {
    /// In the order in which they were begun; one that came to nothing is not there.
    pub items: Vec<Child>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Child {
    pub session: SessionView,
    /// What it and its own children have cost so far, in millionths of a dollar.
    pub cost_micros: u64,
    /// What its agent said last, at most 4,000 characters; empty before it said anything.
    pub last_message: String,
}

/// The children of a session, and how they stand.
#[utoipa::path(get, path = "/sessions/{id}/children", operation_id = "list_children", tag = "sessions", params(("id" = String, Path)),
    responses(
        (status = 200, body = ChildList),
        (status = 404, body = Problem, content_type = "application/problem+json")))]
pub(in crate::http) async fn handle(State(app): State<App>, Id(id): Id) -> Result<Json<ChildList>, Problem> {
    let children = app.engine.children(&id).await?;
    let items = children.into_iter().map(|ChildNow { session, said }| Child {
        cost_micros: session.cost_of_all(),
        session: queue::shown(&app, session),
        last_message: said,
    });
    Ok(Json(ChildList { items: items.collect() }))
}
