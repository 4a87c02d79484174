//! One way to ask both databases. Where a text is the same for SQLite and PostgreSQL there is one; what differs is asked
//! of [`Connection::dialect`], so that every difference is found by that word.
//!
//! Both have integers, texts and bytes, and nothing else: what is true or false is 1 or 0. Parameters are `?` or `?1`.

mod error;
mod value;

pub(crate) use error::{Error, Result, said};
pub(crate) use value::{ToValue, Value, storable};

use crate::postgres::Session;

/// The values of a statement's parameters, in order.
macro_rules! params {
    ($($value:expr),* $(,)?) => { &[$($crate::sql::ToValue::value(&$value)),*] };
}
pub(crate) use params;

/// One connection, used by one thread at a time.
pub(crate) enum Connection {
    Lite(rusqlite::Connection),
    Postgres(Session),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    Lite,
    Postgres,
}

/// One row of an answer.
pub(crate) enum Row<'a> {
    Lite(&'a rusqlite::Row<'a>),
    Postgres(&'a tokio_postgres::Row),
}

/// What a column may hold: `i64`, `String`, `Vec<u8>`, or that or nothing.
pub(crate) trait Column:
    rusqlite::types::FromSql + for<'a> tokio_postgres::types::FromSql<'a>
{
}

impl<T> Column for T where T: rusqlite::types::FromSql + for<'a> tokio_postgres::types::FromSql<'a> {}

impl Connection {
    pub(crate) fn dialect(&self) -> Dialect {
        match self {
            Self::Lite(_) => Dialect::Lite,
            Self::Postgres(_) => Dialect::Postgres,
        }
    }

    /// Gives how many rows were changed.
    pub(crate) fn execute(&self, sql: &str, values: &[Value<'_>]) -> Result<usize> {
        match self {
            Self::Lite(connection) => execute(connection, sql, values),
            Self::Postgres(session) => session.execute(sql, values),
        }
    }

    /// What `read` makes of every row.
    pub(crate) fn rows<T>(
        &self,
        sql: &str,
        values: &[Value<'_>],
        mut read: impl FnMut(&Row<'_>) -> Result<T>,
    ) -> Result<Vec<T>> {
        match self {
            Self::Lite(connection) => {
                let mut statement = connection.prepare_cached(sql)?;
                let mut rows = statement.query(rusqlite::params_from_iter(values))?;
                let mut all = Vec::new();
                while let Some(row) = rows.next()? {
                    all.push(read(&Row::Lite(row))?);
                }
                Ok(all)
            }
            Self::Postgres(session) => {
                session.query(sql, values)?.iter().map(|row| read(&Row::Postgres(row))).collect()
            }
        }
    }

    /// What `read` makes of the first row, if there is one.
    pub(crate) fn row<T>(
        &self,
        sql: &str,
        values: &[Value<'_>],
        read: impl FnOnce(&Row<'_>) -> Result<T>,
    ) -> Result<Option<T>> {
        match self {
            Self::Lite(connection) => {
                let mut statement = connection.prepare_cached(sql)?;
                let mut rows = statement.query(rusqlite::params_from_iter(values))?;
                rows.next()?.map(|row| read(&Row::Lite(row))).transpose()
            }
            Self::Postgres(session) => {
                session.query(sql, values)?.first().map(|row| read(&Row::Postgres(row))).transpose()
            }
        }
    }

    /// Whether there is a row.
    pub(crate) fn exists(&self, sql: &str, values: &[Value<'_>]) -> Result<bool> {
        Ok(self.row(sql, values, |_| Ok(()))?.is_some())
    }

    /// The connection is of no use any more; another has to be opened.
    pub(crate) fn is_lost(&self) -> bool {
        match self {
            Self::Lite(_) => false,
            Self::Postgres(session) => session.is_lost(),
        }
    }
}

fn execute(connection: &rusqlite::Connection, sql: &str, values: &[Value<'_>]) -> Result<usize> {
    Ok(connection.prepare_cached(sql)?.execute(rusqlite::params_from_iter(values))?)
}

impl Row<'_> {
    pub(crate) fn get<T: Column>(&self, column: usize) -> Result<T> {
        match self {
            Self::Lite(row) => Ok(row.get(column)?),
            Self::Postgres(row) => {
                row.try_get(column).map_err(|error| Error::Damaged(format!("column {column}: {error}")))
            }
        }
    }

    /// A column of 1 or 0.
    pub(crate) fn is(&self, column: usize) -> Result<bool> {
        Ok(self.get::<i64>(column)? != 0)
    }

    /// A column that counts something small.
    pub(crate) fn count(&self, column: usize) -> Result<u32> {
        let number: i64 = self.get(column)?;
        u32::try_from(number).map_err(|_| Error::Damaged(format!("{number} is no count")))
    }

    /// A column whose text is something of ours.
    pub(crate) fn parse<T>(&self, column: usize) -> Result<T>
    where
        T: std::str::FromStr,
        T::Err: std::fmt::Display,
    {
        let text: String = self.get(column)?;
        text.parse().map_err(|error: T::Err| Error::Damaged(error.to_string()))
    }
}
