//! `lamplight login` and `lamplight logout`: a token for a server, kept for later commands.

use super::client::Client;
use super::output::{Output, clean};
use super::{Common, secret_input, tokens_file};
use crate::http::me::Me;
use crate::http::sign_in::enter::{EnterRequest, Entered};
use crate::person;
use anyhow::{Context, bail};
use clap::Args;
use std::process::ExitCode;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The server's address, such as https://lamplight.example.org; a token is then read from standard input or asked for.
    /// Or the whole link of an invitation
    url: String,
    /// With an invitation: your name, as commits say it [default: who git says you are]
    #[arg(long)]
    name: Option<String>,
    /// With an invitation: your e-mail address
    #[arg(long)]
    email: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct LogoutArguments {
    /// The server's address [default: the one that commands talk to]
    url: Option<String>,
}

/// What the page's address of a link has before the secret.
const LINK: &str = "/sign-in#";

pub(super) async fn run(arguments: &Arguments, output: &mut Output) -> anyhow::Result<ExitCode> {
    let (base, secret) = match arguments.url.split_once(LINK) {
        Some((base, secret)) => (base, Some(secret)),
        None => (arguments.url.trim_end_matches('/'), None),
    };
    let token = match secret {
        Some(secret) => enter(base, secret, arguments).await?,
        None => secret_input::read("Token (not shown): ")?,
    };
    let me: Me = Client::new(base, Some(&token))?.get("/me").await?;
    if !me.signs_in {
        bail!("the server at {base} needs no token");
    }
    let file = tokens_file::keep(base, &token)?;
    let role = serde_json::to_value(me.role)?;
    output.line(&format!(
        "You are {}, {}. The token is in {}.",
        clean(&me.name),
        role.as_str().unwrap_or_default(),
        file.display()
    ))?;
    output.line(&format!("Commands talk to it with --url {base}, or: export LAMPLIGHT_URL={base}"))?;
    Ok(ExitCode::SUCCESS)
}

/// Uses up an invitation; the token that it gives.
async fn enter(base: &str, secret: &str, arguments: &Arguments) -> anyhow::Result<String> {
    let git = person::from_git().await;
    let request = EnterRequest {
        secret: secret.to_owned(),
        name: Some(arguments.name.clone().unwrap_or(git.name)),
        email: Some(arguments.email.clone().unwrap_or(git.email)),
        token: Some("lamplight login".to_owned()),
    };
    let entered: Entered = Client::new(base, None)?.post("/sign-in", Some(&request)).await?;
    entered.token.context("the server gave no token")
}

pub(super) async fn logout(
    arguments: &LogoutArguments,
    common: &Common,
    output: &mut Output,
) -> anyhow::Result<ExitCode> {
    let base = match &arguments.url {
        Some(url) => url.clone(),
        None => common.base()?,
    };
    let Some(token) = tokens_file::find(&base)? else { bail!("no token is kept for {base}") };
    let revoked = Client::new(&base, Some(&token))?.tell("/sign-out").await;
    tokens_file::forget(&base)?;
    revoked.context("the token is forgotten here, but counts until it is revoked")?;
    output.line("The token is revoked and forgotten.")?;
    Ok(ExitCode::SUCCESS)
}
