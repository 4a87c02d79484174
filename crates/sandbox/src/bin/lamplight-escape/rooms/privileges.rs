//! Rights that it does not have.

use crate::attempt::{Attempt, Needed, REFUSED, Stop, StoppedBy, Tried, found};
use crate::call::{at, call, fork, kill, wait};
use crate::facts::AGENT;
use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Also users that are not mapped, and so do not exist.
const NOBODY_ELSE: StoppedBy = StoppedBy::Errors(
    "a refusal, or no such user",
    &[libc::EPERM, libc::EINVAL, libc::EACCES, libc::ENOSYS, libc::EOVERFLOW],
);

pub(super) const ATTEMPTS: &[Attempt] = &[
    Attempt::new("use a capability", StoppedBy::Absence, |_| {
        let sets = ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"];
        let sets = sets.iter().map(|name| Ok((name, status(name)?))).collect::<Result<Vec<_>, Stop>>()?;
        let full = sets.into_iter().filter(|(_, set)| set.bytes().any(|digit| digit != b'0'));
        found(full.map(|(name, set)| format!("{name} {set}")).collect())
    }),
    Attempt::new("gain privileges by starting a program", StoppedBy::Absence, |_| {
        found(if status("NoNewPrivs")? == "1" { Vec::new() } else { vec!["it may".into()] })
    }),
    Attempt::new("become root", NOBODY_ELSE, |_| become_user(libc::SYS_setresuid, 0)),
    Attempt::new("become another user", NOBODY_ELSE, |_| become_user(libc::SYS_setresuid, 65_534)),
    Attempt::new("become another group", NOBODY_ELSE, |_| become_user(libc::SYS_setresgid, 0)),
    Attempt::new("join groups", NOBODY_ELSE, |_| {
        let mut groups = [0_u32, 6];
        call(libc::SYS_setgroups, &[2.into(), at(&mut groups)])?;
        Ok("joined".into())
    }),
    Attempt::new("give itself a capability", REFUSED, |_| capability()),
    Attempt::new("change the rules for capabilities", REFUSED, |_| {
        call(libc::SYS_prctl, &[libc::PR_SET_SECUREBITS.into(), 0.into(), 0.into(), 0.into(), 0.into()])?;
        Ok("changed them".into())
    }),
    Attempt::new("become root by a set-user-id program", StoppedBy::Absence, |_| by_program()),
    Attempt::new("give a file of its own to root", NOBODY_ELSE, |_| {
        let file = Path::new("/tmp/set-user-id");
        fs::copy("/usr/bin/env", file).needed("a program of its own")?;
        // As somebody who is not root already, where there is one.
        std::os::unix::fs::chown(file, Some(65_534), None)?;
        std::os::unix::fs::chown(file, Some(0), Some(0))?;
        Ok("gave it".into())
    }),
    Attempt::new(
        "give a program a capability",
        StoppedBy::Errors("a refusal", &[libc::EPERM, libc::EACCES, libc::EOPNOTSUPP]),
        |_| {
            let file = Path::new("/tmp/capable");
            fs::copy("/usr/bin/env", file).needed("a program of its own")?;
            // All capabilities, effective. Source: vfs_cap_data of linux/capability.h, revision 2.
            let mut all = [0x0200_0001_u32, !0, 0, !0, 0];
            let size = size_of_val(&all);
            let arguments =
                [c"/tmp/capable".into(), c"security.capability".into(), at(&mut all), size.into(), 0.into()];
            call(libc::SYS_setxattr, &arguments)?;
            Ok("gave it all".into())
        },
    ),
    Attempt::new("have a crash handled by the host", StoppedBy::Absence, |_| crash()),
];

fn status(name: &str) -> Result<String, Stop> {
    let status = fs::read_to_string("/proc/self/status").needed("its own status")?;
    let value = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    value.map(|value| value.trim().to_owned()).ok_or_else(|| Stop::Broken(format!("no {name} in its status")))
}

fn become_user(number: libc::c_long, user: u32) -> Tried {
    call(number, &[user.into(), user.into(), user.into()])?;
    Ok(format!("is {user} now"))
}

/// CAP_SYS_ADMIN, in every set. Source: capset(2), version 3.
fn capability() -> Tried {
    const SYS_ADMIN: u32 = 1 << 21;
    let mut header = [0x2008_0522_u32, 0];
    let mut sets = [SYS_ADMIN, SYS_ADMIN, SYS_ADMIN, 0, 0, 0];
    call(libc::SYS_capset, &[at(&mut header), at(&mut sets)])?;
    Ok("has it".into())
}

/// Starts one of the machine's, as an ordinary user, and looks as whom it runs.
fn by_program() -> Tried {
    let programs = ["su", "passwd", "newgrp", "chsh", "mount", "sudo"];
    let programs = programs.iter().map(|name| PathBuf::from("/usr/bin").join(name));
    let suid = |path: &PathBuf| fs::metadata(path).is_ok_and(|what| what.permissions().mode() & 0o4000 != 0);
    let Some(program) = programs.into_iter().find(suid) else {
        return Err(Stop::Nothing("the machine has none".into()));
    };
    let owner = fs::metadata(&program).needed("its owner")?.uid();
    let program = std::ffi::CString::new(program.into_os_string().into_encoded_bytes()).unwrap_or_default();
    // It waits for a password that never comes; the other pipe ends with the exec.
    let (input, _answer) = io::pipe().needed("a pipe")?;
    let (mut started, starting) = io::pipe().needed("a pipe")?;
    let child = fork(|| {
        // Without effect for one who is nobody else already.
        let _ = become_user(libc::SYS_setresuid, AGENT);
        let _ = rustix::stdio::dup2_stdin(&input);
        let none = std::ptr::null::<libc::c_char>();
        let arguments = [program.as_ptr(), none];
        // SAFETY: both arrays end in a null pointer, and the strings outlive the call.
        unsafe { libc::execve(program.as_ptr(), arguments.as_ptr(), (&raw const none).cast()) };
    })
    .needed("a process")?;
    drop(starting);
    let _ = started.read(&mut [0]);
    let status = fs::read_to_string(format!("/proc/{child}/status"));
    let _ = kill(child, libc::SIGKILL);
    let _ = wait(child);
    let status = status.needed("the program's status")?;
    let users = status.lines().find_map(|line| line.strip_prefix("Uid:")).unwrap_or_default();
    match users.split_whitespace().nth(1) {
        Some("0") => Ok("it runs as root".into()),
        Some(user) => Err(Stop::Nothing(format!("owned by {owner}, it runs as {user}"))),
        None => Err(Stop::Broken("the program has no user".into())),
    }
}

/// The kernel starts a crash handler as root, outside of every namespace, and gives it what the crashed program holds. Only
/// a limit of 1 on the size of core files stops that; 0 does not. Source: core(5), "Piping core dumps to a program".
fn crash() -> Tried {
    let pattern = fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap_or_default();
    let most = rustix::process::getrlimit(rustix::process::Resource::Core).maximum;
    match (pattern.starts_with('|'), most) {
        (_, Some(1)) | (false, Some(0)) => Err(Stop::Nothing("no crash is kept".into())),
        (true, _) => Ok(format!("handled by {}", pattern.trim())),
        (false, _) => Ok("a file of its memory is written".into()),
    }
}
