//! `GET /models`

use super::App;
use axum::Json;
use axum::extract::State;
use lamplight_engine::UpstreamName;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ModelList {
    pub items: Vec<UpstreamModels>,
}

/// The models of one upstream, or why they are not known.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct UpstreamModels {
    #[schema(example = "openai")]
    pub upstream: String,
    /// It is one that the configuration names: its models have that name in front, whichever agent asks for them.
    #[serde(default)]
    pub compatible: bool,
    /// Empty where there is a problem.
    pub models: Vec<UpstreamModel>,
    /// Why the upstream did not say what it has.
    pub problem: Option<String>,
}

/// A model that can be asked with what is configured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct UpstreamModel {
    #[schema(example = "gpt-5.1")]
    pub id: String,
    pub title: Option<String>,
    /// `null` where it is not known.
    pub price: Option<ModelPrice>,
}

/// In dollars for a million tokens, of a short request.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ModelPrice {
    pub input: f64,
    /// Of input that is read from the model's cache.
    pub cached: f64,
    pub output: f64,
}

/// What each configured upstream says it has, as of the last ten minutes; asked anew when a key changes.
#[utoipa::path(get, path = "/models", operation_id = "list_models", tag = "keys", responses((status = 200, body = ModelList)))]
pub(super) async fn handle(State(app): State<App>) -> Json<ModelList> {
    let items = app.engine.models().await.into_iter().map(UpstreamModels::from);
    Json(ModelList { items: items.collect() })
}

impl From<lamplight_engine::UpstreamModels> for UpstreamModels {
    fn from(upstream: lamplight_engine::UpstreamModels) -> Self {
        let (models, problem) = match upstream.models {
            Ok(models) => (models.into_iter().map(UpstreamModel::from).collect(), None),
            Err(problem) => (Vec::new(), Some(problem)),
        };
        let compatible = matches!(upstream.name, UpstreamName::Compatible(_));
        Self { upstream: upstream.name.to_string(), compatible, models, problem }
    }
}

impl From<lamplight_engine::Model> for UpstreamModel {
    fn from(model: lamplight_engine::Model) -> Self {
        let price = model.price.map(|lamplight_engine::Price { input, cached, output }| ModelPrice {
            input,
            cached,
            output,
        });
        Self { id: model.id, title: model.title, price }
    }
}
