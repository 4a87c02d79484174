//! Where the secrets of an App are kept: by the server, sealed as the keys of models are; where none runs, in files beside the configuration.

use crate::cli::Common;
use crate::cli::client::Client;
use crate::cli::output::Output;
use crate::http::keys::list::KeyList;
use crate::http::keys::set::KeyRequest;
use crate::http::keys::{Key, KeySource};
use anyhow::{Context as _, bail};
use lamplight_engine::GitHubSecret;
use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Files of one name.
const MOST: u32 = 100;

pub(super) struct Secrets<'a> {
    pub key: &'a str,
    pub webhook_secret: Option<&'a str>,
}

pub(super) struct Keeper {
    server: Option<Client>,
    /// For files.
    directory: PathBuf,
}

impl Keeper {
    /// Before anything is made: whoever may not store keys is told now.
    pub(super) async fn find(files: bool, common: &Common) -> anyhow::Result<Self> {
        let directory = common.configuration_directory().context("HOME is not set; say --config FILE")?;
        let client = common.client()?;
        if files || !client.is_there().await {
            return Ok(Self { server: None, directory });
        }
        let list = client.get::<KeyList>("/keys").await;
        let list =
            list.context("a server runs, but lets nothing be stored; --files keeps the secrets in files")?;
        let is_stored = |key: &Key| key.set_at.is_some();
        if let Some(key) = list.github.iter().find(|key| is_stored(key)) {
            bail!(
                "the server has a stored {} already: forget it first (lamplight keys remove {}), or say --files",
                key.name,
                key.name
            );
        }
        Ok(Self { server: Some(client), directory })
    }

    pub(super) fn has_server(&self) -> bool {
        self.server.is_some()
    }

    /// Gives the lines of the configuration that are needed with it. What was made is never lost: what the server does not take is in files.
    pub(super) async fn keep(
        &self,
        slug: &str,
        secrets: &Secrets<'_>,
        output: &mut Output,
    ) -> anyhow::Result<String> {
        if let Some(client) = &self.server {
            match store(client, secrets).await {
                Ok(configured) => {
                    output.line("The server has stored its secrets, sealed (lamplight keys list).")?;
                    for name in configured {
                        output.line(&format!(
                            "But the configuration has {name} in a file or a variable, which counts before: take that away."
                        ))?;
                    }
                    return Ok(String::new());
                }
                Err(error) => output.line(&format!(
                    "The server did not store its secrets ({error:#}), so they are in files."
                ))?,
            }
        }
        let mut lines = String::new();
        let name = format!("github-{slug}");
        let key = write(&self.directory, (name.as_str(), "pem"), secrets.key)?;
        writeln!(lines, "private_key_file = {key:?}")?;
        if let Some(secret) = secrets.webhook_secret {
            let file = write(&self.directory, (name.as_str(), "secret"), secret)?;
            writeln!(lines, "webhook_secret_file = {file:?}")?;
        }
        Ok(lines)
    }
}

/// Names of those that do not count, because the configuration has others.
async fn store(client: &Client, secrets: &Secrets<'_>) -> anyhow::Result<Vec<String>> {
    let all =
        [(GitHubSecret::AppKey, Some(secrets.key)), (GitHubSecret::WebhookSecret, secrets.webhook_secret)];
    let mut configured = Vec::new();
    for (name, secret) in all {
        let Some(secret) = secret else { continue };
        let key: Key = client.put(&format!("/keys/{name}"), &KeyRequest { key: secret.to_owned() }).await?;
        if key.source == KeySource::Configured {
            configured.push(key.name);
        }
    }
    Ok(configured)
}

/// Under the first name that is free, never over one that is there: what was made is in no other place.
fn write(directory: &Path, (name, extension): (&str, &str), text: &str) -> anyhow::Result<PathBuf> {
    std::fs::create_dir_all(directory).with_context(|| format!("make {}", directory.display()))?;
    let mut number = 1;
    let (path, mut file) = loop {
        let path = directory.join(match number {
            1 => format!("{name}.{extension}"),
            _ => format!("{name}-{number}.{extension}"),
        });
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && number < MOST => number += 1,
            file => {
                let file = file.with_context(|| format!("write {}", path.display()))?;
                break (path, file);
            }
        }
    };
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_kept_beside_one_that_is_there() {
        let directory = tempfile::tempdir().unwrap();
        let kept = |text| write(directory.path(), ("github-app", "pem"), text).unwrap();
        let (one, other) = (kept("one"), kept("other"));
        assert_eq!(one, directory.path().join("github-app.pem"));
        let read = |path| std::fs::read_to_string(path).unwrap();
        assert_eq!((read(&one), read(&other)), ("one".to_owned(), "other".to_owned()));
    }
}
