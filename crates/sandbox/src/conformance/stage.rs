//! What a case stands on: its session, its sandboxes, and commands inside them.

use super::{Outcome, Subject, Verdict};
use crate::error::SandboxError;
use crate::handle::Handle;
use crate::link::{Link, ProcessSpec, RunLimits};
use crate::provider::{Files, Provider, ReadOnlyMount, SandboxSpec, inside};
use lamplight_domain::agent::ExitStatus;
use lamplight_domain::{Generation, SandboxLimits, SessionId};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// Bounds of a command inside.
const COMMAND: RunLimits = RunLimits { timeout_ms: 20_000, output_bytes: 64 * 1024 };

pub(super) struct Stage<'a> {
    pub(super) subject: &'a dyn Subject,
    pub(super) provider: Arc<dyn Provider>,
    pub(super) session: SessionId,
    made: Mutex<Vec<Handle>>,
}

/// A sandbox with somebody to speak to inside.
pub(super) struct Inside {
    pub(super) handle: Handle,
    pub(super) link: Link,
}

impl<'a> Stage<'a> {
    pub(super) fn new(subject: &'a dyn Subject) -> Self {
        Self { subject, provider: subject.provider(), session: subject.session(), made: Mutex::default() }
    }

    pub(super) fn spec(&self, generation: u32) -> SandboxSpec {
        self.spec_of(&self.session, generation)
    }

    pub(super) fn spec_of(&self, session: &SessionId, generation: u32) -> SandboxSpec {
        let (environment, mounts) = (BTreeMap::new(), Vec::new());
        let limits = SandboxLimits::default();
        SandboxSpec {
            session: session.clone(),
            generation: Generation(generation),
            environment,
            mounts,
            limits,
            image: self.subject.image(),
            egress: false,
        }
    }

    pub(super) fn mounting(&self, mounts: Vec<ReadOnlyMount>) -> SandboxSpec {
        SandboxSpec { mounts, ..self.spec(1) }
    }

    /// Creates, and sees to it that it is destroyed when the case is over.
    pub(super) async fn create(&self, spec: &SandboxSpec) -> Result<Handle, SandboxError> {
        let handle = self.provider.create(spec).await?;
        self.remember(handle.clone());
        Ok(handle)
    }

    pub(super) fn remember(&self, handle: Handle) {
        self.made.lock().expect("no case panics with it").push(handle);
    }

    pub(super) async fn enter(&self, spec: &SandboxSpec) -> Result<Inside, Verdict> {
        let handle = self.create(spec).await?;
        let link = self.link(&handle).await?;
        Ok(Inside { handle, link })
    }

    /// The first generation of this case's session.
    pub(super) async fn first(&self) -> Result<Inside, Verdict> {
        self.enter(&self.spec(1)).await
    }

    pub(super) async fn link(&self, handle: &Handle) -> Result<Link, Verdict> {
        let (link, _) = Link::open(self.provider.dial(handle).await?).await?;
        Ok(link)
    }

    /// Destroys all that the case made; that this fails is a failure of the case.
    pub(super) async fn clear(self, outcome: Outcome) -> Outcome {
        let made = self.made.into_inner().expect("no case panics with it");
        for handle in made {
            if let Err(error) = self.provider.destroy(&handle, Files::Remove).await
                && outcome == Outcome::Passed
            {
                return Outcome::Failed(format!("afterwards: {error}"));
            }
        }
        outcome
    }
}

impl Inside {
    /// What a shell command prints; failing is a failure of the case.
    pub(super) async fn sh(&self, command: &str) -> Result<String, Verdict> {
        let (status, output) = self.run(command).await?;
        match status {
            ExitStatus::Code { code: 0 } => Ok(output),
            other => Err(failed(format!("{command:?} ended with {other:?}: {output}"))),
        }
    }

    /// That a shell command fails; what it prints.
    pub(super) async fn refused(&self, command: &str) -> Result<String, Verdict> {
        match self.run(command).await? {
            (ExitStatus::Code { code: 0 }, output) => {
                Err(failed(format!("{command:?} should have failed: {output}")))
            }
            (_, output) => Ok(output),
        }
    }

    /// Starts a shell command that goes on, and waits for its first line.
    pub(super) async fn start(&self, name: &str, command: &str) -> Result<String, Verdict> {
        self.link.spawn(name, &shell(command)).await?;
        let mut attached = self.link.attach(name, Default::default()).await?;
        let mut said = Vec::new();
        while !said.contains(&b'\n') {
            match attached.next().await? {
                Some(
                    crate::link::Output::Stdout { bytes, .. } | crate::link::Output::Stderr { bytes, .. },
                ) => {
                    said.extend_from_slice(&bytes);
                }
                Some(crate::link::Output::Exited { status }) => {
                    return Err(failed(format!("{command:?} ended with {status:?}")));
                }
                None => return Err(failed(format!("{command:?}: the link was cut"))),
            }
        }
        Ok(String::from_utf8_lossy(&said).into_owned())
    }

    async fn run(&self, command: &str) -> Result<(ExitStatus, String), Verdict> {
        let output = self.link.run(&shell(command), None, COMMAND).await?;
        let text = [output.stdout, output.stderr].concat();
        Ok((output.status, String::from_utf8_lossy(&text).trim().to_owned()))
    }
}

fn shell(command: &str) -> ProcessSpec {
    let argv = ["/bin/sh", "-c", command].map(str::to_owned).to_vec();
    ProcessSpec { argv, env: BTreeMap::new(), cwd: Some(inside::WORKSPACE.to_owned()), stdin: false }
}

pub(super) fn failed(why: impl Into<String>) -> Verdict {
    Verdict::Failed(why.into())
}

/// Fails with both values unless they are equal.
pub(super) fn same<T: PartialEq + std::fmt::Debug>(what: &str, seen: T, wanted: T) -> Result<(), Verdict> {
    if seen == wanted { Ok(()) } else { Err(failed(format!("{what}: {seen:?} instead of {wanted:?}"))) }
}
