//! `lamplight ready`: what `/readyz` says, as an exit status. Nobody has to sign in for it.

use super::client::Client;
use super::output::{Output, first_line};
use std::process::ExitCode;

/// Characters; what is not ours may answer with a page.
const WIDTH: usize = 200;

pub(super) async fn run(client: &Client, output: &mut Output) -> anyhow::Result<ExitCode> {
    let (is_ready, said) = client.readiness().await?;
    output.line(&first_line(&said, WIDTH))?;
    Ok(if is_ready { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
