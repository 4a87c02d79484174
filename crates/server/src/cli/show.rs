//! `lamplight show`

use super::SessionArgument;
use super::asking;
use super::budget::spent;
use super::client::Client;
use super::guards;
use super::output::{Output, Style, clean, count, first_line, plural};
use super::pull_request::in_words;
use super::render::short;
use super::run::numbers;
use super::sandbox::describe;
use super::usage::parts;
use crate::http::resources::{Network, Sandbox, SandboxState, SandboxWall, Strength};
use clap::Args;
use lamplight_domain::session::Dollars;
use std::process::ExitCode;

fn network(network: &Network) -> String {
    match network {
        Network::Open => "every public host".to_owned(),
        Network::Allowlist { hosts } => format!("only {}", hosts.join(", ")),
        Network::None => "models and git only".to_owned(),
    }
}

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
    let view = client.session(&id).await?;
    if arguments.json {
        output.json(&view)?;
        return Ok(ExitCode::SUCCESS);
    }
    output.line(&output.paint(Style::Bold, &clean(&view.title)))?;
    let mut row = |name: &str, value: &str| output.line(&format!("{name:11} {value}"));
    let reason = view.reason.as_ref().map(|reason| format!(": {}", clean(reason))).unwrap_or_default();
    row("phase", &format!("{}{reason} {}", view.phase.as_str(), numbers(&view)))?;
    if view.dead {
        row("", &format!("try it again with: lamplight retry {}", view.id))?;
    }
    row("session", &view.id)?;
    row("repository", &clean(&view.repository))?;
    row("branch", &format!("{} from {}", clean(&view.branch), clean(&view.base)))?;
    let model = view.model.as_deref().unwrap_or("its default model");
    row("agent", &format!("{} with {}", clean(&view.agent), clean(model)))?;
    if view.tokens.input + view.tokens.output > 0 {
        let parts = parts(&view.tokens).map(|parts| format!(" ({parts})")).unwrap_or_default();
        let (input, output) = (count(view.tokens.input), count(view.tokens.output));
        row("tokens", &format!("{input} in, {output} out{parts}"))?;
    }
    if let Some(sandbox) = &view.sandbox {
        row("sandbox", &describe(sandbox))?;
    }
    if let Some(standstill) = standstill(view.sandbox_state) {
        row("", standstill)?;
    }
    for commit in &view.commits {
        let changes =
            format!("{} +{} −{}", plural(commit.files.into(), "file"), commit.insertions, commit.deletions);
        row(&format!("turn {}", commit.turn), &format!("{} · {changes}", short(&commit.id)))?;
    }
    if let Some(checks) = &view.checks {
        row("checks", &super::checks::in_words(checks))?;
    }
    if let Some(origin) = &view.origin {
        row("fork of", &format!("{} at checkpoint {}", origin.session, origin.checkpoint))?;
    }
    if let Some(attempts) = &view.attempts {
        let place = format!("{} of {}", attempts.number, attempts.sessions.len());
        let taken = match &attempts.taken {
            Some(taken) if taken.session == view.id => format!(" · taken by {}", clean(&taken.by)),
            Some(taken) => format!(" · {} took another", clean(&taken.by)),
            None => format!(" · side by side: lamplight compare {}", view.id),
        };
        row("attempt", &format!("{place}{taken}"))?;
    }
    if let Some(parent) = view.family.parents.last() {
        row("child of", parent)?;
    }
    if !view.family.children.is_empty() {
        let number = view.family.children.len() as u64;
        row("children", &format!("{number} so far: lamplight sessions --parent {}", view.id))?;
    }
    for kept in &view.checkpoints {
        let when = if kept.in_turn { "in the middle of" } else { "after" };
        row(&format!("kept {}", kept.checkpoint), &format!("{when} turn {}", kept.turn))?;
    }
    for queued in &view.queued {
        row("queued", &first_line(&queued.text, 80))?;
    }
    if let Some(permission) = &view.permission {
        row("asks", &first_line(&permission.title, 80))?;
        row("", &format!("answer with: lamplight answer {} OPTION", view.id))?;
    }
    if let Some(open) = &view.question {
        row("asks", &first_line(&open.question.message, 80))?;
        for field in asking::fields(&open.question) {
            row("", &field)?;
        }
        row("", &format!("answer with: lamplight answer {} NAME=VALUE…, or --decline", view.id))?;
    }
    if let Some(tripped) = &view.tripped {
        row("stopped by", &guards::tripped(tripped))?;
        if tripped.can_be_continued {
            row("", &format!("let it go on once with: lamplight continue {}", view.id))?;
        }
    }
    for (text, n) in guards::enforced(&view).iter().zip(0..) {
        row(if n == 0 { "guards" } else { "" }, text)?;
    }
    if view.budget_micros > 0 {
        row("budget", &format!("{} of {}", spent(view.cost), Dollars(view.budget_micros)))?;
    }
    if let Some(merged) = &view.merged {
        row("merged", &format!("into {} as {}", clean(&merged.into), short(&merged.commit)))?;
    }
    if let Some(shown) = &view.pull_request {
        row("review", &in_words(shown))?;
    }
    if let Some(image) = &view.image {
        row(
            "image",
            &clean(&format!("{} ({})", image.name, image.digest.get(..12).unwrap_or(&image.digest))),
        )?;
    }
    let stands = view.sandbox.as_ref().and_then(stands).map(|stands| format!(" ({stands})"));
    row("network", &clean(&format!("{}{}", network(&view.network), stands.unwrap_or_default())))?;
    for contact in &view.contacts {
        let answer = match &contact.refused {
            Some(why) => format!("{} was refused: {}", clean(&contact.host), clean(why)),
            None => format!("{}:{} was reached", clean(&contact.host), contact.port),
        };
        row("", &answer)?;
    }
    if view.ended {
        row("ended", "its sandbox is gone; its branch and its log stay")?;
    }
    row("page", &client.page(&view.id))?;
    Ok(ExitCode::SUCCESS)
}

/// How the policy of the network stands; nothing where it was not looked at yet.
fn stands(sandbox: &Sandbox) -> Option<String> {
    let wall = sandbox.walls.iter().find(|wall| wall.wall == SandboxWall::Network)?;
    Some(match (wall.strength, &wall.why) {
        (Strength::Enforced, _) => "enforced".to_owned(),
        (Strength::Soft, why) => format!("soft: {}", why.as_deref().unwrap_or_default()),
        (Strength::Missing, why) => format!("missing: {}", why.as_deref().unwrap_or_default()),
    })
}

/// What a person has to know of a sandbox that does not run.
fn standstill(state: SandboxState) -> Option<&'static str> {
    match state {
        SandboxState::Paused => Some("paused: everything in it stands still, in memory"),
        SandboxState::Stopped => Some("stopped: its files are kept, and the agent loads its conversation"),
        SandboxState::None | SandboxState::Starting | SandboxState::Running => None,
    }
}
