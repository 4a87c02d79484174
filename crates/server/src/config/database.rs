//! `[database]`: where the log is, if not in the data directory.

use super::ConfigError;
use axum::http::uri::Authority;
use lamplight_domain::{KnownSecret, Redaction};
use lamplight_engine::{DatabaseConfig, PostgresAddress, Secret};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Without a `url` it is SQLite, in the data directory.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Database {
    /// `postgres://user@host/database`. A password in it is better in `LAMPLIGHT_DATABASE` than in a file.
    #[serde(skip_serializing)]
    pub url: Option<super::Secret>,
    /// Certificates (PEM) that the server's has to come from. Default: those that this machine trusts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// Where other servers on the same database reach this one, such as `http://10.0.0.7:7410`. Default: what is listened on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_address: Option<String>,
}

impl Database {
    pub(super) fn check(&mut self) -> Result<(), ConfigError> {
        self.url.take_if(|url| url.reveal().is_empty());
        if self.url.is_none() && self.ca_file.is_some() {
            return Err(ConfigError::Invalid("database.ca_file is only used with database.url".to_owned()));
        }
        if self.url.is_none() && self.server_address.is_some() {
            return Err(ConfigError::Invalid(
                "database.server_address is only used with database.url".to_owned(),
            ));
        }
        if let Some(address) = self.server_address.as_ref().filter(|address| !is_address(address)) {
            return Err(ConfigError::Invalid(format!(
                "database.server_address is {address:?}; say it like http://10.0.0.7:7410, with nothing behind the port"
            )));
        }
        let Some(config) = self.engine() else { return Ok(()) };
        let checked = config.address().map(|_: PostgresAddress| ());
        checked.map_err(|error| {
            ConfigError::Invalid(format!(
                "database.url: {error}; say it like postgres://lamplight@db.example.org/lamplight"
            ))
        })
    }

    /// Knows the password, if there is one.
    pub(super) fn redaction(&self) -> Redaction {
        let redaction = Redaction::default();
        let address = self.engine().and_then(|config| config.address().ok());
        let password = address.as_ref().and_then(PostgresAddress::password);
        redaction
            .learn(password.map(|value| KnownSecret { name: "password of the database".to_owned(), value }));
        redaction
    }

    /// `None` is SQLite.
    pub fn engine(&self) -> Option<DatabaseConfig> {
        let url = Secret::new(self.url.as_ref()?.reveal());
        Some(DatabaseConfig { url, ca_file: self.ca_file.clone() })
    }
}

/// A host, and a port if one is said.
fn is_address(text: &str) -> bool {
    let rest = text.strip_prefix("http://").map(|rest| rest.trim_end_matches('/'));
    rest.is_some_and(|rest| {
        rest.parse::<Authority>().is_ok_and(|authority| !authority.as_str().contains('@'))
    })
}
