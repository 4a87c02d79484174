//! `lamplight tokens`: one's own. A token is printed once, when it is made.

use super::client::Client;
use super::output::{Output, Style, clean, duration};
use crate::clock;
use crate::http::people::ScopeView;
use crate::http::tokens::create::{CreatedToken, NewToken};
use crate::http::tokens::{Token, TokenList};
use anyhow::bail;
use clap::{Args, Subcommand};
use lamplight_domain::Scope;
use std::process::ExitCode;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a token; its text is shown this once
    Create {
        /// What it is for
        name: String,
        /// How much of what you may do it may: read, write or admin
        #[arg(long, default_value = "write")]
        scope: Scope,
        /// When it ends, such as 12h or 30d [default: when it is revoked]
        #[arg(long, value_parser = seconds)]
        expires: Option<u64>,
        /// One JSON document
        #[arg(long)]
        json: bool,
    },
    /// Which tokens there are
    List {
        /// One JSON document
        #[arg(long)]
        json: bool,
    },
    /// Let a token count no more
    Revoke {
        /// Its id, or its name if no other has it
        token: String,
    },
}

/// `90m`, `12h`, `30d`, in seconds.
fn seconds(text: &str) -> Result<u64, String> {
    let wrong = || format!("{text:?} is no time; say it like 90m, 12h or 30d");
    let unit = text.chars().last().ok_or_else(wrong)?;
    let seconds = match unit {
        'm' => 60,
        'h' => 60 * 60,
        'd' => 24 * 60 * 60,
        _ => return Err(wrong()),
    };
    let number: u64 = text[..text.len() - 1].parse().map_err(|_| wrong())?;
    number.checked_mul(seconds).filter(|seconds| *seconds > 0).ok_or_else(wrong)
}

pub(super) async fn run(
    arguments: &Arguments,
    client: &Client,
    output: &mut Output,
) -> anyhow::Result<ExitCode> {
    match &arguments.command {
        Command::Create { name, scope, expires, json } => {
            let new = NewToken { name: name.clone(), scope: (*scope).into(), expires_in_seconds: *expires };
            let made: CreatedToken = client.post("/tokens", Some(&new)).await?;
            match json {
                true => output.json(&made)?,
                false => output.line(&made.secret)?,
            }
        }
        Command::List { json } => list(&client.get("/tokens").await?, *json, output)?,
        Command::Revoke { token } => {
            let all: TokenList = client.get("/tokens").await?;
            let found = find(&all, token)?;
            client.delete(&format!("/tokens/{}", found.id)).await?;
            output.line(&format!("{} does not count any more.", clean(&found.name)))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The one with this id or name.
pub(super) fn find<'a>(all: &'a TokenList, wanted: &str) -> anyhow::Result<&'a Token> {
    let mut found =
        all.items.iter().filter(|token| token.id.eq_ignore_ascii_case(wanted) || token.name == wanted);
    match (found.next(), found.next()) {
        (Some(token), None) => Ok(token),
        (None, _) => bail!("there is no token {wanted:?}; `lamplight tokens list` shows them"),
        (Some(_), Some(_)) => bail!("several tokens are called {wanted:?}; say the id"),
    }
}

pub(super) fn list(all: &TokenList, json: bool, output: &mut Output) -> anyhow::Result<()> {
    if json {
        output.json(all)?;
        return Ok(());
    }
    let now = clock::now();
    for token in &all.items {
        let scope = match token.scope {
            ScopeView::Read => "read",
            ScopeView::Write => "write",
            ScopeView::Admin => "admin",
        };
        let used = token
            .used_at
            .map_or("never used".to_owned(), |at| format!("used {} ago", duration(now.since_ms(at.0))));
        let end = token.expires_at.map(|at| format!(", ends in {}", duration(at.0.since_ms(now))));
        let rest = format!("{used}{}", end.unwrap_or_default());
        output.line(&format!(
            "{}  {scope:5}  {}  {}",
            token.id,
            clean(&token.name),
            output.paint(Style::Dim, &rest)
        ))?;
    }
    if all.items.is_empty() {
        output.line("There is no token. Make one: lamplight tokens create NAME")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::seconds;

    #[test]
    fn times_are_said_with_their_unit() {
        assert_eq!(["90m", "12h", "30d"].map(seconds), [Ok(5_400), Ok(43_200), Ok(2_592_000)]);
        for wrong in ["", "30", "d", "0d", "-1d", "1é", "99999999999999999999d", "999999999999999999d"] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
    }
}
