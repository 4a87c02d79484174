//! Crates see only what the design lets them see: the table of DESIGN section 2, as it stands in ARCHITECTURE.md.

use super::{Complaints, Repository};
use std::collections::BTreeSet;

struct Crate {
    name: &'static str,
    /// Crates of ours that it may use.
    uses: &'static [&'static str],
    /// Crates of ours that only its tests may use, beside those.
    tests_use: &'static [&'static str],
    /// Crates of others that would bring in what it must not know.
    never: &'static [&'static str],
}

/// With a clock, randomness, sockets or files the machine would no longer be a function of its log.
const IMPURE: &[&str] =
    &["tokio", "axum", "hyper", "reqwest", "rusqlite", "jiff", "fastrand", "ulid", "rustix", "libc"];

const CRATES: [Crate; 15] = [
    Crate { name: "domain", uses: &[], tests_use: &[], never: IMPURE },
    Crate { name: "wire", uses: &[], tests_use: &[], never: IMPURE },
    Crate {
        name: "guest",
        uses: &["wire"],
        tests_use: &[],
        never: &["axum", "hyper", "reqwest", "rusqlite"],
    },
    // Asks clouds that speak E2B, in the shapes that the server answers in.
    Crate { name: "sandbox", uses: &["domain", "e2b", "wire"], tests_use: &[], never: &["axum", "rusqlite"] },
    Crate { name: "agent", uses: &["domain"], tests_use: &[], never: &["axum", "rusqlite", "reqwest"] },
    Crate { name: "gateway", uses: &["domain"], tests_use: &[], never: &["rusqlite"] },
    Crate {
        name: "integrations",
        uses: &[],
        tests_use: &["fake-github"],
        never: &["axum", "hyper", "rusqlite"],
    },
    // Shared by whoever serves the protocol and whoever asks it: no sockets of its own.
    Crate {
        name: "e2b",
        uses: &[],
        tests_use: &[],
        never: &["tokio", "axum", "hyper", "reqwest", "rusqlite"],
    },
    // Asks object stores, by the HTTP client of all.
    Crate { name: "store", uses: &["domain"], tests_use: &[], never: &["axum", "hyper"] },
    Crate {
        name: "engine",
        uses: &["agent", "domain", "gateway", "integrations", "sandbox", "store", "wire"],
        tests_use: &[],
        never: &["axum", "rusqlite"],
    },
    Crate {
        name: "server",
        uses: &["domain", "e2b", "engine", "store"],
        // Providers are shown to conform against a server that runs.
        tests_use: &["fake-github", "sandbox"],
        never: &["rusqlite", "yamux", "agent-client-protocol-schema"],
    },
    // What stands for somebody else's service must know nothing of who asks it.
    Crate { name: "fake-github", uses: &[], tests_use: &[], never: &["rusqlite"] },
    Crate { name: "scripted-model", uses: &[], tests_use: &[], never: &["rusqlite"] },
    // A world for the engine: no part of what people run may use it, so that it is in nobody's row.
    Crate {
        name: "simulation",
        uses: &["agent", "domain", "engine", "sandbox", "store", "wire"],
        tests_use: &[],
        never: &["axum", "hyper", "reqwest", "rusqlite"],
    },
    Crate { name: "xtask", uses: &[], tests_use: &[], never: &[] },
];

pub(super) fn check(repository: &Repository) -> Complaints {
    let mut complaints = Complaints::new();
    for package in &repository.packages {
        let name = short(&package.name);
        let Some(row) = CRATES.iter().find(|row| row.name == name) else {
            complaints.push(format!(
                "{} is in no row of the table; a new crate needs a decision record",
                package.name
            ));
            continue;
        };
        let expected = if name == "xtask" { "xtask".to_owned() } else { format!("crates/{name}") };
        if package.manifest_path != repository.root.join(&expected).join("Cargo.toml") {
            complaints.push(format!("{} belongs into {expected}", package.name));
        }
        for dependency in &package.dependencies {
            let used = short(&dependency.name);
            let is_ours = dependency.path.is_some();
            let for_tests = dependency.kind.as_deref() == Some("dev");
            let allowed = row.uses.contains(&used) || for_tests && row.tests_use.contains(&used);
            if is_ours && !allowed {
                complaints.push(format!("{name} may not use {used}"));
            }
            if !is_ours && !for_tests && row.never.contains(&used) {
                complaints.push(format!("{name} may not use {used}, because of what {name} must not know"));
            }
        }
    }
    let there: BTreeSet<&str> = repository.packages.iter().map(|package| short(&package.name)).collect();
    let gone = CRATES.iter().filter(|row| !there.contains(row.name));
    complaints.extend(gone.map(|row| format!("{} is in the table, but is no crate", row.name)));
    complaints
}

fn short(name: &str) -> &str {
    name.strip_prefix("lamplight-").unwrap_or(name)
}
