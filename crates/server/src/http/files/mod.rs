//! `/sessions/{id}/files`: what is in a session's sandbox.

pub mod list;
pub mod read;
pub mod write;

use serde::Deserialize;
use utoipa::IntoParams;

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Place {
    /// Absolute in the sandbox, or below the repository; the repository itself when left out.
    path: String,
}
