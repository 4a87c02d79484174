//! Empty file systems to begin volumes with (see `volume`), one for each limit: making one takes some 30 ms and another program, copying
//! what there is in it less than one.

use super::disk::{Sandboxes, names, private_dir};
use super::limits;
use super::loop_device::CONTROL;
use super::record;
use crate::error::{ErrorKind, SandboxError};
use crate::providers::lock::lock;
use anyhow::{Context, Result, bail};
use rustix::fs::SeekFrom;
use rustix::io::Errno;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const PROGRAM: &str = "mkfs.ext4";

/// Where it is on machines that do not have it in the `PATH` of a service.
const PLACES: [&str; 2] = ["/usr/sbin", "/sbin"];

const MIB: u64 = 1 << 20;

impl Sandboxes {
    pub(super) fn blanks(&self) -> PathBuf {
        self.0.with_file_name("blank")
    }
}

/// What a file system has to be made like, so that what a limit allows fits into it, and not much more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Shape {
    bytes: u64,
    files: u64,
    journal_mib: u64,
    /// What the guest alone may fill, so that it can say what an agent says whose disk is full.
    reserve: u64,
}

impl Shape {
    fn of(limit: u64) -> Self {
        const INODE: u64 = 256;
        let files = limits::files(limit);
        let journal_mib = (limit / 256 / MIB).clamp(4, 64);
        let reserve = (limit / 64).clamp(MIB, 64 * MIB);
        let sum = limit + files * INODE + journal_mib * MIB + reserve;
        // What the kernel keeps for what it cannot foresee (a fiftieth, 4,096 blocks at the most), and maps of what is free.
        let bytes = sum + (sum / 50).min(16 * MIB) + sum / 4096 + MIB;
        Self { bytes: bytes.next_multiple_of(4096), files, journal_mib, reserve }
    }

    /// Source: mke2fs(8). Its file is all holes: there is nothing to be cleared, now or later.
    fn format(self, file: &Path) -> Result<()> {
        File::create(file)?.set_len(self.bytes)?;
        let program = program().with_context(|| format!("there is no program {PROGRAM}"))?;
        let percent = format!("{:.4}", self.reserve as f64 * 100.0 / self.bytes as f64);
        let (files, journal) = (self.files.to_string(), format!("size={}", self.journal_mib));
        let mut made = Command::new(program);
        made.args(["-q", "-F", "-b", "4096", "-I", "256", "-O", "^resize_inode"]);
        made.args(["-N", &files, "-m", &percent, "-J", &journal]);
        made.args(["-E", "lazy_itable_init=1,lazy_journal_init=1,root_owner=0:0"]).arg(file);
        let made = made.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).output();
        let made = made.with_context(|| format!("run {PROGRAM}"))?;
        if !made.status.success() {
            bail!("{PROGRAM} ended with {}: {}", made.status, String::from_utf8_lossy(&made.stderr).trim());
        }
        Ok(())
    }
}

fn program() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places = std::env::split_paths(&path).chain(PLACES.map(PathBuf::from));
    places.map(|place| place.join(PROGRAM)).find(|program| program.is_file())
}

/// Puts an empty file system for this limit there, whole or not at all.
pub(super) fn copy(blanks: &Path, limit: u64, to: &Path) -> Result<()> {
    let from = open(blanks, limit).with_context(|| format!("make a file system for {limit} bytes"))?;
    let new = to.with_extension("new");
    let copied = File::create(&new)?;
    let length = from.metadata()?.len();
    copied.set_len(length)?;
    let mut at = 0;
    loop {
        // What is no data reads as zeros in both.
        at = match rustix::fs::seek(&from, SeekFrom::Data(at)) {
            Err(Errno::NXIO) => break,
            at => at?,
        };
        let end = rustix::fs::seek(&from, SeekFrom::Hole(at))?;
        while at < end {
            let (mut read, mut written) = (at, at);
            let much = usize::try_from(end - at)?;
            match rustix::fs::copy_file_range(&from, Some(&mut read), &copied, Some(&mut written), much)? {
                0 => bail!("{} became shorter", blanks.display()),
                some => at += some as u64,
            }
        }
    }
    Ok(fs::rename(new, to)?)
}

fn open(blanks: &Path, limit: u64) -> Result<File> {
    private_dir(blanks)?;
    let file = blanks.join(limit.to_string());
    let _lock = lock(&blanks.join("lock"))?;
    if !file.exists() {
        let new = file.with_extension("new");
        Shape::of(limit).format(&new)?;
        fs::rename(new, &file)?;
    }
    Ok(File::open(file)?)
}

/// Removes all of them: some may be of limits that nobody has any more, and the next is soon made.
pub(super) fn tidy(sandboxes: &Sandboxes) -> Result<()> {
    let blanks = sandboxes.blanks();
    if !blanks.exists() {
        return Ok(());
    }
    let _lock = lock(&blanks.join("lock"))?;
    for name in names(&blanks)?.iter().filter(|name| name.parse::<u64>().is_ok()) {
        fs::remove_file(blanks.join(name))?;
    }
    Ok(())
}

/// Whether sessions can have volumes here, found out by mounting one, once after each start of the machine.
pub(super) fn check(sandboxes: &Sandboxes, is_root: bool, by_runtime: bool) -> Result<(), SandboxError> {
    let tried = match (is_root, by_runtime) {
        (false, _) => Err("the server has to run as root".to_owned()),
        (true, true) => Err("sandbox.launcher has to be \"own\"".to_owned()),
        (true, false) if program().is_none() => {
            Err(format!("there is no program {PROGRAM}; install it (Debian: apt-get install e2fsprogs)"))
        }
        (true, false) if !Path::new(CONTROL).exists() => Err(format!(
            "there is no {CONTROL}: the kernel, or a container around the server, has no loop devices"
        )),
        (true, false) => try_one(sandboxes).map_err(|error| format!("a volume was tried: {error:#}")),
    };
    tried.map_err(|why| {
        let what_to_do = "or set sandbox.disk_limit to \"watched\", which needs nothing";
        let message = format!("sandbox.disk_limit = \"volume\": {why}; {what_to_do}");
        SandboxError::new(ErrorKind::Unsupported, message)
    })
}

fn try_one(sandboxes: &Sandboxes) -> Result<()> {
    const LIMIT: u64 = MIB;
    let blanks = sandboxes.blanks();
    private_dir(&blanks)?;
    // Two who try are one after the other, and the second finds what the first did.
    let _lock = lock(&blanks.join("trying.lock"))?;
    let (mark, boot) = (blanks.join("tried"), record::boot_id()?);
    if fs::read_to_string(&mark).is_ok_and(|tried| tried == boot) {
        return Ok(());
    }
    super::volume::try_at(&blanks.join("trial"), &blanks, LIMIT)?;
    Ok(fs::write(mark, boot)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a limit allows fits in, and little more; however large it is.
    #[test]
    fn a_file_system_has_room_for_what_its_limit_allows() {
        for limit in [MIB, 16 * MIB, 256 * MIB, 20 << 30, 1 << 40] {
            let Shape { bytes, files, journal_mib, reserve } = Shape::of(limit);
            assert_eq!(bytes % 4096, 0);
            let needed = limit + files * 256 + journal_mib * MIB + reserve;
            assert!(
                bytes > needed + needed / 5000 && bytes < needed + needed / 40 + 3 * MIB,
                "{limit}: {bytes}"
            );
        }
    }

    #[test]
    fn a_copy_is_what_was_made_with_its_holes() {
        use std::os::unix::fs::MetadataExt;
        if program().is_none() {
            println!("skipped: there is no {PROGRAM} on this machine (Debian: apt-get install e2fsprogs)");
            return;
        }
        let here = tempfile::tempdir().unwrap();
        let (blanks, disk) = (here.path().join("blank"), here.path().join("disk"));
        copy(&blanks, 64 * MIB, &disk).unwrap();
        let made = blanks.join((64 * MIB).to_string());
        assert_eq!(fs::read(&disk).unwrap(), fs::read(&made).unwrap());
        let taken = fs::metadata(&disk).unwrap().blocks() * 512;
        assert!(taken < 4 * MIB, "{taken}");
        tidy(&Sandboxes(here.path().join("sandboxes"))).unwrap();
        assert!(!made.exists());
        copy(&blanks, 64 * MIB, &disk).unwrap();
    }
}
