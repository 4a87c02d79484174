//! `/sessions/{id}/code`: VS Code in a session's sandbox.

pub mod open;
pub mod show;
pub mod start;

use super::ports::list::page_host;
use crate::preview::PreviewHost;
use axum::http::HeaderMap;
use lamplight_domain::SessionId;
use lamplight_engine::{CODE_PORT, CodeInfo};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// VS Code in a session's sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Code {
    /// The version that is installed on the server's machine; nothing when it has to be installed first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    pub running: bool,
    /// Host and port of its own origin, to which `…/code/open` leads a browser.
    #[schema(example = "p7414-01jd5zk8w3q4r6t7v8x9y0z1a2.localhost:7410")]
    pub authority: String,
}

impl Code {
    fn new(info: CodeInfo, id: SessionId, headers: &HeaderMap, domain: Option<&str>) -> Self {
        let page = page_host(headers);
        Self {
            version: info.installed,
            running: info.running,
            authority: PreviewHost { session: id, port: CODE_PORT }.authority(page, domain),
        }
    }
}
