//! The files of `/etc` that we write ourselves: who there is, how names are found, and what a shell begins with. On an image they say
//! what the image's own say, and the agent beside.

use super::identity::AGENT;
use super::root_fs::RESOLVER;
use crate::provider::inside;
use anyhow::{Context, Result};
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

pub(super) fn write(etc: &Path) -> Result<()> {
    let shell = if Path::new("/bin/bash").exists() { "/bin/bash" } else { "/bin/sh" };
    let (user, home) = (inside::USER, inside::HOME);
    let file = |name, text: &str| file(etc, name, text);
    let services = services(&fs::read_to_string("/etc/passwd").unwrap_or_default());
    file(
        "passwd",
        &format!(
            "root:x:0:0:root:/root:{shell}\n{services}{user}:x:{AGENT}:{AGENT}:{user}:{home}:{shell}\n\
             nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"
        ),
    )?;
    let groups = service_groups(&fs::read_to_string("/etc/group").unwrap_or_default());
    file("group", &format!("root:x:0:\n{groups}{user}:x:{AGENT}:\nnogroup:x:65534:\n"))?;
    file(
        "nsswitch.conf",
        "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\nservices: files\nprotocols: files\n",
    )?;
    names(etc)
}

/// From what the image has; the agent comes first, as its number may be another's there.
pub(super) fn write_on_image(etc: &Path, shell: &str, passwd: &str, group: &str) -> Result<()> {
    let (user, home) = (inside::USER, inside::HOME);
    let without = |text: &str, name: &str| -> String {
        let kept = text.lines().filter(|line| line.split(':').next() != Some(name));
        kept.filter(|line| !line.trim().is_empty()).map(|line| format!("{line}\n")).collect()
    };
    let root = |text: &str, line: String| if text.starts_with("root:") { String::new() } else { line };
    let (passwd, group) = (without(passwd, user), without(group, user));
    let agent = format!("{user}:x:{AGENT}:{AGENT}:{user}:{home}:{shell}\n");
    let own = root(&passwd, format!("root:x:0:0:root:/root:{shell}\n"));
    file(etc, "passwd", &format!("{own}{agent}{passwd}"))?;
    file(etc, "group", &format!("{}{user}:x:{AGENT}:\n{group}", root(&group, "root:x:0:\n".into())))?;
    names(etc)
}

/// What a login shell begins with, as it was, but without the program that Debian's starts to know whether it is root's: bash knows,
/// and half of the time of a short command is that program's.
pub(super) fn write_profile(etc: &Path, text: &str) -> Result<()> {
    let quick = text.replace("$(id -u)", "${EUID:-$(id -u)}");
    if quick == text { Ok(()) } else { file(etc, "profile", &quick) }
}

/// The same of one that is there. Not of what a link leads to: that is the machine's.
pub(super) fn rewrite_profile(etc: &Path) -> Result<()> {
    let profile = etc.join("profile");
    if !fs::symlink_metadata(&profile).is_ok_and(|there| there.is_file()) {
        return Ok(());
    }
    let text = fs::read(&profile).context("read /etc/profile")?;
    write_profile(etc, &String::from_utf8_lossy(&text))
}

fn file(etc: &Path, name: &str, text: &str) -> Result<()> {
    fs::write(etc.join(name), text).with_context(|| format!("write /etc/{name}"))?;
    fs::set_permissions(etc.join(name), Permissions::from_mode(0o644)).context("set its permissions")
}

/// How this machine is called, and how others are found.
fn names(etc: &Path) -> Result<()> {
    file(etc, "hostname", "lamplight\n")?;
    file(etc, "hosts", "127.0.0.1 localhost lamplight\n::1 localhost\n")?;
    symlink(RESOLVER, etc.join("resolv.conf")).context("link /etc/resolv.conf")?;
    symlink("/proc/self/mounts", etc.join("mtab")).context("link /etc/mtab")
}

/// The machine's users that packages brought: files of `/usr` and the package database speak of them. Nobody of flesh and blood.
fn services(passwd: &str) -> String {
    let line = |line: &str| {
        let fields: Vec<_> = line.split(':').collect();
        let &[name, _, user, group, _, home, _] = fields.as_slice() else { return None };
        let number: u32 = user.parse().ok()?;
        let brought = (1..AGENT).contains(&number) && name != inside::USER;
        brought.then(|| format!("{name}:x:{number}:{group}::{home}:/usr/sbin/nologin\n"))
    };
    passwd.lines().filter_map(line).collect()
}

fn service_groups(group: &str) -> String {
    let line = |line: &str| {
        let fields: Vec<_> = line.split(':').collect();
        let &[name, _, group, _] = fields.as_slice() else { return None };
        let number: u32 = group.parse().ok()?;
        let brought = (1..AGENT).contains(&number) && name != inside::USER;
        brought.then(|| format!("{name}:x:{number}:\n"))
    };
    group.lines().filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_shell_starts_no_program_to_know_who_it_is() {
        let etc = tempfile::tempdir().unwrap();
        write_profile(etc.path(), "umask 022\n").unwrap();
        assert!(!etc.path().join("profile").exists());
        let text = "if [ \"$(id -u)\" -eq 0 ]; then\n  WHO=root\nelse\n  WHO=other\nfi\n";
        write_profile(etc.path(), text).unwrap();
        let said = |shell: &str, path: &str| {
            let mut shell = std::process::Command::new(shell);
            let show = format!(". {}/profile; echo $WHO", etc.path().display());
            let output = shell.args(["-c", &show]).env("PATH", path).env_remove("EUID").output().unwrap();
            String::from_utf8(output.stdout).unwrap()
        };
        let expected = said("/bin/sh", "/usr/bin:/bin");
        assert!(["root\n", "other\n"].contains(&expected.as_str()));
        // Nowhere is a program that could be started.
        assert_eq!(said("/bin/bash", "/nowhere"), expected);
    }

    #[test]
    fn only_services_are_known_inside() {
        let passwd = "root:x:0:0:root:/root:/bin/bash\n_apt:x:42:65534:Some One:/nonexistent:/bin/sh\n\
                      me:x:1000:1000:Me:/home/me:/bin/bash\nagent:x:7:7::/:\ntorn\n";
        assert_eq!(services(passwd), "_apt:x:42:65534::/nonexistent:/usr/sbin/nologin\n");
        assert_eq!(service_groups("root:x:0:\nssl-cert:x:105:postgres\nme:x:1000:\n"), "ssl-cert:x:105:\n");
    }
}
