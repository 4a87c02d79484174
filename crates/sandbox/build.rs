//! Builds the guest that is carried inside this crate: a static binary for the target's architecture, by a cargo of its own in a
//! target directory of its own (the outer cargo holds the lock of the outer one), which all profiles of the outer build share.
//!
//! With musl where Rust's target for it is installed (`rustup target add x86_64-unknown-linux-musl`): glibc asks for the processor's
//! features when a program starts, some eighty questions that a virtual machine answers in 6 µs each. See docs/decisions/0066.

use std::env;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Of the workspace's Cargo.toml.
const PROFILE: &str = "guest";

fn main() {
    let crate_dir = PathBuf::from(variable("CARGO_MANIFEST_DIR"));
    let workspace = crate_dir.ancestors().nth(2).expect("this crate lies two levels below the workspace");
    // Relative to this crate: where worktrees share a target directory, each has to look at its own files.
    for input in
        ["../../Cargo.lock", "../../Cargo.toml", "../guest", "../wire/src", "../wire/Cargo.toml", "build.rs"]
    {
        println!("cargo::rerun-if-changed={input}");
    }

    let out_dir = PathBuf::from(variable("OUT_DIR"));
    let architecture = variable("TARGET").split('-').next().expect("split yields at least one").to_owned();
    let libraries = ["musl", "gnu"].map(|library| format!("{architecture}-unknown-linux-{library}"));
    let target = libraries.into_iter().find(|target| is_installed(target));
    let target =
        target.unwrap_or_else(|| panic!("Rust's standard library for {architecture} is not installed"));
    let target_dir = own_target_dir(&out_dir, workspace);
    build(workspace, &target, &target_dir);

    let built = target_dir.join(&target).join(PROFILE).join("lamplight-guest");
    let carried = out_dir.join("lamplight-guest");
    std::fs::copy(&built, &carried)
        .unwrap_or_else(|error| panic!("copy {} to {}: {error}", built.display(), carried.display()));
}

/// `<target>/guest/<worktree>`, seen from `<target>/<profile>/build/<package>/out`, or from one level deeper when cargo was given a
/// target. One for each worktree, because cargo tells sources of different worktrees apart by nothing but their times.
fn own_target_dir(out_dir: &Path, workspace: &Path) -> PathBuf {
    let mut hasher = DefaultHasher::new();
    workspace.hash(&mut hasher);
    let worktree = format!("{:016x}", hasher.finish());
    let build = out_dir.ancestors().find(|folder| folder.ends_with("build"));
    build.and_then(|folder| folder.ancestors().nth(2)).unwrap_or(out_dir).join("guest").join(worktree)
}

/// Whether there is a standard library for it. Source: rustc's `--print target-libdir`, which tells where it would be.
fn is_installed(target: &str) -> bool {
    let asked =
        Command::new(variable("RUSTC")).args(["--print", "target-libdir", "--target", target]).output();
    let asked = asked.unwrap_or_else(|error| panic!("start rustc: {error}"));
    let folder = String::from_utf8_lossy(&asked.stdout);
    let files = std::fs::read_dir(folder.trim()).into_iter().flatten().flatten();
    asked.status.success()
        && files.into_iter().any(|file| file.file_name().to_string_lossy().starts_with("libstd-"))
}

fn build(workspace: &Path, target: &str, target_dir: &Path) {
    let mut cargo = Command::new(variable("CARGO"));
    cargo
        .current_dir(workspace)
        .args(["build", "--quiet", "--package", "lamplight-guest", "--profile", PROFILE, "--target", target])
        .arg("--target-dir")
        .arg(target_dir)
        .env("RUSTFLAGS", "-C target-feature=+crt-static");
    // What the outer cargo told its own compiler does not hold for this one; under clippy the wrapper would not compile at all.
    for outer in
        ["CARGO_ENCODED_RUSTFLAGS", "CARGO_TARGET_DIR", "CARGO_BUILD_TARGET", "RUSTC_WORKSPACE_WRAPPER"]
    {
        cargo.env_remove(outer);
    }
    let status = cargo.status().unwrap_or_else(|error| panic!("start cargo for the guest: {error}"));
    assert!(status.success(), "the guest does not build for {target}; is its Rust target installed?");
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("cargo sets {name} for build scripts"))
}
