//! Cgroups as other programs that make sandboxes see them: container runtimes know one path, below the top of every hierarchy, enter
//! it in all of version 1, and most of them know nothing of version 2 beside version 1.

use super::Cgroups;
use super::place::{FOLDER, Hierarchy, Place};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

fn hierarchies() -> io::Result<Vec<Hierarchy>> {
    Ok(fs::read_to_string("/proc/self/mountinfo")?.lines().filter_map(Hierarchy::read).collect())
}

/// Where version 2 is mounted, when version 1 is as well.
pub(in super::super) fn second_beside_first() -> io::Result<Option<PathBuf>> {
    let (first, second): (Vec<_>, Vec<_>) =
        hierarchies()?.into_iter().partition(|hierarchy| hierarchy.version1.is_some());
    Ok(second.into_iter().next().map(|hierarchy| hierarchy.mount).filter(|_| !first.is_empty()))
}

/// The path of the sandbox's cgroups, which has to be one in all hierarchies; `None` where there are none.
pub(in super::super) fn below_the_top(cgroups: &Cgroups) -> io::Result<Option<String>> {
    let hierarchies = hierarchies()?;
    let below = |cgroup: &Path| {
        let below = hierarchies.iter().filter_map(|hierarchy| cgroup.strip_prefix(&hierarchy.mount).ok());
        below.min_by_key(|path| path.components().count()).map(|path| format!("/{}", path.display()))
    };
    let mut paths = cgroups.legacy.iter().chain(&cgroups.unified).filter_map(|cgroup| below(cgroup));
    let first = paths.next();
    Ok(first.filter(|first| paths.all(|other| other == *first)))
}

/// Those of version 1 that a runtime made beside ours, at that path.
pub(in super::super) fn others(cgroups: &Cgroups, path: &str) -> io::Result<Vec<PathBuf>> {
    let first = hierarchies()?.into_iter().filter(|hierarchy| hierarchy.version1.is_some());
    let there = first.map(|hierarchy| hierarchy.mount.join(path.trim_start_matches('/')));
    Ok(there.filter(|cgroup| !cgroups.legacy.contains(cgroup) && cgroup.is_dir()).collect())
}

/// Where cgroups of ours can be in version 1, whatever they limit.
pub(super) fn every_first() -> io::Result<Vec<Place>> {
    let own = fs::read_to_string("/proc/self/cgroup")?;
    let is_root = rustix::process::geteuid().is_root();
    let first = hierarchies()?.into_iter().filter(|hierarchy| hierarchy.version1.is_some());
    let folder = |hierarchy: Hierarchy| Some(hierarchy.parent(&own, is_root)?.join(FOLDER));
    Ok(first.filter_map(folder).map(|folder| Place { folder, controllers: Vec::new() }).collect())
}
