//! What goes wrong around a data directory; both kinds of sandbox on this machine have their records in the same places.

use lamplight_domain::SessionId;
use lamplight_sandbox::conformance::{Damage, Obstacle};
use lamplight_sandbox::handle::Handle;
use rustix::mount::{MountFlags, UnmountFlags, mount, mount_bind, mount_remount, unmount};
use std::any::Any;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

pub(crate) fn damage(data: &Path, handle: &Handle, damage: Damage) -> Result<(), String> {
    let named: serde_json::Value =
        serde_json::from_str(handle.as_str()).map_err(|error| error.to_string())?;
    let (session, generation) = (named["session"].as_str().unwrap(), named["generation"].to_string());
    let folder = data.join("sandboxes").join(session).join(generation);
    let record = folder.join("sandbox.json");
    let done = match damage {
        Damage::NoSocket => fs::remove_file(folder.join("link.sock")),
        Damage::TornRecord => {
            fs::read(&record).and_then(|whole| fs::write(&record, &whole[..whole.len() / 2]))
        }
        Damage::EmptyRecord => fs::write(&record, ""),
        Damage::NoRecord => {
            // Also what was written before the sandbox could be used, where there is such a thing.
            let _ = fs::remove_file(record.with_file_name("begun.json"));
            fs::remove_file(&record)
        }
    };
    done.map_err(|error| error.to_string())
}

/// Takes the obstacle away again.
struct Obstructed(Box<dyn Fn() + Send>);

impl Drop for Obstructed {
    fn drop(&mut self) {
        (self.0)();
    }
}

pub(crate) fn obstruct(data: &Path, session: &SessionId, obstacle: Obstacle) -> Option<Box<dyn Any + Send>> {
    let is_root = rustix::process::geteuid().is_root();
    let (all, own) = (data.join("sandboxes"), data.join("sandboxes").join(session.as_str()));
    match obstacle {
        Obstacle::InTheWay => {
            fs::write(&own, "something else").unwrap();
            Some(Box::new(Obstructed(Box::new(move || fs::remove_file(&own).unwrap()))))
        }
        Obstacle::ReadOnly if !is_root => {
            fs::set_permissions(&all, Permissions::from_mode(0o500)).unwrap();
            let open = move || fs::set_permissions(&all, Permissions::from_mode(0o700)).unwrap();
            Some(Box::new(Obstructed(Box::new(open))))
        }
        // Rights do not keep root from writing, a mount does.
        Obstacle::ReadOnly => {
            mount_bind(&all, &all).ok()?;
            let there = unmounting(all.clone());
            mount_remount(&all, MountFlags::BIND | MountFlags::RDONLY, "").ok()?;
            Some(there)
        }
        Obstacle::Full => {
            fs::create_dir_all(&own).unwrap();
            if mount("none", &own, "tmpfs", MountFlags::empty(), c"size=4k,mode=700").is_err() {
                fs::remove_dir(&own).unwrap();
                return None;
            }
            let there = unmounting(own.clone());
            fs::write(own.join("full"), [0; 4096]).unwrap();
            Some(there)
        }
    }
}

fn unmounting(at: PathBuf) -> Box<dyn Any + Send> {
    Box::new(Obstructed(Box::new(move || unmount(&at, UnmountFlags::DETACH).unwrap())))
}
