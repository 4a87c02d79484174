//! As much of a system as some programs need, of this machine's.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Programs by their names on this machine's path.
pub(crate) fn found<const N: usize>(names: [&str; N]) -> [PathBuf; N] {
    let path = std::env::var_os("PATH").unwrap();
    let find = |name| std::env::split_paths(&path).map(|folder| folder.join(name)).find(|path| path.exists());
    names.map(|name| find(name).unwrap_or_else(|| panic!("there is no {name}")))
}

/// Copies programs, and the libraries of these and of others that come later, into a folder.
pub(crate) fn copy(at: &Path, programs: &[PathBuf], others: &[PathBuf]) {
    for directory in ["usr/bin", "usr/lib", "usr/lib64", "etc"] {
        fs::create_dir_all(at.join(directory)).unwrap();
    }
    for name in ["bin", "lib", "lib64"] {
        symlink(format!("usr/{name}"), at.join(name)).unwrap();
    }
    let mut files: BTreeSet<PathBuf> = programs.iter().cloned().collect();
    for program in programs.iter().chain(others) {
        let listed = Command::new("ldd").arg(program).output().unwrap();
        let libraries = String::from_utf8(listed.stdout).unwrap();
        files.extend(libraries.split_whitespace().filter(|word| word.starts_with('/')).map(PathBuf::from));
    }
    for file in files {
        let inside = file.strip_prefix("/").unwrap();
        let inside = if inside.starts_with("usr") { at.join(inside) } else { at.join("usr").join(inside) };
        fs::create_dir_all(inside.parent().unwrap()).unwrap();
        fs::copy(file, inside).unwrap();
    }
    fs::write(at.join("etc/os-release"), "ID=tiny\n").unwrap();
}
