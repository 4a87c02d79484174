//! Who the agent is on the host.
//!
//! Inside it is always `agent`, 1000:1000, and nobody else exists. On the host that is, when we are root, a user of
//! the session's own without name or file, and otherwise the person who runs Lamplight, as nothing else is possible.

use super::disk::{Sandboxes, SessionDir};
use anyhow::{Context, Result, ensure};
use lamplight_domain::SessionId;
use lamplight_domain::sandbox::{Enforcement, Strength, Wall};
use rustix::fs::FlockOperation;
use rustix::thread::{CapabilitySet, capabilities};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;

/// User and group number of the agent inside.
pub(super) const AGENT: u32 = 1000;

/// Host users of sessions: above what distributions, `/etc/subuid` and systemd's containers give out (these end at
/// 1879048191, see systemd's UIDS-GIDS), below 2^31, which some programs read as negative.
const FIRST: u32 = 1_900_000_000;
const COUNT: u32 = 200_000_000;

/// How sandboxes are made here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Identity {
    /// Mounts are made as root, and the user namespace comes last: nobody inside owns a mount or network namespace.
    Root { host: u32 },
    /// Everything is done in a user namespace of our own, which comes first.
    User { uid: u32, gid: u32 },
}

impl Identity {
    /// Decided by what we may do, not by being number 0: root in a container may be able to do less than a user.
    pub(super) fn is_root() -> Result<bool> {
        let needed = CapabilitySet::SYS_ADMIN
            | CapabilitySet::SETUID
            | CapabilitySet::SETGID
            | CapabilitySet::CHOWN
            | CapabilitySet::DAC_OVERRIDE
            | CapabilitySet::SETPCAP;
        Ok(capabilities(None).context("read our own capabilities")?.effective.contains(needed))
    }

    /// Finds, or gives, the identity of a session.
    pub(super) fn of(sandboxes: &Sandboxes, session: &SessionId) -> Result<Self> {
        if Self::is_root()? {
            return Ok(Self::Root { host: host_user(sandboxes, session)? });
        }
        let uid = rustix::process::geteuid().as_raw();
        Ok(Self::User { uid, gid: rustix::process::getegid().as_raw() })
    }

    pub(super) fn wall(self) -> Enforcement {
        let strength = match self {
            Self::Root { .. } => Strength::Enforced,
            Self::User { .. } => Strength::Missing {
                why: "to the kernel, every session's agent is the user who runs Lamplight".into(),
            },
        };
        Enforcement { wall: Wall::HostUser, strength, limit: None }
    }

    pub(super) fn host_uid(self) -> u32 {
        match self {
            Self::Root { host } => host,
            Self::User { uid, .. } => uid,
        }
    }

    pub(super) fn host_gid(self) -> u32 {
        match self {
            Self::Root { host } => host,
            Self::User { gid, .. } => gid,
        }
    }

    /// Maps `agent` in the user namespace of `pid`, and nobody else. Source: user_namespaces(7).
    pub(super) fn write_maps(self, pid: i32) -> Result<()> {
        let write = |file: &str, text: String| {
            fs::write(format!("/proc/{pid}/{file}"), &text)
                .with_context(|| format!("write {text:?} to {file}"))
        };
        write(
            "setgroups",
            match self {
                Self::Root { .. } => "allow".into(),
                // Without it the kernel takes no group map from an ordinary user.
                Self::User { .. } => "deny".into(),
            },
        )?;
        write("uid_map", format!("{AGENT} {} 1", self.host_uid()))?;
        write("gid_map", format!("{AGENT} {} 1", self.host_gid()))
    }

    /// Makes the agent the owner.
    pub(super) fn give(self, path: &Path) -> Result<()> {
        match self {
            Self::Root { host } => std::os::unix::fs::lchown(path, Some(host), Some(host))
                .with_context(|| format!("give {} to user {host}", path.display())),
            Self::User { .. } => Ok(()),
        }
    }
}

/// The session's host user: no other session of this deployment has it, and hardly one of another deployment.
fn host_user(sandboxes: &Sandboxes, session: &SessionId) -> Result<u32> {
    let own = sandboxes.session(session);
    if let Some(user) = read(&own)? {
        return Ok(user);
    }
    let lock = File::options().create(true).append(true).open(sandboxes.0.join("users.lock"))?;
    rustix::io::retry_on_intr(|| rustix::fs::flock(&lock, FlockOperation::LockExclusive))?;
    let mut taken = BTreeSet::new();
    for other in sandboxes.sessions()? {
        taken.extend(read(&sandboxes.session(&other))?);
    }
    let mut hasher = DefaultHasher::new();
    session.hash(&mut hasher);
    let start = u32::try_from(hasher.finish() % u64::from(COUNT)).expect("smaller than COUNT");
    let user = (0..COUNT).map(|n| FIRST + (start + n) % COUNT).find(|user| !taken.contains(user));
    let user = user.context("every host user for sessions is taken")?;
    let new = own.0.join("uid.new");
    fs::write(&new, user.to_string())?;
    fs::rename(&new, own.uid_file())?;
    Ok(user)
}

fn read(session: &SessionDir) -> Result<Option<u32>> {
    let text = match fs::read_to_string(session.uid_file()) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        text => text.with_context(|| format!("read {}", session.uid_file().display()))?,
    };
    let user: u32 = text.parse().with_context(|| format!("{}: {text:?}", session.uid_file().display()))?;
    ensure!((FIRST..FIRST + COUNT).contains(&user), "{}: {user} is not ours", session.uid_file().display());
    Ok(Some(user))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_session_has_a_user_of_its_own_and_keeps_it() {
        let data = tempfile::tempdir().unwrap();
        let sandboxes = Sandboxes(data.path().into());
        let user = |session: &str| {
            let session: SessionId = session.parse().unwrap();
            fs::create_dir_all(sandboxes.session(&session).0).unwrap();
            host_user(&sandboxes, &session).unwrap()
        };
        let first = user("01JD5ZK8W3Q4R6T7V8X9Y0Z1A2");
        assert!((FIRST..FIRST + COUNT).contains(&first));
        assert_eq!(first, user("01JD5ZK8W3Q4R6T7V8X9Y0Z1A2"));

        // A session that would get the same number gets the next one.
        let other = "01JD5ZK8W3Q4R6T7V8X9Y0Z1A3";
        let wanted = user(other);
        let second = sandboxes.session(&other.parse().unwrap());
        fs::remove_file(second.uid_file()).unwrap();
        let first = sandboxes.session(&"01JD5ZK8W3Q4R6T7V8X9Y0Z1A2".parse().unwrap());
        fs::write(first.uid_file(), wanted.to_string()).unwrap();
        assert_eq!(user(other), wanted + 1);
    }
}
