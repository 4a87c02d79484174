//! The provider of this installation, as configured.

use crate::config::Config;
use crate::error::StartError;
use lamplight_sandbox::provider::Provider;
use std::sync::Arc;

pub(crate) fn make(_config: &Config) -> Result<Arc<dyn Provider>, StartError> {
    Err(StartError::Provider(anyhow::anyhow!("none")))
}
