//! The provider of this installation, as configured.

use crate::agents::TOOLS;
use crate::config::{CloudConfig, Config};
use crate::engine::Shared;
use crate::error::{CommandError, StartError};
use crate::ids;
use anyhow::Context as _;
use lamplight_domain::{ImageChoice, Network, SandboxLimits};
use lamplight_gateway::install_tls_provider;
use lamplight_sandbox::provider::Provider;
use lamplight_sandbox::providers::e2b::{
    E2b, E2bConfig, Examined as ExaminedCloud, FoundCloud, Key, examine, make_template,
};
use lamplight_sandbox::providers::local::{
    Launcher, Local, LocalConfig, Probe, Tool, launcher_main as local_launcher, probe,
};
use std::fs;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

/// The word with which this program is started again to launch one sandbox.
pub const LAUNCH: &str = "__launch";

/// What the program does when it is started with [`LAUNCH`]: it makes one sandbox, and ends.
pub fn launcher_main() -> ExitCode {
    local_launcher()
}

pub(crate) fn make(config: &Config) -> Result<Arc<dyn Provider>, StartError> {
    if let Some(cloud) = &config.sandbox.cloud {
        // The certificates of the cloud are looked at by it.
        install_tls_provider();
        let cloud = cloud_config(config, cloud).map_err(StartError::Provider)?;
        let provider = E2b::open(cloud).map_err(|error| StartError::Provider(error.into()))?;
        return Ok(Arc::new(provider));
    }
    let provider = Local::open(local_config(config)).map_err(|error| StartError::Provider(error.into()))?;
    Ok(Arc::new(provider))
}

/// What this machine enforces of a sandbox, found out by making one and removing it again.
pub async fn probe_sandbox(config: &Config) -> Probe {
    probe(local_config(config)).await
}

/// What the cloud says that sandboxes are made in; `None` where this machine makes them.
pub async fn examine_cloud(config: &Config) -> Option<ExaminedCloud> {
    let cloud = config.sandbox.cloud.as_ref()?;
    install_tls_provider();
    Some(match cloud_config(config, cloud) {
        Ok(config) => examine(&config).await,
        Err(error) => {
            ExaminedCloud { found: FoundCloud::Refused, detail: format!("{error:#}"), remedy: None }
        }
    })
}

/// Makes a template of the cloud with the agents that are installed here in it, from the one that is configured. Returns what
/// `e2b_provider.template` has to be from then on. `key` is what the cloud is asked with.
pub async fn make_cloud_template(config: &Config, name: &str, key: &str) -> anyhow::Result<String> {
    let cloud = config.sandbox.cloud.as_ref();
    let cloud = cloud.context("no cloud makes sandboxes here; set sandbox.provider = \"e2b\" first")?;
    install_tls_provider();
    let e2b = E2bConfig { key: Key::new(key), ..cloud_config(config, cloud)? };
    let tools = config.tools_dir.clone();
    anyhow::ensure!(
        tools.is_dir(),
        "no agent is installed in {}; lamplight agents install NAME",
        tools.display()
    );
    Ok(make_template(&e2b, name, tools, TOOLS).await?)
}

/// Whether a sandbox is made with a way to ask for the outside. A list of hosts that nobody here can hold it to is no way out.
pub(crate) fn has_way_out(shared: &Shared, network: &Network) -> bool {
    match network {
        Network::Open => true,
        Network::Allowlist { .. } => shared.provider.capabilities().egress,
        Network::None => false,
    }
}

/// Before anything is made, where no sandbox can be what is asked for. What is configured for all cannot ask for it.
pub(crate) fn refuse_shape(
    shared: &Shared,
    image: Option<&ImageChoice>,
    limits: &SandboxLimits,
) -> Result<(), CommandError> {
    if shared.provider.capabilities().shapes {
        return Ok(());
    }
    if let Some(ImageChoice::Named(name)) = image {
        return Err(CommandError::invalid(
            "image_not_here",
            format!("{name} would be an image of this machine, and sandboxes are made in a cloud"),
            "leave the image out, or have e2b_provider.template name a template that begins with it",
        ));
    }
    if !limits.is_default() {
        return Err(CommandError::invalid(
            "sandbox_limits",
            "no limits can be asked for: how large a sandbox is, its template in the cloud says",
            "leave them out, or have e2b_provider.template name a template of that size (cpuCount, memoryMB)",
        ));
    }
    Ok(())
}

fn cloud_config(config: &Config, cloud: &CloudConfig) -> anyhow::Result<E2bConfig> {
    let deployment = called(cloud.deployment.as_deref(), config.database.is_some(), &config.data_dir)
        .context("read what this installation is called in the cloud")?;
    Ok(E2bConfig {
        domain: cloud.domain.clone(),
        api_url: cloud.api_url.clone(),
        sandbox_url: cloud.sandbox_url.clone(),
        template: cloud.template.clone(),
        user: cloud.user.clone(),
        timeout: Duration::from_secs(cloud.timeout_seconds),
        internet: cloud.internet,
        snapshots: cloud.snapshots,
        ..E2bConfig::new(config.data_dir.clone(), cloud.current.clone(), deployment)
    })
}

/// What sandboxes bear in the cloud. Servers on one database have one configuration, and each would end those of the others, which no
/// session of its own claims: so each has a name of its own behind what is configured for all.
fn called(configured: Option<&str>, has_neighbours: bool, data: &Path) -> io::Result<String> {
    match configured {
        None => deployment(data),
        Some(name) if has_neighbours => Ok(format!("{name}-{}", deployment(data)?)),
        Some(name) => Ok(name.to_owned()),
    }
}

/// What nobody else is called, made once: sandboxes of the cloud that bear it, and that no session claims, are ended.
fn deployment(data: &Path) -> io::Result<String> {
    let file = data.join("e2b").join("deployment");
    match fs::read_to_string(&file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        text => return Ok(text?.trim().to_owned()),
    }
    fs::create_dir_all(data.join("e2b"))?;
    // All or nothing, and whoever was first is right.
    let new = file.with_extension(ids::session_id().as_str());
    let mut writing = fs::File::create(&new)?;
    writing.write_all(ids::session_id().as_str().as_bytes())?;
    writing.sync_all()?;
    let linked = fs::hard_link(&new, &file);
    fs::remove_file(&new)?;
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(fs::read_to_string(&file)?.trim().to_owned()),
    }
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
        disk_limit: sandbox.disk_limit,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_installation_is_called_the_same_each_time_and_as_no_other() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let first = deployment(one.path()).unwrap();
        assert!(!first.is_empty());
        assert_eq!(deployment(one.path()).unwrap(), first);
        assert_ne!(deployment(other.path()).unwrap(), first);
        assert_eq!(fs::read_dir(one.path().join("e2b")).unwrap().count(), 1);
    }

    #[test]
    fn servers_of_one_configuration_are_called_differently() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let called = |has_neighbours, data: &tempfile::TempDir| {
            super::called(Some("ours"), has_neighbours, data.path()).unwrap()
        };
        assert_eq!(called(false, &one), "ours");
        assert_eq!(called(true, &one), called(true, &one));
        assert_ne!(called(true, &one), called(true, &other));
        assert!(called(true, &one).starts_with("ours-"));
    }
}
