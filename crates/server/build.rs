//! Builds again when the page does. The page is embedded by `src/http/page.rs`; a debug build reads it from disk at
//! run time instead and has nothing to wait for.

use std::path::Path;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var("PROFILE").is_ok_and(|profile| profile == "debug") {
        return;
    }
    // A path that is missing makes cargo look every time, so that the page is found once it is there.
    println!("cargo::rerun-if-changed={}", Path::new("../../web/dist/index.html").display());
}
