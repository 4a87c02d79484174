//! Whether sandboxes can be had of the cloud, found out by asking it for those that there are.

use super::config::E2bConfig;
use super::{DEPLOYMENT, cloud::Cloud, config};

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Examined {
    pub is_well: bool,
    pub detail: String,
    /// How to get what is missing.
    pub remedy: Option<String>,
}

/// Asks the cloud once, and makes nothing there.
pub async fn examine(config: &E2bConfig) -> Examined {
    let asked = async {
        config::check(config)?;
        Cloud::new(config)?.list(&[(DEPLOYMENT, config.deployment.as_str())]).await
    };
    let at = config.api_url.clone().unwrap_or_else(|| format!("api.{}", config.domain));
    match asked.await {
        Ok(all) => Examined {
            is_well: true,
            detail: format!("{at}, {} of this installation; template {}", all.len(), config.template),
            remedy: None,
        },
        Err(error) => Examined {
            is_well: false,
            detail: error.to_string(),
            remedy: Some(
                "set E2B_API_KEY, and [e2b_provider] to where the cloud is (docs/e2b.md)".to_owned(),
            ),
        },
    }
}
