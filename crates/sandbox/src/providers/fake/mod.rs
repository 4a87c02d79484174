//! A provider that ISOLATES NOTHING: for tests, and for nothing else. No configuration reaches it.
//!
//! What runs "inside" is the real guest, as an ordinary process of whoever calls, with all that this person may do, beside everything
//! else on this machine. It is spoken with over the real link, by a real socket.
//!
//! ```text
//!  Fake ──starts──▶ sh, waiting ──record is written──▶ exec ──▶ guest ──▶ whatever it is asked for
//!    └──dial: <data>/sandboxes/<session>/<generation>/link.sock
//! ```
//! As for `local`, nothing is kept in memory. Without mounts, what callers know as [`inside`](crate::provider::inside) is elsewhere:
//! [`Fake::place`] and [`Fake::gateway`] say where. Misuse is refused: handles of somebody else, a generation before the newest, a
//! generation asked for again as another, host directories, links where a session's directories were.

mod copy;
mod disk;
mod ending;
mod guest;
mod places;
mod processes;
mod record;
mod snapshot;

use crate::capability::Capabilities;
use crate::checkpoint::{Checkpoint, CheckpointContent};
use crate::egress::Egress;
use crate::error::{ErrorKind, SandboxError};
use crate::handle::{Handle, HandleContent};
use crate::link::Link;
use crate::provider::{ByteStream, Files, Inspection, Listed, Provider, SandboxSpec};
use crate::providers::local::disk::private_dir;
use crate::providers::local::guest_file;
use anyhow::{Result, bail};
use async_trait::async_trait;
use disk::{GenerationDir, Sandboxes};
use ending::{end, end_all, list};
use lamplight_domain::{Generation, ImageDigest, SessionId};
use record::Record;
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::net::UnixStream;

/// The provider's name in handles.
const NAME: &str = "fake";

/// From starting the guest to its first answer.
const ANSWER: Duration = Duration::from_secs(10);

/// Longest wait for the kernel to take a connection to a guest.
const DIAL: Duration = Duration::from_secs(5);

/// Sandboxes that are none.
#[derive(Debug)]
pub struct Fake {
    sandboxes: Sandboxes,
    guest: PathBuf,
}

impl Fake {
    /// Prepares the data directory. Starts nothing.
    pub fn open(data: &Path) -> Result<Self, SandboxError> {
        let at = |error| SandboxError::from_io(format!("prepare {}", data.display()), error);
        let data = std::path::absolute(data).map_err(at)?;
        let sandboxes = Sandboxes(data.join("sandboxes"));
        private_dir(&sandboxes.0).map_err(at)?;
        let guest = guest_file::install(&data, crate::GUEST).map_err(at)?;
        Ok(Self { sandboxes, guest })
    }

    /// Where on the host a path inside is, such as `/workspace/file`. What is not the session's own is where it is.
    pub fn place(&self, session: &SessionId, path: &str) -> PathBuf {
        places::place(&self.sandboxes.session(session).files(), path)
    }

    /// Where the gateway is reached by what runs in this sandbox.
    pub fn gateway(&self, handle: &Handle) -> Result<SocketAddr, SandboxError> {
        Ok(self.running(handle)?.1.gateway)
    }

    fn running(&self, handle: &Handle) -> Result<(GenerationDir, Record), SandboxError> {
        let content = handle.open(NAME)?;
        let here = self.sandboxes.session(&content.session).generation(content.generation);
        let look = || match here.record()? {
            Some(record) if record.runs()? => Ok(Some(record)),
            Some(_) | None => Ok(None),
        };
        let found: Option<Record> =
            look().map_err(|error| SandboxError::from_io(format!("look at {handle}"), error))?;
        let record = found.ok_or_else(|| gone(handle, "does not run any more"))?;
        Ok((here, record))
    }

    /// Works with files and processes, away from the event loop.
    async fn blocking<T: Send + 'static>(
        &self,
        what: String,
        work: impl FnOnce(&Sandboxes) -> Result<T> + Send + 'static,
    ) -> Result<T, SandboxError> {
        let sandboxes = self.sandboxes.clone();
        let done = tokio::task::spawn_blocking(move || work(&sandboxes)).await;
        done.unwrap_or_else(|panic| Err(panic.into())).map_err(|error| {
            let kind = error.chain().find_map(|cause| Some(cause.downcast_ref::<SandboxError>()?.kind));
            let number = error.chain().find_map(errno);
            SandboxError::new(
                kind.unwrap_or_else(|| ErrorKind::of_system(number)),
                format!("{what}: {error:#}"),
            )
        })
    }

    /// With the lock of a session, while its sandbox is known to run.
    async fn while_it_runs(
        &self,
        handle: &Handle,
        what: &str,
        work: impl FnOnce(&GenerationDir) -> io::Result<()> + Send + 'static,
    ) -> Result<(), SandboxError> {
        let (here, _) = self.running(handle)?;
        let (session, of) = (handle.open(NAME)?.session, handle.clone());
        self.blocking(format!("{what} sandbox {handle}"), move |sandboxes| {
            let _lock = sandboxes.session(&session).lock()?;
            match here.record()? {
                Some(record) if record.runs()? => Ok(work(&here)?),
                Some(_) | None => bail!(gone(&of, "does not run any more")),
            }
        })
        .await
    }
}

#[async_trait]
impl Provider for Fake {
    fn name(&self) -> &'static str {
        NAME
    }

    fn environment(&self, _image: Option<&ImageDigest>) -> BTreeMap<String, String> {
        guest::environment()
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            keeps_files: true,
            checkpoints: true,
            shares_files: false,
            host_mounts: false,
            egress: false,
            root_inside: false,
            pauses: true,
            shapes: true,
        }
    }

    async fn create(&self, spec: &SandboxSpec) -> Result<Handle, SandboxError> {
        let what = format!("create sandbox {} of session {}", spec.generation, spec.session);
        let invalid = |why: &str| SandboxError::new(ErrorKind::Invalid, format!("{what}: {why}"));
        spec.limits.check().map_err(|why| invalid(&why))?;
        if !spec.mounts.is_empty() {
            return Err(invalid("the fake mounts nothing; its capabilities say so"));
        }
        if spec.image.is_some() {
            return Err(invalid("the fake has no images"));
        }
        let (guest, spec) = (self.guest.clone(), spec.clone());
        let (session, generation) = (spec.session.clone(), spec.generation);
        let handle = handle(&session, generation);
        let is_new =
            self.blocking(what.clone(), move |sandboxes| guest::create(sandboxes, &spec, &guest)).await?;
        if is_new {
            let said = tokio::time::timeout(ANSWER, Link::open(self.dial(&handle).await?)).await;
            if !matches!(said, Ok(Ok(_))) {
                // Somebody may be ending it already: whether it is there is known when they are done.
                let look = move |sandboxes: &Sandboxes| {
                    let session = sandboxes.session(&session);
                    let Some(_lock) = session.lock()? else { return Ok(false) };
                    Ok(session.generation(generation).record()?.is_some())
                };
                return Err(match self.blocking(what.clone(), look).await? {
                    true => SandboxError::new(ErrorKind::Unavailable, format!("{what}: no answer")),
                    false => gone(&handle, "was destroyed"),
                });
            }
        }
        Ok(handle)
    }

    async fn inspect(&self, handle: &Handle) -> Result<Inspection, SandboxError> {
        let content = handle.open(NAME)?;
        let here = self.sandboxes.session(&content.session).generation(content.generation);
        let record =
            here.record().map_err(|error| SandboxError::from_io(format!("look at {handle}"), error))?;
        let record = record.ok_or_else(|| gone(handle, "was destroyed"))?;
        Ok(Inspection { enforced: Some(record.enforced()), ..Inspection::default() })
    }

    async fn dial(&self, handle: &Handle) -> Result<Box<dyn ByteStream>, SandboxError> {
        let content = handle.open(NAME)?;
        let here = self.sandboxes.session(&content.session).generation(content.generation);
        if here.held_mark().exists() {
            let (session, here) = (content.session, here.clone());
            let what = format!("let go of sandbox {handle}");
            self.blocking(what, move |sandboxes| {
                let _lock = sandboxes.session(&session).lock()?;
                Ok(snapshot::let_go(&here)?)
            })
            .await?;
        }
        let folder = File::open(here.path()).map_err(|_| gone(handle, "was destroyed"))?;
        let path = format!("/proc/self/fd/{}/{}", folder.as_raw_fd(), GenerationDir::SOCKET);
        match tokio::time::timeout(DIAL, UnixStream::connect(path)).await {
            Ok(Ok(stream)) => Ok(Box::new(stream)),
            Ok(Err(error)) => match error.kind() {
                // Reset: it was ended in the moment in which it was dialled.
                io::ErrorKind::NotFound
                | io::ErrorKind::ConnectionRefused
                | io::ErrorKind::ConnectionReset => Err(gone(handle, "does not run any more")),
                _ => Err(SandboxError::from_io(format!("dial sandbox {handle}"), error)),
            },
            Err(_) => {
                Err(SandboxError::new(ErrorKind::Unavailable, format!("dial sandbox {handle}: no answer")))
            }
        }
    }

    async fn egress(&self, handle: &Handle) -> Result<Option<Egress>, SandboxError> {
        self.running(handle)?;
        Ok(None)
    }

    async fn pause(&self, handle: &Handle) -> Result<(), SandboxError> {
        self.while_it_runs(handle, "pause", |here| {
            processes::stop(here.path())?;
            snapshot::forget_held(here)
        })
        .await
    }

    async fn resume(&self, handle: &Handle) -> Result<(), SandboxError> {
        self.while_it_runs(handle, "resume", |here| processes::go_on(here.path())).await
    }

    async fn destroy(&self, handle: &Handle, files: Files) -> Result<(), SandboxError> {
        let HandleContent { session, generation, .. } = handle.open(NAME)?;
        if files == Files::Remove {
            return self.forget(&session).await;
        }
        self.blocking(format!("destroy sandbox {handle}"), move |sandboxes| {
            let session = sandboxes.session(&session);
            let Some(_lock) = session.lock()? else { return Ok(()) };
            end(&session.generation(generation))
        })
        .await
    }

    async fn forget(&self, session: &SessionId) -> Result<(), SandboxError> {
        let of = session.clone();
        self.blocking(format!("remove all of session {session}"), move |sandboxes| {
            let session = sandboxes.session(&of);
            let Some(_lock) = session.lock()? else { return Ok(()) };
            end_all(&session)?;
            Ok(session.remove()?)
        })
        .await
    }

    async fn leave_behind(&self, session: &SessionId, generation: Generation) -> Result<(), SandboxError> {
        let what = format!("let go of what session {session} had before it was elsewhere");
        let session = session.clone();
        self.blocking(what, move |sandboxes| ending::leave_behind(&sandboxes.session(&session), generation))
            .await
    }

    async fn kept(&self) -> Result<Vec<SessionId>, SandboxError> {
        self.blocking("list what is kept".into(), ending::kept).await
    }

    async fn list(&self) -> Result<Vec<Listed>, SandboxError> {
        self.blocking("list sandboxes".into(), list).await
    }

    async fn checkpoint(&self, handle: &Handle, number: u32) -> Result<Checkpoint, SandboxError> {
        let HandleContent { session, generation, .. } = handle.open(NAME)?;
        let (of, named) = (session.clone(), handle.clone());
        self.blocking(format!("make a checkpoint of sandbox {handle}"), move |sandboxes| {
            let folder = sandboxes.session(&of);
            let Some(_lock) = folder.lock()? else { bail!(gone(&named, "there is no such session")) };
            if folder.newest()? != generation {
                bail!(gone(&named, "a later generation has the files"));
            }
            snapshot::checkpoint(&folder, number)
        })
        .await?;
        Ok(checkpoint_of(session, number))
    }

    async fn restore(&self, checkpoint: &Checkpoint, session: &SessionId) -> Result<(), SandboxError> {
        let CheckpointContent { session: from, number, .. } = checkpoint.open(NAME)?;
        let (to, name) = (session.clone(), checkpoint.clone());
        self.blocking(format!("give session {session} the files of {checkpoint}"), move |sandboxes| {
            snapshot::restore(sandboxes, (&from, number), &to, &name)
        })
        .await
    }

    async fn checkpoints(&self, session: &SessionId) -> Result<Vec<Checkpoint>, SandboxError> {
        let of = session.clone();
        let what = format!("list the checkpoints of session {session}");
        let numbers = self.blocking(what, move |sandboxes| Ok(sandboxes.session(&of).checkpoints()?)).await?;
        Ok(numbers.into_iter().map(|number| checkpoint_of(session.clone(), number)).collect())
    }

    async fn remove_checkpoint(&self, checkpoint: &Checkpoint) -> Result<(), SandboxError> {
        let CheckpointContent { session: of, number, .. } = checkpoint.open(NAME)?;
        self.blocking(format!("remove checkpoint {checkpoint}"), move |sandboxes| {
            let session = sandboxes.session(&of);
            let Some(_lock) = session.lock()? else { return Ok(()) };
            snapshot::remove(&session, number)
        })
        .await
    }
}

fn handle(session: &SessionId, generation: Generation) -> Handle {
    Handle::new(HandleContent { provider: NAME.to_owned(), session: session.clone(), generation })
}

fn checkpoint_of(session: SessionId, number: u32) -> Checkpoint {
    Checkpoint::new(CheckpointContent { provider: NAME.to_owned(), session, number })
}

fn gone(handle: &Handle, why: &str) -> SandboxError {
    SandboxError::new(ErrorKind::Gone, format!("sandbox {handle}: {why}"))
}

fn errno(cause: &(dyn std::error::Error + 'static)) -> Option<i32> {
    let io = cause.downcast_ref::<io::Error>().and_then(io::Error::raw_os_error);
    io.or_else(|| cause.downcast_ref::<rustix::io::Errno>().map(|errno| errno.raw_os_error()))
}
