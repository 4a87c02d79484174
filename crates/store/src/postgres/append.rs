//! All appends of a group, each to another session, in one statement and so in one journey to the database; what is audited goes along.
//!
//! ```text
//! given ──► moved: each log whose end is where its append expects it ──► batches, summaries, texts, usage, notices of those
//!             └── the others are told where their log ends
//! ```
//! The end of a log is moved and compared in one update, which holds the row until the transaction is over: of two that append at the same
//! place one finds it moved. A hook that is told something is held as well, so that it is removed before or after, with what it was told.

use super::session::Session;
use super::words;
use crate::batch::Batch;
use crate::jobs::Fenced;
use crate::sql::{Error, Result, storable};
use crate::{Append, AppendError, AuditEntry, Committed, NoticeRow, SummaryRow, UsageRow, usage};
use lamplight_domain::Seq;
use lamplight_domain::event::FORMAT;
use std::collections::HashMap;
use tokio_postgres::types::ToSql;

/// One statement; an array a column, an element a item.
const APPEND: &str = "
WITH given AS (
    SELECT * FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bytea[],
        $40::bigint[]) AS given (n, session, expected, last_seq, at, crc, body, fence)
), moved AS (
    UPDATE logs SET last_seq = given.last_seq FROM given
    WHERE logs.session = given.session AND logs.last_seq = given.expected AND logs.fence = given.fence
    RETURNING given.n AS n, logs.number AS log
), batches AS (
    INSERT INTO log_batches (log, first_seq, last_seq, at, crc, body)
    SELECT moved.log, given.expected + 1, given.last_seq, given.at, given.crc, given.body FROM given JOIN moved ON moved.n = given.n
), listed AS (
    INSERT INTO summaries (log, session, created_at, updated_at, last_seq, phase, title, repository, agent, open, person, archived, body,
        dead)
    SELECT moved.log, item.session, item.created_at, item.updated_at, item.last_seq, item.phase, item.title, item.repository, item.agent, item.open,
        item.person, item.archived, item.body, item.dead
    FROM unnest($8::bigint[], $9::text[], $10::bigint[], $11::bigint[], $12::bigint[], $13::text[], $14::text[], $15::text[], $16::text[],
        $17::bigint[], $18::text[], $19::bigint[], $20::text[], $46::bigint[])
        AS item (n, session, created_at, updated_at, last_seq, phase, title, repository, agent, open, person, archived, body, dead)
    JOIN moved ON moved.n = item.n
    ON CONFLICT (log) DO UPDATE SET created_at = excluded.created_at, updated_at = excluded.updated_at, last_seq = excluded.last_seq,
        phase = excluded.phase, title = excluded.title, repository = excluded.repository, agent = excluded.agent, open = excluded.open,
        person = excluded.person, archived = excluded.archived, body = excluded.body, dead = excluded.dead
), found AS (
    INSERT INTO texts (log, seq, text, words)
    SELECT moved.log, item.seq, item.text, item.words::tsvector
    FROM unnest($21::bigint[], $22::bigint[], $23::text[], $24::text[]) AS item (n, seq, text, words) JOIN moved ON moved.n = item.n
    ORDER BY item.n, item.seq
), used AS (
    INSERT INTO usage (log, seq, at, person, repository, model, input, output, cached, cache_written, reasoning, cost_micros, priced_by,
        estimated)
    SELECT moved.log, item.seq, item.at, item.person, item.repository, item.model, item.input, item.output, item.cached, item.cache_written,
        item.reasoning, item.cost_micros, item.priced_by, item.estimated
    FROM unnest($25::bigint[], $26::bigint[], $27::bigint[], $28::text[], $29::text[], $30::text[], $31::bigint[], $32::bigint[],
        $33::bigint[], $34::bigint[], $35::bigint[], $36::bigint[], $37::text[], $38::bigint[])
        AS item (n, seq, at, person, repository, model, input, output, cached, cache_written, reasoning, cost_micros, priced_by, estimated)
    JOIN moved ON moved.n = item.n
), told AS (
    INSERT INTO hook_deliveries (hook, session, seq, kind, at, body, since, due_at)
    SELECT hooks.id, given.session, item.seq, item.kind, given.at, item.body, given.at, given.at
    FROM unnest($42::bigint[], $43::bigint[], $44::text[], $45::text[]) AS item (n, seq, kind, body)
    JOIN moved ON moved.n = item.n JOIN given ON given.n = item.n
    JOIN (SELECT id, kinds FROM hooks WHERE disabled IS NULL AND cardinality($42::bigint[]) > 0 FOR KEY SHARE) AS hooks
        ON hooks.kinds = '' OR hooks.kinds LIKE '% ' || item.kind || ' %'
), audited AS (
    INSERT INTO audit (at, person, action, subject, detail, address, outcome, code)
    SELECT at, person, action, subject, detail, address, outcome, code
    FROM unnest($47::bigint[], $48::text[], $49::text[], $50::text[], $51::text[], $52::text[], $53::text[], $54::text[], $55::bigint[])
        WITH ORDINALITY AS item (at, person, action, subject, detail, address, outcome, code, of, place)
    WHERE item.of IS NULL OR item.of IN (SELECT n FROM moved)
    ORDER BY place
), counted AS (
    UPDATE written SET last_group = $39::bigint WHERE server = $41::bigint
)
SELECT n FROM moved";
/// Parameters of that.
const COLUMNS: usize = 55;

/// Appends to different sessions, none of which is new, and entries of the audit log, which are written whatever becomes of those. Each append is
/// answered; only trouble with the database is an error, and then nothing is stored.
pub(super) fn append(
    session: &Session,
    fenced: &[Fenced<'_>],
    audited: &[&AuditEntry],
    (server, group): (i64, i64),
) -> Result<Vec<std::result::Result<Committed, AppendError>>> {
    let appends: Vec<&Append> = fenced.iter().map(|fenced| fenced.append).collect();
    let sealed: Vec<Batch> = appends.iter().map(|append| seal(append)).collect();
    let mut columns = columns(&appends, &sealed, group);
    columns.push(Box::new(fenced.iter().map(Fenced::counts_on).collect::<Vec<i64>>()));
    columns.push(Box::new(server));
    columns.extend(notices(&appends));
    let summaries = appends.iter().filter_map(|append| append.summary.as_ref());
    columns.push(Box::new(summaries.map(|summary| i64::from(summary.dead)).collect::<Vec<i64>>()));
    columns.extend(entries(&appends, audited));
    let parameters: Vec<&(dyn ToSql + Sync)> = columns.iter().map(|column| &**column).collect();
    let rows = session.query_of(APPEND, &parameters)?;
    let mut moved = vec![false; appends.len()];
    for row in rows {
        let n: i64 = row.try_get(0).map_err(|error| Error::Damaged(error.to_string()))?;
        moved[n as usize] = true;
    }
    if moved.iter().all(|moved| *moved) {
        return Ok(appends.iter().map(|append| Ok(committed(append))).collect());
    }
    let ends =
        ends(session, appends.iter().zip(&moved).filter(|(_, moved)| !**moved).map(|(append, _)| *append))?;
    let answer =
        |(fenced, moved): (&Fenced<'_>, &bool)| match (moved, ends.get(fenced.append.session.as_str())) {
            (true, _) => Ok(committed(fenced.append)),
            (false, Some(end)) if end.fence != fenced.counts_on() && fenced.append.expected_last > Seq(0) => {
                Err(AppendError::Fenced)
            }
            (false, end) => Err(AppendError::Conflict { actual: end.map_or(Seq(0), |end| end.last) }),
        };
    Ok(fenced.iter().zip(&moved).map(answer).collect())
}

/// Gives logs to the sessions among these that have none; they are this server's.
pub(super) fn begin<'a>(
    session: &Session,
    fenced: impl Iterator<Item = &'a Fenced<'a>>,
    server: i64,
) -> Result<()> {
    let new: Vec<&str> = fenced
        .map(|fenced| fenced.append)
        .filter(|append| append.expected_last == Seq(0))
        .map(|append| append.session.as_str())
        .collect();
    if !new.is_empty() {
        let text =
            "INSERT INTO logs (session, last_seq, owner, fence, format) SELECT session, 0, $2, 1, $3 FROM unnest($1::text[]) AS new (session)
            ON CONFLICT (session) DO NOTHING";
        session.query_of(text, &[&new, &server, &FORMAT])?;
    }
    Ok(())
}

/// Whether exactly this append is in the log. For one whose answer was lost.
pub(super) fn is_there(session: &Session, append: &Append) -> Result<bool> {
    let (first, last) = span(append);
    let crc = seal(append).crc();
    let text = "SELECT 1 FROM log_batches JOIN logs ON logs.number = log_batches.log
        WHERE logs.session = $1 AND first_seq = $2 AND log_batches.last_seq = $3 AND at = $4 AND crc = $5";
    let id = append.session.as_str();
    let rows = session.query_of(text, &[&id, &(first as i64), &(last as i64), &append.at.0, &crc])?;
    Ok(!rows.is_empty())
}

/// One log, as it is.
pub(super) struct End {
    pub(super) last: Seq,
    fence: i64,
}

/// Where the logs of these end.
pub(super) fn ends<'a>(
    session: &Session,
    appends: impl Iterator<Item = &'a Append>,
) -> Result<HashMap<String, End>> {
    let sessions: Vec<&str> = appends.map(|append| append.session.as_str()).collect();
    let rows = session
        .query_of("SELECT session, last_seq, fence FROM logs WHERE session = ANY($1)", &[&sessions])?;
    let read = |row: tokio_postgres::Row| {
        let last: i64 = row.try_get(1)?;
        Ok((row.try_get(0)?, End { last: Seq(last as u64), fence: row.try_get(2)? }))
    };
    rows.into_iter()
        .map(read)
        .collect::<std::result::Result<_, tokio_postgres::Error>>()
        .map_err(|error| Error::Damaged(error.to_string()))
}

pub(super) fn committed(append: &Append) -> Committed {
    Committed { last: Seq(span(append).1) }
}

fn seal(append: &Append) -> Batch {
    let (first, last) = span(append);
    Batch::seal(&append.session, first, last, append.at, &append.entries)
}

/// The first and the last entry.
fn span(append: &Append) -> (u64, u64) {
    (append.expected_last.0 + 1, append.expected_last.0 + append.entries.len() as u64)
}

/// The statement's arrays, in its order: of appends, summaries, texts, and what was used.
fn columns<'a>(appends: &'a [&Append], batches: &'a [Batch], group: i64) -> Vec<Box<dyn ToSql + Sync + 'a>> {
    let numbered = || (0_i64..).zip(appends);
    let summaries: Vec<(i64, &SummaryRow)> =
        numbered().filter_map(|(n, append)| Some((n, append.summary.as_ref()?))).collect();
    let texts: Vec<(i64, &(Seq, String))> =
        numbered().flat_map(|(n, append)| append.text.iter().map(move |text| (n, text))).collect();
    let used: Vec<(i64, &UsageRow)> =
        numbered().flat_map(|(n, append)| append.usage.iter().map(move |row| (n, row))).collect();
    let mut all: Vec<Box<dyn ToSql + Sync + 'a>> = Vec::with_capacity(COLUMNS);
    macro_rules! column {
        ($rows:expr, $($value:expr),* $(,)?) => {
            $(all.push(Box::new($rows.iter().map($value).collect::<Vec<_>>()));)*
        };
    }
    all.push(Box::new(numbered().map(|(n, _)| n).collect::<Vec<i64>>()));
    column!(appends, |a| a.session.as_str(), |a| a.expected_last.0 as i64);
    column!(batches, |b| b.last as i64, Batch::at, Batch::crc, |b| &b.body()[..]);
    column!(
        summaries,
        |(n, _)| *n,
        |(_, s)| s.id.as_str(),
        |(_, s)| s.created_at.0,
        |(_, s)| s.updated_at.0,
        |(_, s)| s.last_seq.0 as i64,
        |(_, s)| storable(&s.phase),
        |(_, s)| storable(&s.title),
        |(_, s)| storable(&s.repository),
        |(_, s)| storable(&s.agent),
        |(_, s)| i64::from(s.open),
        |(_, s)| storable(&s.person),
        |(_, s)| i64::from(s.archived),
        |(_, s)| storable(&s.body),
    );
    column!(texts, |(n, _)| *n, |(_, (seq, _))| seq.0 as i64, |(_, (_, text))| storable(text), |(
        _,
        (_, text),
    )| {
        words::vector(text)
    },);
    column!(
        used,
        |(n, _)| *n,
        |(_, u)| u.seq.0 as i64,
        |(_, u)| u.at.0,
        |(_, u)| storable(&u.person),
        |(_, u)| storable(&u.repository),
        |(_, u)| storable(&u.model),
        |(_, u)| usage::count(u.tokens.input),
        |(_, u)| usage::count(u.tokens.output),
        |(_, u)| usage::count(u.tokens.cached),
        |(_, u)| usage::count(u.tokens.cache_written),
        |(_, u)| usage::count(u.tokens.reasoning),
        |(_, u)| u.cost_micros.map(usage::count),
        |(_, u)| u.priced_by.as_deref().map(storable),
        |(_, u)| i64::from(u.is_estimated),
    );
    all.push(Box::new(group));
    all
}

/// What hooks are told by them, at the end of the statement's arrays.
fn notices<'a>(appends: &[&'a Append]) -> [Box<dyn ToSql + Sync + 'a>; 4] {
    let told: Vec<(i64, &NoticeRow)> = (0_i64..)
        .zip(appends)
        .flat_map(|(n, append)| append.notices.iter().map(move |row| (n, row)))
        .collect();
    [
        Box::new(told.iter().map(|(n, _)| *n).collect::<Vec<i64>>()),
        Box::new(told.iter().map(|(_, row)| row.seq.0 as i64).collect::<Vec<i64>>()),
        Box::new(told.iter().map(|(_, row)| storable(&row.kind)).collect::<Vec<_>>()),
        Box::new(told.iter().map(|(_, row)| storable(&row.body)).collect::<Vec<_>>()),
    ]
}

/// What is audited, at the very end: what goes with an append, and what stands for itself.
fn entries<'a>(appends: &[&'a Append], audited: &[&'a AuditEntry]) -> [Box<dyn ToSql + Sync + 'a>; 9] {
    let with = (0_i64..)
        .zip(appends)
        .flat_map(|(n, append)| append.audited.iter().map(move |entry| (Some(n), entry)));
    let all: Vec<(Option<i64>, &AuditEntry)> =
        with.chain(audited.iter().map(|entry| (None, *entry))).collect();
    let at: Vec<i64> = all.iter().map(|(_, entry)| entry.at.0).collect();
    let of: Vec<Option<i64>> = all.iter().map(|(of, _)| *of).collect();
    let texts = |text: fn(&'a AuditEntry) -> &'a str| -> Box<dyn ToSql + Sync + 'a> {
        Box::new(all.iter().map(|(_, entry)| storable(text(entry))).collect::<Vec<_>>())
    };
    [
        Box::new(at),
        texts(|entry| &entry.person),
        texts(|entry| &entry.action),
        texts(|entry| &entry.subject),
        texts(|entry| &entry.detail),
        texts(|entry| &entry.address),
        texts(|entry| &entry.outcome),
        texts(|entry| &entry.code),
        Box::new(of),
    ]
}
