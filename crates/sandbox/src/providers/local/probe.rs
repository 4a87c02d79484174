//! What this machine enforces, found out by doing it: versions and settings promise more, and less, than is true.

use super::{Local, LocalConfig, cgroup, identity::Identity};
use crate::error::{ErrorKind, SandboxError};
use crate::link::Link;
use crate::provider::{Files, Provider, SandboxSpec};
use lamplight_domain::{Generation, SessionId};
use std::collections::BTreeMap;

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
pub async fn probe(config: LocalConfig) -> Vec<Finding> {
    let corner = config.data_dir.join("probe");
    let sandbox = try_sandbox(LocalConfig { data_dir: corner.clone(), ..config }).await;
    // What cannot be removed is no danger, and the next probe finds it.
    let _ = super::disk::remove_tree(&corner);
    vec![sandbox_finding(sandbox), user_finding(), cgroup_finding()]
}

async fn try_sandbox(config: LocalConfig) -> Result<(), SandboxError> {
    let local = Local::open(config)?;
    // Two probes at a time are two processes.
    let session: SessionId = format!("{:026}", std::process::id()).parse().expect("26 digits are an id");
    let spec =
        SandboxSpec { session, generation: Generation(1), environment: BTreeMap::new(), mounts: Vec::new() };
    let handle = local.create(&spec).await?;
    let answered = async {
        let (link, _gateway) = Link::open(local.dial(&handle).await?).await.map_err(|error| {
            SandboxError::new(ErrorKind::Failed, "speak with the guest").with_source(error)
        })?;
        link.close();
        Ok(())
    };
    let answered = answered.await;
    local.destroy(&handle, Files::Remove).await?;
    answered
}

fn sandbox_finding(tried: Result<(), SandboxError>) -> Finding {
    let name = "sandbox";
    match tried {
        Ok(()) => Finding {
            name,
            ok: true,
            detail:
                "a sandbox with its own users, mounts, processes and network was made, and its guest answered"
                    .into(),
            remedy: None,
        },
        Err(error) => {
            let remedy = match error.kind {
                ErrorKind::Unsupported => {
                    "Allow user namespaces to ordinary users (Ubuntu: sysctl kernel.apparmor_restrict_unprivileged_userns=0; \
                     Debian: sysctl kernel.unprivileged_userns_clone=1), or run as root. Inside a container, start that one with \
                     --security-opt seccomp=unconfined --security-opt apparmor=unconfined --security-opt systempaths=unconfined."
                }
                ErrorKind::Exhausted => {
                    "Free disk space, or raise the limits on processes, open files and namespaces (sysctl user.max_user_namespaces)."
                }
                ErrorKind::Gone | ErrorKind::Invalid | ErrorKind::Unavailable | ErrorKind::Failed => {
                    "The detail says which step failed; Linux 5.14 or newer is needed."
                }
            };
            Finding { name, ok: false, detail: error.to_string(), remedy: Some(remedy.into()) }
        }
    }
}

fn user_finding() -> Finding {
    let (ok, detail, remedy) = match Identity::is_root() {
        Ok(true) => (true, "every session's agent is a host user of its own".to_owned(), None),
        Ok(false) => (
            true,
            "to the kernel, every session's agent is you; it still sees nothing of yours".to_owned(),
            Some("As root, every session gets a host user of its own, as a second wall.".to_owned()),
        ),
        Err(error) => (false, format!("{error:#}"), None),
    };
    Finding { name: "user", ok, detail, remedy }
}

fn cgroup_finding() -> Finding {
    let (ok, detail) = match cgroup::place() {
        Ok(Some(place)) => (true, format!("each sandbox is a cgroup below {}", place.display())),
        Ok(None) => {
            (false, "no cgroup can be made: processes and memory of a sandbox cannot be limited".into())
        }
        Err(error) => (false, error.to_string()),
    };
    let remedy = (!ok).then(|| {
        "Run as root on cgroup version 2, or start the server in a delegated cgroup: systemd-run --user --scope -p Delegate=yes \
         lamplight serve."
            .to_owned()
    });
    Finding { name: "cgroup", ok, detail, remedy }
}
