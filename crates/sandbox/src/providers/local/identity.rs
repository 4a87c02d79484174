//! Who everybody in a sandbox is on the host.
//!
//! As root, a session has a range of 65,536 host users of its own, without names or files elsewhere: inside there are a root and
//! an `agent` (1000:1000) and room for every user that a package brings. Started by an ordinary user, `agent` is that user and
//! nobody else exists, as nothing else is possible.

use super::disk::{Sandboxes, SessionDir};
use anyhow::{Context, Result, ensure};
use lamplight_domain::SessionId;
use lamplight_domain::sandbox::{Enforcement, Strength, Wall};
use rustix::fs::FlockOperation;
use rustix::thread::{CapabilitySet, capabilities};
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::ErrorKind;
use std::path::Path;

/// User and group number of the agent inside.
pub(super) const AGENT: u32 = 1000;

/// Group number inside of [`Ids::keeper`].
pub(super) const KEEPER: u32 = RANGE - 1;

/// Users of one session.
const RANGE: u32 = 65_536;

/// Host users of sessions: above what distributions, `/etc/subuid` and systemd's containers give out (these end at
/// 1879048191, see systemd's UIDS-GIDS), below 2^31, which some programs read as negative.
const FIRST: u32 = 1_900_000_000;
const RANGES: u32 = 3_000;

/// How sandboxes are made here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Identity {
    /// Mounts are made as root, and the user namespace comes last: nobody inside owns a mount or network namespace.
    Root { ids: Ids },
    /// Everything is done in a user namespace of our own, which comes first.
    User { uid: u32, gid: u32 },
}

/// The host's numbers of a session's users; of its groups, they are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ids {
    /// Of root inside, and so on upwards.
    pub(super) first: u32,
    /// Of the agent: `first` + 1000, but for sessions of version 0.1, which had this user alone.
    pub(super) agent: u32,
}

impl Ids {
    /// Stretches without a gap: number inside, number on the host, how many.
    pub(super) fn stretches(self) -> [(u32, u32, u32); 3] {
        let above = AGENT + 1;
        [(0, self.first, AGENT), (AGENT, self.agent, 1), (above, self.first + above, RANGE - above)]
    }

    /// As `uid_map` wants it: what is `n` inside, or on disk, is the session's `n`. Source: user_namespaces(7).
    pub(super) fn map(self) -> String {
        self.stretches().map(|(inside, host, count)| format!("{inside} {host} {count}\n")).concat()
    }

    /// A group, by its number on the host, that nobody is in and no file belongs to, but for what a volume keeps back (see `volume`).
    pub(super) fn keeper(self) -> u32 {
        self.first + KEEPER
    }

    /// What belongs to `owner`'s users on disk, belongs to ours.
    pub(super) fn map_from(self, owner: Self) -> String {
        let pairs = owner.stretches().into_iter().zip(self.stretches());
        pairs.map(|((_, theirs, count), (_, ours, _))| format!("{theirs} {ours} {count}\n")).collect()
    }
}

impl Identity {
    /// Decided by what we may do, not by being number 0: root in a container may be able to do less than a user.
    pub(super) fn is_root() -> Result<bool> {
        let needed = CapabilitySet::SYS_ADMIN
            | CapabilitySet::SETUID
            | CapabilitySet::SETGID
            | CapabilitySet::CHOWN
            | CapabilitySet::DAC_OVERRIDE
            | CapabilitySet::FOWNER
            | CapabilitySet::SETPCAP;
        Ok(capabilities(None).context("read our own capabilities")?.effective.contains(needed))
    }

    /// Finds, or gives, the identity of a session.
    pub(super) fn of(sandboxes: &Sandboxes, session: &SessionId) -> Result<Self> {
        if Self::is_root()? {
            return Ok(Self::Root { ids: ids_of(sandboxes, session)? });
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
        Enforcement { wall: Wall::HostUser, strength, limit: None, by: None }
    }

    pub(super) fn ids(self) -> Option<Ids> {
        match self {
            Self::Root { ids } => Some(ids),
            Self::User { .. } => None,
        }
    }

    /// An ordinary user's: maps `agent` in the user namespace of `pid`, and nobody else. Source: user_namespaces(7).
    pub(super) fn write_maps(uid: u32, gid: u32, pid: i32) -> Result<()> {
        let write = |file: &str, text: String| {
            fs::write(format!("/proc/{pid}/{file}"), &text)
                .with_context(|| format!("write {text:?} to {file}"))
        };
        // Without it the kernel takes no group map from an ordinary user.
        write("setgroups", "deny".into())?;
        write("uid_map", format!("{AGENT} {uid} 1"))?;
        write("gid_map", format!("{AGENT} {gid} 1"))
    }

    /// Makes the agent the owner.
    pub(super) fn give_to_agent(self, path: &Path) -> Result<()> {
        self.give(path, |ids| ids.agent)
    }

    /// Makes the sandbox's root the owner, where it has one.
    pub(super) fn give_to_root(self, path: &Path) -> Result<()> {
        self.give(path, |ids| ids.first)
    }

    fn give(self, path: &Path, to: impl Fn(Ids) -> u32) -> Result<()> {
        let Some(owner) = self.ids().map(to) else { return Ok(()) };
        std::os::unix::fs::lchown(path, Some(owner), Some(owner))
            .with_context(|| format!("give {} to user {owner}", path.display()))
    }
}

/// The session's users: no other session of this deployment has them, and hardly one of another deployment.
fn ids_of(sandboxes: &Sandboxes, session: &SessionId) -> Result<Ids> {
    let own = sandboxes.session(session);
    if let Some(ids) = read(&own)? {
        return Ok(ids);
    }
    let claims = Claims::lock(sandboxes)?;
    let agent = read_old(&own)?;
    if let Some(agent) = agent {
        // In nobody's new range, the session's own included: no user may be two users.
        claims.claim((agent - FIRST) / RANGE, session)?;
    }
    let mut hasher = DefaultHasher::new();
    session.hash(&mut hasher);
    let start = u32::try_from(hasher.finish() % u64::from(RANGES)).expect("smaller than RANGES");
    for range in (0..RANGES).map(|n| (start + n) % RANGES) {
        let first = FIRST + range * RANGE;
        let apart = agent.is_none_or(|agent| !(first..first + RANGE).contains(&agent));
        if apart && claims.claim(range, session)? {
            let ids = Ids { first, agent: agent.unwrap_or(first + AGENT) };
            let new = own.0.join("ids.new");
            fs::write(&new, serde_json::to_vec(&ids)?)?;
            fs::rename(&new, own.ids_file())?;
            return Ok(ids);
        }
    }
    anyhow::bail!("every range of host users for sessions is taken")
}

/// Which session has which range: one file each, so that nobody has to look at all sessions.
struct Claims<'a> {
    sandboxes: &'a Sandboxes,
    folder: std::path::PathBuf,
    _lock: File,
}

impl<'a> Claims<'a> {
    fn lock(sandboxes: &'a Sandboxes) -> Result<Self> {
        let folder = sandboxes.ids();
        super::disk::private_dir(&folder).context("make the folder of claimed users")?;
        let lock = File::options().create(true).append(true).open(folder.join("lock"))?;
        rustix::io::retry_on_intr(|| rustix::fs::flock(&lock, FlockOperation::LockExclusive))?;
        Ok(Self { sandboxes, folder, _lock: lock })
    }

    /// Whether the range is the session's now. A range whose session is gone is free again.
    fn claim(&self, range: u32, session: &SessionId) -> Result<bool> {
        let file = self.folder.join(range.to_string());
        match fs::read_to_string(&file) {
            // A torn name is none.
            Ok(name) => match name.parse::<SessionId>() {
                Ok(owner) if self.sandboxes.session(&owner).0.exists() => return Ok(false),
                Ok(_) | Err(_) => {}
            },
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error).with_context(|| format!("read {}", file.display())),
        }
        fs::write(&file, session.as_str()).with_context(|| format!("write {}", file.display()))?;
        Ok(true)
    }
}

pub(super) fn read(session: &SessionDir) -> Result<Option<Ids>> {
    let file = session.ids_file();
    let text = match fs::read(&file) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        text => text.with_context(|| format!("read {}", file.display()))?,
    };
    let ids: Ids = serde_json::from_slice(&text).with_context(|| format!("understand {}", file.display()))?;
    let ours = FIRST..FIRST + RANGES * RANGE;
    ensure!(ours.contains(&ids.first), "{}: {} is not ours", file.display(), ids.first);
    Ok(Some(ids))
}

/// The one user that a session of version 0.1 had.
fn read_old(session: &SessionDir) -> Result<Option<u32>> {
    const COUNT: u32 = 200_000_000;
    let file = session.0.join("uid");
    let text = match fs::read_to_string(&file) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        text => text.with_context(|| format!("read {}", file.display()))?,
    };
    let user: u32 = text.parse().with_context(|| format!("{}: {text:?}", file.display()))?;
    ensure!((FIRST..FIRST + COUNT).contains(&user), "{}: {user} is not ours", file.display());
    Ok(Some(user))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "01JD5ZK8W3Q4R6T7V8X9Y0Z1A2";
    const OTHER: &str = "01JD5ZK8W3Q4R6T7V8X9Y0Z1A3";

    fn ids(sandboxes: &Sandboxes, session: &str) -> Ids {
        let session: SessionId = session.parse().unwrap();
        fs::create_dir_all(sandboxes.session(&session).0).unwrap();
        ids_of(sandboxes, &session).unwrap()
    }

    #[test]
    fn every_session_has_users_of_its_own_and_keeps_them() {
        let data = tempfile::tempdir().unwrap();
        let sandboxes = Sandboxes(data.path().join("sandboxes"));
        let first = ids(&sandboxes, ONE);
        assert_eq!(first, Ids { first: first.first, agent: first.first + AGENT });
        assert_eq!(first, ids(&sandboxes, ONE));

        // A session that would get the same range gets the next one, until the first is gone.
        let other: SessionId = OTHER.parse().unwrap();
        let wanted = ids(&sandboxes, OTHER).first;
        fs::remove_dir_all(sandboxes.session(&other).0).unwrap();
        fs::write(sandboxes.ids().join(((wanted - FIRST) / RANGE).to_string()), ONE).unwrap();
        assert_eq!(ids(&sandboxes, OTHER).first, wanted + RANGE);
        fs::remove_dir_all(sandboxes.session(&other).0).unwrap();
        fs::remove_dir_all(sandboxes.session(&ONE.parse().unwrap()).0).unwrap();
        assert_eq!(ids(&sandboxes, OTHER).first, wanted);
    }

    #[test]
    fn a_session_of_the_first_version_keeps_its_agent_and_shares_it_with_nobody() {
        let data = tempfile::tempdir().unwrap();
        let sandboxes = Sandboxes(data.path().join("sandboxes"));
        let other: SessionId = OTHER.parse().unwrap();
        let wanted = ids(&sandboxes, OTHER).first;
        fs::remove_dir_all(sandboxes.session(&other).0).unwrap();

        let old = sandboxes.session(&ONE.parse().unwrap());
        fs::create_dir_all(&old.0).unwrap();
        fs::write(old.0.join("uid"), (wanted + 7).to_string()).unwrap();
        let kept = ids(&sandboxes, ONE);
        assert_eq!(kept.agent, wanted + 7);
        assert_ne!(kept.first, wanted);
        assert_eq!(
            kept.map(),
            format!("0 {} 1000\n1000 {} 1\n1001 {} 64535\n", kept.first, wanted + 7, kept.first + 1001)
        );
        assert_ne!(ids(&sandboxes, OTHER).first, wanted);
    }

    #[test]
    fn what_belongs_to_one_session_can_be_shown_as_anothers() {
        let from = Ids { first: FIRST, agent: FIRST + 5_000_000 };
        let to = Ids { first: FIRST + RANGE, agent: FIRST + RANGE + AGENT };
        assert_eq!(
            to.map_from(from),
            format!(
                "{} {} 1000\n{} {} 1\n{} {} 64535\n",
                FIRST,
                to.first,
                from.agent,
                to.agent,
                FIRST + 1001,
                to.first + 1001
            )
        );
    }
}
