//! A second wall, independent of mounts and users: Landlock says where may be written, and that signals and abstract sockets
//! stay inside. What of that the kernel knows is used (best effort by its ABI); reading is not ruled, as what is not to be
//! read does not exist inside.
//!
//! Source: landlock(7). Processes under file rules cannot mount anything, so that with sandboxes of one's own inside only
//! the scopes are left.

use super::identity::{AGENT, Identity};
use super::root_fs::SPOOL;
use crate::provider::inside;
use anyhow::{Context, Result};
use lamplight_domain::sandbox::Strength;
use landlock::{
    ABI, Access, AccessFs, BitFlags, PathBeneath, PathFd, Ruleset, RulesetAttr, RulesetCreatedAttr,
    RulesetStatus, Scope, make_bitflags,
};
use std::path::Path;

/// The newest version of the interface that this was tried with.
const NEWEST: ABI = ABI::V6;

/// Device nodes are made by nobody.
const NEVER: BitFlags<AccessFs> = make_bitflags!(AccessFs::{MakeChar | MakeBlock});

/// What is done to files that the kernel makes: written to, and asked things of.
const USE: BitFlags<AccessFs> = make_bitflags!(AccessFs::{WriteFile | Truncate | IoctlDev});

/// The session's files, as far as the agent itself has something to write in them.
const AGENTS: &[&str] = &[inside::WORKSPACE, inside::HOME, "/tmp", "/var"];

/// And as far as root inside has, as it installs packages.
const ROOTS: &[&str] = &[
    "/bin", "/etc", "/home", "/lib", "/lib32", "/lib64", "/libx32", "/opt", "/root", "/run", "/sbin", "/usr",
];

/// What is not the session's files, and never will be.
const KERNELS: &[&str] = &["dev", "proc", "sys"];

/// Rules this process and all that come from it. It must have no new privileges already. `on_image`: root inside may write wherever
/// the image has files, not only where machines have them.
pub(super) fn rule(nested_sandboxes: bool, identity: Identity, on_image: bool) -> Result<Strength> {
    let write = AccessFs::from_write(NEWEST);
    let mut rules = Ruleset::default().scope(Scope::from_all(NEWEST)).context("scope signals")?;
    if !nested_sandboxes {
        rules = rules.handle_access(write).context("rule writing")?;
    }
    let mut rules = rules.create().context("make a ruleset")?;
    if !nested_sandboxes {
        let runtime = format!("/run/user/{AGENT}");
        let images = if on_image { images_directories()? } else { Vec::new() };
        let roots = ROOTS.iter().copied().chain(images.iter().map(String::as_str));
        // Some are links into another, and some machines lack one.
        let roots = roots.filter(|path| identity.ids().is_some() && Path::new(path).exists());
        let memory = ["/dev/shm", "/run/lock", SPOOL, &runtime];
        let whole = AGENTS.iter().copied().chain(roots).chain(memory).map(|path| (path, write & !NEVER));
        // A package manager makes and removes directories everywhere.
        let entries = if identity.ids().is_some() { write & !NEVER & !USE } else { BitFlags::EMPTY };
        // Nothing of `/proc`: what a process may change there is for whoever judges it, such as when memory is short.
        let parts = [("/dev", USE), ("/", entries)];
        for (path, access) in whole.chain(parts).filter(|(_, access)| !access.is_empty()) {
            let beneath = PathFd::new(path).with_context(|| format!("open {path} for its rule"))?;
            rules = rules.add_rule(PathBeneath::new(beneath, access)).context("add a rule")?;
        }
    }
    let status = rules.restrict_self().context("rule ourselves by Landlock")?;
    Ok(match status.ruleset {
        RulesetStatus::FullyEnforced if nested_sandboxes => {
            Strength::Soft { why: "signals and sockets only, as programs inside may make sandboxes".into() }
        }
        RulesetStatus::FullyEnforced => Strength::Enforced,
        RulesetStatus::PartiallyEnforced => Strength::Soft {
            why: "this kernel's Landlock knows a part of the rules (Linux 6.12 knows all)".into(),
        },
        RulesetStatus::NotEnforced => {
            Strength::Missing { why: "Landlock is not switched on in this kernel (lsm=landlock)".into() }
        }
    })
}

/// The directories of the root; this process is in it already.
fn images_directories() -> Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/").context("list the root")? {
        let entry = entry?;
        let name = entry.file_name();
        // What cannot be written as text, nobody is missing.
        let name = name.to_str().filter(|name| !KERNELS.contains(name));
        if entry.file_type()?.is_dir() {
            found.extend(name.map(|name| format!("/{name}")));
        }
    }
    Ok(found)
}
