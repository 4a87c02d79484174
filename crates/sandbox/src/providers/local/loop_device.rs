//! Loop devices: a file as a disk that the kernel can mount.
//!
//! A file never has two at a time, as two file systems on one disk would each write what they know. So whoever gives a file a device
//! holds a lock (see `volume`), and notes which it is; one that the note names and that is the file's still is taken again. A
//! device frees itself with the last mount or descriptor of it (`LO_FLAGS_AUTOCLEAR`), and what the note says is nothing then.

use super::disk::write_whole;
use anyhow::{Context, Result, bail};
use rustix::io::Errno;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Hands out free devices.
pub(super) const CONTROL: &str = "/dev/loop-control";

/// Somebody else may take a free device before we do; each time one of us goes on.
const TRIES: u32 = 1000;

// Source: linux/loop.h; LOOP_CONFIGURE since Linux 5.8.
const LOOP_CONFIGURE: libc::Ioctl = 0x4C0A;
const LOOP_GET_STATUS64: libc::Ioctl = 0x4C05;
const LOOP_CTL_GET_FREE: libc::Ioctl = 0x4C82;
const LO_FLAGS_AUTOCLEAR: u32 = 4;

/// As large as a block of the file systems on it.
const BLOCK: u32 = 4096;

/// `struct loop_info64`.
#[repr(C)]
struct Status {
    device: u64,
    inode: u64,
    /// Device, offset and size limit.
    not_used: [u64; 3],
    /// Number, encryption and size of its key.
    neither: [u32; 3],
    flags: u32,
    names_and_key: [u8; 160],
    more: [u64; 2],
}

/// `struct loop_config`.
#[repr(C)]
struct Configuration {
    descriptor: u32,
    block_size: u32,
    status: Status,
    reserved: [u64; 8],
}

/// As long as this lives, the device is the file's.
pub(super) struct LoopDevice {
    file: File,
    number: u32,
}

impl LoopDevice {
    /// That of the file, or a free one, which is noted. Nobody else does this with the file meanwhile.
    pub(super) fn of(disk: &Path, note: &Path) -> Result<Self> {
        let file = File::options().read(true).write(true).open(disk)?;
        if let Some(there) = Self::noted(note, &file).context("look at its loop device")? {
            return Ok(there);
        }
        let control = File::options().read(true).write(true).open(CONTROL);
        let control = control.with_context(|| format!("open {CONTROL}"))?;
        for _ in 0..TRIES {
            // SAFETY: takes no argument.
            let number = done(unsafe { libc::ioctl(control.as_raw_fd(), LOOP_CTL_GET_FREE) });
            let number = u32::try_from(number.context("ask for a free loop device")?)?;
            let device = Self { file: open(number)?, number };
            match device.configure(&file) {
                Err(error) if error.raw_os_error() == Some(libc::EBUSY) => {}
                configured => {
                    configured.with_context(|| format!("set up {}", device.path().display()))?;
                    write_whole(note, number.to_string().as_bytes()).context("note the loop device")?;
                    return Ok(device);
                }
            }
        }
        bail!("others take every free loop device")
    }

    pub(super) fn path(&self) -> PathBuf {
        path_of(self.number)
    }

    fn noted(note: &Path, file: &File) -> io::Result<Option<Self>> {
        let Some(number) = fs::read_to_string(note).ok().and_then(|text| text.parse().ok()) else {
            return Ok(None);
        };
        // Opened before it is looked at: from then on it cannot free itself.
        let device = match open(number) {
            Ok(file) => Self { file, number },
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let ours = file.metadata()?;
        match device.status() {
            Ok(status) => {
                let is_ours = (status.device, status.inode) == (ours.dev(), ours.ino());
                Ok(is_ours.then_some(device))
            }
            // It is nobody's.
            Err(error) if error.raw_os_error() == Some(Errno::NXIO.raw_os_error()) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn configure(&self, file: &File) -> io::Result<()> {
        // SAFETY: all fields are integers for which 0 means "not used".
        let mut configuration: Configuration = unsafe { std::mem::zeroed() };
        configuration.descriptor = file.as_raw_fd().cast_unsigned();
        configuration.block_size = BLOCK;
        configuration.status.flags = LO_FLAGS_AUTOCLEAR;
        // SAFETY: reads what it is given, which has the layout that the call knows and outlives it.
        done(unsafe { libc::ioctl(self.file.as_raw_fd(), LOOP_CONFIGURE, &raw const configuration) })
            .map(drop)
    }

    fn status(&self) -> io::Result<Status> {
        // SAFETY: as above.
        let mut status: Status = unsafe { std::mem::zeroed() };
        // SAFETY: fills what it is given, which has the layout that the call knows and outlives it.
        done(unsafe { libc::ioctl(self.file.as_raw_fd(), LOOP_GET_STATUS64, &raw mut status) })?;
        Ok(status)
    }
}

fn open(number: u32) -> io::Result<File> {
    File::options().read(true).write(true).open(path_of(number))
}

fn path_of(number: u32) -> PathBuf {
    PathBuf::from(format!("/dev/loop{number}"))
}

fn done(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_is_given_has_the_size_that_it_knows() {
        assert_eq!((size_of::<Status>(), size_of::<Configuration>()), (232, 304));
    }

    #[test]
    fn a_file_has_one_device_and_keeps_it() {
        if !rustix::process::geteuid().is_root() || !Path::new(CONTROL).exists() {
            println!("skipped: only root has loop devices, and not everywhere");
            return;
        }
        let here = tempfile::tempdir().unwrap();
        let (disk, other, note) =
            (here.path().join("disk"), here.path().join("other"), here.path().join("loop"));
        for file in [&disk, &other] {
            File::create(file).unwrap().set_len(1 << 20).unwrap();
        }
        // A note of what is somebody else's, or nobody's, is none.
        let theirs = LoopDevice::of(&other, &here.path().join("theirs")).unwrap();
        for number in [theirs.number.to_string(), "4000000".to_owned(), "torn".to_owned()] {
            fs::write(&note, number).unwrap();
            let first = LoopDevice::of(&disk, &note).unwrap();
            assert_ne!(first.number, theirs.number);
            assert_eq!(LoopDevice::of(&disk, &note).unwrap().number, first.number);
        }
        let backing = PathBuf::from(format!("/sys/block/loop{}/loop/backing_file", theirs.number));
        assert_eq!(fs::read_to_string(&backing).unwrap().trim(), other.to_str().unwrap());
        drop(theirs);
        // Somebody else may have taken it since.
        assert_ne!(fs::read_to_string(&backing).unwrap_or_default().trim(), other.to_str().unwrap());
    }
}
