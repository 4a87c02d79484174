//! The projections again, from the logs.

use crate::history::{self, Unread};
use crate::jobs::ProjectEach;
use crate::packs::Unpack;
use crate::sql::{Connection, Error, Result};
use crate::{Projected, search, summaries, usage};
use lamplight_domain::{Seq, SessionId};

/// Entries, and bytes of them, that are in memory at a time.
const PAGE_ENTRIES: usize = 512;
const PAGE_BYTES: usize = 1024 * 1024;

/// Inside a transaction of the caller's: all of it is there afterwards, or none.
pub(crate) fn rebuild(
    connection: &Connection,
    project: &mut ProjectEach,
    unpack: Unpack<'_>,
) -> Result<usize> {
    search::clear(connection)?;
    let text = "SELECT number, session FROM logs ORDER BY number";
    let logs: Vec<(i64, SessionId)> = connection.rows(text, &[], |row| Ok((row.get(0)?, row.parse(1)?)))?;
    let mut count = 0;
    for (log, session) in logs {
        let mut projection = project(&session);
        let mut after = Seq(0);
        loop {
            let entries = match history::read(connection, &session, after, (PAGE_ENTRIES, PAGE_BYTES), unpack)
            {
                Ok(entries) => entries,
                Err(Unread::Damaged(what)) => {
                    tracing::error!(session.id = %session, "left out while projections are rebuilt: {what}");
                    break;
                }
                Err(Unread::Failed(error)) => return Err(error),
                Err(Unread::Away(why) | Unread::Unavailable(why)) => return Err(Error::Lost(why)),
                Err(Unread::Packed(_)) => unreachable!("packs are waited for here"),
                Err(Unread::Closed) => unreachable!("only the pool of readers closes"),
            };
            let (Some((first, _)), Some((last, _))) = (entries.first(), entries.last()) else {
                summaries::store(connection, log, &projection.summary())?;
                count += 1;
                break;
            };
            after = *last;
            let Projected { text, usage } = projection.take(&entries);
            for (seq, text) in text {
                search::add(connection, log, seq, &text)?;
            }
            usage::clear(connection, log, *first, *last)?;
            for row in usage {
                usage::store(connection, log, &row)?;
            }
        }
    }
    Ok(count)
}
