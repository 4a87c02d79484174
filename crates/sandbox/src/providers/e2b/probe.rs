//! Whether sandboxes can be had of the cloud, found out by asking it for those that there are.

use super::config::E2bConfig;
use super::error::too_late;
use super::{DEPLOYMENT, cloud::Cloud, config};
use crate::error::ErrorKind;
use std::time::Duration;

/// For whoever waits for an answer.
const ASKING: Duration = Duration::from_secs(20);

/// What was found, in words too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Examined {
    pub found: FoundCloud,
    pub detail: String,
    /// How to get what is missing.
    pub remedy: Option<String>,
}

/// How a cloud takes our key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FoundCloud {
    Well,
    /// It was not asked.
    NoKey,
    /// The cloud does not want it, or what is configured cannot be.
    Refused,
    Unreachable,
    /// What answers there does not speak this protocol.
    Strange,
}

/// Asks the cloud once, and makes nothing there.
pub async fn examine(config: &E2bConfig) -> Examined {
    let at = config.api_url.clone().unwrap_or_else(|| format!("api.{}", config.domain));
    if config.key.get().is_none() {
        return Examined {
            found: FoundCloud::NoKey,
            detail: format!("there is no key for {at}"),
            remedy: Some(
                "lamplight keys set e2b, or E2B_API_KEY in the environment of the server".to_owned(),
            ),
        };
    }
    let asked = async {
        config::check(config)?;
        let asked = async { Cloud::new(config)?.list(&[(DEPLOYMENT, config.deployment.as_str())]).await };
        tokio::time::timeout(ASKING, asked).await.unwrap_or_else(|_| Err(too_late("list the sandboxes")))
    };
    match asked.await {
        Ok(all) => Examined {
            found: FoundCloud::Well,
            detail: format!("{at}, {} of this installation; template {}", all.len(), config.template),
            remedy: None,
        },
        Err(error) => Examined {
            found: match error.kind {
                ErrorKind::Unsupported | ErrorKind::Invalid | ErrorKind::Exhausted => FoundCloud::Refused,
                ErrorKind::Unavailable => FoundCloud::Unreachable,
                ErrorKind::Gone | ErrorKind::Failed => FoundCloud::Strange,
            },
            detail: error.to_string(),
            remedy: Some(
                "look at the key (lamplight keys set e2b) and at where the cloud is ([e2b_provider]; docs/e2b.md)"
                    .to_owned(),
            ),
        },
    }
}
