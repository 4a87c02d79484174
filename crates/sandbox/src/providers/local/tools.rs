//! Toolchains that people keep in their home: each is shown read-only at the path that it has on the host, and nothing
//! beside it. Whole dot-directories such as `~/.cargo` are never shown: they also hold credentials.

use super::root_fs::is_free;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A tool directory or a few that belong together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tool {
    /// Shown read-only at the same path inside.
    pub directories: Vec<PathBuf>,
    /// Put before the machine's own in `PATH`.
    pub path: Vec<PathBuf>,
    pub environment: BTreeMap<String, String>,
}

/// What is known about one toolchain, relative to the home directory.
struct Known {
    directories: &'static [&'static str],
    path: &'static [&'static str],
    /// Variable and directory.
    environment: &'static [(&'static str, &'static str)],
}

const KNOWN: &[Known] = &[
    Known {
        directories: &[".cargo/bin", ".rustup"],
        path: &[".cargo/bin"],
        environment: &[("RUSTUP_HOME", ".rustup")],
    },
    Known {
        directories: &[".pyenv"],
        path: &[".pyenv/shims", ".pyenv/bin"],
        environment: &[("PYENV_ROOT", ".pyenv")],
    },
    Known { directories: &[".bun/bin"], path: &[".bun/bin"], environment: &[] },
    Known { directories: &[".deno/bin"], path: &[".deno/bin"], environment: &[] },
    Known { directories: &[".volta"], path: &[".volta/bin"], environment: &[("VOLTA_HOME", ".volta")] },
    Known { directories: &["go/bin"], path: &["go/bin"], environment: &[] },
];

impl Tool {
    /// A directory that the person named: itself is searched for programs when it is called `bin` or `shims`, its
    /// `bin` otherwise.
    pub fn directory(directory: PathBuf) -> Self {
        let named = |name: &str| directory.file_name().is_some_and(|last| last == name);
        let path = if named("bin") || named("shims") { directory.clone() } else { directory.join("bin") };
        Self { directories: vec![directory], path: vec![path], environment: BTreeMap::new() }
    }

    /// The directories that a sandbox does not show anyway.
    pub(super) fn hidden_directories(&self) -> impl Iterator<Item = &PathBuf> {
        self.directories.iter().filter(|directory| !directory.starts_with("/usr"))
    }

    /// The toolchains found below `home` that can be shown. The newest Node of nvm is taken.
    pub fn discover(home: &Path) -> Vec<Self> {
        let mut found = Self::below(home);
        // A home at a path that is the sandbox's own, such as /home/agent, cannot be shown beside it.
        found.retain(|tool| tool.directories.iter().all(|directory| is_free(directory)));
        found
    }

    fn below(home: &Path) -> Vec<Self> {
        let mut found: Vec<Self> = KNOWN
            .iter()
            .filter(|known| known.directories.iter().all(|directory| home.join(directory).is_dir()))
            .map(|known| Self {
                directories: known.directories.iter().map(|directory| home.join(directory)).collect(),
                path: known.path.iter().map(|directory| home.join(directory)).collect(),
                environment: known
                    .environment
                    .iter()
                    .map(|(name, directory)| ((*name).to_owned(), home.join(directory).display().to_string()))
                    .collect(),
            })
            .collect();
        found.extend(newest_node(&home.join(".nvm/versions/node")).map(Self::directory));
        found
    }
}

fn newest_node(versions: &Path) -> Option<PathBuf> {
    let version = |directory: &Path| -> Option<Vec<u32>> {
        let name = directory.file_name()?.to_str()?.strip_prefix('v')?;
        name.split('.').map(|part| part.parse().ok()).collect()
    };
    let installed = std::fs::read_dir(versions).ok()?.filter_map(|entry| Some(entry.ok()?.path()));
    installed.filter_map(|path| Some((version(&path)?, path))).max().map(|(_, path)| path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_toolchains_are_found_and_nothing_beside_them() {
        let home = tempfile::tempdir().unwrap();
        for directory in [
            ".cargo/bin",
            ".cargo/registry",
            ".rustup/toolchains",
            ".volta-like",
            ".nvm/versions/node/v9.11.2/bin",
            ".nvm/versions/node/v22.3.0/bin",
        ] {
            std::fs::create_dir_all(home.path().join(directory)).unwrap();
        }
        let found = Tool::below(home.path());
        let at = |path: &str| home.path().join(path);
        assert_eq!(
            found,
            [
                Tool {
                    directories: vec![at(".cargo/bin"), at(".rustup")],
                    path: vec![at(".cargo/bin")],
                    environment: [("RUSTUP_HOME".to_owned(), at(".rustup").display().to_string())].into(),
                },
                Tool {
                    directories: vec![at(".nvm/versions/node/v22.3.0")],
                    path: vec![at(".nvm/versions/node/v22.3.0/bin")],
                    environment: BTreeMap::new(),
                },
            ]
        );
    }

    #[test]
    fn a_named_directory_is_searched_where_its_programs_are() {
        let check = |directory: &str, path: &str| {
            assert_eq!(Tool::directory(directory.into()).path, [PathBuf::from(path)]);
        };
        check("/opt/go", "/opt/go/bin");
        check("/srv/tools/bin", "/srv/tools/bin");
    }
}
