//! `lamplight doctor`: what is missing on this machine and how to get it.

use super::client::Client;
use super::output::{Output, Style, clean, plural};
use super::{Common, block_on};
use crate::config::Config;
use crate::doctor::{self, Examination, Finding, Running, State};
use crate::http::github::show::GitHubStanding;
use crate::http::keys::KeySource;
use crate::http::keys::list::KeyList;
use crate::http::keys::test::KeyTest;
use crate::http::sessions::search_secrets::SecretSearch;
use clap::Args;
use lamplight_engine::KeyName;
use serde_json::json;
use std::process::ExitCode;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Look for the server's secrets in everything of this session instead
    #[arg(long, value_name = "SESSION")]
    session: Option<String>,
    /// One JSON document
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments, common: &Common, output: &mut Output) -> anyhow::Result<ExitCode> {
    if let Some(session) = &arguments.session {
        return block_on(search_session(session, arguments.json, &common.client()?, output));
    }
    let mut config = common.configuration(None)?;
    config.read_keys()?;
    lamplight_engine::install_tls_provider();
    let client = common.client()?;
    let Examination { tier, findings } =
        block_on(async { Ok(doctor::examine(&config, &running(&config, &client).await).await) })?;
    let is_missing = findings.iter().any(|finding| finding.state == State::Missing);
    if arguments.json {
        output.json(&json!({ "ok": !is_missing, "tier": tier, "findings": findings }))?;
    } else {
        for finding in &findings {
            tell(finding, output)?;
        }
        output.line(if is_missing { "\nSomething that is needed is missing." } else { "\nReady." })?;
    }
    Ok(if is_missing { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// What of secrets only the server has, only the server can try.
async fn running(config: &Config, client: &Client) -> Running {
    if !client.is_there().await {
        return Running::default();
    }
    let keys: Option<KeyList> = client.get("/keys").await.ok();
    let is_stored = |keys: &KeyList| keys.github.iter().any(|key| key.source == KeySource::Stored);
    let lacks_key = config.github.app_id.is_some() && config.github.private_key_file.is_none();
    let github = if lacks_key || keys.as_ref().is_some_and(is_stored) {
        client.get::<GitHubStanding>("/github").await.ok().map(|standing| standing.findings)
    } else {
        None
    };
    let is_of_cloud = |keys: &KeyList| keys.items.iter().any(|key| key.name == KeyName::Cloud.as_str());
    let cloud: Option<KeyTest> = match keys.as_ref().is_some_and(is_of_cloud) {
        true => client.post(&format!("/keys/{}/test", KeyName::Cloud), None::<&()>).await.ok(),
        false => None,
    };
    Running { keys, cloud, github }
}

async fn search_session(
    session: &str,
    json: bool,
    client: &Client,
    output: &mut Output,
) -> anyhow::Result<ExitCode> {
    let id = client.resolve(session).await?;
    let search: SecretSearch = client.post(&format!("/sessions/{id}/secrets/search"), None::<&()>).await?;
    let is_clean = search.found.is_empty() && search.complete;
    if json {
        output.json(&search)?;
        return Ok(if is_clean { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    for found in &search.found {
        output.line(&format!(
            "{}  {}: {}",
            output.paint(Style::Bad, "found"),
            found.name,
            clean(&found.place)
        ))?;
    }
    for unread in &search.unread {
        output.line(&output.paint(Style::Dim, &format!("not read: {}", clean(unread))))?;
    }
    let megabytes = search.bytes.div_ceil(1_000_000);
    let looked_at = format!(
        "{}, {}, {megabytes} MB of files and memory",
        if search.processes == 1 {
            "1 process".to_owned()
        } else {
            format!("{} processes", search.processes)
        },
        plural(search.files, "file"),
    );
    let verdict = match (search.found.len(), search.secrets) {
        (0, 0) => "The server knows no secret that could be in it".to_owned(),
        (0, secrets) => format!("none of {} found", plural(secrets, "secret")),
        (found, secrets) => {
            format!("{} where one of {} is", plural(found as u64, "place"), plural(secrets, "secret"))
        }
    };
    let not_read = match search.unread.len() as u64 {
        0 => String::new(),
        some => format!("; {} could not be read", plural(some, "place")),
    };
    output.line(&format!("{verdict}: {looked_at}{not_read}."))?;
    if !search.complete {
        output.line(&output.paint(Style::Warm, "Not all of it was looked at: there was not enough time."))?;
    }
    Ok(if is_clean { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn tell(finding: &Finding, output: &mut Output) -> anyhow::Result<()> {
    let mark = match finding.state {
        State::Ok => output.paint(Style::Good, "ok     "),
        State::Limited => output.paint(Style::Warm, "limited"),
        State::Missing => output.paint(Style::Bad, "missing"),
    };
    output.line(&format!("{mark}  {:16}  {}", finding.name, finding.detail))?;
    if let Some(remedy) = &finding.remedy {
        output.line(&format!("         {:16}  {}", "", output.paint(Style::Dim, &format!("→ {remedy}"))))?;
    }
    Ok(())
}
