//! The log as a person reads it in a terminal: what the agent says, one quiet line a tool call, what went wrong where
//! it happened, and under it, on a terminal, one line that says where things are.

use super::output::{Style, clean, first_line, paint, plural};
use super::progress::Progress;
use super::pull_request::in_words;
use super::{asking, checks, sessions};
use lamplight_domain::artifact::Artifact;
use lamplight_domain::event::{Event, Memory, Outcome};
use lamplight_domain::session::Dollars;
use lamplight_domain::transcript::{PlanStatus, ToolCall, ToolStatus};
use lamplight_domain::{Entry, Timestamp};
use std::collections::HashMap;
use std::io::{self, Write};

/// Characters of a tool call or prompt that are shown.
const WIDTH: usize = 100;
/// Artifacts that are named in one line.
const NAMED: usize = 3;
/// Tool calls remembered until they end; an agent that leaves more open shows the oldest of them unnamed.
const OPEN_CALLS: usize = 1_000;

/// Draws entries onto a terminal or into a file.
#[derive(Debug)]
pub(super) struct Renderer<W> {
    out: W,
    colours: bool,
    /// A line that is drawn again and again, below everything else.
    status: Option<String>,
    /// How many characters it may have; `None`: there is no such line.
    status_width: Option<usize>,
    progress: Progress,
    /// What the agent has said since its last line break, and in which of its messages.
    saying: String,
    message: Option<String>,
    calls: HashMap<String, ToolCall>,
}

impl<W: Write> Renderer<W> {
    pub(super) fn new(out: W, colours: bool, status_width: Option<usize>) -> Self {
        Self {
            out,
            colours,
            status: None,
            status_width,
            progress: Progress::default(),
            saying: String::new(),
            message: None,
            calls: HashMap::new(),
        }
    }

    pub(super) fn entry(&mut self, entry: &Entry) -> io::Result<()> {
        self.progress.apply(entry);
        if let Event::AgentSpoke { text, message, .. } = &entry.event {
            return self.say(text, message.as_deref());
        }
        self.finish_saying()?;
        if let Some(line) = self.line_of(&entry.event) {
            self.line(&line)?;
        }
        Ok(())
    }

    /// Draws the status line as it is at this moment.
    pub(super) fn tick(&mut self, now: Timestamp) -> io::Result<()> {
        let Some(width) = self.status_width else { return Ok(()) };
        let mut line = self.progress.line(now);
        let saying = self.saying.trim();
        if !saying.is_empty() {
            // The end of it is what is new.
            let skip = saying.chars().count().saturating_sub(width.saturating_sub(line.chars().count() + 5));
            line.extend(" · …".chars().chain(saying.chars().skip(skip)));
        }
        let line = first_line(&line, width);
        if self.status.as_ref() == Some(&line) {
            return Ok(());
        }
        self.clear_status()?;
        write!(self.out, "{}", paint(self.colours, Style::Warm, &line))?;
        self.out.flush()?;
        self.status = Some(line);
        Ok(())
    }

    /// A line of our own among the entries.
    pub(super) fn note(&mut self, text: &str) -> io::Result<()> {
        self.finish_saying()?;
        let line = self.dim(text);
        self.line(&line)
    }

    /// Ends what is being said and takes the status line away.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        self.finish_saying()?;
        self.clear_status()?;
        self.out.flush()
    }

    fn say(&mut self, text: &str, message: Option<&str>) -> io::Result<()> {
        if self.message.as_deref() != message {
            self.finish_saying()?;
            self.message = message.map(str::to_owned);
        }
        self.saying.push_str(&clean(text));
        while let Some(end) = self.saying.find('\n') {
            let line: String = self.saying.drain(..=end).collect();
            self.line(line.trim_end())?;
        }
        Ok(())
    }

    fn finish_saying(&mut self) -> io::Result<()> {
        let rest = std::mem::take(&mut self.saying);
        if rest.trim().is_empty() { Ok(()) } else { self.line(rest.trim_end()) }
    }

    fn line(&mut self, line: &str) -> io::Result<()> {
        self.clear_status()?;
        writeln!(self.out, "{line}")?;
        self.out.flush()
    }

    /// Back to the start of the line, and everything after it erased (ECMA-48 CR, EL).
    fn clear_status(&mut self) -> io::Result<()> {
        if self.status.take().is_some() { write!(self.out, "\r\x1b[K") } else { Ok(()) }
    }

    fn line_of(&mut self, event: &Event) -> Option<String> {
        let line = match event {
            Event::SessionCreated { spec } => {
                format!(
                    "{} {}",
                    self.paint(Style::Bold, &first_line(&spec.title, WIDTH)),
                    self.dim(&format!("· {} · {}", spec.agent, spec.branch))
                )
            }
            Event::PromptQueued { text, attachments, .. } => {
                let files: Vec<_> = attachments.iter().map(|file| clean(&file.name)).collect();
                let files = match files.is_empty() {
                    true => String::new(),
                    false => self.dim(&format!(" with {}", files.join(", "))),
                };
                let text = self.paint(Style::Bold, &first_line(text, WIDTH));
                format!("{} {text}{files}", self.paint(Style::Warm, "›"))
            }
            Event::PromptEdited { by, text, .. } => {
                self.dim(&format!("{} changed a queued prompt: {}", clean(by), first_line(text, WIDTH)))
            }
            Event::PromptRemoved { by, .. } => {
                self.dim(&format!("a queued prompt was removed by {}", clean(by)))
            }
            Event::StopRequested { by, .. } => self.dim(&format!("stopped by {}", clean(by))),
            Event::ModelChosen { model, .. } => self.dim(&format!("model: {}", clean(model))),
            Event::SessionArchived { by } => self.dim(&format!("archived by {}", clean(by))),
            Event::SessionUnarchived { by } => self.dim(&format!("put back by {}", clean(by))),
            Event::AttemptTaken(taken) => {
                let session = sessions::short(taken.session.as_str());
                self.dim(&format!("of the attempts, {} took {session}", clean(&taken.by)))
            }
            Event::ChildBegun(begun) => {
                let who = if begun.by_agent { "the agent".to_owned() } else { clean(&begun.by) };
                self.dim(&format!("{who} began the child {}", sessions::short(begun.session.as_str())))
            }
            Event::ParentEnded(ended) => self.dim(&format!("its parent was ended by {}", clean(&ended.by))),
            Event::SessionEnded { by } => self.dim(&format!("the session was ended by {}", clean(by))),
            Event::SandboxFailed { failure, .. } => {
                self.bad(&format!("the sandbox failed: {}", failure.message))
            }
            Event::SandboxLost { detail, .. } => self.bad(&format!("the sandbox was lost: {detail}")),
            Event::PauseRequested { by, .. } => match by {
                Some(by) => self.dim(&format!("paused by {}", clean(by))),
                None => self.dim("paused: there is nothing to do"),
            },
            Event::PauseFailed { detail, .. } => {
                self.dim(&format!("the sandbox cannot be paused: {}", clean(detail)))
            }
            Event::ResumeRequested { by, .. } => match by {
                Some(by) => self.dim(&format!("resumed by {}", clean(by))),
                None => self.dim("resumed"),
            },
            Event::SetupBegun { command, .. } => self
                .dim(&format!("setting up, which later sessions need not: {}", first_line(command, WIDTH))),
            Event::SetupEnded { failure: Some(failure), .. } => self
                .bad(&format!("the repository's setup failed, so this session starts without it: {failure}")),
            Event::SetupEnded { failure: None, .. } => self.dim("set up"),
            Event::CheckpointKept { checkpoint, .. } => {
                self.dim(&format!("its files are kept as checkpoint {checkpoint}"))
            }
            Event::CheckpointFailed { detail, .. } => {
                self.dim(&format!("its files could not be kept: {}", clean(detail)))
            }
            Event::RestoreRequested { checkpoint, by } => {
                self.dim(&format!("{} goes back to checkpoint {checkpoint}", clean(by)))
            }
            Event::FilesRestored { checkpoint } => {
                self.dim(&format!("its files are those of checkpoint {checkpoint}"))
            }
            Event::RestoreFailed { checkpoint, detail } => {
                self.bad(&format!("checkpoint {checkpoint} could not be restored: {}", clean(detail)))
            }
            Event::WorkspacePrepared { base_commit, .. } => {
                self.dim(&format!("sandbox ready, at {}", short(base_commit)))
            }
            Event::AgentOpened { opened, memory, .. } => {
                let model =
                    opened.model.as_ref().map(|model| format!(" with {}", clean(model))).unwrap_or_default();
                match memory {
                    Memory::Fresh => self.dim(&format!("agent ready{model}")),
                    Memory::Loaded => self.dim(&format!("agent ready{model}; it remembers the conversation")),
                    Memory::Digest => {
                        self.dim(&format!("agent ready{model}; it gets a digest of the conversation"))
                    }
                }
            }
            Event::AgentBroken { detail, .. } => self.bad(&format!("the agent cannot go on: {detail}")),
            Event::AgentExited { detail, .. } => {
                self.dim(&format!("the agent ended: {}", first_line(detail, WIDTH)))
            }
            Event::PermissionAsked { call, .. } => {
                let what = call.title.as_deref().or(call.name.as_deref()).unwrap_or("do something");
                let what = first_line(what, WIDTH);
                format!("{} the agent asks leave to {what}", self.paint(Style::Warm, "?"))
            }
            Event::PermissionAnswered { answer, by, .. } => {
                self.dim(&asking::permission_answered(answer, by)?)
            }
            Event::QuestionAsked(asked) => {
                let what = first_line(&asked.question.message, WIDTH);
                let fields = asking::fields(&asked.question).into_iter();
                let fields: String = fields.map(|field| self.dim(&format!("\n    {field}"))).collect();
                format!("{} the agent asks: {what}{fields}", self.paint(Style::Warm, "?"))
            }
            Event::QuestionAnswered(answered) => self.dim(&asking::question_answered(answered)),
            Event::RetryPlanned(planned) => self.dim(&format!(
                "{} trying again in a moment ({} of 3)",
                clean(&planned.failure.message),
                planned.retry
            )),
            Event::ArtifactsKept { artifacts, .. } => self.dim(&artifacts_kept(artifacts)),
            Event::TerminalOpened { by } => self.dim(&format!("{} opened a terminal", clean(by))),
            Event::SandboxQueued { .. } => self.dim("it waits for a free sandbox"),
            Event::PrioritySet { priority, by } => {
                self.dim(&format!("{} set its priority to {priority:+}", clean(by)))
            }
            Event::BudgetSet { budget_micros: 0, by } => {
                self.dim(&format!("{} took the budget away", clean(by)))
            }
            Event::BudgetSet { budget_micros, by } => {
                self.dim(&format!("{} set the budget to {}", clean(by), Dollars(*budget_micros)))
            }
            Event::BudgetNeared(near) => {
                let budget = near.of.named(near.budget_micros);
                let text = format!("{} of {budget} are spent", Dollars(near.spent_micros));
                self.paint(Style::Warm, &clean(&text))
            }
            Event::GuardTripped(tripped) => self.bad(&tripped.detail),
            Event::TurnContinued(continued) => {
                self.dim(&format!("{} lets it go on once", clean(&continued.by)))
            }
            Event::TurnEnded { outcome, .. } => return self.turn_ended(outcome),
            Event::WorkCommitted { commit: Some(commit), .. } => format!(
                "{} committed {} {}",
                self.paint(Style::Good, "✔"),
                short(&commit.id),
                self.dim(&format!(
                    "· {} +{} −{}",
                    plural(commit.files.into(), "file"),
                    commit.insertions,
                    commit.deletions
                )),
            ),
            Event::WorkCommitted { commit: None, .. } => self.dim("nothing changed, so nothing is committed"),
            Event::WorkNotCommitted { failure, .. } => {
                self.bad(&format!("the work could not be committed: {}", failure.message))
            }
            Event::NothingToCheck { why, .. } => self.dim(&checks::nothing(why.as_ref())),
            Event::ChecksRequested { commit, plan, .. } => self.dim(&checks::begun(commit, plan)),
            Event::ChecksEnded { verdict, commands, .. } => {
                let (style, line) = checks::ended(verdict, commands);
                self.paint(style, &line)
            }
            Event::BranchUpdated { commit, by, .. } => {
                format!(
                    "{} {} brought the branch up to date, to {}",
                    self.paint(Style::Good, "✔"),
                    clean(by),
                    short(&commit.id)
                )
            }
            Event::BranchMerged { into, commit, .. } => {
                format!("{} merged into {into} as {}", self.paint(Style::Good, "✔"), short(commit))
            }
            Event::PullRequestPublished { pull_request: shown, .. } => {
                format!("{} {}", self.paint(Style::Good, "✔"), in_words(&shown.clone().into()))
            }
            Event::ToolCalled { call, .. } => return self.tool(call),
            Event::PlanChanged { entries, .. } => {
                let done = entries.iter().filter(|entry| entry.status == PlanStatus::Completed).count();
                let now = entries.iter().find(|entry| entry.status == PlanStatus::InProgress);
                let now =
                    now.map(|entry| format!(": {}", first_line(&entry.text, WIDTH))).unwrap_or_default();
                self.dim(&format!("plan {done}/{}{now}", entries.len()))
            }
            Event::HostContacted { contact, .. } => match &contact.refused {
                Some(why) => self.bad(&format!("{} was not reached: {why}", contact.host)),
                None => self.dim(&format!("reached {}", clean(&contact.host))),
            },
            Event::Noted { text } => self.dim(&clean(text)),
            Event::SandboxCreated { enforced: Some(enforced), .. } if enforced.is_unsafe() => {
                self.bad("UNSAFE: the sandbox lacks a wall that nothing should run without")
            }
            Event::AgentSpoke { .. }
            | Event::AgentThought { .. }
            | Event::SandboxRequested { .. }
            | Event::CheckpointRequested { .. }
            | Event::SandboxUsed { .. }
            | Event::SandboxCreated { .. }
            | Event::SandboxPaused { .. }
            | Event::SandboxResumed { .. }
            | Event::ReleaseAnnounced { .. }
            | Event::SandboxReleased { .. }
            | Event::SandboxDestroyed { .. }
            | Event::AgentRequested { .. }
            | Event::AgentInitialized { .. }
            | Event::AgentReady { .. }
            | Event::InputQueued { .. }
            | Event::TurnStarted { .. }
            | Event::PromptRetried { .. }
            | Event::CancelAnswered { .. }
            | Event::WorkspaceUpdated { .. }
            | Event::BranchPushed { .. }
            | Event::ContextMeasured { .. }
            | Event::TokensUsed { .. }
            | Event::ChildSpent(_)
            | Event::AgentSent { .. }
            | Event::AgentLogged { .. } => return None,
        };
        Some(line)
    }

    /// One line when a call ends; what came before is remembered for its name.
    fn tool(&mut self, news: &ToolCall) -> Option<String> {
        if self.calls.len() >= OPEN_CALLS {
            self.calls.clear();
        }
        let call = self.calls.entry(news.id.clone()).or_default();
        call.name = news.name.clone().or(call.name.take());
        call.title = news.title.clone().or(call.title.take());
        call.kind = news.kind.clone().or(call.kind.take());
        let mark = match news.status? {
            ToolStatus::Pending | ToolStatus::InProgress => return None,
            ToolStatus::Completed => (Style::Good, "✓"),
            ToolStatus::Failed => (Style::Bad, "✗"),
        };
        let call = self.calls.remove(&news.id)?;
        let title = call.title.or(call.name).or(call.kind).unwrap_or_else(|| "a tool".to_owned());
        Some(format!("  {} {}", self.paint(mark.0, mark.1), self.dim(&first_line(&title, WIDTH))))
    }

    fn turn_ended(&mut self, outcome: &Outcome) -> Option<String> {
        self.calls.clear();
        match outcome {
            Outcome::Completed { .. } | Outcome::Stopped { .. } => None,
            // The guard has said it already.
            Outcome::Tripped { .. } => None,
            Outcome::Failed { failure } => Some(self.bad(&format!("the turn failed: {}", failure.message))),
        }
    }

    fn paint(&self, style: Style, text: &str) -> String {
        paint(self.colours, style, text)
    }

    fn dim(&self, text: &str) -> String {
        self.paint(Style::Dim, text)
    }

    fn bad(&self, text: &str) -> String {
        format!("{} {}", self.paint(Style::Bad, "✗"), clean(text))
    }
}

fn artifacts_kept(artifacts: &[Artifact]) -> String {
    let names: Vec<String> = artifacts.iter().take(NAMED).map(|artifact| clean(&artifact.name)).collect();
    let more = artifacts.len().saturating_sub(NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("artifacts: {}{more}", names.join(", "))
}

/// The start of a commit id, as git abbreviates it.
pub(super) fn short(commit: &str) -> &str {
    commit.get(..9).unwrap_or(commit)
}

#[cfg(test)]
#[path = "render_tests.rs"]
mod tests;
