//! `lamplight logs`

use super::SessionArgument;
use super::client::Client;
use super::output::Output;
use super::render::Renderer;
use super::watch::{Seen, Watch};
use crate::clock;
use clap::Args;
use futures::StreamExt;
use std::pin::pin;
use std::process::ExitCode;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};

/// Between two drawings of the status line.
const TICK: Duration = Duration::from_millis(250);

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    session: SessionArgument,
    /// Go on with what comes, until Ctrl-C
    #[arg(short, long)]
    follow: bool,
    /// Only entries after this one
    #[arg(long, value_name = "SEQ", default_value_t = 0)]
    after: u64,
    /// The entries as they are, one JSON document a line
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(
    arguments: &Arguments,
    client: &Client,
    output: &mut Output,
) -> anyhow::Result<ExitCode> {
    let id = client.resolve(&arguments.session.session).await?;
    let status_width = output.status_width().filter(|_| arguments.follow && !arguments.json);
    let mut renderer = Renderer::new(std::io::stdout(), output.colours, status_width);
    let mut seen = pin!(Watch::new(client, &id, arguments.after).into_stream());
    let mut tick = interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            next = seen.next() => match next {
                Some(Ok(Seen::Entry { text, .. })) if arguments.json => output.line(&text)?,
                Some(Ok(Seen::Entry { entry: Some(entry), .. })) => renderer.entry(&entry)?,
                Some(Ok(Seen::Entry { entry: None, .. })) => {}
                Some(Ok(Seen::Live)) if arguments.follow => {}
                Some(Ok(Seen::Live)) | None => break,
                Some(Err(error)) => {
                    renderer.finish()?;
                    return Err(error);
                }
            },
            _ = tick.tick() => renderer.tick(clock::now())?,
        }
    }
    renderer.finish()?;
    Ok(ExitCode::SUCCESS)
}
