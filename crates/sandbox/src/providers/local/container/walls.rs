//! Which walls stand around a container: not what the runtime was asked for, but what the kernel says of the guest's process.

use super::super::cgroup::Cgroups;
use super::super::privileges::ROOT_INSIDE;
use super::super::record::Process;
use super::Runtime;
use anyhow::{Context, Result, bail};
use lamplight_domain::sandbox::{Enforcement, Strength, Wall};
use rustix::thread::CapabilitySet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A runtime may be done a little before the process that it made has become the guest: looked at so many times, this long apart.
const LOOKS: u32 = 2_000;
const LOOK: Duration = Duration::from_millis(1);

const NAMESPACES: [&str; 7] = ["ipc", "mnt", "net", "user", "uts", "cgroup", "pid"];
/// Of these, what a kernel of its own needs of the host's: processes and cgroups inside are not the host's at all.
const OF_A_KERNEL: usize = 5;

/// What such a kernel may do as the session's host user, beside what root inside may: read that one's files, and run its programs
/// step by step.
const TO_A_KERNEL: CapabilitySet = CapabilitySet::DAC_READ_SEARCH.union(CapabilitySet::SYS_PTRACE);

/// Waits until the process that the runtime made is the guest.
pub(super) fn wait_for_guest(process: &Process, guest: &Path, runtime: &str) -> Result<()> {
    let file = fs::metadata(guest).context("look at the guest's file")?;
    let executed = PathBuf::from(format!("/proc/{}/exe", process.pid()));
    for _ in 0..LOOKS {
        if process.open().context("look for the guest")?.is_none() {
            bail!("what {runtime} started ended before it was the guest");
        }
        let is_guest = |now: fs::Metadata| (now.dev(), now.ino()) == (file.dev(), file.ino());
        if fs::metadata(&executed).is_ok_and(is_guest) {
            return Ok(());
        }
        std::thread::sleep(LOOK);
    }
    bail!(
        "what {runtime} started is not the guest: of runtimes with a kernel of their own, only runsc can be used"
    )
}

/// Looks at the guest, or at the kernel that it has for itself: what that allows inside, it cannot allow outside.
/// `network` is how its policy stands where the runtime left the sandbox in the network that was made for it.
pub(super) fn look(
    process: &Process,
    runtime: &Runtime,
    nested: bool,
    network: Strength,
) -> Result<Vec<Enforcement>> {
    let (has_own_kernel, runtime) = (runtime.has_own_kernel(), runtime.name.as_str());
    let of = |file: &str| {
        let file = format!("/proc/{}/{file}", process.pid());
        fs::read_to_string(&file).with_context(|| format!("read {file}"))
    };
    let status = of("status")?;
    let (own, most) = match has_own_kernel {
        true => (&NAMESPACES[..OF_A_KERNEL], ROOT_INSIDE.union(TO_A_KERNEL)),
        false => (&NAMESPACES[..], ROOT_INSIDE),
    };
    let kernel_files = match has_own_kernel {
        // Its `/proc` tells of itself.
        true => Strength::Enforced,
        false => kernel_files(&of("mountinfo")?, runtime, nested),
    };
    let shared = shared(process, own)?;
    let network = match shared.contains(&"net") {
        true => missing(format!("{runtime} left the sandbox in the host's network")),
        false => network,
    };
    let walls = [
        (Wall::Namespaces, namespaces(&shared, runtime)),
        (Wall::Capabilities, capabilities(&status, most, runtime)),
        (Wall::SystemCalls, system_calls(&status, runtime)),
        (Wall::FileRules, missing(format!("{runtime} puts up no rules about files (Landlock)"))),
        (Wall::KernelFiles, kernel_files),
        (Wall::Network, network),
    ];
    let by = || Some(runtime.to_owned());
    Ok(walls.map(|(wall, strength)| Enforcement { wall, strength, limit: None, by: by() }).into())
}

/// Takes back what was said of limits in cgroups that the guest is not in.
pub(super) fn check_limits(rows: &mut [Enforcement], cgroups: &Cgroups, process: &Process, runtime: &str) {
    let pid = process.pid().to_string();
    let is_in = |cgroup: &PathBuf| {
        fs::read_to_string(cgroup.join("cgroup.procs")).is_ok_and(|all| all.lines().any(|line| line == pid))
    };
    if cgroups.legacy.iter().chain(&cgroups.unified).all(is_in) {
        return;
    }
    let counted =
        rows.iter_mut().filter(|row| matches!(row.wall, Wall::Cpu | Wall::Memory | Wall::Processes));
    for row in counted.filter(|row| row.strength == Strength::Enforced && row.limit.is_some()) {
        row.strength = missing(format!("{runtime} did not put the sandbox into its cgroup"));
    }
}

fn missing(why: String) -> Strength {
    Strength::Missing { why }
}

/// Which of the namespaces that are to be its own are the host's.
fn shared(process: &Process, own: &[&'static str]) -> Result<Vec<&'static str>> {
    let mut shared = Vec::new();
    for kind in own.iter().copied() {
        let of = |process: &str| fs::read_link(format!("/proc/{process}/ns/{kind}"));
        let theirs =
            of(&process.pid().to_string()).with_context(|| format!("look at its {kind} namespace"))?;
        if theirs == of("self").context("look at our own namespaces")? {
            shared.push(kind);
        }
    }
    Ok(shared)
}

fn namespaces(shared: &[&str], runtime: &str) -> Strength {
    match shared {
        [] => Strength::Enforced,
        _ => missing(format!("{runtime} left the sandbox in the host's namespaces: {}", shared.join(", "))),
    }
}

/// A field of proc_pid_status(5).
fn field<'a>(status: &'a str, name: &str) -> Option<&'a str> {
    status.lines().find_map(|line| Some(line.strip_prefix(name)?.strip_prefix(':')?.trim()))
}

fn capabilities(status: &str, most: CapabilitySet, runtime: &str) -> Strength {
    let set = |name: &str| {
        let bits = field(status, name).and_then(|bits| u64::from_str_radix(bits, 16).ok());
        bits.map(CapabilitySet::from_bits_retain)
    };
    let all = ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"];
    let within = all.into_iter().all(|name| set(name).is_some_and(|set| most.contains(set)));
    match (within, field(status, "NoNewPrivs")) {
        (true, Some("1")) => Strength::Enforced,
        (true, _) => missing(format!("{runtime} did not forbid new privileges")),
        (false, _) => missing(format!("{runtime} left capabilities to the sandbox that it was not to have")),
    }
}

fn system_calls(status: &str, runtime: &str) -> Strength {
    match field(status, "Seccomp") {
        // A filter. Source: proc_pid_status(5).
        Some("2") => Strength::Enforced,
        _ => missing(format!("{runtime} filters no system calls")),
    }
}

/// Whether one that tells is covered, and what changes the machine is read-only. Source: proc_pid_mountinfo(5), fields 5 and 6.
fn kernel_files(mounts: &str, runtime: &str, nested: bool) -> Strength {
    if nested {
        return missing("programs inside may make sandboxes, which need all of /proc".into());
    }
    let mounts: Vec<(&str, &str)> = mounts
        .lines()
        .filter_map(|line| {
            let mut fields = line.split(' ').skip(4);
            Some((fields.next()?, fields.next()?))
        })
        .collect();
    let hidden = mounts.iter().any(|(path, _)| *path == "/proc/kcore") || !Path::new("/proc/kcore").exists();
    let is_read_only = |options: &str| options.split(',').any(|option| option == "ro");
    let closed = mounts.iter().any(|(path, options)| *path == "/proc/sys" && is_read_only(options));
    if hidden && closed {
        Strength::Enforced
    } else {
        missing(format!("{runtime} did not cover parts of /proc"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn walls_are_read_from_what_the_kernel_says() {
        let good = "Name:\tguest\nCapInh:\t0000000000000000\nCapPrm:\t00000000000001fb\nCapEff:\t00000000000001fb\n\
                    CapBnd:\t00000000000001fb\nCapAmb:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t1\n";
        assert_eq!(capabilities(good, ROOT_INSIDE, "x"), Strength::Enforced);
        assert_eq!(system_calls(good, "x"), Strength::Enforced);
        let check = |strength: Strength, said: &str| match strength {
            Strength::Missing { why } => assert_eq!(why, said),
            other => panic!("{other:?} instead of {said}"),
        };
        let more = good.replace("CapBnd:\t00000000000001fb", "CapBnd:\t00000000002001fb");
        check(
            capabilities(&more, ROOT_INSIDE, "x"),
            "x left capabilities to the sandbox that it was not to have",
        );
        check(
            capabilities(&good.replace("NoNewPrivs:\t1", "NoNewPrivs:\t0"), ROOT_INSIDE, "x"),
            "x did not forbid new privileges",
        );
        check(
            capabilities("", ROOT_INSIDE, "x"),
            "x left capabilities to the sandbox that it was not to have",
        );
        check(system_calls(&good.replace("Seccomp:\t2", "Seccomp:\t0"), "x"), "x filters no system calls");

        let mounts = "1 0 0:1 / / rw - overlay o rw\n2 1 0:2 / /proc rw - proc proc rw\n\
                      3 2 0:3 /null /proc/kcore ro - tmpfs t rw\n4 2 0:2 /sys /proc/sys ro,nosuid - proc proc rw\n";
        assert_eq!(kernel_files(mounts, "x", false), Strength::Enforced);
        check(
            kernel_files(&mounts.replace("ro,nosuid", "rw,nosuid"), "x", false),
            "x did not cover parts of /proc",
        );
        check(kernel_files(mounts, "x", true), "programs inside may make sandboxes, which need all of /proc");
    }

    #[test]
    fn a_process_of_the_host_has_no_walls() {
        let own = Process::now(i32::try_from(std::process::id()).unwrap()).unwrap();
        let runtime = Runtime { program: "/x".into(), name: "x".into() };
        let walls = look(&own, &runtime, false, Strength::Enforced).unwrap();
        assert!(walls.iter().all(|row| matches!(row.strength, Strength::Missing { .. })), "{walls:?}");
        assert_eq!(walls[0].by.as_deref(), Some("x"));
    }
}
