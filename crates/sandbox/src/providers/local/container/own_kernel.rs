//! Runtimes whose containers have a kernel of their own, which is a process of the host: gVisor's `runsc`.
//!
//! ```text
//! host ──dials──▶ link.sock ◀──moved out of── spool/link.sock ◀──binds── guest
//! host ──takes from the process──▶ sockets of the way out ◀────binds──── guest
//! ```
//! No socket can be handed to the guest from outside, and no process of it can be looked at from there. But what it binds below a directory
//! of the host is a socket of the host (`--host-uds`), and so is what it binds in the network (`--network=host`), which is the one that the
//! helper made: loopback, the rules of the way out, and nothing else. So only who binds is another; who dials, asks and decides is not.
//!
//! All of its processes are born in the sandbox's cgroups, where they are counted, held still and ended as ever.
//!
//! Source: gVisor's user guide, and what `runsc flags` says.

use super::super::cgroup::{self, Cgroups, Limited};
use super::super::disk::GenerationDir;
use super::super::identity::Identity;
use super::super::init;
use super::super::limits::{Limits, files};
use super::super::record::{Process, Record};
use super::super::request::LaunchRequest;
use super::super::root_fs::SPOOL;
use crate::provider::inside;
use anyhow::{Context, Result, bail};
use lamplight_domain::sandbox::{Enforcement, Strength};
use rustix::process::{PidfdGetfdFlags, pidfd_getfd};
use serde_json::{Value, json};
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What such a runtime has to know, by which one that is too old is told.
pub(super) const NEEDED: &str = "--host-uds=all";

/// What it is told besides.
pub(super) const FLAGS: [&str; 4] = [
    "--ignore-cgroups",
    "--network=host",
    // Whatever is written is in the session's files at once, with its times: it is they that are kept and counted.
    "--file-access=shared",
    "--overlay2=none",
];

/// A guest that does not answer by then never will: looked so many times, this long apart, and well within the time of a launch.
const LOOKS: u32 = 2_500;
const LOOK: Duration = Duration::from_millis(2);

/// Where the kernel's processes see the root of the sandbox.
const ROOT: &str = "/root";

/// What the guest is started with.
pub(super) fn arguments(request: &LaunchRequest, identity: Identity, has_outlet: bool) -> Vec<String> {
    let listen = format!("{SPOOL}/{}", GenerationDir::SOCKET);
    let [tcp, udp] = [inside::PROXY, inside::DNS].map(|(address, port)| format!("{address}:{port}"));
    let way_out = format!("{tcp},{udp}");
    let mut sockets = vec!["--listen", &listen];
    if has_outlet {
        sockets.extend(["--way-out", &way_out]);
    }
    init::guest(request, identity, &sockets)
}

/// Its `/dev` and `/proc` are its own. Without a mount at `/tmp` it would put one there that nothing outlives.
pub(super) fn mounts(root: &Path) -> Value {
    json!([
        { "destination": "/proc", "type": "proc", "source": "proc" },
        { "destination": "/tmp", "type": "bind", "source": root.join("tmp"), "options": ["bind", "nosuid", "nodev"] },
        { "destination": "/dev/shm", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "nodev", "mode=1777", "size=256m"] },
    ])
}

/// Writes the limits into the cgroups. Processes are counted inside, for each user; on the host are more of them, which are bounded too.
pub(super) fn limit(cgroups: &Cgroups, limits: &Limits, refused: &[String], runtime: &str) -> Limited {
    let of_host = Limits { processes: of_host(limits.processes), ..limits.clone() };
    let limited = cgroup::limit(cgroups, &of_host, refused);
    let [cpu, mut memory, mut processes] = limited.rows;
    if let Strength::Soft { .. } = memory.strength {
        let why =
            format!("the memory of {runtime} is not that of processes, and it has no cgroup that counts it");
        memory.strength = Strength::Missing { why };
    }
    processes.limit = Some(limits.processes.into());
    processes.by = Some(runtime.to_owned());
    Limited { rows: [cpu, memory, processes], memory: limited.memory, processes: false }
}

/// Processes and threads of the host for as many inside: two for each process, and those of the kernel itself. Measured with 100 processes:
/// 275.
fn of_host(processes: u32) -> u32 {
    processes.saturating_mul(4).saturating_add(256)
}

/// What is told of the limit on disk: its files are written by the kernel, which cannot be kept from that without being ended.
pub(super) fn disk(row: Enforcement, limits: &Limits) -> Enforcement {
    let files = files(limits.disk_bytes);
    let why = format!(
        "looked at several times a second, with at most {files} files; what is a quarter over it is ended"
    );
    Enforcement { strength: Strength::Soft { why }, ..row }
}

/// Waits until the guest takes connections at its socket, and moves that to where nobody inside gets at it, or puts another in its place.
pub(super) fn wait_for_link(process: &Process, here: &GenerationDir) -> Result<()> {
    let folder = File::open(here.spool()).context("open the guest's folder")?;
    let path = format!("/proc/self/fd/{}/{}", folder.as_raw_fd(), GenerationDir::SOCKET);
    for _ in 0..LOOKS {
        if process.open().context("look for the kernel")?.is_none() {
            bail!("the kernel ended before there was a guest");
        }
        match UnixStream::connect(&path) {
            Ok(_) => {
                let there = here.spool().join(GenerationDir::SOCKET);
                return fs::rename(there, here.0.join(GenerationDir::SOCKET))
                    .context("take the guest's socket");
            }
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) => {
                std::thread::sleep(LOOK);
            }
            Err(error) => return Err(error).context("dial the guest"),
        }
    }
    bail!("the guest does not listen")
}

/// The sockets of the way out, of the process that has them. Fails with `NotFound` when that has ended.
pub(in super::super) fn take_way_out(record: &Record) -> io::Result<Vec<OwnedFd>> {
    /// States of sockets: the second is that of one without connections. Source: the kernel's net/tcp_states.h.
    const LISTENS: &str = "0A";
    const OPEN: &str = "07";
    let kernel = record.process.open()?.ok_or(ErrorKind::NotFound)?;
    let its = PathBuf::from(format!("/proc/{}", record.process.pid()));
    let table = |name: &str| fs::read_to_string(its.join("net").join(name));
    let (tcp, udp) = (table("tcp")?, table("udp")?);
    let sockets = [number(&tcp, inside::PROXY, LISTENS), number(&udp, inside::DNS, OPEN)];
    let names: Vec<String> =
        sockets.into_iter().flatten().map(|number| format!("socket:[{number}]")).collect();
    let mut taken = Vec::new();
    for descriptor in fs::read_dir(its.join("fd"))? {
        let descriptor = descriptor?;
        // It may be closed meanwhile.
        let is_wanted =
            fs::read_link(descriptor.path()).is_ok_and(|to| names.iter().any(|name| to == Path::new(name)));
        if let (true, Ok(number)) = (is_wanted, descriptor.file_name().to_string_lossy().parse()) {
            taken.push(pidfd_getfd(&kernel, number, PidfdGetfdFlags::empty())?);
        }
    }
    Ok(taken)
}

/// Of the socket with this address and state. Source: proc_net_tcp(5): the second, fourth and tenth field.
fn number<'a>(table: &'a str, (address, port): (Ipv4Addr, u16), state: &str) -> Option<&'a str> {
    let address = format!("{:08X}:{port:04X}", u32::from_ne_bytes(address.octets()));
    table.lines().find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let is_it = fields.get(1) == Some(&address.as_str()) && fields.get(3) == Some(&state);
        is_it.then(|| fields.get(9).copied())?
    })
}

/// A path that the kernel's processes have mapped, as the sandbox has it.
pub(in super::super) fn path_inside(path: &Path) -> Option<PathBuf> {
    path.strip_prefix(ROOT).ok().map(|below| Path::new("/").join(below))
}

#[cfg(test)]
mod tests {
    use super::super::super::cgroup::Cgroups;
    use super::*;
    use lamplight_domain::SandboxLimits;

    #[test]
    fn a_socket_is_found_by_its_address_and_state() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
            0: 0100007F:1CF4 0100007F:9999 01 00000000:00000000 00:00000000 00000000     0        0 7 1 0\n\
            1: 00000000:1CF4 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 8 1 0\n\
            2: 0100007F:1CF4 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 9 1 0\ntorn\n";
        assert_eq!(number(table, (Ipv4Addr::LOCALHOST, 7412), "0A"), Some("9"));
        assert_eq!(number(table, (Ipv4Addr::LOCALHOST, 7413), "0A"), None);
    }

    #[test]
    fn paths_are_those_of_the_sandbox() {
        let mapped = Path::new(ROOT).join("workspace/a b");
        assert_eq!(path_inside(&mapped), Some(PathBuf::from("/workspace/a b")));
        assert_eq!(path_inside(Path::new("/memfd:runsc-memory (deleted)")), None);
    }

    #[test]
    fn limits_are_told_as_they_were_asked_for() {
        let limits = Limits::of(&SandboxLimits { processes: Some(100), ..SandboxLimits::default() }).unwrap();
        let limited = limit(&Cgroups::default(), &limits, &[], "runsc");
        let [_, memory, processes] = limited.rows;
        assert!(matches!(memory.strength, Strength::Missing { .. }), "{memory:?}");
        assert_eq!((processes.limit, processes.by.as_deref()), (Some(100), Some("runsc")));
        assert!(!limited.processes && of_host(100) > 275);
    }
}
