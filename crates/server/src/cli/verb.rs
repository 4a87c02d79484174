//! What is said to a session in one word: `lamplight stop`, `pause`, `resume`, `retry`, `take`, `end`.

use super::SessionArgument;
use super::client::Client;
use super::output::{Output, plural};
use crate::http::resources::SessionView;
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

#[derive(Debug, Clone, Copy)]
pub(super) enum Verb {
    Stop,
    Pause,
    Resume,
    Retry,
    Take,
    End,
}

impl Verb {
    /// As the API has it.
    fn word(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Retry => "retry",
            Self::Take => "take",
            Self::End => "end",
        }
    }

    /// What has come of it, for a person.
    fn said(self, view: &SessionView) -> String {
        match self {
            Self::Stop => format!("Turn {} is being stopped.", view.turn),
            Self::Pause => {
                "Everything in the sandbox is brought to a standstill; `lamplight resume` lets it go on."
                    .into()
            }
            Self::Resume => "It goes on.".into(),
            Self::Retry => "It is tried again.".into(),
            Self::Take => taken(view),
            Self::End => format!("Ended; its branch {} and its log stay.", view.branch),
        }
    }
}

fn taken(view: &SessionView) -> String {
    let others = view.attempts.as_ref().map_or(0, |attempts| attempts.sessions.len().saturating_sub(1));
    let ended = match others {
        1 => "the other attempt is".to_owned(),
        others => format!("the other {} are", plural(others as u64, "attempt")),
    };
    let id = &view.id;
    format!(
        "It is taken; {ended} ended, and their branches stay.\nreview  lamplight diff {id}   then   lamplight merge {id}"
    )
}

pub(super) async fn run(
    verb: Verb,
    arguments: &Arguments,
    client: &Client,
    output: &mut Output,
) -> anyhow::Result<ExitCode> {
    let id = client.resolve(&arguments.session.session).await?;
    let view: SessionView = client.post(&format!("/sessions/{id}/{}", verb.word()), None::<&()>).await?;
    if arguments.json {
        output.json(&view)?;
    } else {
        output.line(&verb.said(&view))?;
    }
    Ok(ExitCode::SUCCESS)
}
