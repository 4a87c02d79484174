//! What the provider writes down of each session: `<data>/e2b/sessions/<session>/record.json`. The cloud knows which sandboxes there are;
//! this knows which of them is a session's, and in which snapshots its files are.

use crate::error::SandboxError;
use crate::providers::local::disk::{names, private_dir, write_whole};
use crate::providers::lock::{lock, lock_folder, make_and_lock_folder, remove_locked_folder};
use lamplight_domain::{SandboxLimits, SessionId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// One session's.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Record {
    /// The newest generation that was begun.
    pub(super) newest: u32,
    /// Its sandbox, in the cloud's words; none before it is made and after it is destroyed.
    pub(super) sandbox: Option<String>,
    /// Whether somebody here has paused it. What the cloud itself pauses, when a time is over, goes on for whoever dials.
    pub(super) is_paused: bool,
    /// The snapshot that the next sandbox begins with.
    pub(super) files: Option<String>,
    /// The last generation that had the files; none where a checkpoint brought them, or an earlier release did not say.
    pub(super) had: Option<u32>,
    /// Snapshots, by the numbers of checkpoints.
    pub(super) checkpoints: BTreeMap<u32, String>,
    /// Snapshots that this session does not need any more, and that are to be removed unless another does.
    pub(super) left: Vec<String>,
    /// As they were asked for, of the newest generation.
    pub(super) limits: SandboxLimits,
}

impl Record {
    pub(super) fn needs(&self, snapshot: &str) -> bool {
        self.files.as_deref() == Some(snapshot) || self.checkpoints.values().any(|kept| kept == snapshot)
    }

    /// The next sandbox begins with these.
    pub(super) fn take_files(&mut self, snapshot: String) {
        self.left.extend(self.files.replace(snapshot));
    }

    /// Nothing of it is needed any more.
    pub(super) fn leave_all(&mut self) {
        self.left.extend(self.files.take());
        self.left.extend(std::mem::take(&mut self.checkpoints).into_values());
    }

    pub(super) fn has_no_sandbox(&mut self) {
        (self.sandbox, self.is_paused) = (None, false);
    }
}

/// All sessions of this data directory.
#[derive(Debug, Clone)]
pub(super) struct Sessions(PathBuf);

/// One of them, while nobody else changes it.
pub(super) struct Held {
    folder: PathBuf,
    pub(super) record: Record,
    _lock: File,
}

const RECORD: &str = "record.json";

impl Sessions {
    pub(super) fn open(data: &Path) -> Result<Self, SandboxError> {
        let at = |error| SandboxError::from_io(format!("prepare {}", data.display()), error);
        let all = std::path::absolute(data).map_err(at)?.join("e2b").join("sessions");
        private_dir(&all).map_err(at)?;
        Ok(Self(all))
    }

    pub(super) async fn make_and_lock(&self, session: &SessionId) -> Result<Held, SandboxError> {
        let folder = self.folder(session);
        blocking(format!("hold session {session}"), move || {
            let lock = make_and_lock_folder(&folder)?;
            Ok(Held { record: read(&folder)?.unwrap_or_default(), folder, _lock: lock })
        })
        .await
    }

    /// `None` where nothing is written down of it.
    pub(super) async fn lock(&self, session: &SessionId) -> Result<Option<Held>, SandboxError> {
        let folder = self.folder(session);
        blocking(format!("hold session {session}"), move || match lock_folder(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            lock => Ok(Some(Held { _lock: lock?, record: read(&folder)?.unwrap_or_default(), folder })),
        })
        .await
    }

    /// As it is now; it may change.
    pub(super) async fn record(&self, session: &SessionId) -> Result<Option<Record>, SandboxError> {
        let folder = self.folder(session);
        blocking(format!("read the record of session {session}"), move || read(&folder)).await
    }

    pub(super) async fn all(&self) -> Result<Vec<(SessionId, Record)>, SandboxError> {
        let all = self.0.clone();
        blocking("read the records of all sessions".to_owned(), move || {
            let sessions = names(&all)?.into_iter().filter_map(|name| name.parse::<SessionId>().ok());
            let read = |session: SessionId| {
                let record = read(&all.join(session.as_str())).transpose()?;
                Some(record.map(|record| (session, record)))
            };
            sessions.filter_map(read).collect()
        })
        .await
    }

    /// Held while it is decided whether anybody needs a snapshot, and while somebody begins to.
    pub(super) async fn snapshots(&self) -> Result<File, SandboxError> {
        let file = self.0.join("snapshots.lock");
        blocking("hold the snapshots".to_owned(), move || lock(&file)).await
    }

    fn folder(&self, session: &SessionId) -> PathBuf {
        self.0.join(session.as_str())
    }
}

impl Held {
    /// Whatever happens next, it is known.
    pub(super) async fn save(&self) -> Result<(), SandboxError> {
        let (file, record) = (self.folder.join(RECORD), self.record.clone());
        blocking(format!("write {}", file.display()), move || {
            write_whole(&file, &serde_json::to_vec(&record)?)
        })
        .await
    }

    /// The lock goes with it.
    pub(super) async fn remove(self) -> Result<(), SandboxError> {
        let folder = self.folder.clone();
        blocking(format!("remove {}", folder.display()), move || remove_locked_folder(&self.folder)).await
    }
}

fn read(folder: &Path) -> io::Result<Option<Record>> {
    match fs::read(folder.join(RECORD)) {
        Ok(text) => Ok(Some(serde_json::from_slice(&text)?)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

async fn blocking<T: Send + 'static>(
    what: String,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, SandboxError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|panic| Err(io::Error::other(panic)))
        .map_err(|error| SandboxError::from_io(what, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(last: char) -> SessionId {
        format!("01JD5ZK8W3Q4R6T7V8X9Y0Z1A{last}").parse().unwrap()
    }

    #[test]
    fn the_record_is_frozen() {
        let text = r#"{"newest":3,"sandbox":"iabc","is_paused":true,"files":"a:default","had":3,"checkpoints":{"7":"b:default"},"left":["c:default"],"limits":{"disk_bytes":5}}"#;
        let record = Record {
            newest: 3,
            sandbox: Some("iabc".into()),
            is_paused: true,
            files: Some("a:default".into()),
            had: Some(3),
            checkpoints: [(7, "b:default".to_owned())].into(),
            left: vec!["c:default".into()],
            limits: SandboxLimits { disk_bytes: Some(5), ..SandboxLimits::default() },
        };
        assert_eq!(serde_json::to_string(&record).unwrap(), text);
        assert_eq!(serde_json::from_str::<Record>(text).unwrap(), record);
        assert_eq!(serde_json::from_str::<Record>("{}").unwrap(), Record::default());
    }

    #[test]
    fn what_is_left_is_what_nobody_needs() {
        let mut record = Record::default();
        record.take_files("a".into());
        record.checkpoints.insert(1, "a".into());
        record.take_files("b".into());
        assert!(record.needs("a") && record.needs("b"));
        assert_eq!(record.left, ["a"]);
        record.leave_all();
        assert!(!record.needs("a") && !record.needs("b"));
        assert_eq!(record.left, ["a", "b", "a"]);
    }

    #[test]
    fn records_are_kept_and_removed() {
        let data = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let sessions = Sessions::open(data.path()).unwrap();
            let (one, other) = (session('2'), session('3'));
            assert!(sessions.lock(&one).await.unwrap().is_none());
            let mut held = sessions.make_and_lock(&one).await.unwrap();
            held.record.newest = 4;
            held.save().await.unwrap();
            let wanted = Record { newest: 4, ..Record::default() };
            assert_eq!(sessions.record(&one).await.unwrap(), Some(wanted.clone()));
            // A folder that a crash has left without a record is nobody's.
            drop(sessions.make_and_lock(&other).await.unwrap());
            let _alone = sessions.snapshots().await.unwrap();
            assert_eq!(sessions.all().await.unwrap(), [(one.clone(), wanted)]);
            held.remove().await.unwrap();
            assert_eq!(sessions.record(&one).await.unwrap(), None);
        });
    }
}
