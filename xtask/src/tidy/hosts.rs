//! Nothing names a machine or a registry: what is committed works on any machine, with any mirror.

use super::{Complaints, Repository};

/// Directories of machines that this was written on; put together here, so that this file does not hold them.
const MACHINES: [&str; 5] = [
    concat!("/wo", "rk/"),
    concat!("/tmp/", "wt"),
    concat!("/tmp/", "target"),
    concat!("/tmp/", "brief"),
    concat!("/root/", "work"),
];
/// Parts of the names of hosts that packages come from.
const REGISTRIES: [&str; 6] = ["registry", "npmjs", "pypi", "artifactory", "mirror", "crates.io"];
/// Cargo's name for its registry; no host is asked under it.
const CARGO: &str = "registry+https://github.com/rust-lang/crates.io-index";

pub(super) fn check(repository: &Repository) -> Complaints {
    let mut complaints = Complaints::new();
    for (path, text) in &repository.texts {
        for (number, line) in text.lines().enumerate() {
            let place = || format!("{path}:{}", number + 1);
            if let Some(machine) = MACHINES.iter().find(|machine| line.contains(**machine)) {
                complaints.push(format!("{} names {machine}, a directory of one machine", place()));
            }
            if path.ends_with("package-lock.json") && line.contains("\"resolved\"") {
                complaints.push(format!("{} says where a package was fetched from", place()));
            }
            if !line.contains(CARGO)
                && hosts(line).any(|host| REGISTRIES.iter().any(|part| host.contains(part)))
            {
                complaints.push(format!("{} names the host of a registry", place()));
            }
        }
    }
    complaints
}

/// The hosts of the addresses in a line.
fn hosts(line: &str) -> impl Iterator<Item = &str> {
    let after = line.split("://").skip(1);
    after.map(|rest| rest.split(['/', '"', '\'', ' ', ')', ':', '`', '>']).next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_taken_out_of_a_line() {
        let line = r#"see <https://a.example/b> and "http://b.example:80", not c.example"#;
        assert_eq!(hosts(line).collect::<Vec<_>>(), ["a.example", "b.example"]);
    }
}
