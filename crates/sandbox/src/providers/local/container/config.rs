//! `config.json` of a sandbox's container. Source: the OCI runtime specification, config.md and config-linux.md.
//!
//! The root is put together before, by us (see `root_fs`), with its devices and memory-backed directories; the runtime mounts `/proc`,
//! which belongs to the PID namespace that it makes. The network namespace is not in here: the container is started in it, so that
//! nobody inside owns it.

use super::super::identity::{AGENT, Identity};
use super::super::limits::Limits;
use super::super::masks::{HIDDEN, READ_ONLY};
use super::super::privileges::{OOM_SCORE, ROOT_INSIDE};
use super::super::root_fs::DEVICES;
use super::super::seccomp::Filter;
use super::own_kernel;
use super::profile::profile;
use crate::provider::inside;
use rustix::thread::CapabilitySet;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;

/// Processor time is given out in portions of this length.
const PERIOD_US: u64 = 100_000;

/// What a container is made of.
pub(super) struct Container<'a> {
    pub(super) root: &'a Path,
    pub(super) identity: Identity,
    pub(super) arguments: &'a [String],
    pub(super) environment: &'a BTreeMap<String, String>,
    pub(super) limits: &'a Limits,
    /// What each process may use: the kernel's name of it, and how much.
    pub(super) of_each_process: &'a [(&'static str, u64)],
    /// Whether a cgroup counts what is kept in memory.
    pub(super) counts_memory: bool,
    /// Below the top of every hierarchy; `None` where there are no cgroups.
    pub(super) cgroup: Option<&'a str>,
    /// Whether the runtime brings a kernel: what covers files of the host's is not needed then.
    pub(super) own_kernel: bool,
}

impl Container<'_> {
    pub(super) fn written(&self) -> Value {
        let (user, capabilities) = match self.identity {
            Identity::Root { .. } => (0, ROOT_INSIDE),
            Identity::User { .. } => (AGENT, CapabilitySet::empty()),
        };
        let capabilities: Vec<String> =
            capabilities.iter_names().map(|(name, _)| format!("CAP_{name}")).collect();
        let environment: Vec<String> =
            self.environment.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let of_each: Vec<Value> = self
            .of_each_process
            .iter()
            .map(|(kind, most)| json!({ "type": kind, "soft": most, "hard": most }))
            .collect();
        json!({
            "ociVersion": "1.0.0",
            "process": {
                "terminal": false,
                "user": { "uid": user, "gid": user, "umask": 0o022 },
                "args": self.arguments,
                "env": environment,
                "cwd": inside::WORKSPACE,
                "capabilities": {
                    "bounding": capabilities, "effective": capabilities, "permitted": capabilities,
                    "inheritable": [], "ambient": [],
                },
                "rlimits": of_each,
                "noNewPrivileges": true,
                "oomScoreAdj": OOM_SCORE,
            },
            "root": { "path": self.root, "readonly": self.is_closed() },
            "hostname": "lamplight",
            "mounts": if self.own_kernel { own_kernel::mounts(self.root) } else { self.mounts() },
            "linux": self.linux(),
        })
    }

    /// To an ordinary user everything inside is its own, the system too: what is not for the agent to write is mounted so.
    fn is_closed(&self) -> bool {
        matches!(self.identity, Identity::User { .. })
    }

    fn mounts(&self) -> Value {
        let proc = json!({ "destination": "/proc", "type": "proc", "source": "proc", "options": ["nosuid", "noexec", "nodev"] });
        // What is there already, which keeps the runtime from adding its own. One by one: crun, with a user namespace of its own to
        // make, shows nothing that is mounted below what it binds.
        let shown = |path: &str, options: &[&str]| {
            let source = self.root.join(path.trim_start_matches('/'));
            json!({ "destination": path, "type": "bind", "source": source, "options": options })
        };
        let mut closed = vec!["rbind", "nosuid", "nodev", "noexec"];
        if self.is_closed() {
            closed.push("ro");
        }
        let devices =
            DEVICES.iter().map(|name| shown(&format!("/dev/{name}"), &["bind", "nosuid", "noexec"]));
        let rest = [
            shown("/dev/pts", &["bind", "nosuid", "noexec"]),
            shown("/dev/shm", &["bind", "nosuid", "nodev"]),
        ];
        [proc, shown("/dev", &closed)].into_iter().chain(devices).chain(rest).collect()
    }

    fn linux(&self) -> Value {
        let shared = if self.own_kernel { &[][..] } else { &["cgroup"] };
        let namespaces = [&["user", "pid", "ipc", "uts", "mount"][..], shared].concat();
        let namespaces: Vec<Value> = namespaces.into_iter().map(|kind| json!({ "type": kind })).collect();
        let users: Vec<Value> = match self.identity {
            Identity::Root { ids } => ids.stretches().into(),
            // In the user namespace that this is done in, the person is the agent already.
            Identity::User { .. } => vec![(AGENT, AGENT, 1)],
        }
        .into_iter()
        .map(|(inside, outside, count)| json!({ "containerID": inside, "hostID": outside, "size": count }))
        .collect();
        let nested = self.limits.nested_sandboxes;
        let is_shown = nested || self.own_kernel;
        let (hidden, read_only): (&[&str], &[&str]) = if is_shown { (&[], &[]) } else { (HIDDEN, READ_ONLY) };
        let closed: &[&str] = if self.is_closed() { &["/run"] } else { &[] };
        let read_only = [read_only, closed].concat();
        let filter = Filter { nested_sandboxes: nested, counts_segments: self.counts_memory };
        let mut linux = json!({
            "namespaces": namespaces,
            "uidMappings": users,
            "gidMappings": users,
            "maskedPaths": hidden,
            "readonlyPaths": read_only,
        });
        // A kernel of its own answers all calls itself, and has a filter for those that it makes.
        if !self.own_kernel {
            linux["seccomp"] = profile(filter);
        }
        if let Some(cgroup) = self.cgroup {
            linux["cgroupsPath"] = json!(cgroup);
            linux["resources"] = self.resources();
        }
        linux
    }

    /// They are written in the cgroup already; a runtime that reads them otherwise knows them by this.
    fn resources(&self) -> Value {
        let mut resources = json!({
            "memory": { "limit": self.limits.memory_bytes },
            "pids": { "limit": self.limits.processes },
        });
        if let Some(thousandths) = self.limits.cpu_thousandths {
            let quota = u64::from(thousandths) * PERIOD_US / 1000;
            resources["cpu"] = json!({ "quota": quota, "period": PERIOD_US });
        }
        resources
    }
}
