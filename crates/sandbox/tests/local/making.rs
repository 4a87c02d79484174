//! A process that makes a sandbox and is killed as soon as it has.

use super::{Here, runtime};
use lamplight_domain::SessionId;
use lamplight_sandbox::conformance::Subject;
use lamplight_sandbox::provider::SandboxSpec;
use lamplight_sandbox::providers::local::DiskLimit;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// When set, [`maker`] creates the sandbox that it names (data directory, launcher, session) and waits to be killed.
const MAKE: &str = "LAMPLIGHT_TEST_MAKE";

/// And what puts it up, unless it is the launcher.
const MAKE_BY: &str = "LAMPLIGHT_TEST_MAKE_BY";

/// And when it is set at all, in a volume.
const MAKE_IN_VOLUME: &str = "LAMPLIGHT_TEST_MAKE_IN_VOLUME";

pub(crate) fn start(subject: &Here, session: &SessionId) -> Child {
    let make = [&subject.data, &subject.launcher].map(|path| path.display().to_string());
    let mut maker = Command::new(std::env::current_exe().unwrap());
    maker
        .args(["--exact", "making::maker", "--nocapture"])
        .env(MAKE, format!("{}\n{}\n{session}", make[0], make[1]))
        .env(MAKE_BY, subject.runtime.as_deref().unwrap_or_default())
        .stdin(Stdio::piped())
        .stdout(Stdio::null());
    if subject.disk_limit == DiskLimit::Volume {
        maker.env(MAKE_IN_VOLUME, "");
    }
    maker.spawn().unwrap()
}

/// Not a test: the process that [`start`] starts, makes a sandbox with, and sees killed.
#[test]
fn maker() {
    let Ok(make) = std::env::var(MAKE) else { return };
    let [data, launcher, session] = make.split('\n').collect::<Vec<_>>().try_into().unwrap();
    let by = std::env::var(MAKE_BY).ok().filter(|name| !name.is_empty());
    let in_volume = std::env::var_os(MAKE_IN_VOLUME).is_some();
    let disk_limit = if in_volume { DiskLimit::Volume } else { DiskLimit::Watched };
    let subject = Here { runtime: by, disk_limit, ..Here::new(Path::new(data), launcher.into()) };
    let spec = SandboxSpec { session: session.parse().unwrap(), ..subject.spec() };
    runtime().block_on(subject.provider().create(&spec)).unwrap();
    let own = std::process::id().to_string();
    Command::new("kill").args(["-KILL", &own]).status().unwrap();
    unreachable!("SIGKILL cannot be survived");
}
