//! One group of writes in one transaction.
//!
//! Appends that follow one another, each to another session, go together in one statement. A group that is nothing else is that statement alone,
//! which is a transaction by itself.

use super::session::Session;
use super::{append, claim};
use crate::jobs::{Fenced, Record, Staged};
use crate::quarantine::Quarantine;
use crate::sql::{Connection, Result};
use crate::{Append, AppendError, answers};
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
        if let Some(appends) = self.nothing_but_appends(group) {
            let answers = append::append(self.session, &appends, (self.server, self.group))?;
            *staged = Some(answers.into_iter().map(Staged::Append).collect());
            return Ok(());
        }
        self.session.batch("BEGIN")?;
        *staged = Some(self.each(group)?);
        self.session.batch(&format!(
            "UPDATE written SET last_group = {} WHERE server = {}; COMMIT",
            self.group, self.server
        ))
    }

    /// All of them, if no log is new, no key is in the way, and none is for the session of another.
    fn nothing_but_appends<'r>(&self, group: &'r [Record]) -> Option<Vec<Fenced<'r>>> {
        let mut sessions = HashSet::with_capacity(group.len());
        let plain = |record: &'r Record| match record {
            Record::Append { append, fence, .. } => {
                let is_plain =
                    append.once.is_none() && append.expected_last.0 > 0 && self.refusal(append).is_none();
                (is_plain && sessions.insert(&append.session)).then_some(Fenced { append, fence: *fence })
            }
            _ => None,
        };
        group.iter().map(plain).collect()
    }

    fn each(&self, group: &[Record]) -> Result<Vec<Staged>> {
        let mut staged: Vec<Option<Staged>> = group.iter().map(|_| None).collect();
        let mut wave = Wave::default();
        for (n, record) in group.iter().enumerate() {
            let Record::Append { append, fence, .. } = record else {
                self.flush(&mut wave, &mut staged)?;
                // Whether a name is free, an invitation counts or an owner is left.
                if let Record::People { .. } | Record::Remember { .. } = record {
                    claim::look_alone(self.session)?;
                }
                staged[n] = Some(record.stage(self.connection)?);
                continue;
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
            wave.sessions.insert(append.session.as_str());
            wave.appends.push((n, Fenced { append, fence: *fence }));
            if let Some(once) = &append.once {
                self.flush(&mut wave, &mut staged)?;
                if matches!(staged[n], Some(Staged::Append(Ok(_)))) {
                    answers::remember(self.connection, once)?;
                }
            }
        }
        self.flush(&mut wave, &mut staged)?;
        Ok(staged.into_iter().map(|staged| staged.expect("every record of the group was staged")).collect())
    }

    fn flush(&self, wave: &mut Wave<'_>, staged: &mut [Option<Staged>]) -> Result<()> {
        let Wave { appends, .. } = std::mem::take(wave);
        if appends.is_empty() {
            return Ok(());
        }
        let only: Vec<Fenced<'_>> = appends.iter().map(|(_, append)| *append).collect();
        append::begin(self.session, &only, self.server)?;
        let answers = append::append(self.session, &only, (self.server, self.group))?;
        for ((n, _), answer) in appends.iter().zip(answers) {
            staged[*n] = Some(Staged::Append(answer));
        }
        Ok(())
    }

    fn refusal(&self, append: &Append) -> Option<AppendError> {
        let damage = self.quarantine.what(&append.session).map(AppendError::Quarantined);
        damage.or_else(|| append.check().err().map(AppendError::Refused))
    }
}

/// Appends that go together, under their places in the group.
#[derive(Default)]
struct Wave<'a> {
    appends: Vec<(usize, Fenced<'a>)>,
    sessions: HashSet<&'a str>,
}

/// What appends are to be answered of which is known only that they were written, each by looking.
pub(super) fn look_up(session: &Session, group: &[Record]) -> Result<Vec<Staged>> {
    let look = |record: &Record| {
        let Record::Append { append, .. } = record else {
            unreachable!("what else is in a group is known before it is committed")
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
