//! `GET /hooks/{id}/deliveries`

use crate::http::App;
use crate::http::extract::Query;
use crate::http::problem::Problem;
use crate::http::resources::Moment;
use axum::Json;
use axum::extract::{Path, State};
use lamplight_engine::{DeliveryQuery, DeliveryState, HookDelivery, PAGE_HOOK_DELIVERIES};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Deliveries on a page when nobody says how many.
const DEFAULT_LIMIT: usize = 100;

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Params {
    /// At most 500; 100 by default.
    limit: Option<usize>,
    /// `next_cursor` of the page before.
    cursor: Option<i64>,
    /// Only those that were given up.
    dead: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeliveryList {
    pub items: Vec<Delivery>,
    /// `null` on the last page.
    pub next_cursor: Option<i64>,
}

/// One thing that an address is told. What came through is listed for three days, what did not for thirty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Delivery {
    /// Later ones have larger ones.
    pub id: i64,
    pub session_id: String,
    /// The entry of the session's log that it tells.
    pub seq: u64,
    #[schema(example = "turn.ended")]
    pub event: String,
    /// When it happened.
    #[schema(value_type = String, format = DateTime)]
    pub at: Moment,
    pub status: DeliveryStatus,
    /// When it is tried next.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub due_at: Option<Moment>,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub delivered_at: Option<Moment>,
    /// How often it was tried.
    pub tries: u32,
    /// What came of the last try, in words; `null` before the first.
    pub outcome: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryStatus {
    Waiting,
    Delivered,
    /// Nobody tries it any more, until somebody asks for it.
    Dead,
}

/// What an address was told, is to be told, and could not be told; the newest first.
#[utoipa::path(get, path = "/hooks/{id}/deliveries", operation_id = "list_hook_deliveries", tag = "hooks", params(("id" = String, Path), Params),
    responses(
        (status = 200, body = DeliveryList),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "hook_not_found")))]
pub(in crate::http) async fn handle(
    State(app): State<App>,
    Path(id): Path<String>,
    Query(params): Query<Params>,
) -> Result<Json<DeliveryList>, Problem> {
    let limit = params.limit.unwrap_or(DEFAULT_LIMIT).clamp(1, PAGE_HOOK_DELIVERIES);
    let query = DeliveryQuery { dead: params.dead, before: params.cursor, limit };
    let page = app.engine.hook_deliveries(&id, query).await?;
    let next_cursor = page.last().filter(|_| page.len() == limit).map(|delivery| delivery.number);
    Ok(Json(DeliveryList { items: page.into_iter().map(Delivery::from).collect(), next_cursor }))
}

impl From<HookDelivery> for Delivery {
    fn from(delivery: HookDelivery) -> Self {
        let (status, due_at, delivered_at) = match delivery.state {
            DeliveryState::Waiting { due } => (DeliveryStatus::Waiting, Some(Moment(due)), None),
            DeliveryState::Delivered { at } => (DeliveryStatus::Delivered, None, Some(Moment(at))),
            DeliveryState::Dead => (DeliveryStatus::Dead, None, None),
        };
        Self {
            id: delivery.number,
            session_id: delivery.session.into(),
            seq: delivery.seq.0,
            event: delivery.kind,
            at: Moment(delivery.at),
            status,
            due_at,
            delivered_at,
            tries: delivery.tries,
            outcome: Some(delivery.outcome).filter(|outcome| !outcome.is_empty()),
        }
    }
}
