//! One commit for one turn, made inside the sandbox by us and pushed through the gateway.
//!
//! The commit is a function of its parents, its tree and the log: whatever the agent committed by itself in the turn becomes
//! part of it, and the same work committed again after a crash is the same commit. What the agent has merged of the base is its second parent, so that
//! it is merged for everybody who looks at the branch. It is made from plumbing, so neither hooks
//! nor signing nor a half-done merge of the repository come into it. Locks of git that are there belong to nobody: whoever made them was
//! ended with the turn, or was an attempt of ours that was cut off. What such an attempt has still pushed, while this one did, is pushed.

use super::context::Context;
use super::workspace::{self, script};
use super::{Trouble, artifacts, command_failed};
use crate::git::{self, NewCommit};
use crate::{agents, checks, elsewhere};
use lamplight_domain::agent::ExitStatus;
use lamplight_domain::artifact::KeptArtifact;
use lamplight_domain::event::Commit;
use lamplight_domain::session::{Report, Session};
use lamplight_domain::{Failure, FailureClass, Generation, Timestamp, ToCheck, TurnNumber};
use lamplight_sandbox::link::{Link, RunLimits};
use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;

const COMMIT: &str = r#"
set -eu
grep -qsx '/.lamplight/artifacts/' .git/info/exclude || { mkdir -p .git/info && echo '/.lamplight/artifacts/' >> .git/info/exclude; } || true
rm -f .git/*.lock ".git/refs/heads/$LAMPLIGHT_BRANCH.lock"
merged=''
for head in HEAD MERGE_HEAD; do
  [ "$head" = HEAD ] || [ -z "$(git ls-files --unmerged)" ] || continue
  of_base=$(git merge-base "$head" "refs/remotes/origin/$LAMPLIGHT_BASE" 2> /dev/null) || continue
  git merge-base --is-ancestor "$of_base" "$LAMPLIGHT_PARENT" || merged=$of_base
done
index=$(mktemp "${TMPDIR:-/tmp}/lamplight-index.XXXXXX")
trap 'rm -f "$index"' EXIT
if [ -f .git/index ]; then cp -p .git/index "$index"; else rm -f "$index"; fi
export GIT_INDEX_FILE="$index"
git -c core.fsmonitor=false add -A || { git read-tree "$LAMPLIGHT_PARENT" && git -c core.fsmonitor=false add -A; }
tree=$(git write-tree)
commit=$LAMPLIGHT_PARENT
if [ -n "$merged" ] || [ "$tree" != "$(git rev-parse "$LAMPLIGHT_PARENT^{tree}")" ]; then
  commit=$(printf '%s' "$LAMPLIGHT_MESSAGE" | git commit-tree "$tree" -p "$LAMPLIGHT_PARENT" ${merged:+-p "$merged"})
fi
unset GIT_INDEX_FILE
git update-ref "refs/heads/$LAMPLIGHT_BRANCH" "$commit"
git symbolic-ref HEAD "refs/heads/$LAMPLIGHT_BRANCH"
rm -f .git/MERGE_HEAD .git/CHERRY_PICK_HEAD .git/REVERT_HEAD
rm -rf .git/rebase-merge .git/rebase-apply
cp -p "$index" .git/index
[ "$commit" = "$LAMPLIGHT_PARENT" ] && exit 0
if [ -n "$LAMPLIGHT_LFS" ] && command -v git-lfs > /dev/null && git grep -q filter=lfs "$commit" -- '.gitattributes' '*/.gitattributes'; then
  within=''
  if command -v timeout > /dev/null; then within="timeout $LAMPLIGHT_LFS_SECONDS"; fi
  $within git -c lfs.allowincompletepush=true -c lfs.concurrenttransfers=4 lfs push origin "$LAMPLIGHT_BRANCH" >&2 || echo 'what is large stays in the sandbox' >&2
fi
git -c core.hooksPath=/dev/null push -q --no-verify --force "$LAMPLIGHT_REMOTE" "$commit:refs/heads/$LAMPLIGHT_BRANCH" ||
  [ "$(git ls-remote "$LAMPLIGHT_REMOTE" "refs/heads/$LAMPLIGHT_BRANCH" | cut -f 1)" = "$commit" ]
printf '%s\n' "$commit $merged"
git diff-tree --shortstat "$LAMPLIGHT_PARENT" "$commit"
"#;

/// The branch ends at the same commit as outside; nothing else changes.
const TAKE: &str = r#"
set -eu
git fetch -q --no-tags --no-recurse-submodules "$LAMPLIGHT_REMOTE" "+refs/heads/$LAMPLIGHT_BRANCH:refs/remotes/origin/$LAMPLIGHT_BRANCH"
git update-ref "refs/heads/$LAMPLIGHT_BRANCH" "$LAMPLIGHT_COMMIT"
"#;

const LIMITS: RunLimits = RunLimits { timeout_ms: 5 * 60_000, output_bytes: 64 * 1024 };
/// Of that for large files, in seconds: the work itself is committed, however slow their way is. What does not come in time stays in the sandbox, as what is refused does.
const LARGE_FILES_SECONDS: u64 = 3 * 60;
/// Characters of a prompt in the first line of a commit's message.
const SUBJECT_CHARS: usize = 72;
/// And bytes below it: the whole prompt is in the session's log. However many of its characters are escaped on the way to the guest, the command with it fits
/// into one message.
const BODY_BYTES: usize = 8 * 1024;

/// What the log says about the work to be committed.
pub(super) struct Work {
    parent: String,
    ended_at: Timestamp,
    prompt: String,
    artifacts: Arc<Vec<KeptArtifact>>,
}

impl Work {
    /// `None` when nothing is to be committed.
    pub(super) fn of(session: &Session) -> Option<Self> {
        Some(Self {
            parent: session
                .commits()
                .last()
                .map(|last| last.commit.id.clone())
                .or_else(|| session.base_commit().map(str::to_owned))?,
            ended_at: session.work_ended_at()?,
            prompt: session.last_prompt()?.to_owned(),
            artifacts: session.artifacts().clone(),
        })
    }

    /// As git reads it.
    fn date(&self) -> String {
        format!("@{} +0000", self.ended_at.0.div_euclid(1000))
    }
}

pub(super) async fn commit(
    context: &Context,
    generation: Generation,
    handle: &str,
    turn: TurnNumber,
    work: Option<Work>,
) -> Result<Report, Trouble> {
    let Some(work) = work else {
        return Ok(Report::WorkCommitted { turn, commit: None, to_check: ToCheck::Off });
    };
    let link = context.link(generation, handle).await?;
    let report = commit_work(context, &link, turn, &work).await?;
    // Behind the push, because it may have to wait, and before the report, because the turn is done with then.
    artifacts::keep(context, &link, turn, &work.artifacts).await?;
    Ok(report)
}

async fn commit_work(
    context: &Context,
    link: &Link,
    turn: TurnNumber,
    work: &Work,
) -> Result<Report, Trouble> {
    let date = work.date();
    let person = &context.spec.person;
    let [_, _, large_files] = elsewhere::variables(&context.shared, &context.spec);
    let more = [
        large_files,
        ("LAMPLIGHT_LFS_SECONDS", LARGE_FILES_SECONDS.to_string()),
        ("LAMPLIGHT_PARENT", work.parent.clone()),
        ("LAMPLIGHT_MESSAGE", message(context, turn, &work.prompt)),
        ("GIT_AUTHOR_NAME", person.name.clone()),
        ("GIT_AUTHOR_EMAIL", person.email.clone()),
        ("GIT_AUTHOR_DATE", date.clone()),
        ("GIT_COMMITTER_NAME", person.name.clone()),
        ("GIT_COMMITTER_EMAIL", person.email.clone()),
        ("GIT_COMMITTER_DATE", date),
    ];
    let _committing = context.committing();
    let output = workspace::run(link, &script(context, COMMIT, &more), LIMITS).await?;
    let made = match output.status == (ExitStatus::Code { code: 0 }) {
        true => parse(&String::from_utf8_lossy(&output.stdout)),
        false => match pushed(context, turn, work).await {
            Some(made) => Some(made),
            None => {
                let failure = command_failed(context, "the commit could not be made or pushed", &output);
                return Ok(Report::WorkNotCommitted { turn, failure });
            }
        },
    };
    let commit = match made {
        Some(made) => match sign(context, link, turn, work, made).await? {
            Ok(commit) => Some(commit),
            Err(failure) => return Ok(Report::WorkNotCommitted { turn, failure }),
        },
        None => None,
    };
    let to_check = match &commit {
        Some(commit) => checks::find(&context.spec, &commit.id).await,
        None => ToCheck::Off,
    };
    Ok(Report::WorkCommitted { turn, commit, to_check })
}

/// What is on the branch although whoever put it there did not live to say so: the commit of this turn is known by its parent, its moment
/// and what it says, whose last line is the turn's.
async fn pushed(context: &Context, turn: TurnNumber, work: &Work) -> Option<Made> {
    let branch = format!("refs/heads/{}", context.spec.branch);
    let shown = ["log", "-1", "--first-parent", "--shortstat", "--format=%H%n%ct%n%P%n%B%x00", &branch, "--"];
    let output = git::output(Path::new(&context.spec.repository), &shown).await.ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let (commit, shortstat) = text.split_once('\0')?;
    let mut lines = commit.splitn(4, '\n');
    let (id, seconds, parents, said) = (lines.next()?, lines.next()?, lines.next()?, lines.next()?);
    let mut parents = parents.split(' ');
    let is_it = parents.next() == Some(work.parent.as_str())
        && work.date() == format!("@{seconds} +0000")
        && said.trim_end() == message(context, turn, &work.prompt).trim_end();
    is_it.then(|| Made {
        commit: Commit { id: id.to_owned(), ..statistics(shortstat) },
        merged: parents.next().map(str::to_owned),
    })
}

/// The same commit signed, where the server signs: on the host, because its key stays there. The session's branch ends at that one, here and in
/// the sandbox, whose files and index are the same. Done again it is the same again.
async fn sign(
    context: &Context,
    link: &Link,
    turn: TurnNumber,
    work: &Work,
    Made { commit, merged }: Made,
) -> Result<Result<Commit, Failure>, Trouble> {
    let Some(key) = &context.shared.config.signing_key else { return Ok(Ok(commit)) };
    let id = match signed(context, turn, work, &commit.id, merged.as_deref(), key).await {
        Ok(id) => id,
        Err(error) => {
            let text = format!("the commit could not be signed; see git.signing_key_file: {error:#}");
            return Ok(Err(Failure::infrastructure(FailureClass::Persistent, text)));
        }
    };
    let output =
        workspace::run(link, &script(context, TAKE, &[("LAMPLIGHT_COMMIT", id.clone())]), LIMITS).await?;
    if output.status != (ExitStatus::Code { code: 0 }) {
        return Ok(Err(command_failed(context, "the signed commit could not be taken up", &output)));
    }
    Ok(Ok(Commit { id, ..commit }))
}

async fn signed(
    context: &Context,
    turn: TurnNumber,
    work: &Work,
    unsigned: &str,
    merged: Option<&str>,
    key: &Path,
) -> anyhow::Result<String> {
    let repository = Path::new(&context.spec.repository);
    let mut parents = vec![work.parent.as_str()];
    // The sandbox says so: what is signed has only what is in the base here, too.
    if let Some(merged) = merged
        && git::is_within(repository, merged, &format!("refs/heads/{}", context.spec.base)).await?
    {
        parents.push(merged);
    }
    let tree = git::line(repository, &["rev-parse", "--verify", &format!("{unsigned}^{{tree}}")]).await?;
    let (message, date) = (message(context, turn, &work.prompt), work.date());
    let new = NewCommit {
        tree: &tree,
        parents: &parents,
        message: &message,
        person: &context.spec.person,
        date: &date,
        key: Some(key),
    };
    let id = git::commit_tree(repository, &new).await?;
    let reference = format!("refs/heads/{}", context.spec.branch);
    git::line(repository, &["update-ref", "-m", "lamplight: sign", &reference, &id]).await?;
    Ok(id)
}

fn message(context: &Context, turn: TurnNumber, prompt: &str) -> String {
    let first = prompt.trim().lines().next().unwrap_or_default();
    let subject: String = first.chars().take(SUBJECT_CHARS).collect();
    let subject = if subject.is_empty() { context.spec.title.clone() } else { subject };
    let agent = agents::title(&context.shared, &context.spec.agent);
    let body =
        if prompt.trim() == subject { String::new() } else { format!("{}\n\n", beginning(prompt.trim())) };
    let message = format!(
        "{subject}\n\n{body}Co-authored-by: {agent} <{}@agents.lamplight.invalid>\nLamplight-Session: {}\nLamplight-Turn: {turn}\n",
        context.spec.agent, context.id
    );
    // No commit, and no variable of a program's environment, can hold that byte.
    message.replace('\0', "\u{fffd}")
}

fn beginning(text: &str) -> Cow<'_, str> {
    match text.floor_char_boundary(BODY_BYTES) {
        end if end < text.len() => format!("{}…", &text[..end]).into(),
        _ => text.into(),
    }
}

/// What the sandbox says that it committed.
struct Made {
    commit: Commit,
    /// The newest commit of the base that the agent has merged in this turn.
    merged: Option<String>,
}

/// The commit's id and what it merges, then git's short statistics; nothing when nothing changed.
fn parse(text: &str) -> Option<Made> {
    let mut lines = text.lines();
    let mut ids = lines.next()?.split_whitespace().map(str::to_owned);
    let (id, merged) = (ids.next()?, ids.next());
    Some(Made { commit: Commit { id, ..statistics(lines.next().unwrap_or_default()) }, merged })
}

/// What git says of how much is changed, as a commit without an id.
pub(crate) fn statistics(text: &str) -> Commit {
    let mut commit = Commit { id: String::new(), files: 0, insertions: 0, deletions: 0 };
    for part in text.split(',') {
        let Some(number) = part.split_whitespace().next().and_then(|number| number.parse().ok()) else {
            continue;
        };
        if part.contains("file") {
            commit.files = number;
        } else if part.contains("insertion") {
            commit.insertions = number;
        } else if part.contains("deletion") {
            commit.deletions = number;
        }
    }
    commit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_has_the_beginning_of_what_is_long() {
        assert_eq!(beginning("short"), "short");
        let exactly = "x".repeat(BODY_BYTES);
        assert_eq!(beginning(&exactly), exactly);
        let long = format!("{}é and more", "x".repeat(BODY_BYTES - 1));
        assert_eq!(beginning(&long), format!("{}…", "x".repeat(BODY_BYTES - 1)));
    }

    #[test]
    fn statistics_may_miss_any_part() {
        let check = |text: &str, expected: (u32, u32, u32)| {
            let Made { commit, .. } = parse(text).unwrap();
            assert_eq!((commit.files, commit.insertions, commit.deletions), expected);
        };
        check("abc\n 1 file changed, 2 insertions(+), 3 deletions(-)\n", (1, 2, 3));
        check("abc\n 12 files changed, 1 deletion(-)\n", (12, 0, 1));
        check("abc\n", (0, 0, 0));
        assert!(parse("").is_none());
        assert_eq!(parse("abc def\n").and_then(|made| made.merged).as_deref(), Some("def"));
        assert_eq!(parse("abc \n").and_then(|made| made.merged), None);
    }
}
