//! `lamplight model`: those of a session, and another one between two turns.

use super::SessionArgument;
use super::client::Client;
use super::offers::Offers;
use super::output::{Output, Style, clean};
use crate::http::agents::AgentList;
use crate::http::models::ModelList;
use crate::http::resources::SessionView;
use crate::http::sessions::choose_model::ModelRequest;
use clap::Args;
use std::process::ExitCode;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    session: SessionArgument,
    /// The agent's own name of it, or NAME/MODEL of an upstream of the configuration [default: lists what the agent offers, and these]
    model: Option<String>,
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
    let view: SessionView = match &arguments.model {
        Some(model) => {
            let request = ModelRequest { model: model.clone() };
            client.post(&format!("/sessions/{id}/model"), Some(&request)).await?
        }
        None => client.session(&id).await?,
    };
    if arguments.json {
        output.json(&view)?;
        return Ok(ExitCode::SUCCESS);
    }
    let current = view.model.as_deref();
    if arguments.model.is_some() {
        output
            .line(&format!("The next turns are with {}.", clean(current.unwrap_or("the agent's default"))))?;
        return Ok(ExitCode::SUCCESS);
    }
    let offers = offers(&view, client).await?;
    let is_offered = |id: &str| view.models.iter().any(|model| model.id == id);
    let offered = view.models.iter().map(|model| (model.id.as_str(), model.name.as_str()));
    let others = offers.compatible().filter(|id| !is_offered(id)).map(|id| (id, ""));
    for (id, name) in offered.chain(others) {
        let note = offers.note(id).map(|note| format!("  {note}")).unwrap_or_default();
        let mark = if current == Some(id) { output.paint(Style::Good, "  (chosen)") } else { String::new() };
        output.line(&format!(
            "{}  {}{mark}",
            clean(id),
            output.paint(Style::Dim, &format!("{}{note}", clean(name)))
        ))?;
    }
    if view.models.is_empty() {
        let current = clean(current.unwrap_or("the agent's default"));
        output.line(&format!("The agent does not say which models it offers; it works with {current}."))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What the upstreams say of the models of this session's agent.
async fn offers(view: &SessionView, client: &Client) -> anyhow::Result<Offers> {
    let agents: AgentList = client.get("/agents").await?;
    let upstreams: ModelList = client.get("/models").await?;
    Ok(Offers::of(&upstreams.items, agents.items.iter().find(|agent| agent.name == view.agent)))
}
