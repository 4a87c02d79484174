//! The host's git as a process: what it is started with, what it may read of its surroundings, how it ends.

use crate::Grant;
use anyhow::{Context, Result};
use bytes::{Bytes, BytesMut};
use std::convert::Infallible;
use std::io;
use std::path::PathBuf;
use std::process::{ExitStatus, Output, Stdio};
use std::time::Duration;
use tokio::io::{AsyncBufRead, AsyncRead, AsyncReadExt};
use tokio::process::Command;
use tokio::sync::mpsc;

/// The size of a push, pack and commands together.
pub(super) const MAX_PUSH_BYTES: u64 = 1 << 30;
/// How much of git's output is read at a time.
pub(super) const PIECE_BYTES: usize = 64 * 1024;
/// From its start to its end, a client that reads or writes slowly included.
const TIME_LIMIT: Duration = Duration::from_secs(60 * 60);
/// For a question about one ref.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// How much of what git complains about is kept for the log.
const MAX_COMPLAINT_BYTES: u64 = 4 * 1024;

/// The two things that git does for another git.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Service {
    /// The other side fetches.
    UploadPack,
    /// The other side pushes.
    ReceivePack,
}

impl Service {
    pub(super) fn named(name: &str) -> Option<Self> {
        [Self::UploadPack, Self::ReceivePack].into_iter().find(|service| service.name() == name)
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::UploadPack => "git-upload-pack",
            Self::ReceivePack => "git-receive-pack",
        }
    }

    pub(super) fn advertisement_type(self) -> &'static str {
        match self {
            Self::UploadPack => "application/x-git-upload-pack-advertisement",
            Self::ReceivePack => "application/x-git-receive-pack-advertisement",
        }
    }

    pub(super) fn request_type(self) -> &'static str {
        match self {
            Self::UploadPack => "application/x-git-upload-pack-request",
            Self::ReceivePack => "application/x-git-receive-pack-request",
        }
    }

    pub(super) fn result_type(self) -> &'static str {
        match self {
            Self::UploadPack => "application/x-git-upload-pack-result",
            Self::ReceivePack => "application/x-git-receive-pack-result",
        }
    }
}

/// What becomes of git when nobody reads its output any more.
pub(super) enum WhenUnread {
    Kill,
    /// A push that has arrived is finished: the branch then is at this commit.
    Finish {
        pushed: String,
    },
}

/// A repository, and what its own configuration cannot change.
pub(super) struct Served {
    path: PathBuf,
    settings: Vec<String>,
}

impl Served {
    /// The session's own.
    pub(super) fn own(grant: &Grant) -> Self {
        let Grant { branch, base, rewrite, children, .. } = grant;
        let mut settings = vec![
            // Branches and tags are what a clone is made of. Stashes, notes, the work of other sessions and what the person has
            // checked out now are nobody's business in here, but for the work of its own children. The last entry that fits a ref decides.
            "transfer.hideRefs=HEAD".to_owned(),
            "transfer.hideRefs=refs".to_owned(),
            "transfer.hideRefs=!refs/heads".to_owned(),
            "transfer.hideRefs=!refs/tags".to_owned(),
            "transfer.hideRefs=refs/heads/lamplight".to_owned(),
            format!("transfer.hideRefs=!refs/heads/{base}"),
            format!("transfer.hideRefs=!refs/heads/{branch}"),
            format!("receive.denyNonFastForwards={}", !rewrite),
            format!("receive.maxInputSize={MAX_PUSH_BYTES}"),
        ];
        let children = children.iter().flat_map(|children| children.branches());
        settings.extend(children.map(|branch| format!("transfer.hideRefs=!refs/heads/{branch}")));
        Self { path: grant.repository.clone(), settings }
    }

    /// Another one, of which there is nothing here that is not there.
    pub(super) fn elsewhere(path: PathBuf) -> Self {
        Self { path, settings: Vec::new() }
    }
}

/// Says which refs there are.
pub(super) fn advertise(service: Service, version_2: bool, served: &Served) -> Command {
    let mut command = service_command(service, version_2, served);
    command.arg("--advertise-refs").arg(&served.path);
    command
}

/// Answers one request.
pub(super) fn converse(service: Service, version_2: bool, served: &Served) -> Command {
    let mut command = service_command(service, version_2, served);
    command.arg(&served.path);
    command
}

fn service_command(service: Service, version_2: bool, served: &Served) -> Command {
    let mut command = git();
    if version_2 {
        command.env("GIT_PROTOCOL", "version=2");
    }
    for setting in served.settings.iter().map(String::as_str).chain(FIXED) {
        command.args(["-c", setting]);
    }
    command.arg(service.name().trim_start_matches("git-")).arg("--stateless-rpc");
    command
}

/// For every repository.
const FIXED: [&str; 12] = [
    // The repository may belong to someone else than this process. What makes that dangerous is switched off below.
    "safe.directory=*",
    // Nothing that the repository's configuration names is run.
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.alternateRefsCommand=true",
    "receive.autogc=false",
    "gc.auto=0",
    // Each said also where it is git's default, because the repository may say otherwise.
    "receive.denyCurrentBranch=refuse",
    "receive.denyDeletes=true",
    "receive.shallowUpdate=false",
    "receive.advertisePushOptions=false",
    "receive.certNonceSeed=",
    // What is pushed is checked out by a person later.
    "receive.fsckObjects=true",
];

/// Git with nothing of this process's surroundings but where programs are.
fn git() -> Command {
    let mut command = Command::new("git");
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into()))
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        // A repository that lacks objects may not send this machine out to fetch them.
        .env("GIT_NO_LAZY_FETCH", "1")
        // Who moved the branch, in the repository's reflog.
        .env("GIT_COMMITTER_NAME", "Lamplight")
        .env("GIT_COMMITTER_EMAIL", "lamplight@localhost")
        .current_dir("/")
        // Ctrl-C in the terminal is for the server, which lets a push finish.
        .process_group(0)
        .kill_on_drop(true)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Feeds `input` to git and what it says to `output`. The bytes are never held but for the piece that is under way.
pub(super) async fn run(
    mut command: Command,
    mut input: impl AsyncBufRead + Unpin,
    output: &mpsc::Sender<io::Result<Bytes>>,
    when_unread: &WhenUnread,
) -> Result<ExitStatus> {
    let mut child = command.stdin(Stdio::piped()).spawn().context("starting git")?;
    let mut stdin = child.stdin.take().expect("stdin was piped");
    let stdout = child.stdout.take().expect("stdout was piped");
    let stderr = child.stderr.take().expect("stderr was piped");

    // Git may stop reading before the input ends, and the input may never end; neither is a reason to wait or to fail.
    let feed = async move {
        let _git_says_what_it_missed = tokio::io::copy_buf(&mut input, &mut stdin).await;
        drop(stdin);
        std::future::pending::<Infallible>().await
    };
    let finish = async {
        let (read, complaint) = tokio::join!(pass_on(stdout, output, when_unread), complaint(stderr));
        if read == Passed::Abandoned {
            child.start_kill().context("killing git, which nobody listens to")?;
        }
        let status = child.wait().await.context("waiting for git")?;
        if !status.success() {
            tracing::debug!(git.status = %status, git.complaint = complaint, "git refused");
        }
        Ok(status)
    };
    let limited = tokio::time::timeout(TIME_LIMIT, async {
        tokio::select! {
            status = finish => status,
            never = feed => match never {},
        }
    });
    limited.await.context("git took longer than an hour")?
}

#[derive(PartialEq, Eq)]
enum Passed {
    All,
    Abandoned,
}

async fn pass_on(
    mut stdout: impl AsyncRead + Unpin,
    output: &mpsc::Sender<io::Result<Bytes>>,
    when_unread: &WhenUnread,
) -> Passed {
    let mut heard = true;
    let mut piece = BytesMut::new();
    loop {
        piece.reserve(PIECE_BYTES);
        match stdout.read_buf(&mut piece).await {
            Ok(0) | Err(_) => return Passed::All,
            Ok(_) => {}
        }
        let piece = piece.split().freeze();
        if heard && output.send(Ok(piece)).await.is_err() {
            match when_unread {
                WhenUnread::Kill => return Passed::Abandoned,
                WhenUnread::Finish { .. } => heard = false,
            }
        }
    }
}

/// The beginning of what git writes to its standard error; the rest is read and dropped, so that git never waits.
async fn complaint(mut stderr: impl AsyncRead + Unpin) -> String {
    let mut kept = Vec::new();
    let _whatever_came = (&mut stderr).take(MAX_COMPLAINT_BYTES).read_to_end(&mut kept).await;
    let _dropped = tokio::io::copy(&mut stderr, &mut tokio::io::sink()).await;
    String::from_utf8_lossy(&kept).trim().to_owned()
}

/// The commit that the session's branch is at now.
pub(super) async fn tip(grant: &Grant) -> Option<String> {
    let output = ask_of_branch(grant, &["rev-parse", "--verify", "--quiet"]).await?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Whether the session's branch is a symbolic ref, through which git would write to another; or that cannot be told.
pub(super) async fn may_stand_for_another(grant: &Grant) -> bool {
    /// Source: git-symbolic-ref(1): with this status it is a ref that is not symbolic, or none yet.
    const NOT_SYMBOLIC: i32 = 1;
    let output = ask_of_branch(grant, &["symbolic-ref", "--quiet"]).await;
    output.and_then(|output| output.status.code()) != Some(NOT_SYMBOLIC)
}

/// What git says about the session's branch; `None` if it does not, or not in time.
async fn ask_of_branch(grant: &Grant, question: &[&str]) -> Option<Output> {
    let mut command = git();
    command.args(["-c", "safe.directory=*"]).arg("-C").arg(&grant.repository).args(question);
    let output = command.arg(format!("refs/heads/{}", grant.branch)).output();
    tokio::time::timeout(ANSWER_TIMEOUT, output).await.ok()?.ok()
}
