//! The page: generated types, types, lint, tests, build.

use super::tally::Tally;
use super::{Run, one};
use crate::build;
use anyhow::{Context, Result};

/// Made from the OpenAPI document.
const GENERATED: &str = "src/api/openapi.ts";

pub(super) fn check(run: &Run) -> Result<Tally> {
    let web = run.workspace.web();
    build::libraries(&web, &run.path)?;
    let script = |name: &str| {
        let mut npm = build::npm(&web, &run.path);
        npm.args(["run", "--silent", name]);
        npm
    };
    let mut tally = generated(run)? + one(&mut script("typecheck")) + one(&mut script("lint"));
    tally = tally + Tally::of(&mut script("test"), "Tests")?;
    build::page(&run.workspace)?;
    Ok(tally + Tally::passed(1))
}

/// Generated again, it is the same; if not, the fresh one stays, to be committed.
fn generated(run: &Run) -> Result<Tally> {
    let file = run.workspace.web().join(GENERATED);
    let before = std::fs::read(&file).with_context(|| format!("read {}", file.display()))?;
    let made = one(build::npm(&run.workspace.web(), &run.path).args(["run", "--silent", "api"]));
    if made.failed > 0 || std::fs::read(&file)? == before {
        return Ok(made);
    }
    println!("web/{GENERATED} was not what docs/openapi.json gives; it is now: commit it");
    Ok(Tally::failed(1))
}
