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

/// Generated again, it is the same.
fn generated(run: &Run) -> Result<Tally> {
    let web = run.workspace.web();
    let fresh = run.directory("openapi.ts");
    std::fs::create_dir_all(run.directory("")).context("make the directory of the tests")?;
    let mut generate = build::npm(&web, &run.path);
    // The script says everything but where to: a later `-o` wins.
    generate.args(["run", "--silent", "api", "--", "-o"]).arg(&fresh);
    if one(&mut generate).failed > 0 {
        return Ok(Tally::failed(1));
    }
    if std::fs::read(&fresh)? == std::fs::read(web.join(GENERATED))? {
        return Ok(Tally::passed(1));
    }
    println!("web/{GENERATED} is not what docs/openapi.json gives: npm run api");
    Ok(Tally::failed(1))
}
