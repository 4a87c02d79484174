//! What the kernel shows as files: `/proc` and `/sys`, most of which is about the whole machine.

use super::look::{below, read, readable, writable};
use crate::attempt::{Attempt, NO_FILE, Stop, StoppedBy, Tried, found};
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::Path;

/// Files of settings are looked at up to so many; the kernel has about two thousand.
const MOST: usize = 20_000;

/// What runtimes of containers hide in `/proc`, or show read-only, and what of it tells of devices and drivers. Source: the
/// default paths of Docker.
const OF_DEVICES: &[&str] =
    &["acpi", "asound", "latency_stats", "sched_debug", "scsi", "timer_stats", "bus/pci/devices"];

pub(super) const ATTEMPTS: &[Attempt] = &[
    Attempt::new("restart the machine by /proc/sysrq-trigger", NO_FILE, |_| writable("/proc/sysrq-trigger")),
    Attempt::new("have the kernel run a program on a crash (core_pattern)", NO_FILE, |_| {
        writable("/proc/sys/kernel/core_pattern")
    }),
    Attempt::new("have the kernel run a program for a module (modprobe)", NO_FILE, |_| {
        first(&["/proc/sys/kernel/modprobe", "/proc/sys/kernel/hotplug"], writable)
    }),
    Attempt::new("register a kind of program (binfmt_misc)", NO_FILE, |_| {
        first(&["/proc/sys/fs/binfmt_misc/register", "/proc/sys/fs/suid_dumpable"], writable)
    }),
    Attempt::new("change any setting below /proc/sys", StoppedBy::Absence, |_| {
        let settings = below(Path::new("/proc/sys"), MOST).into_iter();
        let own = settings.filter(|path| writable(path).is_ok() && may_set(path));
        found(own.map(|path| path.display().to_string()).collect())
    }),
    Attempt::new("move the interrupts of a device", StoppedBy::Absence, |_| {
        let files = below(Path::new("/proc/irq"), MOST).into_iter();
        found(files.filter(|path| writable(path).is_ok()).map(|path| path.display().to_string()).collect())
    }),
    Attempt::new("read the machine's memory (/proc/kcore)", NO_FILE, |_| readable("/proc/kcore")),
    Attempt::new("read the kernel's log (/proc/kmsg)", NO_FILE, |_| readable("/proc/kmsg")),
    Attempt::new("read the list of keys (/proc/keys)", StoppedBy::Absence, |_| read("/proc/keys")),
    Attempt::new("read the kernel's timers", NO_FILE, |_| readable("/proc/timer_list")),
    Attempt::new("read how pages of memory are used", NO_FILE, |_| readable("/proc/kpagecount")),
    Attempt::new("read the kernel's caches", NO_FILE, |_| readable("/proc/slabinfo")),
    Attempt::new("read where the kernel's memory is", NO_FILE, |_| readable("/proc/vmallocinfo")),
    Attempt::new("learn addresses of the kernel (/proc/kallsyms)", StoppedBy::Absence, |_| addresses()),
    Attempt::new("learn physical addresses (pagemap)", StoppedBy::Absence, |_| physical()),
    Attempt::new("watch the machine's interrupts", StoppedBy::Absence, |_| read("/proc/interrupts")),
    Attempt::new("learn of devices and drivers from /proc", StoppedBy::Absence, |_| {
        let there = OF_DEVICES.iter().map(|name| format!("/proc/{name}"));
        found(there.filter(|path| !empty(Path::new(path))).collect())
    }),
    Attempt::new("read /sys", StoppedBy::Absence, |_| {
        let parts = ["block", "class", "devices", "firmware", "fs", "kernel", "module"];
        let there = parts.iter().map(|part| format!("/sys/{part}"));
        found(there.filter(|path| !empty(Path::new(path))).collect())
    }),
    Attempt::new("use the kernel's debugging files", NO_FILE, |_| {
        first(&["/sys/kernel/debug/.", "/sys/kernel/tracing/.", "/sys/kernel/uevent_helper"], readable)
    }),
];

/// The first that can be had; why the first of all cannot.
fn first(paths: &'static [&'static str], look: fn(&'static str) -> Tried) -> Tried {
    let had = paths.iter().map(|path| look(path)).find(Result::is_ok);
    had.unwrap_or_else(|| look(paths[0]))
}

/// Of those that everybody may open for writing, some look at the rights of whoever writes; even when it is nothing.
fn may_set(setting: &Path) -> bool {
    let everybody = fs::metadata(setting).is_ok_and(|what| what.permissions().mode() & 0o002 != 0);
    !everybody || File::options().write(true).open(setting).is_ok_and(|mut file| file.write(b"").is_ok())
}

fn empty(path: &Path) -> bool {
    match fs::symlink_metadata(path) {
        Ok(what) if what.is_dir() => {
            below(path, 1).is_empty() && fs::read_dir(path).map_or(0, Iterator::count) == 0
        }
        Ok(_) => read(path).is_err(),
        Err(_) => true,
    }
}

/// They are all zero for those who may not know them.
fn addresses() -> Tried {
    let symbols = fs::read_to_string("/proc/kallsyms")?;
    let known = symbols.lines().take(64).find(|line| !line.starts_with("0000000000000000"));
    match known {
        Some(line) => Ok(line.chars().take(60).collect()),
        None => Err(Stop::Nothing("all of them are zero".into())),
    }
}

/// Where the stack of this process is. Source: the kernel's admin-guide/mm/pagemap.
fn physical() -> Tried {
    const PAGE: u64 = 4096;
    const FRAME: u64 = (1 << 55) - 1;
    let here = 0_u8;
    let place = std::ptr::from_ref(&here).addr() as u64 / PAGE * 8;
    let mut entry = [0; 8];
    File::open("/proc/self/pagemap")?.read_exact_at(&mut entry, place)?;
    match u64::from_le_bytes(entry) & FRAME {
        0 => Err(Stop::Nothing("the number of the page is hidden".into())),
        frame => Ok(format!("page {frame:#x}")),
    }
}
