//! Where on this machine cgroups can be made, and which of them can limit what.

use rustix::fs::Access;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The folder of all cgroups of ours, in every hierarchy.
pub(super) const FOLDER: &str = "lamplight";

/// Where a server that was given a cgroup of its own goes itself: with processes in it, that cgroup could not have
/// controllers below it. Source: the kernel's admin-guide/cgroup-v2, "No Internal Process Constraint".
const SERVER: &str = "lamplight-server";

/// What limits one thing. Cgroups have more of them, which we do not use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Controller {
    Cpu,
    Memory,
    Pids,
}

impl Controller {
    pub(super) const ALL: [Self; 3] = [Self::Cpu, Self::Memory, Self::Pids];

    /// The kernel's word, in both versions.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Memory => "memory",
            Self::Pids => "pids",
        }
    }
}

/// Where our cgroups go.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in super::super) struct Places {
    pub(super) unified: Option<Place>,
    /// Hierarchies of version 1, for what version 2 does not have.
    pub(super) legacy: Vec<Place>,
}

/// One hierarchy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// Made when it is needed, and gone with the last that is in it.
    pub(super) folder: PathBuf,
    pub(super) controllers: Vec<Controller>,
}

impl Places {
    /// Looks at this machine. Root has a place of its own at the top, so that stopping the server's own unit does not take
    /// the sandboxes with it; a user has the cgroup that it is in, if that is delegated to it.
    pub(in super::super) fn find() -> io::Result<Self> {
        let mounts = fs::read_to_string("/proc/self/mountinfo")?;
        let own = fs::read_to_string("/proc/self/cgroup")?;
        let is_root = rustix::process::geteuid().is_root();
        let mut places = Self::default();
        for hierarchy in mounts.lines().filter_map(Hierarchy::read) {
            let Some(parent) = hierarchy.parent(&own, is_root) else { continue };
            if rustix::fs::access(&parent, Access::WRITE_OK).is_err() {
                continue;
            }
            let place = |controllers| Place { folder: parent.join(FOLDER), controllers };
            match hierarchy.version1 {
                None => {
                    let there = fs::read_to_string(parent.join("cgroup.controllers"))?;
                    places.unified.get_or_insert(place(known(there.split_whitespace())));
                }
                Some(controllers) if !controllers.is_empty() => places.legacy.push(place(controllers)),
                Some(_) => {}
            }
        }
        let unified = places.unified.iter().flat_map(|place| &place.controllers).copied().collect::<Vec<_>>();
        for place in &mut places.legacy {
            place.controllers.retain(|controller| !unified.contains(controller));
        }
        places.legacy.retain(|place| !place.controllers.is_empty());
        Ok(places)
    }
}

/// Makes way in a cgroup that was delegated to this process alone, so that it can have controllers below it. To be called
/// before this process has children. Where it is not alone, or not the owner, nothing happens.
pub(in super::super) fn make_way() -> io::Result<()> {
    if rustix::process::geteuid().is_root() {
        return Ok(());
    }
    let Some(place) = Places::find()?.unified else { return Ok(()) };
    let own = place.folder.parent().expect("a folder is in its parent");
    let pid = std::process::id().to_string();
    let alone = fs::read_to_string(own.join("cgroup.procs"))?.split_whitespace().eq([pid.as_str()]);
    if alone && !place.controllers.is_empty() {
        fs::create_dir_all(own.join(SERVER))?;
        fs::write(own.join(SERVER).join("cgroup.procs"), pid)?;
    }
    Ok(())
}

/// A line of `mountinfo` that is that of a cgroup hierarchy.
pub(super) struct Hierarchy {
    pub(super) mount: PathBuf,
    /// Which of ours a hierarchy of version 1 has; `None` of version 2.
    pub(super) version1: Option<Vec<Controller>>,
}

impl Hierarchy {
    /// Source: proc_pid_mountinfo(5).
    pub(super) fn read(line: &str) -> Option<Self> {
        let (left, right) = line.split_once(" - ")?;
        let mount = PathBuf::from(left.split(' ').nth(4)?);
        let mut right = right.split(' ');
        match right.next()? {
            "cgroup2" => Some(Self { mount, version1: None }),
            "cgroup" => Some(Self { mount, version1: Some(known(right.nth(1)?.split(','))) }),
            _ => None,
        }
    }

    pub(super) fn parent(&self, own: &str, is_root: bool) -> Option<PathBuf> {
        if is_root {
            return Some(self.mount.clone());
        }
        let path = own.lines().find_map(|line| {
            let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
            let same = match &self.version1 {
                None => controllers.is_empty(),
                Some(ours) => {
                    ours.first().is_some_and(|first| controllers.split(',').any(|c| c == first.name()))
                }
            };
            same.then(|| path.trim_start_matches('/'))
        })?;
        let own = self.mount.join(path);
        match own.file_name() {
            Some(name) if name == SERVER => own.parent().map(Path::to_owned),
            _ => Some(own),
        }
    }
}

fn known<'a>(names: impl Iterator<Item = &'a str>) -> Vec<Controller> {
    names
        .filter_map(|name| Controller::ALL.into_iter().find(|controller| controller.name() == name))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_are_told_apart_from_all_other_mounts() {
        let check = |line: &str, wanted: Option<(&str, Option<&[Controller]>)>| {
            let found = Hierarchy::read(line);
            let found =
                found.as_ref().map(|found| (found.mount.to_str().unwrap(), found.version1.as_deref()));
            assert_eq!(found, wanted, "{line}");
        };
        check(
            "31 30 0:27 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw",
            Some(("/sys/fs/cgroup/unified", None)),
        );
        check(
            "30 25 0:26 / /sys/fs/cgroup/cpu rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct",
            Some(("/sys/fs/cgroup/cpu", Some(&[Controller::Cpu]))),
        );
        check("29 25 0:25 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd", {
            Some(("/sys/fs/cgroup/systemd", Some(&[])))
        });
        check("22 1 0:20 / /proc rw - proc proc rw", None);
        check("torn", None);
    }

    #[test]
    fn a_user_gets_its_own_cgroup_and_root_the_top() {
        let check = |version1: Option<Vec<Controller>>, own: &str, is_root, wanted: Option<&str>| {
            let hierarchy = Hierarchy { mount: "/cg".into(), version1 };
            assert_eq!(hierarchy.parent(own, is_root), wanted.map(PathBuf::from), "{own}");
        };
        let own = "3:cpu,cpuacct:/a\n2:pids:/b\n0::/user.slice/x.scope\n";
        check(None, own, true, Some("/cg"));
        check(None, own, false, Some("/cg/user.slice/x.scope"));
        check(Some(vec![Controller::Pids]), own, false, Some("/cg/b"));
        check(Some(vec![Controller::Memory]), own, false, None);
        check(None, "0::/x.scope/lamplight-server\n", false, Some("/cg/x.scope"));
    }
}
