//! One connection, used as one to SQLite is: by one thread at a time, which waits for each answer.

use super::address::{CONNECT, PostgresAddress};
use crate::sql::{Error, Result, Value, said};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::future::Future;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;
use tokio_postgres::error::SqlState;
use tokio_postgres::tls::NoTls;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Row, Statement};

/// How long an answer may take; after that the connection is given up.
const ANSWER: Duration = Duration::from_secs(60);
/// How long the database may take to let go of a connection that is closed well.
const GOODBYE: Duration = Duration::from_secs(1);
/// Texts of statements that are kept prepared. Those of lists differ by what is asked for, in less ways than this.
const STATEMENTS: usize = 256;

/// What holds for every connection: the database must notice when the machine of ours is gone, or a server of ours is frozen in the middle
/// of a transaction, so that its locks are given back, and a statement must see what is committed.
const SETTINGS: &str =
    "SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3;
    SET idle_in_transaction_session_timeout = '10s';
    SET default_transaction_isolation = 'read committed'; SET client_min_messages = 'warning'";

pub(crate) struct Session {
    /// Drives the connection, while somebody waits.
    runtime: Option<Runtime>,
    client: Option<Client>,
    driver: Option<JoinHandle<()>>,
    statements: RefCell<HashMap<String, Statement>>,
    is_given_up: Cell<bool>,
}

impl Session {
    pub(crate) fn open(address: &PostgresAddress) -> Result<Self> {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Error::Lost(format!("no connection can be made: {error}")))?;
        let config = &address.config;
        let connecting = async {
            match &address.tls {
                Some(tls) => {
                    let (client, connection) = config.connect(tls.clone()).await?;
                    Ok((client, runtime.spawn(async move { drop(connection.await) })))
                }
                None => {
                    let (client, connection) = config.connect(NoTls).await?;
                    Ok((client, runtime.spawn(async move { drop(connection.await) })))
                }
            }
        };
        let connected: std::result::Result<_, tokio_postgres::Error> = runtime
            .block_on(async { tokio::time::timeout(CONNECT * 2, connecting).await })
            .map_err(|_| Error::Lost(format!("{address} did not answer")))?;
        let (client, driver) = connected.map_err(|error| Error::Lost(said(&error)))?;
        let session = Self {
            runtime: Some(runtime),
            client: Some(client),
            driver: Some(driver),
            statements: RefCell::default(),
            is_given_up: Cell::new(false),
        };
        session.batch(SETTINGS)?;
        Ok(session)
    }

    pub(crate) fn is_lost(&self) -> bool {
        self.is_given_up.get() || self.client().is_closed()
    }

    /// Like [`Session::is_lost`], after hearing what has come in since anybody waited: that the connection is closed, for one.
    pub(super) fn is_found_lost(&self) -> bool {
        let runtime = self.runtime.as_ref().expect("it is there until this is dropped");
        runtime.block_on(async {
            // One turn to hear that something has come in, one to read it, one to end.
            for _ in 0..3 {
                tokio::task::yield_now().await;
            }
        });
        self.is_lost()
    }

    pub(crate) fn execute(&self, sql: &str, values: &[Value<'_>]) -> Result<usize> {
        let statement = self.statement(sql)?;
        let rows = self.wait(self.client().execute(&statement, &as_parameters(values)))?;
        Ok(usize::try_from(rows).unwrap_or(usize::MAX))
    }

    pub(crate) fn query(&self, sql: &str, values: &[Value<'_>]) -> Result<Vec<Row>> {
        self.query_of(sql, &as_parameters(values))
    }

    /// Like [`Session::query`], with values that SQLite does not have.
    pub(crate) fn query_of(&self, sql: &str, values: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>> {
        let statement = self.statement(sql)?;
        self.wait(self.client().query(&statement, values))
    }

    /// Several statements without parameters.
    pub(crate) fn batch(&self, sql: &str) -> Result<()> {
        self.wait(self.client().batch_execute(sql))
    }

    fn statement(&self, sql: &str) -> Result<Statement> {
        if let Some(statement) = self.statements.borrow().get(sql) {
            return Ok(statement.clone());
        }
        let statement = self.wait(self.client().prepare(&numbered(sql)))?;
        let mut statements = self.statements.borrow_mut();
        if statements.len() >= STATEMENTS {
            statements.clear();
        }
        statements.insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }

    fn wait<T>(
        &self,
        asked: impl Future<Output = std::result::Result<T, tokio_postgres::Error>>,
    ) -> Result<T> {
        let runtime = self.runtime.as_ref().expect("it is there until this is dropped");
        match runtime.block_on(async { tokio::time::timeout(ANSWER, asked).await }) {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(self.trouble(error)),
            Err(_) => {
                self.is_given_up.set(true);
                Err(Error::Lost(format!("it did not answer within {} s", ANSWER.as_secs())))
            }
        }
    }

    /// Told apart by what is left: a connection that is good, or none.
    fn trouble(&self, error: tokio_postgres::Error) -> Error {
        let is_over = error.is_closed() || error.code().is_some_and(ends_the_connection) || is_of_io(&error);
        if is_over || self.client().is_closed() {
            self.is_given_up.set(true);
            return Error::Lost(said(&error));
        }
        Error::Postgres(error)
    }

    fn client(&self) -> &Client {
        self.client.as_ref().expect("it is there until this is dropped")
    }
}

impl Drop for Session {
    /// Says goodbye, where waiting is allowed, so that the database lets go at once of what this connection holds.
    fn drop(&mut self) {
        self.client = None;
        let (Some(runtime), Some(driver)) = (self.runtime.take(), self.driver.take()) else { return };
        if tokio::runtime::Handle::try_current().is_err() {
            // What became of it does not matter any more.
            let _ = runtime.block_on(async { tokio::time::timeout(GOODBYE, driver).await });
        }
        runtime.shutdown_background();
    }
}

/// The database stops or starts, stands by for another, or has no connection left for us: another one is tried later.
fn ends_the_connection(state: &SqlState) -> bool {
    [
        SqlState::ADMIN_SHUTDOWN,
        SqlState::CRASH_SHUTDOWN,
        SqlState::CANNOT_CONNECT_NOW,
        SqlState::READ_ONLY_SQL_TRANSACTION,
        SqlState::TOO_MANY_CONNECTIONS,
        SqlState::IDLE_SESSION_TIMEOUT,
        SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
    ]
    .contains(state)
}

fn is_of_io(error: &tokio_postgres::Error) -> bool {
    std::error::Error::source(error).is_some_and(|cause| cause.is::<std::io::Error>())
}

fn as_parameters<'a>(values: &'a [Value<'a>]) -> Vec<&'a (dyn ToSql + Sync)> {
    values.iter().map(|value| value as &(dyn ToSql + Sync)).collect()
}

/// `?1` and `?` as PostgreSQL has them, `$1`. No text of ours has a question mark that is anything else.
fn numbered(sql: &str) -> String {
    let mut text = String::with_capacity(sql.len() + 8);
    let mut count = 0;
    let mut rest = sql.chars().peekable();
    while let Some(c) = rest.next() {
        if c != '?' {
            text.push(c);
            continue;
        }
        text.push('$');
        if !rest.peek().is_some_and(char::is_ascii_digit) {
            count += 1;
            text.push_str(&count.to_string());
        }
    }
    text
}
