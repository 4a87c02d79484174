//! What this machine enforces, found out by doing it: versions and settings promise more, and less, than is true.

use super::blank;
use super::container::Runtime;
use super::disk::Sandboxes;
use super::identity::Identity;
use super::{DiskLimit, Local, LocalConfig};
use crate::error::{ErrorKind, SandboxError};
use crate::link::Link;
use crate::provider::{Files, Provider, SandboxSpec};
use lamplight_domain::sandbox::{Enforcement, Strength, Tier, Wall};
use lamplight_domain::{Enforced, Generation, SandboxLimits, SessionId};
use std::collections::BTreeMap;
use std::path::Path;

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    pub tier: Tier,
    /// The sandbox first, then what it lacks.
    pub findings: Vec<Finding>,
}

/// One thing that was tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub name: &'static str,
    pub ok: bool,
    pub detail: String,
    /// What a person can do about it; `None` when nothing needs doing.
    pub remedy: Option<String>,
}

/// Makes a sandbox, speaks with its guest and removes it again, in a corner of the data directory where no server looks.
pub async fn probe(config: LocalConfig) -> Probe {
    let corner = config.data_dir.join("probe");
    if let Err((error, remedy)) = try_configuration(&config, &corner) {
        let detail = format!("refused: {error}");
        let finding = Finding { name: "sandbox", ok: false, detail, remedy: Some(remedy.to_owned()) };
        let _ = super::disk::remove_tree(&corner);
        return Probe { tier: Tier::Refused, findings: vec![finding] };
    }
    let tried = try_sandbox(LocalConfig { data_dir: corner.clone(), ..config }).await;
    // What cannot be removed is no danger, and the next probe finds it.
    let _ = super::disk::remove_tree(&corner);
    match tried {
        Ok(enforced) => of_walls(&enforced),
        Err(error) => Probe { tier: Tier::Refused, findings: vec![refused(&error)] },
    }
}

/// Whether there is what is asked for by name.
fn try_configuration(config: &LocalConfig, corner: &Path) -> Result<(), (SandboxError, &'static str)> {
    let is_root = Identity::is_root().unwrap_or(false);
    if let Some(wanted) = &config.runtime {
        Runtime::find(wanted, is_root)
            .map_err(|error| (error, "Install it, or set sandbox.launcher to \"own\"."))?;
    }
    if config.disk_limit == DiskLimit::Volume {
        let tried = blank::check(&Sandboxes(corner.join("sandboxes")), is_root, config.runtime.is_some());
        tried.map_err(|error| (error, "Set sandbox.disk_limit to \"watched\", or bring what it needs."))?;
    }
    Ok(())
}

async fn try_sandbox(config: LocalConfig) -> Result<Enforced, SandboxError> {
    let local = Local::open(config)?;
    // Two probes at a time are two processes.
    let session: SessionId = format!("{:026}", std::process::id()).parse().expect("26 digits are an id");
    let spec = SandboxSpec {
        session,
        generation: Generation(1),
        environment: BTreeMap::new(),
        mounts: Vec::new(),
        egress: true,
        gateway: true,
        image: None,
        // Without one there would be nothing to try.
        limits: SandboxLimits { cpu_thousandths: Some(1000), ..SandboxLimits::default() },
    };
    let handle = local.create(&spec).await?;
    let answered = async {
        let (link, _gateway) = Link::open(local.dial(&handle).await?).await.map_err(|error| {
            SandboxError::new(ErrorKind::Failed, "speak with the guest").with_source(error)
        })?;
        link.close();
        local.inspect(&handle).await
    };
    let answered = answered.await;
    local.destroy(&handle, Files::Remove).await?;
    Ok(answered?.enforced.unwrap_or_default())
}

fn of_walls(enforced: &Enforced) -> Probe {
    let tier = enforced.tier();
    let lacking: Vec<Finding> = enforced.0.iter().filter_map(lacking).collect();
    let names = lacking.iter().map(|finding| finding.name).collect::<Vec<_>>().join(", ");
    let by = enforced.0.iter().find_map(|row| row.by.as_ref()).map(|by| format!(" by {by}"));
    let made = format!("a sandbox was made{}", by.unwrap_or_default());
    let detail = match tier {
        Tier::Isolated => format!("isolated: {made}, every wall stands and every limit holds"),
        Tier::Limited => format!("limited: {made}, but not all of it holds: {names}"),
        Tier::Refused => format!("unsafe: {made} without what nothing should run without: {names}"),
    };
    // Something that nothing should run without is missing, and something runs: no "sandbox" that is missing itself.
    let name = if tier == Tier::Refused { "unsafe" } else { "sandbox" };
    let sandbox = Finding { name, ok: tier != Tier::Refused, detail, remedy: None };
    Probe { tier, findings: [sandbox].into_iter().chain(lacking).collect() }
}

/// What a wall lacks, and what would raise it.
fn lacking(row: &Enforcement) -> Option<Finding> {
    let detail = match &row.strength {
        Strength::Enforced => return None,
        Strength::Soft { why } => format!("soft: {why}"),
        Strength::Missing { why } => format!("missing: {why}"),
    };
    let remedy = match row.wall {
        Wall::Namespaces => CONTAINER,
        Wall::Capabilities | Wall::OpenFiles => return None,
        Wall::SystemCalls => "Use a kernel with CONFIG_SECCOMP_FILTER.",
        Wall::HostUser => "As root, every session gets a host user of its own.",
        Wall::FileRules if row.by.is_some() => {
            "The launcher of Lamplight has them: sandbox.launcher = \"own\"."
        }
        Wall::FileRules => "Use Linux 6.12 or newer, with landlock in the list of the boot parameter lsm=.",
        Wall::KernelFiles => "Switch nested sandboxes off.",
        Wall::Network => {
            "Use a kernel with nf_tables and its redirection (CONFIG_NF_TABLES, CONFIG_NFT_NAT, CONFIG_NFT_REDIR)."
        }
        Wall::Cpu | Wall::Memory | Wall::Processes => {
            "Run as root, or start the server in a delegated cgroup: systemd-run --user --scope -p Delegate=yes lamplight serve."
        }
        Wall::Disk => {
            "Set sandbox.disk_limit = \"volume\", where the server runs as root and has loop devices and mkfs.ext4; until then, keep \
             the data directory on a file system of its own, so that a full one stops nothing else."
        }
    };
    Some(Finding { name: row.wall.name(), ok: false, detail, remedy: Some(remedy.into()) })
}

const CONTAINER: &str = "Inside a container, start that one with --security-opt seccomp=unconfined --security-opt \
                         apparmor=unconfined --security-opt systempaths=unconfined.";

fn refused(error: &SandboxError) -> Finding {
    let remedy = match error.kind {
        ErrorKind::Unsupported => format!(
            "Allow user namespaces to ordinary users (Ubuntu: sysctl kernel.apparmor_restrict_unprivileged_userns=0; \
             Debian: sysctl kernel.unprivileged_userns_clone=1), or run as root. {CONTAINER}"
        ),
        ErrorKind::Exhausted => {
            "Free disk space, or raise the limits on processes, open files and namespaces \
                                 (sysctl user.max_user_namespaces)."
                .into()
        }
        ErrorKind::Gone | ErrorKind::Invalid | ErrorKind::Unavailable | ErrorKind::Failed => {
            "The detail says which step failed; Linux 5.14 or newer is needed.".into()
        }
    };
    Finding { name: "sandbox", ok: false, detail: format!("refused: {error}"), remedy: Some(remedy) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lacks_is_named_with_what_would_raise_it() {
        let row = |wall, strength| Enforcement { wall, strength, limit: None, by: None };
        let walls = |rows: &[Enforcement]| of_walls(&Enforced(rows.to_vec()));
        let good = row(Wall::Namespaces, Strength::Enforced);
        assert_eq!(walls(std::slice::from_ref(&good)).tier, Tier::Isolated);
        let soft = row(Wall::Disk, Strength::Soft { why: "looked at now and then".into() });
        let Probe { tier, findings } = walls(&[good, soft]);
        assert_eq!(tier, Tier::Limited);
        assert!(findings[0].ok && findings[0].detail.ends_with("not all of it holds: disk"), "{findings:?}");
        assert_eq!((findings[1].name, findings[1].detail.as_str()), ("disk", "soft: looked at now and then"));
        let probe = walls(&[row(Wall::SystemCalls, Strength::Missing { why: "no".into() })]);
        assert!(probe.tier == Tier::Refused && !probe.findings[0].ok, "{probe:?}");
    }
}
