//! Where things are that are elsewhere in a sandbox with walls: without mounts, a folder stands for `/`, and without a network of its
//! own, each sandbox has a loopback address of its own.

use crate::error::{ErrorKind, SandboxError};
use crate::provider::inside;
use std::fs::{self, Permissions};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// What a session keeps, as [`directories`] has it, seen from the top.
pub(super) const KEPT: [&str; 4] = ["workspace", "home", "tmp", "var"];

/// Each sandbox's own.
pub(super) const MEMORY: &str = "dev";

/// Addresses that are tried before there is said to be none.
const TRIES: u64 = 64;

/// What callers, and those inside, know by these names, and how far others may use it.
fn directories() -> [(&'static str, u32); 5] {
    let own = 0o755;
    [
        (inside::WORKSPACE, own),
        (inside::HOME, own),
        ("/tmp", 0o1777),
        ("/var/tmp", 0o1777),
        ("/dev/shm", 0o1777),
    ]
}

/// The host's path of a path inside. What is not the session's own is where it is.
pub(super) fn place(files: &Path, path: &str) -> PathBuf {
    let of_session = directories()
        .iter()
        .any(|(top, _)| path.strip_prefix(top).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')));
    if of_session { files.join(path.trim_start_matches('/')) } else { PathBuf::from(path) }
}

/// Makes what is missing. Refuses what was put in the place of a directory, which would lead somewhere else.
pub(super) fn prepare(files: &Path) -> anyhow::Result<()> {
    let has_been = files.exists();
    for (top, mode) in directories() {
        let mut at = files.to_owned();
        for part in Path::new(top.trim_start_matches('/')) {
            at.push(part);
            match fs::symlink_metadata(&at) {
                Ok(there) if there.is_dir() => {}
                Ok(_) => {
                    let message = format!("{top} of the session is no directory, and would lead out");
                    return Err(SandboxError::new(ErrorKind::Invalid, message).into());
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    fs::create_dir_all(&at)?;
                    fs::set_permissions(&at, Permissions::from_mode(0o755))?;
                }
                Err(error) => return Err(error.into()),
            }
        }
        if !has_been || top.starts_with("/dev") {
            fs::set_permissions(&at, Permissions::from_mode(mode))?;
        }
    }
    Ok(())
}

/// An address of loopback's that nobody listens at. Another may take it before the guest does; the guest then ends, and says so.
pub(super) fn gateway(folder: &Path) -> io::Result<SocketAddr> {
    let port = inside::GATEWAY.parse::<SocketAddr>().expect("an address with a port").port();
    for attempt in 0..TRIES {
        let mut hasher = DefaultHasher::new();
        (folder, attempt).hash(&mut hasher);
        let [a, b, c, ..] = hasher.finish().to_le_bytes();
        let address = SocketAddr::from((Ipv4Addr::new(127, a.max(1), b, c.clamp(1, 254)), port));
        if TcpListener::bind(address).is_ok() {
            return Ok(address);
        }
    }
    Err(io::Error::new(io::ErrorKind::AddrInUse, "no address of loopback's is free for the gateway"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sessions_own_is_below_its_folder_and_the_rest_where_it_is() {
        let check = |path: &str, there: &str| assert_eq!(place(Path::new("/files"), path), Path::new(there));
        check("/workspace", "/files/workspace");
        check("/home/agent/.config/x", "/files/home/agent/.config/x");
        check("/workspaces", "/workspaces");
        check("/usr/bin/env", "/usr/bin/env");
    }
}
