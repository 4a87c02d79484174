//! The loop of one session: receive, decide, append, apply, publish, start what is owed. No `if` about a session's life is
//! here; those are in the machine.

use super::gathering::{Gathering, ends_message};
use super::loading::load_when_it_can_be;
use super::running::Running;
use super::writing::{self, AskedFor, Fact};
use super::{Durable, Heard, MAILBOX, Mailbox, Message, Offer, Reply};
use crate::effects::{self, Context, Trouble};
use crate::engine::Shared;
use crate::hub::Hub;
use crate::{CommandError, audit::HeldEntry, children, clock, stopped::caught};
use lamplight_domain::session::{Input, Place, Report, Room, Session, SessionView};
use lamplight_domain::{Entry, Event, SessionId, Timestamp};
use lamplight_sandbox::link::Link;
use lamplight_store::Remembered;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

/// A deadline that the clock says has passed but that changed nothing is looked at again after this.
const AFTER_DEADLINE: Duration = Duration::from_millis(5);

/// How others reach an awake session.
#[derive(Clone)]
pub(crate) struct Awake {
    pub mailbox: Mailbox,
    pub hub: Arc<Hub>,
    /// Of the server's lease, in which it was woken.
    pub term: u64,
}

pub(crate) struct Actor {
    id: SessionId,
    session: Session,
    shared: Arc<Shared>,
    hub: Arc<Hub>,
    messages: mpsc::Receiver<Box<Message>>,
    durable: watch::Sender<Durable>,
    context: Arc<Context>,
    running: Running,
    /// When time was last taken into account.
    decided_at: Timestamp,
    gathering: Gathering,
    /// Of whose standard error how many bytes have come: with the next append they are in the log, because none of it is held back.
    logged: Option<(u32, u64)>,
    /// Its place, as the queue was told; `None` while the queue keeps one for it.
    place: Option<Place>,
    /// It ends with this term of the server's lease.
    term: u64,
}

impl Actor {
    /// Wakes a session from its log and runs it until it has nothing more to do. Errors say why it could not be woken, or
    /// why it had to stop; the session is as its log says, whoever wakes it next.
    pub(crate) async fn run(
        id: SessionId,
        shared: Arc<Shared>,
        awake: Awake,
        messages: mpsc::Receiver<Box<Message>>,
    ) -> Result<(), CommandError> {
        let woken = Box::pin(caught(Self::wake(id, shared, awake, messages))).await?;
        let Some(mut actor) = woken else { return Ok(()) };
        let result = caught(actor.live()).await;
        actor.running.shut_down().await;
        actor.context.close();
        children::asleep(&actor.shared, &actor.session);
        result
    }

    /// From its log; `None` of one that is not to be woken. In a box: a task keeps room for each place that a value has had in it.
    async fn wake(
        id: SessionId,
        shared: Arc<Shared>,
        awake: Awake,
        messages: mpsc::Receiver<Box<Message>>,
    ) -> Result<Option<Box<Self>>, CommandError> {
        let Some(session) = load_when_it_can_be(&shared, &id, awake.term).await? else { return Ok(None) };
        awake.hub.begin(session.last_seq());
        shared.budgets.session_is(&id, &session);
        shared.queue.session_is(&id, &session, clock::now());
        children::catch_up(&shared, &id, &session);
        let durable = watch::Sender::new(Durable::of(&session));
        let mailbox = awake.mailbox.downgrade();
        let context = Context::new(id.clone(), &session, shared.clone(), mailbox, durable.subscribe());
        Ok(Some(Box::new(Self {
            id,
            session,
            shared,
            hub: awake.hub,
            messages,
            durable,
            context: Arc::new(context),
            running: Running::default(),
            decided_at: Timestamp::default(),
            gathering: Gathering::default(),
            logged: None,
            place: None,
            term: awake.term,
        })))
    }

    /// What is done with a message is large and short, and what waits for one small: so it is in a box of its own for as long as it takes.
    async fn live(&mut self) -> Result<(), CommandError> {
        let mut resting = self.shared.resting();
        let mut lease = self.shared.servers.watch();
        Box::pin(self.report(Report::Tick, None)).await?;
        loop {
            self.settle();
            if self.may_sleep() && self.shared.fall_asleep(&self.id, &self.messages) {
                return Ok(());
            }
            let deadline = self.next_look();
            tokio::select! {
                biased;
                () = crate::engine::closed(&mut resting) => return Box::pin(self.take_what_was_sent()).await,
                () = crate::servers::lapsed(&mut lease, self.term) => return Err(CommandError::Moved),
                message = self.messages.recv() => match message {
                    Some(message) => Box::pin(self.take(*message)).await?,
                    None => return Box::pin(self.flush()).await,
                },
                () = self.running.ended() => {}
                () = self.hub.unfollowed(), if self.hub.is_followed() && self.may_sleep() => {}
                () = sleep_until(deadline) => {
                    if self.gathering.is_due(Instant::now()) {
                        Box::pin(self.flush()).await?;
                    }
                    Box::pin(self.report(Report::Tick, None)).await?;
                }
            }
        }
    }

    /// Whoever sent it believes it told: what a model cost is in no other place.
    async fn take_what_was_sent(&mut self) -> Result<(), CommandError> {
        self.messages.close();
        while let Some(message) = self.messages.recv().await {
            self.take(*message).await?;
        }
        self.flush().await
    }

    /// Takes it, and what it took out of the mailbox beside it.
    async fn take(&mut self, message: Message) -> Result<(), CommandError> {
        let mut next = Some(message);
        while let Some(message) = next {
            next = self.take_one(message).await?;
        }
        Ok(())
    }

    async fn take_one(&mut self, message: Message) -> Result<Option<Message>, CommandError> {
        match message {
            Message::Command { offer, reply } => return self.commands((offer, reply), None).await,
            Message::Once { offer, once, reply } => {
                return self.commands((offer, reply), Some(once)).await;
            }
            Message::Report(report) => self.report(report, None).await?,
            Message::Heard { run, lines } => {
                let end = lines.last().map_or(0, |line| line.end);
                let mut lines = lines.into_iter();
                while let Some(line) = lines.next() {
                    self.gathering.more_has_come(lines.len() > 0 || !self.messages.is_empty());
                    self.heard(run, line).await?;
                }
                self.let_go(run, end);
            }
            Message::Facts(events) => {
                events.into_iter().for_each(|event| self.gathering.add(event.into()));
                self.flush_what_is_due().await?;
            }
            Message::Logged { run, text, end } => {
                self.gathering.add(Event::AgentLogged { text }.into());
                self.logged = Some((run, end));
                self.flush_what_is_due().await?;
            }
            Message::View { reply } => drop(reply.send(self.view())),
            Message::Link { reply } => self.give_link(reply),
            Message::Admit { reply } => {
                let generation = self.session.sandbox_in_use();
                let _ = reply.send(generation.map(|generation| self.context.asker(generation)));
            }
            Message::Claims { generation, reply } => {
                let _ = reply.send(self.session.claims(generation));
            }
        }
        Ok(None)
    }

    /// Dialling may take a while, and the session goes on meanwhile.
    fn give_link(&self, reply: oneshot::Sender<Option<Result<Link, Trouble>>>) {
        let Some((generation, handle)) = self.session.running_sandbox() else {
            let _ = reply.send(None);
            return;
        };
        let (context, handle) = (self.context.clone(), handle.to_owned());
        self.shared.tasks.spawn(async move {
            let _ = reply.send(Some(context.link(generation, &handle).await));
        });
    }

    /// Decides a command and those that wait behind it, each by what the ones before it have made of the session. What follows from them
    /// is one append: they wait for the disk once. What is done once for a key is alone in its own. Gives back what came behind them.
    async fn commands(
        &mut self,
        (offer, reply): (Offer, Reply),
        once: Option<Remembered>,
    ) -> Result<Option<Message>, CommandError> {
        self.flush().await?;
        let at = clock::now();
        let mut draft = self.session.clone();
        let (mut entries, mut answers, mut held) = (Vec::new(), Vec::new(), Vec::new());
        let most = if once.is_some() { 0 } else { MAILBOX };
        let mut next = Some(Message::Command { offer, reply });
        while let Some(Message::Command { offer, reply }) = next {
            if let Some(command) = offer.take() {
                let room = self.room(&draft, at);
                let decided = draft.decide(at, room, Input::Command(command)).map(|events| {
                    let new = self.entries(&draft, at, events.into_iter().map(|event| (event, None)));
                    new.iter().for_each(|entry| draft.apply(entry));
                    // What changes nothing has its entry when it is answered.
                    held.extend(new.first().and_then(|_| offer.entry()));
                    entries.extend(new);
                    draft.view(self.id.clone())
                });
                answers.push((reply, decided));
            }
            next = if answers.len() < most { self.messages.try_recv().ok().map(|next| *next) } else { None };
        }
        if let Some(view) = answers.iter().rev().find_map(|(_, decided)| decided.as_ref().ok()) {
            let told = writing::told(&self.shared, &draft, view, &entries);
            let log = (&self.id, draft.spec());
            let asked = AskedFor { once, audited: held.iter().filter_map(HeldEntry::entry).collect() };
            let appended = writing::append(&self.shared, &self.hub, log, &entries, Some(told), asked).await;
            if let Err(error) = appended {
                return writing::not_written(&error, answers).map(|()| next);
            }
            held.into_iter().for_each(HeldEntry::written);
            // Not where all were refused, or could not be written: what was due until then still is.
            self.decided_at = at;
            self.become_state(draft, view);
        }
        for (reply, decided) in answers {
            let _ = reply.send(decided.map_err(CommandError::from));
        }
        Ok(next)
    }

    /// A line of the agent's: what it shows is gathered, what it decides is decided at once.
    async fn heard(&mut self, run: u32, line: Heard) -> Result<(), CommandError> {
        if run != self.session.run() || line.end <= self.session.read() {
            return Ok(());
        }
        let Heard { mut events, reports, end } = line;
        let last = events.pop().map(|event| Fact { event, read: Some(end) });
        events.into_iter().map(Fact::from).chain(last).for_each(|fact| self.gathering.hear(fact));
        self.flush_what_is_due().await?;
        for report in reports {
            self.report(Report::Agent { run, report: Box::new(report) }, Some(end)).await?;
        }
        Ok(())
    }

    /// Lines that put nothing into the log move nothing in it either; without this the guest would keep them for ever.
    fn let_go(&mut self, run: u32, end: u64) {
        if run == self.session.run() && self.gathering.is_empty() {
            self.durable.send_if_modified(|durable| {
                let news = end > durable.read;
                durable.read = durable.read.max(end);
                news
            });
        }
    }

    /// Decides a report together with the transcript before it, and appends both at once.
    async fn report(&mut self, report: Report, read: Option<u64>) -> Result<(), CommandError> {
        let at = clock::now();
        self.decided_at = at;
        let mut facts = match ends_message(&report) {
            true => self.gathering.take_all(),
            false => self.gathering.take(Instant::now(), &self.shared.config.redaction.now()),
        };
        let mut draft = self.session.clone();
        for entry in self.entries(&draft, at, facts.iter().map(|fact| (fact.event.clone(), fact.read))) {
            draft.apply(&entry);
        }
        let room = self.room(&draft, at);
        let decided = draft.decide(at, room, Input::Report(report)).unwrap_or_default();
        facts.extend(decided.into_iter().map(|event| Fact { event, read }));
        self.record(facts, at).await
    }

    /// Transcript: the first piece at once, what follows it within a moment together.
    async fn flush_what_is_due(&mut self) -> Result<(), CommandError> {
        if self.gathering.is_due(Instant::now()) { self.flush().await } else { Ok(()) }
    }

    /// Appends what was gathered, and what the guards make of it.
    async fn flush(&mut self) -> Result<(), CommandError> {
        if self.gathering.is_empty() {
            self.gathering.rest();
            return Ok(());
        }
        self.gathering.follow(Instant::now());
        self.report(Report::Tick, None).await
    }

    async fn record(&mut self, facts: Vec<Fact>, at: Timestamp) -> Result<(), CommandError> {
        if facts.is_empty() {
            return Ok(());
        }
        let entries = self.entries(&self.session, at, facts.into_iter().map(|fact| (fact.event, fact.read)));
        let (next, view) = self.after(&entries);
        let worth_listing = entries.iter().any(|entry| writing::changes_the_list(&entry.event));
        let told = worth_listing.then(|| writing::told(&self.shared, &next, &view, &entries));
        let log = (&self.id, next.spec());
        writing::append_when_it_can_be(&self.shared, &self.hub, log, &entries, told).await?;
        self.become_state(next, &view);
        Ok(())
    }

    fn entries(
        &self,
        session: &Session,
        at: Timestamp,
        facts: impl IntoIterator<Item = (Event, Option<u64>)>,
    ) -> Vec<Entry> {
        writing::entries(&self.shared.config.redaction.now(), session.last_seq(), at, facts)
    }

    /// What entries will have made of the session, and how that looks: once, as it is stored, shown and answered.
    fn after(&self, entries: &[Entry]) -> (Session, SessionView) {
        let mut next = self.session.clone();
        for entry in entries {
            next.apply(entry);
        }
        let view = next.view(self.id.clone());
        (next, view)
    }

    /// The entries are durable: they are the state now, and everybody who waits for that may go on.
    fn become_state(&mut self, next: Session, view: &SessionView) {
        children::tell(&self.shared, &self.id, &self.session, &next);
        self.session = next;
        self.shared.changed(view);
        self.shared.budgets.session_is(&self.id, &self.session);
        let (next, logged) = (Durable::of(&self.session), self.logged);
        self.durable.send_if_modified(|durable| {
            let read = if next.run == durable.run { next.read.max(durable.read) } else { next.read };
            std::mem::replace(durable, Durable { read, logged, ..next }) != *durable
        });
    }

    /// Whether there is room for a sandbox of this session's. The queue keeps it until it is told what came of it.
    fn room(&mut self, session: &Session, at: Timestamp) -> Room {
        if matches!(session.place(), Place::Held { .. }) {
            return Room::Free;
        }
        self.place = None;
        self.shared.queue.room(&self.id, session, at)
    }

    fn settle(&mut self) {
        let place = self.session.place();
        if self.place.as_ref() != Some(&place) {
            self.shared.queue.session_is(&self.id, &self.session, clock::now());
            self.place = Some(place);
        }
        let owed = self.session.owed(clock::now());
        let (context, session) = (&self.context, &self.session);
        self.running.settle(&owed, |effect| effects::perform(context.clone(), effect.clone(), session));
    }

    fn view(&self) -> SessionView {
        self.session.view(self.id.clone())
    }

    fn may_sleep(&self) -> bool {
        self.gathering.is_empty() && writing::is_quiet(&self.session, self.decided_at)
    }

    /// The next moment at which something may have to be done though nothing arrives.
    fn next_look(&self) -> Option<Instant> {
        let now = clock::now();
        let deadline = self.session.next_deadline(self.decided_at).map(|(at, _)| {
            let wait = Duration::from_millis(at.since_ms(now)).max(AFTER_DEADLINE);
            Instant::now() + wait
        });
        [deadline, self.gathering.next_look(), self.running.next_start()].into_iter().flatten().min()
    }
}

async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
