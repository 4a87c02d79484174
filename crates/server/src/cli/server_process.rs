//! A server for `lamplight run`: the one that is there, or one started in the background.

use super::Common;
use super::client::Client;
use anyhow::{Context, bail};
use std::fs::{File, OpenOptions};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

/// From starting the server to its saying that it is ready.
const READY: Duration = Duration::from_secs(20);
/// The background server's log starts anew when it is larger, in bytes.
const LOG_LIMIT: u64 = 8 * 1024 * 1024;
/// The end of the log that is shown when the server does not start, in lines.
const LOG_TAIL: usize = 5;

/// A client of a server that answers. One is started only where the configuration says that it listens.
pub(super) async fn find_or_start(common: &Common) -> anyhow::Result<Client> {
    let client = common.client()?;
    if common.url.is_some() || client.is_there().await {
        return Ok(client);
    }
    let config = common.configuration(None)?;
    start(common, &config.server.data_dir, &client).await?;
    Ok(client)
}

async fn start(common: &Common, data_dir: &Path, client: &Client) -> anyhow::Result<()> {
    std::fs::create_dir_all(data_dir)
        .with_context(|| format!("make the directory {}", data_dir.display()))?;
    let log = data_dir.join("server.log");
    let mut command = Command::new(std::env::current_exe().context("find this program")?);
    command.arg("serve");
    if let Some(config) = &common.config {
        command.arg("--config").arg(config);
    }
    command.arg("--data-dir").arg(data_dir);
    if common.is_unsafe {
        command.arg("--unsafe");
    }
    // A process group of its own: Ctrl-C here is not for the server.
    let mut child = command
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(open_log(&log)?)
        .spawn()
        .context("start the server")?;
    let stdout = child.stdout.take().context("read what the server says")?;
    let mut lines = BufReader::new(stdout).lines();
    match tokio::time::timeout(READY, lines.next_line()).await {
        Ok(Ok(Some(_))) => Ok(()),
        // Another `run` may have started one at the same moment.
        Ok(Ok(None) | Err(_)) if client.is_there().await => Ok(()),
        Ok(Ok(None) | Err(_)) => {
            bail!("the server did not start; {} ends with:\n{}", log.display(), tail(&log))
        }
        Err(_) => bail!("the server is not ready after {} s; its log is {}", READY.as_secs(), log.display()),
    }
}

fn open_log(path: &Path) -> anyhow::Result<File> {
    let anew = path.metadata().is_ok_and(|metadata| metadata.len() > LOG_LIMIT);
    let file =
        if anew { File::create(path) } else { OpenOptions::new().create(true).append(true).open(path) };
    file.with_context(|| format!("open {}", path.display()))
}

fn tail(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LOG_TAIL)..].join("\n")
}
