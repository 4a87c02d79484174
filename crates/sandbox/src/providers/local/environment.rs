//! What PID 1, and by it everything else in a sandbox, starts with.

use super::identity::AGENT;
use super::image_base;
use super::images::Unpacked;
use super::root_fs::PROGRAMS;
use super::tools::Tool;
use crate::provider::inside;
use std::collections::BTreeMap;
use std::path::Path;

const SYSTEM: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Package managers are pointed at directories that the agent may write; with `sudo`, where there is one, they use the system's own.
/// An image's variables count, but for those that say who and where the agent is.
pub(super) fn of(
    tools: &[Tool],
    image: Option<&Unpacked>,
    more: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let mut all: BTreeMap<String, String> = image.into_iter().flat_map(image_base::environment).collect();
    let system = all.remove("PATH").unwrap_or_else(|| SYSTEM.to_owned());
    let shell = match image {
        Some(image) => image_base::shell(image).unwrap_or("/bin/sh"),
        None if Path::new("/bin/bash").exists() => "/bin/bash",
        None => "/bin/sh",
    };
    let local = format!("{}/.local", inside::HOME);
    let tool_paths = tools.iter().flat_map(|tool| &tool.path).map(|path| path.display().to_string());
    let own = [PROGRAMS.to_owned(), format!("{local}/bin"), format!("{}/.cargo/bin", inside::HOME)];
    let path: Vec<String> = own.into_iter().chain(tool_paths).chain([system]).collect();
    let fixed = [
        ("PATH", path.join(":")),
        ("HOME", inside::HOME.to_owned()),
        ("USER", inside::USER.to_owned()),
        ("LOGNAME", inside::USER.to_owned()),
        ("SHELL", shell.to_owned()),
        ("LANG", "C.UTF-8".to_owned()),
        ("TMPDIR", "/tmp".to_owned()),
        ("XDG_RUNTIME_DIR", format!("/run/user/{AGENT}")),
        ("NPM_CONFIG_PREFIX", local),
        ("PIP_BREAK_SYSTEM_PACKAGES", "1".to_owned()),
    ];
    all.extend(fixed.into_iter().map(|(name, value)| (name.to_owned(), value)));
    for tool in tools {
        all.extend(tool.environment.clone());
    }
    all.extend(more.clone());
    all
}
