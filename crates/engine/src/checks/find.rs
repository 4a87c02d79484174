//! What there is to run on a commit.
//!
//! What the repository names is read from the branch that the session started from, so that a session cannot change what it is judged by
//! (a child starts from the branch of its parent, which is judged in its turn);
//! what is usual follows from the files of the commit itself.

use super::detect::{FILES, detect};
use crate::git;
use crate::prepared::{DEFAULT_TIMEOUT, named_checks};
use anyhow::bail;
use lamplight_domain::{CheckPlan, CheckPolicy, SessionSpec, ToCheck};
use std::collections::BTreeMap;
use std::path::Path;

/// What is read of one file; bytes.
const FILE_BYTES: usize = 256 * 1024;
/// The names of [`FILES`] with what git says beside them; bytes.
const LIST_BYTES: usize = 16 * 1024;

pub(crate) async fn find(spec: &SessionSpec, commit: &str) -> ToCheck {
    let detects = match spec.checks {
        CheckPolicy::Never => return ToCheck::Off,
        CheckPolicy::Named => false,
        CheckPolicy::Detected => true,
    };
    match plan(spec, commit, detects).await {
        Ok(Some(plan)) => ToCheck::Plan(plan),
        Ok(None) => ToCheck::Nothing { why: None },
        Err(error) => ToCheck::Nothing { why: Some(format!("{error:#}")) },
    }
}

async fn plan(spec: &SessionSpec, commit: &str, detects: bool) -> anyhow::Result<Option<CheckPlan>> {
    let named = named_checks(&spec.repository, &spec.base).await?;
    if named.plan.is_some() || !detects {
        return Ok(named.plan);
    }
    let files = files(Path::new(&spec.repository), commit).await?;
    Ok(detect(&files, named.has_setup).map(|found| CheckPlan {
        commands: found.commands.into_iter().map(str::to_owned).collect(),
        detected: Some(found.file.to_owned()),
        timeout_ms: DEFAULT_TIMEOUT * 1000,
    }))
}

/// Those of [`FILES`] that are regular files, with what is in them.
async fn files(repository: &Path, commit: &str) -> anyhow::Result<BTreeMap<&'static str, String>> {
    let list: Vec<&str> =
        ["--literal-pathspecs", "ls-tree", commit, "--"].into_iter().chain(FILES.iter().copied()).collect();
    let (listed, more) = git::bounded(repository, &list, LIST_BYTES).await?;
    if more {
        bail!("git lists more than was asked for");
    }
    let mut files = BTreeMap::new();
    for line in String::from_utf8_lossy(&listed).lines() {
        let Some((facts, name)) = line.split_once('\t') else { continue };
        let Some(name) = FILES.iter().find(|known| **known == name) else { continue };
        let mut facts = facts.split(' ');
        if let (Some("100644" | "100755"), Some("blob"), Some(blob)) =
            (facts.next(), facts.next(), facts.next())
        {
            let (text, _) = git::bounded(repository, &["cat-file", "blob", blob], FILE_BYTES).await?;
            files.insert(*name, String::from_utf8_lossy(&text).into_owned());
        }
    }
    Ok(files)
}
