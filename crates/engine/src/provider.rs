//! The provider of this installation, as configured.

use crate::config::Config;
use crate::error::StartError;
use lamplight_sandbox::provider::Provider;
use lamplight_sandbox::providers::local::{
    Launcher, Local, LocalConfig, Probe, Tool, launcher_main as local_launcher, probe,
};
use std::process::ExitCode;
use std::sync::Arc;

/// The word with which this program is started again to launch one sandbox.
pub const LAUNCH: &str = "__launch";

/// What the program does when it is started with [`LAUNCH`]: it makes one sandbox, and ends.
pub fn launcher_main() -> ExitCode {
    local_launcher()
}

pub(crate) fn make(config: &Config) -> Result<Arc<dyn Provider>, StartError> {
    let provider = Local::open(local_config(config)).map_err(|error| StartError::Provider(error.into()))?;
    Ok(Arc::new(provider))
}

/// What this machine enforces of a sandbox, found out by making one and removing it again.
pub async fn probe_sandbox(config: &Config) -> Probe {
    probe(local_config(config)).await
}

fn local_config(config: &Config) -> LocalConfig {
    let sandbox = &config.sandbox;
    let mut tools: Vec<Tool> = sandbox.home.iter().flat_map(|home| Tool::discover(home)).collect();
    tools.extend(sandbox.tool_dirs.iter().cloned().map(Tool::directory));
    let launcher = match &sandbox.launcher {
        Some(program) => Launcher { program: program.clone(), arguments: vec![LAUNCH.into()] },
        None => Launcher::own(LAUNCH),
    };
    LocalConfig {
        data_dir: config.data_dir.clone(),
        launcher,
        tools,
        is_unsafe: sandbox.is_unsafe,
        runtime: sandbox.runtime.clone(),
    }
}
