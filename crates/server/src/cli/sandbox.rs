//! What a session's sandbox may use, as people type it; and what keeps it in, as they read it.

use crate::http::resources::{Sandbox, Strength};
use crate::http::sessions::create::SandboxLimitsRequest;
use clap::Args;

#[derive(Debug, Args)]
pub(super) struct LimitArguments {
    /// Processors that the sandbox may use, such as 1.5 [default: all]
    #[arg(long, value_name = "N", value_parser = thousandths, help_heading = "Limits of the sandbox")]
    cpus: Option<u32>,
    /// Memory of everything in it, such as 2GiB
    #[arg(long, value_name = "SIZE", value_parser = bytes, help_heading = "Limits of the sandbox")]
    memory: Option<u64>,
    /// Processes and threads at a time
    #[arg(long, value_name = "N", help_heading = "Limits of the sandbox")]
    processes: Option<u32>,
    /// All of its files, such as 10GiB
    #[arg(long, value_name = "SIZE", value_parser = bytes, help_heading = "Limits of the sandbox")]
    disk: Option<u64>,
    /// Open files of each process
    #[arg(long, value_name = "N", help_heading = "Limits of the sandbox")]
    open_files: Option<u32>,
    /// Let programs inside make sandboxes of their own, as browsers do; weaker
    #[arg(long, help_heading = "Limits of the sandbox")]
    nested_sandboxes: bool,
}

impl LimitArguments {
    /// `None` when nothing is asked for.
    pub(super) fn request(&self) -> Option<SandboxLimitsRequest> {
        let request = SandboxLimitsRequest {
            cpu_thousandths: self.cpus,
            memory_bytes: self.memory,
            processes: self.processes,
            disk_bytes: self.disk,
            open_files: self.open_files,
            nested_sandboxes: self.nested_sandboxes.then_some(true),
        };
        (request != SandboxLimitsRequest::default()).then_some(request)
    }
}

/// In one line: the tier, who put it up where Lamplight did not, and what it lacks.
pub(super) fn describe(sandbox: &Sandbox) -> String {
    let lacking = sandbox.walls.iter().filter(|wall| wall.strength != Strength::Enforced);
    let lacking: Vec<String> = lacking
        .map(|wall| {
            let how = if wall.strength == Strength::Soft { "soft" } else { "missing" };
            format!("{} {how}", wall.wall.name())
        })
        .collect();
    let tier = if sandbox.is_unsafe { "UNSAFE" } else { sandbox.tier.as_str() };
    let by = sandbox.walls.iter().find_map(|wall| wall.by.as_ref());
    let tier = by.map_or_else(|| tier.to_owned(), |by| format!("{tier} by {by}"));
    if lacking.is_empty() { tier } else { format!("{tier}: {}", lacking.join(", ")) }
}

fn thousandths(text: &str) -> Result<u32, String> {
    let wrong = || format!("{text:?} is no number of processors, such as 2 or 1.5");
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || part.len() > 3 || !digits(whole) || !digits(part) {
        return Err(wrong());
    }
    format!("{whole}{part:0<3}").parse().map_err(|_| wrong())
}

fn bytes(text: &str) -> Result<u64, String> {
    let wrong = || format!("{text:?} is no size, such as 512MiB or 10GiB");
    let end = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let factor = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        "t" | "tib" => 1 << 40,
        _ => return Err(wrong()),
    };
    number.parse::<u64>().ok().and_then(|number| number.checked_mul(factor)).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_processors_are_read_as_people_type_them() {
        let check = |text: &str, wanted: Option<u64>| assert_eq!(bytes(text).ok(), wanted, "{text}");
        check("4GiB", Some(4 << 30));
        check("512 mib", Some(512 << 20));
        check("1048576", Some(1 << 20));
        check("2g", Some(2 << 30));
        check("GiB", None);
        check("1.5GiB", None);
        check("99999999999T", None);
        let check = |text: &str, wanted: Option<u32>| assert_eq!(thousandths(text).ok(), wanted, "{text}");
        check("2", Some(2000));
        check("1.5", Some(1500));
        check("0.25", Some(250));
        check(".5", None);
        check("1.2345", None);
        check("-1", None);
    }
}
