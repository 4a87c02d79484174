//! Devices: a disk, memory or a hypervisor behind a file.

use super::look::{below, readable, writable};
use crate::attempt::{Attempt, REFUSED, StoppedBy, Tried, found};
use crate::call::call;
use std::ffi::CStr;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

const NOT_THERE: StoppedBy = StoppedBy::Errors("no such device", &[libc::ENOENT, libc::EACCES, libc::EPERM]);

/// What programs cannot do without, and nobody can do harm with.
const HARMLESS: &[&str] =
    &["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty", "/dev/ptmx"];

pub(super) const ATTEMPTS: &[Attempt] = &[
    Attempt::new("open a disk", StoppedBy::Absence, |_| {
        let names = ["vda", "sda", "xvda", "nvme0n1", "mmcblk0", "dm-0", "loop0"];
        let disks = names.iter().map(|name| format!("/dev/{name}"));
        found(disks.filter(|disk| readable(disk).is_ok()).collect())
    }),
    Attempt::new("open the machine's memory (/dev/mem)", NOT_THERE, |_| readable("/dev/mem")),
    Attempt::new("open the kernel's log (/dev/kmsg)", NOT_THERE, |_| writable("/dev/kmsg")),
    Attempt::new("start a virtual machine (/dev/kvm)", NOT_THERE, |_| writable("/dev/kvm")),
    Attempt::new("serve a file system (/dev/fuse)", NOT_THERE, |_| writable("/dev/fuse")),
    Attempt::new("make a network interface (/dev/net/tun)", NOT_THERE, |_| writable("/dev/net/tun")),
    Attempt::new("attach a file as a disk (/dev/loop-control)", NOT_THERE, |_| writable("/dev/loop-control")),
    Attempt::new("write to the machine's console", NOT_THERE, |_| writable("/dev/console")),
    Attempt::new("open a screen of the machine (/dev/tty1)", NOT_THERE, |_| writable("/dev/tty1")),
    Attempt::new("find any other device", StoppedBy::Absence, |_| {
        let all = below(Path::new("/dev"), 10_000).into_iter();
        let nodes = all.filter(|path| {
            let kind = std::fs::symlink_metadata(path).map(|what| what.file_type());
            kind.is_ok_and(|kind| kind.is_char_device() || kind.is_block_device())
        });
        let nodes = nodes.map(|path| path.display().to_string());
        let own = |path: &str| HARMLESS.contains(&path) || path.starts_with("/dev/pts/");
        found(nodes.filter(|path| !own(path)).collect())
    }),
    Attempt::new("make the node of the machine's memory", REFUSED, |_| {
        node(c"/tmp/mem", libc::S_IFCHR, 1, 1)
    }),
    Attempt::new("make the node of the disk that it is on", REFUSED, |_| {
        let disk = std::fs::metadata("/workspace")?.dev();
        node(c"/tmp/disk", libc::S_IFBLK, libc::major(disk), libc::minor(disk))
    }),
];

fn node(path: &CStr, kind: libc::mode_t, major: u32, minor: u32) -> Tried {
    let device = libc::makedev(major, minor);
    call(libc::SYS_mknodat, &[libc::AT_FDCWD.into(), path.into(), (kind | 0o600).into(), device.into()])?;
    Ok("made it".into())
}
