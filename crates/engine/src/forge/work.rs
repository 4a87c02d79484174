//! One thing that somebody wants, done: from a row of the deliveries to a session that works, or one that is told more, or stopped. Whatever
//! ends in the middle is begun again from its beginning, and finds what is done already.

use super::pulls::Ground;
use super::{Forge, answering, mirror, prompt, pulls, status};
use crate::create::{self, Once};
use crate::error::CommandError;
use crate::{Engine, NewSession, attachments, clock, ids};
use lamplight_domain::session::{Command, SessionView};
use lamplight_domain::{Person, PromptId, Role, SandboxLimits, SessionId, SomeLimits, Timestamp};
use lamplight_integrations::github::{Author, Call, Occurrence, Place, What};
use lamplight_integrations::{GitHub, GitHubError, Repository};
use lamplight_store::{ForgeChange, ReplyOwed, ReviewChange, Thread};

/// Of a title of somebody's, in characters.
const TITLE_CHARS: usize = 80;

/// Why it was not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// It may go well later.
    Passing(String),
    Lasting(String),
}

impl From<GitHubError> for Trouble {
    fn from(error: GitHubError) -> Self {
        if error.passes() { Self::Passing(error.to_string()) } else { Self::Lasting(error.to_string()) }
    }
}

impl From<CommandError> for Trouble {
    fn from(error: CommandError) -> Self {
        let code = error.code();
        let is_ours = matches!(
            error,
            CommandError::Busy
                | CommandError::Moved
                | CommandError::Newer
                | CommandError::StorageFull
                | CommandError::Unreachable(_)
                | CommandError::StorageUnavailable(_)
                | CommandError::Failed(_)
        );
        let passes = is_ours || matches!(code, "github_limited" | "github_unreachable" | "fetch_failed");
        let text = match error {
            CommandError::Failed(error) => format!("{error:#}"),
            other => other.to_string(),
        };
        if passes { Self::Passing(text) } else { Self::Lasting(text) }
    }
}

impl From<lamplight_store::ReadError> for Trouble {
    fn from(error: lamplight_store::ReadError) -> Self {
        Self::Passing(error.to_string())
    }
}

impl From<lamplight_store::WriteError> for Trouble {
    fn from(error: lamplight_store::WriteError) -> Self {
        Self::Passing(error.to_string())
    }
}

/// What one piece of work is about.
pub(super) struct Work<'a> {
    pub(super) engine: &'a Engine,
    pub(super) forge: &'a Forge,
    pub(super) github: &'a GitHub,
    pub(super) repository: Repository,
    pub(super) occurrence: &'a Occurrence,
    /// When it was told.
    came: Timestamp,
    /// It was begun before, and may be half done.
    again: bool,
}

/// Gives in a few words what came of it.
pub(super) async fn perform(
    engine: &Engine,
    occurrence: &Occurrence,
    came: Timestamp,
    again: bool,
) -> Result<String, Trouble> {
    let (Some(forge), Some(github)) = (&engine.shared.forge, &engine.shared.github) else {
        return Err(Trouble::Lasting("GitHub is not configured".to_owned()));
    };
    let Some(call) = forge.call(occurrence) else { return Ok("nothing is asked of us".to_owned()) };
    let Some(repository) = github.repository(&occurrence.repository) else {
        return Ok("its repository has no name that can be".to_owned());
    };
    if !github.may_write(&repository, &occurrence.by.login).await? {
        return Ok(format!("{} may not write to {repository}", occurrence.by.login));
    }
    let work = Work { engine, forge, github, repository, occurrence, came, again };
    let thread = work.thread().await?;
    let session = match &thread {
        Some(thread) => work.session(&thread.session).await?,
        None => None,
    };
    match (call, thread, session) {
        (Call::Stop, Some(thread), Some(_)) => work.stop(&thread).await,
        (Call::Stop, ..) => Ok("there is nothing to stop".to_owned()),
        (Call::Say(text), Some(thread), Some(view)) if !view.ended => match occurrence.what {
            What::Reviewed { review: id, .. } | What::Remarked { comment: id, .. } => {
                work.hear(&thread, id).await
            }
            What::Labelled { .. } | What::Assigned { .. } | What::Opened { .. } | What::Commented { .. } => {
                work.say(&thread, &text).await
            }
        },
        (Call::Begin, Some(_), Some(view)) if !view.ended => Ok("a session works on it".to_owned()),
        (_, Some(thread), None) if thread.problem.is_none() => {
            let ground = work.ground().await?;
            work.begin(thread, ground, true).await
        }
        (_, Some(thread), _) if work.may_be_of(&thread) => Ok("it is older than what was done".to_owned()),
        (Call::Begin | Call::Say(_), before, view) => match work.ground().await? {
            Ground::Nothing(why) => work.refuse(why).await,
            ground @ (Ground::Issue | Ground::PullRequest(_)) => work.begin_anew(before, view, ground).await,
        },
    }
}

impl Work<'_> {
    /// Of the issue, or of the pull request that came of one.
    async fn thread(&self) -> Result<Option<Thread>, Trouble> {
        let (store, name) = (&self.engine.shared.store, self.repository.to_string().to_lowercase());
        let found = store.thread(&name, self.occurrence.number).await?;
        if found.is_some() || !self.occurrence.is_pull_request {
            return Ok(found);
        }
        // It may have been opened a moment ago.
        let pull = self.github.pull_request(&self.repository, self.occurrence.number).await?;
        if !pull.is_of(&self.repository) {
            return Ok(None);
        }
        Ok(store.thread_of_branch(&name, &pull.head.branch).await?)
    }

    pub(super) async fn session(&self, id: &SessionId) -> Result<Option<SessionView>, Trouble> {
        match self.engine.view(id).await {
            Ok(view) => Ok(Some(view)),
            Err(CommandError::NotFound) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether the last session may have been begun by this, or by what was said with it. A comment is surely something else.
    fn may_be_of(&self, thread: &Thread) -> bool {
        let is_older = self.occurrence.at <= thread.begun_at.0;
        match self.occurrence.what {
            What::Commented { .. } => false,
            What::Labelled { .. }
            | What::Assigned { .. }
            | What::Opened { .. }
            | What::Reviewed { .. }
            | What::Remarked { .. } => is_older,
        }
    }

    /// What is there of the session before stays as it was last.
    async fn begin_anew(
        &self,
        before: Option<Thread>,
        view: Option<SessionView>,
        ground: Ground,
    ) -> Result<String, Trouble> {
        if let (Some(before), Some(view)) = (&before, &view)
            && let Some(comment) = before.comment
        {
            let text = status::now(view, before, &self.forge.config);
            match self.github.edit_comment(&self.repository, comment, &text).await {
                Err(error) if error.passes() => return Err(error.into()),
                Ok(()) | Err(_) => {}
            }
        }
        let branch = match &ground {
            Ground::PullRequest(pull) => Some(pull.head.branch.clone()),
            Ground::Issue | Ground::Nothing(_) => None,
        };
        let thread = Thread {
            repository: self.repository.to_string().to_lowercase(),
            number: self.occurrence.number,
            session: ids::session_id(),
            begun_at: clock::now(),
            comment: None,
            told: String::new(),
            pull_request: branch.is_some().then_some(self.occurrence.number),
            branch,
            problem: None,
            problem_at: None,
        };
        let instead_of = self.over(before, thread.branch.as_deref()).await?;
        let change = ForgeChange::BeginThread { thread: thread.clone(), instead_of };
        if self.engine.shared.store.forge(change).await? == 0 {
            return Err(Trouble::Passing("another session has begun on the same branch".to_owned()));
        }
        self.begin(thread, ground, false).await
    }

    /// The session's id is on disk. First somebody is told, then it is made.
    async fn begin(&self, thread: Thread, ground: Ground, again: bool) -> Result<String, Trouble> {
        self.react("eyes").await?;
        self.comment(&thread, again).await?;
        match self.make(&thread, ground).await {
            Ok(view) => {
                let store = &self.engine.shared.store;
                let branch = ForgeChange::Branch { session: thread.session.clone(), branch: view.branch };
                store.forge(branch).await?;
                self.forge.tell.notify_one();
                self.trace();
                Ok(format!("session {}", thread.session))
            }
            Err(Trouble::Lasting(why)) => {
                self.problem(&thread, Some(why.clone())).await?;
                Err(Trouble::Lasting(why))
            }
            Err(passing) => Err(passing),
        }
    }

    async fn comment(&self, thread: &Thread, again: bool) -> Result<(), Trouble> {
        if thread.comment.is_some() {
            return Ok(());
        }
        let text = status::beginning(&thread.session, &self.forge.config);
        let mark = status::mark(&thread.session);
        let number = self.occurrence.number;
        let comment = self.github.comment_once(&self.repository, number, &mark, &text, !again).await?;
        let (session, store) = (thread.session.clone(), &self.engine.shared.store);
        store.forge(ForgeChange::Comment { session, comment }).await?;
        Ok(())
    }

    async fn make(&self, thread: &Thread, ground: Ground) -> Result<SessionView, Trouble> {
        let (base, branch) = match ground {
            Ground::Issue => (self.github.facts(&self.repository).await?.default_branch, None),
            Ground::PullRequest(pull) => (pull.base.branch, Some(pull.head.branch)),
            Ground::Nothing(why) => return Err(Trouble::Lasting(why)),
        };
        let issue = self.github.issue(&self.repository, self.occurrence.number).await?;
        let said = match &branch {
            Some(_) => self.asked(thread).await?,
            None => Vec::new(),
        };
        let comments = self.github.comments(&self.repository, self.occurrence.number).await?;
        let comments = comments.into_iter().filter(|comment| !status::has_mark(comment.body.as_deref()));
        let comments: Vec<_> = comments.collect();
        let shared = &self.engine.shared;
        let path = mirror::bring(shared, self.github, &self.repository, &base).await?;
        if let Some(branch) = &branch {
            mirror::bring_beside(shared, self.github, &self.repository, branch).await?;
        }
        let new = NewSession {
            repository: path.to_string_lossy().into_owned(),
            prompt: prompt::first(
                &self.repository,
                &issue,
                &comments,
                &said,
                self.occurrence,
                &thread.session,
            ),
            attachments: Vec::new(),
            title: Some(issue.title.chars().take(TITLE_CHARS).collect()),
            base: Some(base),
            branch,
            agent: None,
            model: None,
            permissions: None,
            limits: SomeLimits::default(),
            network: None,
            image: None,
            sandbox: SandboxLimits::default(),
            person: Some(person(&self.occurrence.by, &self.repository)),
            // Whoever may write there is no more than that here.
            role: Role::Member,
            fork: None,
            parent: None,
        };
        let once = Once::As { session: &thread.session, prompt: self.prompt_id() };
        Ok(create::create(shared, new, once).await?)
    }

    async fn say(&self, thread: &Thread, text: &str) -> Result<String, Trouble> {
        self.react("eyes").await?;
        let prompt = self.prompt_id();
        if self.again && answering::was_said(self.engine, &thread.session, &prompt).await? {
            return Ok("it was said before".to_owned());
        }
        let (by, number) = (&self.occurrence.by.login, self.occurrence.number);
        let what = if self.occurrence.is_pull_request { "pull request" } else { "issue" };
        if thread.is_pull_request() {
            if let Some(why) = self.nothing_more(thread).await? {
                return self.refuse(why.to_owned()).await;
            }
            pulls::catch_up(self.engine, thread, by).await;
            // In the conversation: all that is said last answers it.
            let reply = ReplyOwed { about: self.about(), thread: 0, prompt: prompt.clone(), number: 1 };
            self.owe(thread, vec![reply]).await?;
        }
        let text = prompt::more(&self.repository, what, number, by, text, &prompt);
        let text = attachments::text(text, &[]);
        let command = Command::Prompt { prompt, text, by: by.clone(), attachments: Vec::new() };
        let said = async {
            let view = self.engine.view(&thread.session).await?;
            let budgets = &self.engine.shared.budgets;
            budgets.refuse_if_spent(&self.engine.shared.config, &view.person.name, &view.repository)?;
            self.engine.command(&thread.session, command).await
        };
        match said.await.map_err(Trouble::from) {
            Ok(_) => {
                self.problem(thread, None).await?;
                let heard = ReviewChange::Heard { session: thread.session.clone() };
                self.engine.shared.store.forge(ForgeChange::Review(Box::new(heard))).await?;
                self.trace();
                Ok("the session was told".to_owned())
            }
            Err(Trouble::Lasting(why)) => {
                let replied = ReviewChange::Replied { session: thread.session.clone(), about: self.about() };
                self.engine.shared.store.forge(ForgeChange::Review(Box::new(replied))).await?;
                self.problem(thread, Some(why.clone())).await?;
                Err(Trouble::Lasting(why))
            }
            Err(passing) => Err(passing),
        }
    }

    async fn owe(&self, thread: &Thread, replies: Vec<ReplyOwed>) -> Result<(), Trouble> {
        let session = thread.session.clone();
        let change = ReviewChange::Read { session, reviewed: None, remark: None, replies };
        self.engine.shared.store.forge(ForgeChange::Review(Box::new(change))).await?;
        Ok(())
    }

    async fn stop(&self, thread: &Thread) -> Result<String, Trouble> {
        self.react("+1").await?;
        match self.engine.stop(&thread.session, self.occurrence.by.login.clone()).await {
            Ok(_) => Ok("stopped".to_owned()),
            Err(CommandError::Refused(refusal)) => Ok(refusal.to_string()),
            Err(error) => Err(error.into()),
        }
    }

    async fn problem(&self, thread: &Thread, problem: Option<String>) -> Result<(), Trouble> {
        let change = ForgeChange::Problem { session: thread.session.clone(), problem, at: None };
        self.engine.shared.store.forge(change).await?;
        self.forge.tell.notify_one();
        Ok(())
    }

    /// Where it was asked.
    pub(super) async fn react(&self, content: &str) -> Result<(), Trouble> {
        let place = match &self.occurrence.what {
            What::Commented { comment, .. } => Place::Comment(*comment),
            What::Remarked { comment, .. } => Place::Remark(*comment),
            // Nobody can react to a summary by REST.
            What::Labelled { .. } | What::Assigned { .. } | What::Opened { .. } | What::Reviewed { .. } => {
                Place::Issue(self.occurrence.number)
            }
        };
        match self.github.react(&self.repository, place, content).await {
            // The comment is gone, or GitHub does not want it: the work is what matters.
            Err(error) if !error.passes() => {
                tracing::info!(repository = %self.repository, %error, "no reaction could be put there");
                Ok(())
            }
            done => Ok(done?),
        }
    }

    pub(super) fn prompt_id(&self) -> PromptId {
        ids::prompt_id_of(self.occurrence.at, self.about())
    }

    /// The prompt has come of it.
    fn trace(&self) {
        let until = clock::now();
        let repository = self.repository.to_string();
        self.engine.shared.traces.brought(&self.prompt_id(), &repository, (self.came, until));
    }

    /// GitHub's own id of what was said.
    pub(super) fn about(&self) -> u64 {
        match &self.occurrence.what {
            What::Commented { comment: id, .. }
            | What::Remarked { comment: id, .. }
            | What::Reviewed { review: id, .. } => *id,
            What::Labelled { .. } | What::Assigned { .. } | What::Opened { .. } => self.occurrence.number,
        }
    }
}

/// As GitHub attributes commits to whom it belongs. Source: docs.github.com, "Setting your commit email address".
fn person(by: &Author, repository: &Repository) -> Person {
    let email = format!("{}+{}@users.noreply.{}", by.id, by.login, repository.host);
    Person { name: by.login.clone(), email }
}
