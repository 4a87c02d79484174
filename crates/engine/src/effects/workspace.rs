//! The repository, cloned into the sandbox through the gateway. It is never mounted.

use super::context::Context;
use super::murmur::last_words;
use super::{SAID_CHARACTERS, Trouble, command_failed};
use crate::elsewhere;
use lamplight_domain::agent::ExitStatus;
use lamplight_domain::session::Report;
use lamplight_domain::{Failure, Generation};
use lamplight_sandbox::link::{Link, LinkError, ProcessSpec, RunLimits, RunOutput};
use lamplight_sandbox::provider::inside;

/// The session's repository as a sandbox reaches it.
pub(super) const REMOTE: &str = "http://127.0.0.1:7411/git/repository.git";

/// Clones once: what is written last marks a clone that is whole and this session's, and half a clone of an attempt that was cut is
/// removed. Files that come from elsewhere have the clone of another: that of a fork becomes its own where it is, one that was prepared
/// is brought up to date. What is on the session's branch already is gone on from: what it has pushed, where its own files are lost, or what is
/// on the branch of the pull request that it works on.
/// What lies elsewhere is not fetched here: git is told where it is reached, for whoever wants it.
/// Prints the commit that is gone on from; the first time that is where the session's own commits begin.
const PREPARE: &str = r#"
set -eu
for name in $LAMPLIGHT_SUBMODULES; do
  to="url.http://127.0.0.1:7411/git/$name.insteadOf"
  for from in "https://$LAMPLIGHT_FORGE/$name" "ssh://git@$LAMPLIGHT_FORGE/$name" "git@$LAMPLIGHT_FORGE:$name"; do
    git config --global --get-all "$to" | grep -qsxF "$from" || git config --global --add "$to" "$from"
  done
done
if [ -f .git/lamplight-base ]; then
  of=$(cat .git/lamplight-branch 2>/dev/null || true)
  if [ "$of" = "$LAMPLIGHT_BRANCH" ] || { [ -z "$of" ] && [ -z "$LAMPLIGHT_FORKED" ]; }; then
    cat .git/lamplight-base
    exit 0
  fi
  rm -f .git/*.lock ".git/refs/heads/$LAMPLIGHT_BRANCH.lock"
  git remote set-branches origin "$LAMPLIGHT_BASE" "$LAMPLIGHT_BRANCH"
else
  find . -mindepth 1 -maxdepth 1 -exec rm -rf {} +
  git init -q -b "$LAMPLIGHT_BRANCH" .
  git remote add -t "$LAMPLIGHT_BASE" -t "$LAMPLIGHT_BRANCH" origin "$LAMPLIGHT_REMOTE"
  git config push.default current
  git config push.negotiate true
fi
mkdir -p .git/info
grep -qsx '/.lamplight/artifacts/' .git/info/exclude || echo '/.lamplight/artifacts/' >> .git/info/exclude
git config user.name "$LAMPLIGHT_NAME"
git config user.email "$LAMPLIGHT_EMAIL"
if [ -n "$LAMPLIGHT_FORKED" ]; then
  base=$LAMPLIGHT_FORKED
  git update-ref "refs/heads/$LAMPLIGHT_BRANCH" HEAD
  git symbolic-ref HEAD "refs/heads/$LAMPLIGHT_BRANCH"
else
  mine=refs/remotes/origin/$LAMPLIGHT_BRANCH
  git fetch -q --no-tags --no-recurse-submodules origin "+refs/heads/$LAMPLIGHT_BASE:refs/remotes/origin/$LAMPLIGHT_BASE" "+refs/heads/$LAMPLIGHT_BRANCH*:$mine*"
  base=$(git rev-parse "refs/remotes/origin/$LAMPLIGHT_BASE^{commit}")
  if git rev-parse -q --verify "$mine^{commit}" > /dev/null; then
    base=$(git rev-parse "$mine^{commit}")
  fi
  git checkout -q -f -B "$LAMPLIGHT_BRANCH" "$base"
  [ "${of:-}" != lamplight/prepared ] || git update-ref -d "refs/heads/$of"
fi
if [ -n "$LAMPLIGHT_LFS" ] && command -v git-lfs > /dev/null; then
  git lfs install --skip-repo --skip-smudge > /dev/null
  git config lfs.locksverify false
fi
printf '%s\n' "$LAMPLIGHT_BRANCH" > .git/lamplight-branch.new
printf '%s\n' "$base" > .git/lamplight-base.new
mv .git/lamplight-base.new .git/lamplight-base
mv .git/lamplight-branch.new .git/lamplight-branch
printf '%s\n' "$base"
"#;

/// The files become those of a commit that somebody else put on the branch. What a person has changed by hand since the last turn stays, and
/// where it stands against that, nothing is done.
const UPDATE: &str = r#"
set -eu
rm -f .git/*.lock ".git/refs/heads/$LAMPLIGHT_BRANCH.lock"
git fetch -q --no-tags --no-recurse-submodules "$LAMPLIGHT_REMOTE" "+refs/heads/$LAMPLIGHT_BASE:refs/remotes/origin/$LAMPLIGHT_BASE" "+refs/heads/$LAMPLIGHT_BRANCH:refs/remotes/origin/$LAMPLIGHT_BRANCH"
git -c core.hooksPath=/dev/null checkout -q -B "$LAMPLIGHT_BRANCH" "$LAMPLIGHT_COMMIT"
"#;

/// How long a clone may take. The session's own start deadline is usually shorter.
const LIMITS: RunLimits = RunLimits { timeout_ms: 10 * 60_000, output_bytes: 64 * 1024 };

pub(super) async fn prepare(
    context: &Context,
    generation: Generation,
    handle: &str,
) -> Result<Report, Trouble> {
    let link = context.link(generation, handle).await?;
    Ok(match clone_into(context, &link).await? {
        Ok(base_commit) => Report::WorkspacePrepared { generation, base_commit },
        Err(failure) => Report::SandboxFailed { generation, failure },
    })
}

pub(super) async fn update(
    context: &Context,
    generation: Generation,
    handle: &str,
    commit: String,
) -> Result<Report, Trouble> {
    let link = context.link(generation, handle).await?;
    let more = [("LAMPLIGHT_COMMIT", commit.clone())];
    let output = run(&link, &script(context, UPDATE, &more), LIMITS).await?;
    if output.status != (ExitStatus::Code { code: 0 }) {
        let redactor = context.shared.config.redaction.now();
        let detail = last_words(&redactor, &output.stderr, SAID_CHARACTERS);
        return Ok(Report::WorkspaceNotUpdated { commit, detail });
    }
    Ok(Report::WorkspaceUpdated { commit })
}

/// The commit that is gone on from, or why there is none.
pub(crate) async fn clone_into(context: &Context, link: &Link) -> Result<Result<String, Failure>, LinkError> {
    let forked = context.spec.origin.as_ref().map_or("", |origin| origin.commit.as_str());
    let [forge, submodules, large_files] = elsewhere::variables(&context.shared, &context.spec);
    let more = [("LAMPLIGHT_FORKED", forked.to_owned()), forge, submodules, large_files];
    let output = run(link, &script(context, PREPARE, &more), LIMITS).await?;
    if output.status != (ExitStatus::Code { code: 0 }) {
        let failure = command_failed(context, "the repository could not be cloned into the sandbox", &output);
        return Ok(Err(failure));
    }
    Ok(Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned()))
}

/// How often a script is begun that signals end.
const TRIES: usize = 3;
/// Shells say more than this where a signal has ended what they ran.
const BY_SIGNAL: i32 = 128;

/// Runs a script of ours that may be done again from its beginning, wherever it was cut off. Where a signal has ended it or what it
/// started, such as the kernel's for want of memory, that says nothing of the work, and it is done again.
pub(super) async fn run(link: &Link, spec: &ProcessSpec, limits: RunLimits) -> Result<RunOutput, LinkError> {
    let mut output = link.run(spec, None, limits).await?;
    for _ in 1..TRIES {
        match output.status {
            ExitStatus::Code { code } if code <= BY_SIGNAL => break,
            ExitStatus::Code { .. } | ExitStatus::Signal { .. } => {
                output = link.run(spec, None, limits).await?;
            }
        }
    }
    Ok(output)
}

/// A shell script of ours in the workspace, with the session's names in its environment.
pub(crate) fn script(context: &Context, text: &str, more: &[(&str, String)]) -> ProcessSpec {
    let spec = &context.spec;
    let ours = [
        ("LAMPLIGHT_BRANCH", spec.branch.clone()),
        ("LAMPLIGHT_BASE", spec.base.clone()),
        ("LAMPLIGHT_REMOTE", REMOTE.to_owned()),
        ("LAMPLIGHT_NAME", spec.person.name.clone()),
        ("LAMPLIGHT_EMAIL", spec.person.email.clone()),
        ("GIT_TERMINAL_PROMPT", "0".to_owned()),
    ];
    let all = ours.into_iter().chain(more.iter().map(|(name, value)| (*name, value.clone())));
    let env = all.map(|(name, value)| (name.to_owned(), value)).collect();
    ProcessSpec {
        argv: ["sh", "-c", text, "lamplight"].map(str::to_owned).to_vec(),
        env,
        cwd: Some(inside::WORKSPACE.to_owned()),
        stdin: false,
    }
}
