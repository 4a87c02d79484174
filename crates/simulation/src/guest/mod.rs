//! The daemon in a sandbox, as the host sees it: it speaks the real protocol over a stream in memory, keeps what its processes say until
//! that is acknowledged, and refuses what no host of ours asks. Its processes are an agent, and commands of ours that know what they do.

mod cable;
mod calls;
mod process;
mod stream;

use crate::agent::Agent;
use crate::fault::Fault;
use crate::shell;
use crate::universe::{Files, Universe, lock};
use cable::Cable;
use lamplight_domain::{Generation, SessionId};
use lamplight_sandbox::provider::ByteStream;
use lamplight_wire::{Code, ExitStatus, ProcessSpec, Refusal};
use process::{Inner, Process};
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;
use stream::Stream;
use tokio::io::DuplexStream;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::compat::TokioAsyncReadCompatExt;
use tokio_util::sync::CancellationToken;

/// Bytes on their way.
const WAY: usize = 64 * 1024;

const TERM: i32 = 15;
const KILL: i32 = 9;

pub(crate) struct Guest {
    pub(crate) session: SessionId,
    pub(crate) generation: Generation,
    pub(crate) universe: Arc<Universe>,
    files: Arc<Mutex<Files>>,
    state: Mutex<State>,
    /// Everything stands still.
    is_paused: Mutex<bool>,
    resumed: Notify,
}

#[derive(Default)]
struct State {
    links: u64,
    /// Cancelled where the newest link is cut.
    link: Option<CancellationToken>,
    processes: BTreeMap<String, Arc<Process>>,
}

impl Guest {
    pub(crate) fn new(
        session: SessionId,
        generation: Generation,
        universe: Arc<Universe>,
        files: Arc<Mutex<Files>>,
    ) -> Arc<Self> {
        let (state, is_paused, resumed) = (Mutex::default(), Mutex::default(), Notify::new());
        Arc::new(Self { session, generation, universe, files, state, is_paused, resumed })
    }

    /// Lets all of it stand still, or go on.
    pub(crate) fn pause(&self, is_paused: bool) {
        let what = if is_paused { "stands still" } else { "goes on" };
        self.universe.tell(|| format!("sandbox {} of {} {what}", self.generation, self.session));
        self.universe.hinder();
        *lock(&self.is_paused) = is_paused;
        self.resumed.notify_waiters();
    }

    /// Resolves while nothing stands still.
    async fn runs(&self) {
        loop {
            let resumed = self.resumed.notified();
            if !*lock(&self.is_paused) {
                return;
            }
            resumed.await;
        }
    }

    /// A way to it. It replaces the one before.
    pub(crate) fn dial(self: &Arc<Self>) -> Box<dyn ByteStream> {
        let (host, here) = tokio::io::duplex(WAY);
        let cut = CancellationToken::new();
        let number = {
            let mut state = lock(&self.state);
            if let Some(before) = state.link.replace(cut.clone()) {
                before.cancel();
            }
            state.links += 1;
            state.links
        };
        self.abandon_before(number);
        let is_short = self.universe.happens(self.universe.weather().cut);
        let left = is_short.then(|| self.universe.number(1..12_000));
        let (guest, cut_here) = (Arc::clone(self), cut.clone());
        self.universe.spawn(async move {
            cut_here.run_until_cancelled(guest.serve(here, number)).await;
            guest.abandon_before(number + 1);
        });
        Box::new(Cable::new(host, cut, left, Arc::clone(&self.universe)))
    }

    /// Somewhere between here and the host.
    pub(crate) fn cut(&self) {
        if let Some(link) = lock(&self.state).link.take() {
            self.universe.struck(Fault::Cut);
            self.universe.hinder();
            link.cancel();
        }
    }

    /// All of it at once.
    pub(crate) fn die(&self) {
        if let Some(link) = lock(&self.state).link.take() {
            link.cancel();
        }
        for process in self.processes() {
            process.end(ExitStatus::Signal { signal: KILL });
        }
    }

    /// As the kernel does where there is no memory.
    pub(crate) fn kill_agent(&self) {
        for process in self.processes() {
            if lock(&process.inner).agent.is_some() {
                self.universe.tell(|| format!("{} of {} is killed", process.name, self.session));
                process.end(ExitStatus::Signal { signal: KILL });
            }
        }
    }

    /// In the next life of the server, whose first link is still to come.
    pub(crate) fn go_on(self: &Arc<Self>) {
        let links = {
            let mut state = lock(&self.state);
            state.link = None;
            state.links
        };
        self.abandon_before(links + 1);
        for process in self.processes() {
            let inner = lock(&process.inner);
            let runs = inner.agent.is_some() && inner.status.is_none();
            drop(inner);
            if runs {
                self.universe.spawn(Arc::clone(self).drive(process));
            }
        }
    }

    /// The turn that its agent works on.
    pub(crate) fn turn(&self) -> Option<u32> {
        self.processes().iter().find_map(|process| {
            let inner = lock(&process.inner);
            inner.agent.as_ref().filter(|_| inner.status.is_none())?.turn()
        })
    }

    fn processes(&self) -> Vec<Arc<Process>> {
        lock(&self.state).processes.values().cloned().collect()
    }

    fn process(&self, name: &str) -> Result<Arc<Process>, Refusal> {
        let process = lock(&self.state).processes.get(name).cloned();
        process.ok_or_else(|| refusal(Code::UnknownProcess, format!("there is no process {name}")))
    }

    fn forget(&self, name: &str) {
        lock(&self.state).processes.remove(name);
    }

    /// Ends and forgets what lived no longer than links before this one.
    fn abandon_before(&self, link: u64) {
        for process in self.processes() {
            if process.transient.is_some_and(|of| of < link) {
                self.abandon(&process);
            }
        }
    }

    fn abandon(&self, process: &Process) {
        process.end(ExitStatus::Signal { signal: TERM });
        self.forget(&process.name);
    }

    /// Starts a process, or gives the one that has this name.
    fn spawn(
        self: &Arc<Self>,
        name: String,
        spec: ProcessSpec,
        transient: Option<u64>,
    ) -> Result<Arc<Process>, Refusal> {
        if let Ok(existing) = self.process(&name) {
            return Ok(existing);
        }
        let is_agent = spec.argv.first().is_some_and(|program| program == "/opt/agent");
        let agent = is_agent.then(|| {
            Agent::new(
                self.session.clone(),
                name.clone(),
                Arc::clone(&self.universe),
                Arc::clone(&self.files),
            )
        });
        let inner = Inner { has_input: spec.stdin, agent, ..Inner::default() };
        let process = Arc::new(Process::new(name.clone(), transient, inner));
        lock(&self.state).processes.insert(name, Arc::clone(&process));
        let guest = Arc::clone(self);
        match is_agent {
            true => self.universe.spawn(guest.drive(Arc::clone(&process))),
            false => self.universe.spawn(guest.command(Arc::clone(&process), spec)),
        }
        Ok(process)
    }

    /// Lets an agent do what it wants to, when it wants to.
    async fn drive(self: Arc<Self>, process: Arc<Process>) {
        loop {
            let news = process.news.notified();
            let due = {
                let inner = lock(&process.inner);
                let Some(agent) = inner.agent.as_ref().filter(|_| inner.status.is_none()) else { return };
                agent.due().map(|due| self.universe.clock.instant(due))
            };
            let Some(due) = due else {
                news.await;
                continue;
            };
            tokio::select! {
                biased;
                () = news => continue,
                () = tokio::time::sleep_until(due) => {}
            }
            if *lock(&self.is_paused) {
                self.runs().await;
                continue;
            }
            let done = {
                let mut inner = lock(&process.inner);
                let Some(agent) = inner.agent.as_mut() else { return };
                let done = agent.act();
                inner.stdout.push(&done.stdout);
                inner.stderr.push(&done.stderr);
                done
            };
            process.news.notify_waiters();
            if let Some(code) = done.exit {
                process.end(ExitStatus::Code { code });
            }
        }
    }

    /// A command of ours takes effect at some moment between its start and its end.
    async fn command(self: Arc<Self>, process: Arc<Process>, spec: ProcessSpec) {
        let universe = &self.universe;
        let most = if universe.happens(universe.weather().late) { 20_000 } else { 200 };
        let [before, after] = [universe.number(1..most), universe.number(1..50)];
        sleep(Duration::from_millis(before)).await;
        self.runs().await;
        if lock(&process.inner).status.is_some() {
            return;
        }
        let ran = shell::run(universe, &self.session, &self.files, &spec);
        sleep(Duration::from_millis(after)).await;
        self.runs().await;
        {
            let mut inner = lock(&process.inner);
            inner.stdout.push(ran.stdout.as_bytes());
            inner.stderr.push(ran.stderr.as_bytes());
        }
        process.end(ExitStatus::Code { code: ran.code });
    }

    /// Ends everything; how much there was.
    fn kill_all(&self) -> u32 {
        let ended =
            self.processes().into_iter().filter(|process| process.end(ExitStatus::Signal { signal: TERM }));
        u32::try_from(ended.count()).unwrap_or(u32::MAX)
    }

    /// One link, until it is cut.
    async fn serve(self: &Arc<Self>, here: DuplexStream, link: u64) {
        let config = yamux::Config::default();
        let mut connection = yamux::Connection::new(here.compat(), config, yamux::Mode::Server);
        let mut calls: JoinSet<()> = JoinSet::new();
        let step = |cx: &mut Context<'_>| {
            loop {
                match connection.poll_next_inbound(cx) {
                    Poll::Ready(Some(Ok(stream))) => {
                        let guest = Arc::clone(self);
                        calls.spawn(async move {
                            // How a call failed was told on its stream, or the stream is what failed.
                            let _ = calls::answer(&guest, link, Stream::new(stream)).await;
                        });
                    }
                    Poll::Ready(Some(Err(_)) | None) => return Poll::Ready(()),
                    Poll::Pending => match calls.poll_join_next(cx) {
                        Poll::Ready(Some(_)) => {}
                        Poll::Ready(None) | Poll::Pending => return Poll::Pending,
                    },
                }
            }
        };
        poll_fn(step).await;
    }
}

fn refusal(code: Code, message: impl Into<String>) -> Refusal {
    Refusal { code, message: message.into() }
}
