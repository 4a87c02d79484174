//! What the writer is asked for, and how it answers.

use crate::batch::Batch;
use crate::history::Unread;
use crate::packs::{Pack, Packing};
use crate::servers::{self, ServerChange, ServerOutcome};
use crate::{
    Append, AppendError, AuditEntry, AutomationChange, ChoiceChange, Committed, ForgeChange, HookChange,
    HookOutcome, LentChange, PeopleChange, PeopleOutcome, Project, Remembered, SealedSecret, WriteError,
    answers, attempts, audit, automations, forge, hooks, lent, packs, people, repositories, secrets, sql,
};
use lamplight_domain::{Seq, SessionId, Timestamp};
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};

/// Most records, and most of their bytes, in one transaction.
const GROUP_RECORDS: usize = 1024;
const GROUP_BYTES: usize = 4 * 1024 * 1024;

pub(crate) type Reply<T, E> = oneshot::Sender<Result<T, E>>;
pub(crate) type ProjectEach = Box<dyn FnMut(&SessionId) -> Box<dyn Project> + Send>;
/// Waits for what is in a pack.
pub(crate) type UnpackEach = Box<dyn Fn(&Pack) -> Result<Vec<Batch>, Unread> + Send>;

/// Something that is written in one transaction with whatever else is queued.
pub(crate) enum Record {
    /// The permit is its share of the bytes that may be queued.
    Append {
        append: Box<Append>,
        /// The claim that it counts on.
        fence: i64,
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
    Hooks {
        change: Box<HookChange>,
        reply: Reply<HookOutcome, WriteError>,
    },
    Automation {
        change: Box<AutomationChange>,
        reply: Reply<usize, WriteError>,
    },
    Choice {
        change: ChoiceChange,
        reply: Reply<usize, WriteError>,
    },
    Pack {
        packing: Box<Packing>,
        reply: Reply<usize, WriteError>,
    },
    Lent {
        change: LentChange,
        /// On whose machine it is.
        server: i64,
        reply: Reply<(), WriteError>,
    },
    Audit {
        entry: AuditEntry,
        reply: Reply<(), WriteError>,
    },
    Servers {
        change: ServerChange,
        /// The number of this server.
        us: i64,
        reply: Reply<ServerOutcome, WriteError>,
    },
}

/// An append with the claim that it counts on.
#[derive(Clone, Copy)]
pub(crate) struct Fenced<'a> {
    pub(crate) append: &'a Append,
    pub(crate) fence: i64,
}

impl Fenced<'_> {
    /// A log that is begun is claimed with it.
    pub(crate) fn counts_on(&self) -> i64 {
        if self.append.expected_last == Seq(0) { 1 } else { self.fence }
    }
}

pub(crate) enum Job {
    Record(Record),
    /// Brings the search index up to the last append.
    Index {
        reply: Reply<(), WriteError>,
    },
    Rebuild {
        project: ProjectEach,
        unpack: UnpackEach,
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
    Hooks(HookOutcome),
    Servers(ServerOutcome),
    Written,
}

/// Why a transaction came to nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Trouble {
    StorageFull,
    /// The database cannot be reached.
    Unreachable(String),
    Failed(String),
}

impl From<Trouble> for AppendError {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::StorageFull => Self::StorageFull,
            Trouble::Unreachable(why) => Self::Unreachable(why),
            Trouble::Failed(why) => Self::Failed(why),
        }
    }
}

impl From<Trouble> for WriteError {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::StorageFull => Self::StorageFull,
            Trouble::Unreachable(why) => Self::Unreachable(why),
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
            Self::Hooks { change, .. } => change.size(),
            Self::Automation { change, .. } => change.size(),
            Self::Choice { change, .. } => change.size(),
            Self::Lent { change, .. } => change.size(),
            Self::Audit { entry, .. } => entry.size(),
            Self::Pack { .. } | Self::Servers { .. } => 64,
        }
    }

    /// Writes it, unless it is an append, for which each database has a way of its own.
    pub(crate) fn stage(&self, connection: &sql::Connection) -> sql::Result<Staged> {
        match self {
            Self::Append { .. } => unreachable!("appends are staged by the writer"),
            Self::Remember { answer, .. } => answers::remember(connection, answer).map(Staged::Remember),
            Self::TouchRepository { path, at, .. } => {
                repositories::touch(connection, path, *at).map(|()| Staged::Written)
            }
            Self::SetSecret { secret, .. } => secrets::set(connection, secret).map(|()| Staged::Written),
            Self::RemoveSecret { name, .. } => secrets::remove(connection, name).map(Staged::Removed),
            Self::People { change, .. } => people::change(connection, change).map(Staged::People),
            Self::Forge { change, .. } => forge::change(connection, change).map(Staged::Changed),
            Self::Hooks { change, .. } => hooks::change(connection, change).map(Staged::Hooks),
            Self::Automation { change, .. } => automations::change(connection, change).map(Staged::Changed),
            Self::Choice { change, .. } => attempts::change(connection, change).map(Staged::Changed),
            Self::Pack { packing, .. } => packs::store(connection, packing).map(Staged::Changed),
            Self::Lent { change, server, .. } => {
                lent::change(connection, change, *server).map(|()| Staged::Written)
            }
            Self::Audit { entry, .. } => audit::add(connection, entry).map(|()| Staged::Written),
            Self::Servers { change, us, .. } => servers::change(connection, *us, change).map(Staged::Servers),
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
            Self::Forge { reply, .. }
            | Self::Automation { reply, .. }
            | Self::Choice { reply, .. }
            | Self::Pack { reply, .. } => {
                let _ = reply.send(match staged {
                    Ok(Staged::Changed(rows)) => Ok(rows),
                    Ok(_) => unreachable!("a change was staged"),
                    Err(trouble) => Err(trouble.into()),
                });
            }
            Self::Hooks { reply, .. } => {
                let _ = reply.send(match staged {
                    Ok(Staged::Hooks(outcome)) => Ok(outcome),
                    Ok(_) => unreachable!("a change of hooks was staged"),
                    Err(trouble) => Err(trouble.into()),
                });
            }
            Self::Servers { reply, .. } => {
                let _ = reply.send(match staged {
                    Ok(Staged::Servers(outcome)) => Ok(outcome),
                    Ok(_) => unreachable!("a change of servers was staged"),
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

/// The records that go into one transaction with `first`, and the job that ended the gathering because it goes alone.
pub(crate) fn gather(first: Job, jobs: &mut mpsc::Receiver<Job>) -> (Vec<Record>, Option<Job>) {
    let (mut group, mut size) = (Vec::new(), 0);
    let mut next = Some(first);
    while let Some(job) = next {
        match job {
            Job::Record(record) => {
                size += record.size();
                group.push(record);
            }
            Job::Index { .. } | Job::Rebuild { .. } | Job::Close { .. } => return (group, Some(job)),
        }
        let full = group.len() >= GROUP_RECORDS || size >= GROUP_BYTES;
        next = if full { None } else { jobs.try_recv().ok() };
    }
    (group, None)
}
