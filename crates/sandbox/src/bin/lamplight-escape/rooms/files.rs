//! Files of the host, and those that all sandboxes share.

use super::look::{make, read, readable, writable};
use super::processes::busy;
use crate::attempt::{Attempt, NO_FILE, REFUSED, StoppedBy, Tried, found};
use crate::call::{at, call, descriptor};
use crate::facts::{Facts, SHOWN};
use std::fs::{self, File, Permissions};
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

const GUEST: &str = "/run/lamplight/guest";

/// A file that cannot be made there.
const NOT_MADE: StoppedBy =
    StoppedBy::Errors("a read-only directory", &[libc::EROFS, libc::EACCES, libc::EPERM, libc::ENOENT]);

pub(super) const ATTEMPTS: &[Attempt] = &[
    Attempt::new("read a file of the host by its path", NO_FILE, |facts| read(&facts.secret)),
    Attempt::new("read it by a link of its own", NO_FILE, |facts| {
        let link = Path::new("/tmp/link");
        let _ = fs::remove_file(link);
        std::os::unix::fs::symlink(&facts.secret, link)?;
        read(link)
    }),
    Attempt::new("read it by going up from the workspace", NO_FILE, |facts| {
        read(
            Path::new("/workspace")
                .join("../".repeat(40))
                .join(facts.secret.strip_prefix("/").unwrap_or(&facts.secret)),
        )
    }),
    Attempt::new("enter the folder of Lamplight's data", NO_FILE, |facts| readable(&facts.folder)),
    Attempt::new("read the machine's passwords", NO_FILE, |_| readable("/etc/shadow")),
    Attempt::new("read the machine's private keys", NO_FILE, |_| {
        let first = ["/etc/ssl/private", "/etc/ssh"].map(readable).into_iter().find(Result::is_ok);
        first.unwrap_or_else(|| readable("/etc/ssl/private"))
    }),
    // The sandbox's own root has a home there, with nothing of the machine's in it.
    Attempt::new("find something in root's home", StoppedBy::Absence, |_| {
        let entries = fs::read_dir("/root").into_iter().flatten().flatten();
        found(entries.map(|entry| entry.path().display().to_string()).collect())
    }),
    Attempt::new("find a home that is not the agent's", StoppedBy::Absence, |_| {
        let homes = fs::read_dir("/home")?.flatten().map(|entry| entry.path());
        let others = homes.filter(|home| home != Path::new("/home/agent"));
        found(others.map(|home| home.display().to_string()).collect())
    }),
    // Which packages there are is shown, so that more can be installed.
    Attempt::new("find what a service keeps in /var", StoppedBy::Absence, |_| {
        let kept = ["/var/lib/docker", "/var/lib/systemd", "/var/lib/postgresql", "/var/log/wtmp"];
        found(kept.into_iter().filter(|path| Path::new(path).exists()).map(str::to_owned).collect())
    }),
    Attempt::new("put a program into /usr/bin", NOT_MADE, |_| make("/usr/bin/lamplight-escape-new")),
    Attempt::new("have a library loaded by everybody (/etc/ld.so.preload)", NOT_MADE, |_| {
        make("/etc/ld.so.preload")
    }),
    Attempt::new("add a user to /etc/passwd", NO_FILE, |_| writable("/etc/passwd")),
    Attempt::new("put a file beside the root's directories", NOT_MADE, |_| make("/lamplight-escape-new")),
    Attempt::new("put a file where the host shows one read-only", NOT_MADE, |_| {
        make(Path::new(SHOWN).join("new"))
    }),
    // Not a program that runs: one of its owner's would be busy before it is read-only.
    Attempt::new("overwrite a file that the host shows read-only", NO_FILE, |_| {
        writable(Path::new(SHOWN).join(Facts::FILE))
    }),
    Attempt::new("put a file beside the guest", NOT_MADE, |_| make("/run/lamplight/new")),
    Attempt::new("overwrite the guest", NO_FILE, |_| busy(writable(GUEST))),
    Attempt::new("change the guest's mode", NO_FILE, |_| {
        fs::set_permissions(GUEST, Permissions::from_mode(0o777))?;
        Ok("made it writable to all".into())
    }),
    Attempt::new(
        "remove the guest",
        StoppedBy::Errors("a read-only directory", &[libc::EROFS, libc::EACCES, libc::EPERM, libc::EBUSY]),
        |_| {
            fs::rename(GUEST, "/run/lamplight/gone")?;
            Ok("renamed it".into())
        },
    ),
    Attempt::new(
        "name a shared file anew with a hard link",
        StoppedBy::Errors("a read-only directory", &[libc::EXDEV, libc::EPERM, libc::EACCES, libc::EROFS]),
        |_| {
            fs::hard_link("/usr/bin/env", "/usr/bin/lamplight-escape-link")?;
            Ok("linked".into())
        },
    ),
    Attempt::new("open a file by its handle, past all paths", REFUSED, |_| by_handle()),
];

/// As the "shocker" exploit did with the root of the file system.
fn by_handle() -> Tried {
    #[repr(C)]
    struct Handle {
        bytes: u32,
        kind: i32,
        handle: [u8; 128],
    }
    let mount = File::open("/dev/shm")?;
    let mut handle = Handle { bytes: 128, kind: 0, handle: [0; 128] };
    let mut mount_id = 0_i32;
    let arguments = [
        mount.as_raw_fd().into(),
        c"".into(),
        at(&mut handle),
        at(&mut mount_id),
        libc::AT_EMPTY_PATH.into(),
    ];
    if call(libc::SYS_name_to_handle_at, &arguments).is_err() {
        // The root directory of ext4: 8 bytes, inode 2.
        handle.bytes = 8;
        handle.kind = 1;
        handle.handle[0] = 2;
    }
    let arguments = [mount.as_raw_fd().into(), at(&mut handle), libc::O_RDONLY.into()];
    let opened = descriptor(libc::SYS_open_by_handle_at, &arguments)?;
    Ok(format!("got descriptor {}", opened.as_raw_fd()))
}
