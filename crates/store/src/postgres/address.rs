//! Where the database is, and how it is spoken to.

use crate::tls;
use anyhow::Result;
use std::fmt;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;
use thiserror::Error;
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres_rustls::MakeRustlsConnect;

/// How long a connection may take to come about.
pub(super) const CONNECT: Duration = Duration::from_secs(5);
/// How long what was sent may stay unacknowledged by the other machine.
const UNACKNOWLEDGED: Duration = Duration::from_secs(10);
/// When a silent connection is asked whether it is still there, how often, and how many times.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(10);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);
const KEEPALIVE_RETRIES: u32 = 3;

/// A PostgreSQL database, as `postgres://user:password@host:port/database` or in the words of `libpq`. It does not print its password.
#[derive(Clone)]
pub struct PostgresAddress {
    pub(super) config: Config,
    /// `None` where what is said is not encrypted.
    pub(super) tls: Option<MakeRustlsConnect>,
}

/// Why something is no address of a database.
#[derive(Debug, Error)]
#[error("{0}")]
pub struct BadAddress(String);

impl PostgresAddress {
    /// Reads an address. `authorities` is a file of certificates (PEM) that the server's has to come from; without one, those that this
    /// machine trusts count.
    ///
    /// Over a Unix socket and to this machine nothing is encrypted unless `sslmode=require` asks for it; to any other machine everything is, and
    /// the server's certificate is checked, unless `sslmode=disable` says otherwise.
    pub fn new(text: &str, authorities: Option<&Path>) -> Result<Self, BadAddress> {
        let mut config: Config = text.parse().map_err(|error: tokio_postgres::Error| {
            let cause =
                std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
            BadAddress(format!("{error}{cause}"))
        })?;
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err(BadAddress("it names no host".into()));
        }
        if config.get_dbname().is_none() {
            return Err(BadAddress("it names no database".into()));
        }
        config
            .connect_timeout(CONNECT)
            .tcp_user_timeout(UNACKNOWLEDGED)
            .keepalives_idle(KEEPALIVE_IDLE)
            .keepalives_interval(KEEPALIVE_INTERVAL)
            .keepalives_retries(KEEPALIVE_RETRIES);
        if config.get_application_name().is_none() {
            config.application_name("lamplight");
        }
        let is_encrypted = match config.get_ssl_mode() {
            SslMode::Disable => false,
            SslMode::Prefer => !is_here(&config),
            _ => true,
        };
        let tls = match is_encrypted {
            true => {
                config.ssl_mode(SslMode::Require);
                Some(encrypted(authorities).map_err(|error| BadAddress(format!("{error:#}")))?)
            }
            false => {
                config.ssl_mode(SslMode::Disable);
                None
            }
        };
        Ok(Self { config, tls })
    }
}

impl PostgresAddress {
    /// What must not be written down anywhere.
    pub fn password(&self) -> Option<String> {
        let password = self.config.get_password()?;
        Some(String::from_utf8_lossy(password).into_owned())
    }
}

/// Whether nobody else is on the way.
fn is_here(config: &Config) -> bool {
    let is_loopback =
        |name: &str| name == "localhost" || name.parse().is_ok_and(|ip: IpAddr| ip.is_loopback());
    let hosts = config.get_hosts().iter().all(|host| match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => is_loopback(name),
    });
    hosts && config.get_hostaddrs().iter().all(IpAddr::is_loopback)
}

fn encrypted(authorities: Option<&Path>) -> Result<MakeRustlsConnect> {
    let roots = tls::roots(authorities)?;
    if roots.is_empty() {
        anyhow::bail!(
            "there are no certificates to check the server's with; name a file of them in database.ca_file"
        );
    }
    Ok(MakeRustlsConnect::new(tls::client(roots)?))
}

impl fmt::Display for PostgresAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hosts: Vec<String> = self
            .config
            .get_hosts()
            .iter()
            .map(|host| match host {
                Host::Unix(path) => path.display().to_string(),
                Host::Tcp(name) => name.clone(),
            })
            .collect();
        write!(f, "the database {} on {}", self.config.get_dbname().unwrap_or_default(), hosts.join(", "))
    }
}

impl fmt::Debug for PostgresAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
