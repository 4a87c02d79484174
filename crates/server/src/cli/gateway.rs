//! `lamplight gateway`

use super::SessionArgument;
use super::client::Client;
use super::output::{Output, clean};
use crate::http::sessions::gateway_token::GatewayToken;
use clap::Args;
use std::process::ExitCode;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    session: SessionArgument,
    /// One JSON document
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(
    arguments: &Arguments,
    client: &Client,
    output: &mut Output,
) -> anyhow::Result<ExitCode> {
    let id = client.resolve(&arguments.session.session).await?;
    let token: GatewayToken = client.post(&format!("/sessions/{id}/gateway-token"), None::<&()>).await?;
    if arguments.json {
        output.json(&token)?;
    } else {
        output.text(&for_a_shell(&token))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// As `eval` takes it. Neither an address nor a token has anything that a shell would take for more.
fn for_a_shell(GatewayToken { url, token }: &GatewayToken) -> String {
    let (url, token) = (clean(url), clean(token));
    let (scheme, host) = url.split_once("://").unwrap_or(("http", &url));
    let with_token = format!("{scheme}://lamplight:{token}@{host}");
    [
        ("OPENAI_BASE_URL", format!("{url}/openai/v1")),
        ("OPENAI_API_KEY", token.to_string()),
        ("ANTHROPIC_BASE_URL", format!("{url}/anthropic")),
        ("ANTHROPIC_API_KEY", token.to_string()),
        ("GOOGLE_GEMINI_BASE_URL", format!("{url}/gemini")),
        ("GEMINI_API_KEY", token.to_string()),
        ("LAMPLIGHT_GIT", format!("{with_token}/git/repository.git")),
        ("HTTP_PROXY", with_token.clone()),
        ("HTTPS_PROXY", with_token.clone()),
        ("NO_PROXY", host.split(':').next().unwrap_or(host).to_owned()),
    ]
    .map(|(name, value)| format!("export {name}='{value}'\n"))
    .concat()
}
