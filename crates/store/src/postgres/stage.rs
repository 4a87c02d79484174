//! One group of writes in one transaction.
//!
//! Appends that follow one another, each to another session, go together in one statement, and with them what is audited. A group that is nothing
//! else is that statement alone, which is a transaction by itself.

use super::session::Session;
use super::{append, claim};
use crate::jobs::{Fenced, Record, Staged};
use crate::quarantine::Quarantine;
use crate::sql::{Connection, Result};
use crate::{Append, AppendError, AuditEntry, answers};
use std::collections::HashSet;

/// What is being staged.
pub(super) struct Stage<'a> {
    pub(super) connection: &'a Connection,
    pub(super) session: &'a Session,
    pub(super) quarantine: &'a Quarantine,
    /// Which server this is.
    pub(super) server: i64,
    /// The number of this group, which is stored with it.
    pub(super) group: i64,
}

impl Stage<'_> {
    /// Writes a group; when this returns, it is durable. `staged` is what everybody is to be answered, as soon as that is known: when the
    /// connection is lost afterwards, all depends on whether the group is there.
    pub(super) fn write(&self, group: &[Record], staged: &mut Option<Vec<Staged>>) -> Result<()> {
        if let Some(wave) = self.one_wave(group) {
            let mut answers = unanswered(group);
            self.send(&wave, &mut answers)?;
            *staged = Some(all(answers));
            return Ok(());
        }
        self.session.batch("BEGIN")?;
        *staged = Some(self.each(group)?);
        self.session.batch(&format!(
            "UPDATE written SET last_group = {} WHERE server = {}; COMMIT",
            self.group, self.server
        ))
    }

    /// All of them, if no log is new, no key is in the way, and no two are for one session.
    fn one_wave<'r>(&self, group: &'r [Record]) -> Option<Wave<'r>> {
        let mut wave = Wave::default();
        for (n, record) in group.iter().enumerate() {
            match record {
                Record::Audit { entry, .. } => wave.audited.push((n, entry)),
                Record::Append { append, fence, .. } => {
                    let is_plain =
                        append.once.is_none() && append.expected_last.0 > 0 && self.refusal(append).is_none();
                    if !is_plain || !wave.admit(n, Fenced { append, fence: *fence }) {
                        return None;
                    }
                }
                _ => return None,
            }
        }
        Some(wave)
    }

    fn each(&self, group: &[Record]) -> Result<Vec<Staged>> {
        let mut staged = unanswered(group);
        let mut wave = Wave::default();
        for (n, record) in group.iter().enumerate() {
            let (append, fence) = match record {
                Record::Append { append, fence, .. } => (append, *fence),
                Record::Audit { entry, .. } => {
                    wave.audited.push((n, entry));
                    continue;
                }
                _ => {
                    self.flush(&mut wave, &mut staged)?;
                    // Whether a name is free, an invitation counts or an owner is left.
                    if let Record::People { .. } | Record::Remember { .. } = record {
                        claim::look_alone(self.session)?;
                    }
                    staged[n] = Some(record.stage(self.connection)?);
                    continue;
                }
            };
            if let Some(refusal) = self.refusal(append) {
                staged[n] = Some(Staged::Append(Err(refusal)));
                continue;
            }
            if append.once.is_some() || wave.sessions.contains(append.session.as_str()) {
                self.flush(&mut wave, &mut staged)?;
            }
            if let Some(once) = &append.once {
                claim::look_alone(self.session)?;
                if let Some(known) = answers::recall(self.connection, &once.key, once.at)? {
                    staged[n] = Some(Staged::Append(Err(AppendError::Repeated(known))));
                    continue;
                }
            }
            wave.admit(n, Fenced { append, fence });
            if let Some(once) = &append.once {
                self.flush(&mut wave, &mut staged)?;
                if matches!(staged[n], Some(Staged::Append(Ok(_)))) {
                    answers::remember(self.connection, once)?;
                }
            }
        }
        self.flush(&mut wave, &mut staged)?;
        Ok(all(staged))
    }

    fn flush(&self, wave: &mut Wave<'_>, staged: &mut [Option<Staged>]) -> Result<()> {
        let wave = std::mem::take(wave);
        if wave.appends.is_empty() && wave.audited.is_empty() {
            return Ok(());
        }
        append::begin(self.session, wave.appends.iter().map(|(_, append)| append), self.server)?;
        self.send(&wave, staged)
    }

    fn send(&self, wave: &Wave<'_>, staged: &mut [Option<Staged>]) -> Result<()> {
        let appends: Vec<Fenced<'_>> = wave.appends.iter().map(|(_, append)| *append).collect();
        let audited: Vec<&AuditEntry> = wave.audited.iter().map(|(_, entry)| *entry).collect();
        let answers = append::append(self.session, &appends, &audited, (self.server, self.group))?;
        for ((n, _), answer) in wave.appends.iter().zip(answers) {
            staged[*n] = Some(Staged::Append(answer));
        }
        for (n, _) in &wave.audited {
            staged[*n] = Some(Staged::Written);
        }
        Ok(())
    }

    fn refusal(&self, append: &Append) -> Option<AppendError> {
        let damage = self.quarantine.what(&append.session).map(AppendError::Quarantined);
        damage.or_else(|| append.check().err().map(AppendError::Refused))
    }
}

/// What goes together, under its places in the group.
#[derive(Default)]
struct Wave<'a> {
    appends: Vec<(usize, Fenced<'a>)>,
    /// Those of the appends, each another.
    sessions: HashSet<&'a str>,
    audited: Vec<(usize, &'a AuditEntry)>,
}

impl<'a> Wave<'a> {
    /// Gives whether it goes along: not with another of its session.
    fn admit(&mut self, n: usize, append: Fenced<'a>) -> bool {
        let is_first = self.sessions.insert(append.append.session.as_str());
        if is_first {
            self.appends.push((n, append));
        }
        is_first
    }
}

fn unanswered(group: &[Record]) -> Vec<Option<Staged>> {
    group.iter().map(|_| None).collect()
}

fn all(staged: Vec<Option<Staged>>) -> Vec<Staged> {
    staged.into_iter().map(|staged| staged.expect("every record of the group was staged")).collect()
}

/// What appends are to be answered of which is known only that they were written, each by looking.
pub(super) fn look_up(session: &Session, group: &[Record]) -> Result<Vec<Staged>> {
    let look = |record: &Record| {
        let append = match record {
            Record::Append { append, .. } => append,
            Record::Audit { .. } => return Ok(Staged::Written),
            _ => unreachable!("what else is in a group is known before it is committed"),
        };
        if append::is_there(session, append)? {
            return Ok(Staged::Append(Ok(append::committed(append))));
        }
        let ends = append::ends(session, std::iter::once(&**append))?;
        let actual = ends.get(append.session.as_str()).map(|end| end.last).unwrap_or_default();
        Ok(Staged::Append(Err(AppendError::Conflict { actual })))
    };
    group.iter().map(look).collect()
}
