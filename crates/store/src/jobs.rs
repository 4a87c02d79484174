//! What the writer is asked for, and how it answers.

use crate::{
    Append, AppendError, AuditEntry, Committed, ForgeChange, LentChange, PeopleChange, PeopleOutcome,
    Project, Remembered, SealedSecret, WriteError,
};
use lamplight_domain::{SessionId, Timestamp};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

pub(crate) type Reply<T, E> = oneshot::Sender<Result<T, E>>;
pub(crate) type ProjectEach = Box<dyn FnMut(&SessionId) -> Box<dyn Project> + Send>;

/// Something that is written in one transaction with whatever else is queued.
pub(crate) enum Record {
    /// The permit is its share of the bytes that may be queued.
    Append {
        append: Box<Append>,
        reply: Reply<Committed, AppendError>,
        _room: OwnedSemaphorePermit,
    },
    Remember {
        answer: Remembered,
        reply: Reply<Remembered, WriteError>,
    },
    TouchRepository {
        path: String,
        at: Timestamp,
        reply: Reply<(), WriteError>,
    },
    SetSecret {
        secret: SealedSecret,
        reply: Reply<(), WriteError>,
    },
    RemoveSecret {
        name: String,
        reply: Reply<bool, WriteError>,
    },
    People {
        change: Box<PeopleChange>,
        reply: Reply<PeopleOutcome, WriteError>,
    },
    Forge {
        change: ForgeChange,
        reply: Reply<usize, WriteError>,
    },
    Lent {
        change: LentChange,
        reply: Reply<(), WriteError>,
    },
    Audit {
        entry: AuditEntry,
        reply: Reply<(), WriteError>,
    },
}

pub(crate) enum Job {
    Record(Record),
    /// Brings the search index up to the last append.
    Index {
        reply: Reply<(), WriteError>,
    },
    Rebuild {
        project: ProjectEach,
        reply: Reply<usize, WriteError>,
    },
    /// Answered when the database is closed and the lock is free.
    Close {
        reply: oneshot::Sender<()>,
    },
}

/// What a record is answered if its transaction is committed.
pub(crate) enum Staged {
    Append(Result<Committed, AppendError>),
    Remember(Remembered),
    Removed(bool),
    People(PeopleOutcome),
    Changed(usize),
    Written,
}

/// Why a transaction came to nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Trouble {
    StorageFull,
    Failed(String),
}

impl From<Trouble> for AppendError {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::StorageFull => Self::StorageFull,
            Trouble::Failed(why) => Self::Failed(why),
        }
    }
}

impl From<Trouble> for WriteError {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::StorageFull => Self::StorageFull,
            Trouble::Failed(why) => Self::Failed(why),
        }
    }
}

impl Record {
    /// Bytes that it adds to a transaction, roughly.
    pub(crate) fn size(&self) -> usize {
        match self {
            Self::Append { append, .. } => append.size(),
            Self::Remember { answer, .. } => answer.response.len(),
            Self::TouchRepository { path, .. } => path.len(),
            Self::SetSecret { secret, .. } => secret.ciphertext.len(),
            Self::RemoveSecret { name, .. } => name.len(),
            Self::People { change, .. } => change.size(),
            Self::Forge { change, .. } => change.size(),
            Self::Lent { change, .. } => change.size(),
            Self::Audit { entry, .. } => entry.subject.len() + entry.detail.len(),
        }
    }

    /// Tells whoever asked, if they are still there.
    pub(crate) fn answer(self, staged: Result<Staged, Trouble>) {
        match self {
            Self::Append { reply, .. } => {
                let _ = reply.send(match staged {
                    Ok(Staged::Append(result)) => result,
                    Ok(_) => {
                        unreachable!("an append was staged")
                    }
                    Err(trouble) => Err(trouble.into()),
                });
            }
            Self::Remember { reply, .. } => {
                let _ = reply.send(match staged {
                    Ok(Staged::Remember(answer)) => Ok(answer),
                    Ok(_) => {
                        unreachable!("an answer was staged")
                    }
                    Err(trouble) => Err(trouble.into()),
                });
            }
            Self::RemoveSecret { reply, .. } => {
                let _ = reply.send(match staged {
                    Ok(Staged::Removed(was_there)) => Ok(was_there),
                    Ok(_) => {
                        unreachable!("a removal was staged")
                    }
                    Err(trouble) => Err(trouble.into()),
                });
            }
            Self::People { reply, .. } => {
                let _ = reply.send(match staged {
                    Ok(Staged::People(outcome)) => Ok(outcome),
                    Ok(_) => unreachable!("a change of people was staged"),
                    Err(trouble) => Err(trouble.into()),
                });
            }
            Self::Forge { reply, .. } => {
                let _ = reply.send(match staged {
                    Ok(Staged::Changed(rows)) => Ok(rows),
                    Ok(_) => unreachable!("a change was staged"),
                    Err(trouble) => Err(trouble.into()),
                });
            }
            Self::TouchRepository { reply, .. }
            | Self::SetSecret { reply, .. }
            | Self::Lent { reply, .. }
            | Self::Audit { reply, .. } => {
                let _ = reply.send(staged.map(|_| ()).map_err(WriteError::from));
            }
        }
    }
}

impl Append {
    /// Bytes that it keeps in memory while it is queued.
    pub(crate) fn size(&self) -> usize {
        let entries: usize = self.entries.iter().map(|entry| entry.len() + 1).sum();
        let text: usize = self.text.iter().map(|(_, text)| text.len()).sum();
        entries + text + self.summary.as_ref().map_or(0, |summary| summary.body.len())
    }
}
