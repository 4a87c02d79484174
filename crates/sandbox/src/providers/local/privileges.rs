//! What PID 1 gives up, or forbids to all that come after it.

use super::identity::{AGENT, Identity};
use anyhow::{Context, Result};
use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{
    CapabilitiesSecureBits, CapabilitySet, CapabilitySets, clear_ambient_capability_set,
    remove_capability_from_bounding_set, set_capabilities, set_capabilities_secure_bits, set_no_new_privs,
    set_thread_groups, set_thread_res_gid, set_thread_res_uid,
};
use rustix::thread::{Gid, Uid};
use std::fs;
use std::io;
use std::os::fd::AsRawFd;

/// Processes and threads of one session, where it has a host user of its own.
const MAX_PROCESSES: u64 = 4096;

/// When memory is short, the kernel ends what is in a sandbox before it ends the server. Source: proc_pid_oom_score_adj(5).
const OOM_SCORE: &str = "500";

/// Interfaces are down in a new network namespace, `lo` too. Source: netdevice(7).
pub(super) fn raise_loopback() -> io::Result<()> {
    let socket = std::net::UdpSocket::bind("0.0.0.0:0")?;
    // SAFETY: all of it are integers and arrays of integers.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    request.ifr_name[..2].copy_from_slice(&[b'l'.cast_signed(), b'o'.cast_signed()]);
    request.ifr_ifru.ifru_flags = i16::try_from(libc::IFF_UP).expect("a small flag");
    // SAFETY: the request outlives the call, and is what SIOCSIFFLAGS reads.
    match unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &raw const request) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Any port may be listened on: there is nobody to keep them for. Source: ip(7).
pub(super) fn free_low_ports() -> io::Result<()> {
    fs::write("/proc/sys/net/ipv4/ip_unprivileged_port_start", "0")
}

/// Leaves the session keyring of whoever started the server. Where that is refused (many containers do), so is every
/// other use of keyrings.
pub(super) fn leave_keyring() {
    // SAFETY: no pointer is read: the null name asks for a new keyring.
    unsafe { libc::syscall(libc::SYS_keyctl, libc::KEYCTL_JOIN_SESSION_KEYRING, std::ptr::null::<u8>()) };
}

/// Lowers what may be used; nothing is ever raised, which needs rights that not every root has.
pub(super) fn lower_limits(identity: Identity) -> Result<()> {
    lower(Resource::Core, 0).context("forbid core dumps")?;
    match identity {
        Identity::Root { .. } => lower(Resource::Nproc, MAX_PROCESSES).context("limit processes")?,
        // Counted together with all that the person runs: a limit here would be a limit there.
        Identity::User { .. } => {}
    }
    fs::write("/proc/self/oom_score_adj", OOM_SCORE).context("be the first to end when memory is short")
}

fn lower(resource: Resource, to: u64) -> Result<(), Errno> {
    let now = getrlimit(resource);
    let least = |limit: Option<u64>| Some(limit.map_or(to, |limit| limit.min(to)));
    setrlimit(resource, Rlimit { current: least(now.current), maximum: least(now.maximum) })
}

/// Root only: no group, and the agent's numbers in every field.
pub(super) fn become_agent() -> io::Result<()> {
    let (user, group) = (Uid::from_raw(AGENT), Gid::from_raw(AGENT));
    set_thread_groups(&[])?;
    set_thread_res_gid(group, group, group)?;
    set_thread_res_uid(user, user, user)?;
    Ok(())
}

/// A user namespace below ours would give capabilities over namespaces of its own, and with them most of the kernel's
/// attack surface. Agents are told not to use sandboxes of their own in here. Source: namespaces(7), `/proc/sys/user`.
pub(super) fn forbid_user_namespaces() -> io::Result<()> {
    fs::write("/proc/sys/user/max_user_namespaces", "0")
}

/// Gives up every capability, and every way to get one back. Source: capabilities(7).
pub(super) fn give_up() -> Result<()> {
    for capability in (0..64).map(|number| CapabilitySet::from_bits_retain(1 << number)) {
        match remove_capability_from_bounding_set(capability) {
            Ok(()) => {}
            // The first that this kernel does not know.
            Err(Errno::INVAL) => break,
            Err(error) => return Err(error).context("empty the bounding set"),
        }
    }
    let locked = CapabilitiesSecureBits::NO_ROOT
        | CapabilitiesSecureBits::NO_ROOT_LOCKED
        | CapabilitiesSecureBits::NO_SETUID_FIXUP
        | CapabilitiesSecureBits::NO_SETUID_FIXUP_LOCKED
        | CapabilitiesSecureBits::KEEP_CAPS_LOCKED
        | CapabilitiesSecureBits::NO_CAP_AMBIENT_RAISE
        | CapabilitiesSecureBits::NO_CAP_AMBIENT_RAISE_LOCKED;
    set_capabilities_secure_bits(locked).context("lock the rules for capabilities")?;
    clear_ambient_capability_set().context("empty the ambient set")?;
    set_no_new_privs(true).context("forbid new privileges")?;
    let none = CapabilitySet::empty();
    set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none })
        .context("give up capabilities")
}
