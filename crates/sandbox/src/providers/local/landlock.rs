//! A second wall, independent of mounts and users: Landlock says where may be written, and that signals and abstract sockets
//! stay inside. What of that the kernel knows is used (best effort by its ABI); reading is not ruled, as what is not to be
//! read does not exist inside.
//!
//! Source: landlock(7). Processes under file rules cannot mount anything, so that with sandboxes of one's own inside only
//! the scopes are left.

use super::identity::AGENT;
use super::root_fs::{SPOOL, WRITABLE};
use anyhow::{Context, Result};
use lamplight_domain::sandbox::Strength;
use landlock::{
    ABI, Access, AccessFs, BitFlags, PathBeneath, PathFd, Ruleset, RulesetAttr, RulesetCreatedAttr,
    RulesetStatus, Scope, make_bitflags,
};

/// The newest version of the interface that this was tried with.
const NEWEST: ABI = ABI::V6;

/// Device nodes are made by nobody.
const NEVER: BitFlags<AccessFs> = make_bitflags!(AccessFs::{MakeChar | MakeBlock});

/// What is done to files that the kernel makes: written to, and asked things of.
const USE: BitFlags<AccessFs> = make_bitflags!(AccessFs::{WriteFile | Truncate | IoctlDev});

/// Rules this process and all that come from it. It must have no new privileges already.
pub(super) fn rule(nested_sandboxes: bool) -> Result<Strength> {
    let write = AccessFs::from_write(NEWEST);
    let mut rules = Ruleset::default().scope(Scope::from_all(NEWEST)).context("scope signals")?;
    if !nested_sandboxes {
        rules = rules.handle_access(write).context("rule writing")?;
    }
    let mut rules = rules.create().context("make a ruleset")?;
    if !nested_sandboxes {
        let runtime = format!("/run/user/{AGENT}");
        let session = WRITABLE.iter().map(|(_, path, _)| *path);
        let memory = ["/dev/shm", "/run/lock", SPOOL, &runtime];
        let whole = session.chain(memory).map(|path| (path, write & !NEVER));
        for (path, access) in whole.chain([("/dev", USE), ("/proc", USE)]) {
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
