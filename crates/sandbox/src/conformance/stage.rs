//! What a case stands on: its session, its sandboxes, and commands inside them.

use super::{Case, Outcome, Subject, Verdict};
use crate::error::{ErrorKind, SandboxError};
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
    names: Names,
}

/// Says what a case says in the words of one sandbox, and back; see [`Subject::elsewhere`].
struct Names(Vec<(&'static str, String)>);

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
            gateway: true,
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
        self.reenter(&handle).await
    }

    /// By a link of its own.
    pub(super) async fn reenter(&self, handle: &Handle) -> Result<Inside, Verdict> {
        Ok(self.inside(handle, self.link(handle).await?))
    }

    pub(super) fn inside(&self, handle: &Handle, link: Link) -> Inside {
        let names = Names(self.subject.elsewhere(handle));
        Inside { handle: handle.clone(), link, names }
    }

    /// What still runs of the case's session, seen from the host.
    pub(super) fn processes_left(&self) -> Vec<String> {
        let left = self.subject.left_of(&self.session).unwrap_or_default();
        left.into_iter().filter(|what| what.starts_with("process")).collect()
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

    /// How many processes have this in their command line; not the one that looks, if the first letter is in brackets.
    pub(super) async fn count(&self, pattern: &str) -> Result<String, Verdict> {
        self.sh(&format!(
            "cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' '\\n' | grep -c '{pattern}' || true"
        ))
        .await
    }

    /// Starts a shell command that goes on, and waits for its first line.
    pub(super) async fn start(&self, name: &str, command: &str) -> Result<String, Verdict> {
        self.link.spawn(name, &self.shell(command)).await?;
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
        Ok(self.names.back(&String::from_utf8_lossy(&said)))
    }

    /// Writes a text, such as a program, which may name places.
    pub(super) async fn write(&self, path: &str, text: &str) -> Case {
        let text = self.names.told(text).into_bytes();
        Ok(self.link.write_file(&self.names.told(path), 0o600, text.into()).await?)
    }

    /// What the sandbox knows by this name.
    pub(super) fn told(&self, name: &str) -> String {
        self.names.told(name)
    }

    pub(super) fn shell(&self, command: &str) -> ProcessSpec {
        let argv = ["/bin/sh", "-c", &self.names.told(command)].map(str::to_owned).to_vec();
        let cwd = Some(self.names.told(inside::WORKSPACE));
        ProcessSpec { argv, env: BTreeMap::new(), cwd, stdin: false }
    }

    async fn run(&self, command: &str) -> Result<(ExitStatus, String), Verdict> {
        let output = self.link.run(&self.shell(command), None, COMMAND).await?;
        let text = [output.stdout, output.stderr].concat();
        Ok((output.status, self.names.back(String::from_utf8_lossy(&text).trim())))
    }
}

impl Names {
    /// Whole names only: `/tmp` in `/var/tmp` is another.
    fn told(&self, text: &str) -> String {
        let (mut said, mut rest) = (String::new(), text);
        while let Some(next) = rest.chars().next() {
            let begins =
                !said.ends_with(|last: char| last.is_alphanumeric() || matches!(last, '/' | '.' | '-' | '_'));
            let name = self.0.iter().find(|(name, _)| {
                let after = rest.strip_prefix(name).map(|after| after.chars().next());
                begins && after.is_some_and(|after| after.is_none_or(|after| !after.is_alphanumeric()))
            });
            let (taken, put) = name.map_or((next.len_utf8(), None), |(name, put)| (name.len(), Some(put)));
            said += put.map_or(&rest[..taken], String::as_str);
            rest = &rest[taken..];
        }
        said
    }

    fn back(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, (name, put)| text.replace(put.as_str(), name))
    }
}

pub(super) fn failed(why: impl Into<String>) -> Verdict {
    Verdict::Failed(why.into())
}

/// That a call of the provider fails in this way.
pub(super) fn refused<T: std::fmt::Debug>(kind: ErrorKind, result: Result<T, SandboxError>) -> Case {
    match result {
        Err(error) => same("the kind of error", error.kind, kind),
        Ok(value) => Err(failed(format!("{value:?} instead of an error of kind {kind:?}"))),
    }
}

/// Fails with both values unless they are equal.
pub(super) fn same<T: PartialEq + std::fmt::Debug>(what: &str, seen: T, wanted: T) -> Result<(), Verdict> {
    if seen == wanted { Ok(()) } else { Err(failed(format!("{what}: {seen:?} instead of {wanted:?}"))) }
}

#[cfg(test)]
mod tests {
    use super::Names;

    #[test]
    fn names_are_told_whole_and_taken_back() {
        let names = Names(vec![("/tmp", "/tmp/of/tmp".into()), ("/var/tmp", "/tmp/of/var/tmp".into())]);
        let said = names.told("cat /tmp/x /var/tmp x/tmp /tmpx '/tmp'");
        assert_eq!(said, "cat /tmp/of/tmp/x /tmp/of/var/tmp x/tmp /tmpx '/tmp/of/tmp'");
        assert_eq!(names.back(&said), "cat /tmp/x /var/tmp x/tmp /tmpx '/tmp'");
    }
}
