//! The container runtime that is to put sandboxes up: found, and asked who it is, before anything is made.

use super::own_kernel::NEEDED;
use crate::error::{ErrorKind, SandboxError};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use serde::{Deserialize, Serialize};
use std::io::{self, ErrorKind as IoErrorKind, Read};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Of what a program says about itself; bytes.
const SAID_BYTES: u64 = 4096;

/// Longest wait for a program that is asked something, or told to remove a container.
const ANSWER: Timespec = Timespec { tv_sec: 5, tv_nsec: 0 };

/// A program that makes containers from bundles. Source: the OCI runtime specification; its command line is that of runc, which all have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in super::super) struct Runtime {
    /// Absolute.
    pub(super) program: PathBuf,
    /// As it calls itself: the first word of its version.
    pub(super) name: String,
}

/// One whose containers have a kernel of their own (see `own_kernel`).
const OWN_KERNEL: &str = "runsc";

impl Runtime {
    /// By name, to be found in `PATH`, or by path.
    pub(in super::super) fn find(wanted: &str, is_root: bool) -> Result<Self, SandboxError> {
        let Some(program) = look_for(Path::new(wanted)) else {
            return Err(refuse(format!(
                "there is no program {wanted}; install it (Debian: apt-get install {wanted})"
            )));
        };
        let said = said_by(&program, &[])
            .map_err(|error| refuse(format!("{} does not run: {error}", program.display())))?;
        let mut words = said.split_whitespace();
        let name = match (words.next(), words.next()) {
            (Some(name), Some("version")) => name.to_owned(),
            _ => {
                let said = said.lines().next().unwrap_or_default();
                return Err(refuse(format!(
                    "{} is no container runtime: asked for its version, it said {said:?}",
                    program.display()
                )));
            }
        };
        if name == "runc" && !is_root {
            return Err(refuse(
                "runc wants a root inside, whom an ordinary user cannot have; crun does not".into(),
            ));
        }
        if name == OWN_KERNEL && !is_root {
            return Err(refuse(
                "runsc makes sandboxes of bundles for root alone, and is not for an ordinary user; crun is"
                    .into(),
            ));
        }
        if name == OWN_KERNEL && said_by(&program, &[NEEDED]).is_err() {
            return Err(refuse(format!(
                "{} is too old: it does not know {NEEDED}, by which the host reaches the guest; one of 2023 or later does (Debian 13 has it, and it runs on older machines too)",
                program.display()
            )));
        }
        Ok(Self { program, name })
    }

    pub(super) fn has_own_kernel(&self) -> bool {
        self.name == OWN_KERNEL
    }

    /// That it is still where it was found.
    pub(in super::super) fn check(&self) -> Result<(), SandboxError> {
        if self.program.is_file() {
            Ok(())
        } else {
            Err(refuse(format!("{} is gone", self.program.display())))
        }
    }
}

fn refuse(why: String) -> SandboxError {
    let what_to_do = "or set sandbox.launcher to \"own\", which needs no other program";
    SandboxError::new(ErrorKind::Unsupported, format!("sandbox.launcher: {why}; {what_to_do}"))
}

fn look_for(wanted: &Path) -> Option<PathBuf> {
    if wanted.components().count() > 1 {
        return std::path::absolute(wanted).ok().filter(|program| program.is_file());
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(wanted)).find(|program| program.is_file())
}

/// What it answers when it is asked for its version, after these options.
fn said_by(program: &Path, options: &[&str]) -> io::Result<String> {
    let mut asked = Command::new(program);
    let mut child = asked
        .args(options)
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let status = wait(&mut child)?;
    let mut said = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        stdout.take(SAID_BYTES).read_to_end(&mut said)?;
    }
    match status.success() {
        true => Ok(String::from_utf8_lossy(&said).into_owned()),
        false => Err(io::Error::other(format!("asked for its version, it ended with {status}"))),
    }
}

/// Waits for its end, and ends it when that takes too long.
pub(super) fn wait(child: &mut Child) -> io::Result<std::process::ExitStatus> {
    let pid = Pid::from_raw(child.id().cast_signed()).ok_or(IoErrorKind::InvalidInput)?;
    let process = pidfd_open(pid, PidfdFlags::empty())?;
    let mut ended = [PollFd::from_borrowed_fd(process.as_fd(), PollFlags::IN)];
    if rustix::io::retry_on_intr(|| poll(&mut ended, Some(&ANSWER)))? == 0 {
        child.kill()?;
        child.wait()?;
        return Err(io::Error::new(IoErrorKind::TimedOut, "it does not answer"));
    }
    child.wait()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    fn program(folder: &Path, name: &str, script: &str) -> String {
        let file = folder.join(name);
        fs::write(&file, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        file.display().to_string()
    }

    #[test]
    fn a_runtime_is_known_by_what_it_says_of_itself() {
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path();
        let one =
            Runtime::find(&program(here, "renamed", "echo crun version 1.8.1; echo more"), false).unwrap();
        assert_eq!((one.name.as_str(), &one.program), ("crun", &here.join("renamed")));
        one.check().unwrap();
        fs::remove_file(here.join("renamed")).unwrap();
        assert!(one.check().unwrap_err().to_string().contains("is gone"));

        let refused = |wanted: &str, why: &str| {
            let error = Runtime::find(wanted, false).unwrap_err();
            assert_eq!(error.kind, ErrorKind::Unsupported);
            let said = error.to_string();
            assert!(
                said.starts_with("sandbox.launcher: ") && said.contains(why) && said.contains("\"own\""),
                "{said}"
            );
        };
        refused("no-such-runtime", "there is no program no-such-runtime; install it");
        refused(&here.join("absent").display().to_string(), "there is no program");
        refused(&program(here, "other", "echo hello"), "is no container runtime");
        refused(
            &program(here, "broken", "exit 3"),
            "does not run: asked for its version, it ended with exit status: 3",
        );
        let runc = program(here, "runc", "echo runc version 1.1.5");
        refused(&runc, "wants a root inside");
        assert_eq!(Runtime::find(&runc, true).unwrap().name, "runc");
        let gvisor = program(here, "gvisor", "echo runsc version release-1");
        refused(&gvisor, "for root alone");
        assert!(Runtime::find(&gvisor, true).unwrap().has_own_kernel());
        let old = "case $1 in --version) echo runsc version 0.0~20221219;; *) exit 128;; esac";
        let old = Runtime::find(&program(here, "old", old), true).unwrap_err().to_string();
        assert!(old.contains("old is too old: it does not know --host-uds=all"), "{old}");
        fs::write(here.join("text"), "no program").unwrap();
        refused(&here.join("text").display().to_string(), "does not run: ");
    }
}
