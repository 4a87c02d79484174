//! `lamplight hooks`: addresses that are told what happens to sessions.

use super::client::Client;
use super::output::{Output, Style, clean, duration};
use crate::clock;
use crate::http::hooks::Hook;
use crate::http::hooks::add::{AddedHook, NewHookRequest};
use crate::http::hooks::deliveries::{Delivery, DeliveryList, DeliveryStatus};
use crate::http::hooks::list::HookList;
use crate::http::hooks::retry::{Retried, RetryRequest};
use crate::http::hooks::test::HookTest;
use anyhow::bail;
use clap::{Args, Subcommand};
use lamplight_engine::NoticeKind;
use std::process::ExitCode;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Have an address told from now on; its secret is shown this once
    Add {
        /// Begins with https://
        #[arg(value_name = "URL")]
        address: String,
        /// What it is told of, such as turn.ended,person.needed [default: everything]
        #[arg(long, value_delimiter = ',', value_parser = event)]
        events: Vec<NoticeKind>,
        /// One JSON document
        #[arg(long)]
        json: bool,
    },
    /// Which addresses are told, of what, and how it stands with each
    List {
        /// One JSON document
        #[arg(long)]
        json: bool,
    },
    /// Tell an address nothing more, and forget what it was told
    Remove {
        /// Its id, or its address if no other has it
        hook: String,
    },
    /// Send an address something that means nothing, and say what it did
    Test {
        /// Its id, or its address if no other has it
        hook: String,
        /// One JSON document
        #[arg(long)]
        json: bool,
    },
    /// What an address was told of late, is to be told, and could not be told
    Deliveries {
        /// Its id, or its address if no other has it
        hook: String,
        /// Only those that were given up
        #[arg(long)]
        dead: bool,
        /// At most so many, the newest
        #[arg(long, default_value_t = 20)]
        limit: usize,
        /// One JSON document
        #[arg(long)]
        json: bool,
    },
    /// Try again what was given up; an address that was disabled is told again
    Retry {
        /// Its id, or its address if no other has it
        hook: String,
        /// Only this one, by its number in `lamplight hooks deliveries`
        #[arg(long)]
        delivery: Option<i64>,
        /// One JSON document
        #[arg(long)]
        json: bool,
    },
}

fn event(text: &str) -> Result<NoticeKind, String> {
    text.parse().map_err(|_| format!("it is none of {}", NoticeKind::all_in_words()))
}

pub(super) async fn run(
    arguments: &Arguments,
    client: &Client,
    output: &mut Output,
) -> anyhow::Result<ExitCode> {
    match &arguments.command {
        Command::Add { address, events, json } => {
            let events = events.iter().map(|event| event.as_str().to_owned()).collect();
            let new = NewHookRequest { url: address.clone(), events };
            let added: AddedHook = client.post("/hooks", Some(&new)).await?;
            match json {
                true => output.json(&added)?,
                false => {
                    output.line(&added.secret)?;
                    let hint = format!("Try it: lamplight hooks test {}", added.hook.id);
                    output.line(&output.paint(Style::Dim, &hint))?;
                }
            }
        }
        Command::List { json } => list(&client.get("/hooks").await?, *json, output)?,
        Command::Remove { hook } => {
            let hook = find(client, hook).await?;
            client.delete(&format!("/hooks/{}", hook.id)).await?;
            output.line(&format!("{} is told nothing more.", clean(&hook.url)))?;
        }
        Command::Test { hook, json } => {
            let hook = find(client, hook).await?;
            let test: HookTest = client.post(&format!("/hooks/{}/test", hook.id), None::<&()>).await?;
            let style = if test.delivered { Style::Good } else { Style::Bad };
            match json {
                true => output.json(&test)?,
                false => output.line(&output.paint(style, &clean(&test.outcome)))?,
            }
            return Ok(if test.delivered { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        Command::Deliveries { hook, dead, limit, json } => {
            let hook = find(client, hook).await?;
            let query = [("limit", limit.to_string()), ("dead", dead.to_string())];
            let list: DeliveryList = client.list(&format!("/hooks/{}/deliveries", hook.id), &query).await?;
            deliveries(&list, *json, output)?;
        }
        Command::Retry { hook, delivery, json } => {
            let hook = find(client, hook).await?;
            let request = RetryRequest { delivery: *delivery };
            let done: Retried = client.post(&format!("/hooks/{}/retry", hook.id), Some(&request)).await?;
            match json {
                true => output.json(&done)?,
                false => {
                    let what = match done.retried {
                        0 => "nothing was given up".to_owned(),
                        1 => "one delivery is tried again".to_owned(),
                        more => format!("{more} deliveries are tried again"),
                    };
                    output.line(&format!("{}: {what}.", clean(&hook.url)))?;
                }
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The one with this id or address.
async fn find(client: &Client, wanted: &str) -> anyhow::Result<Hook> {
    let all: HookList = client.get("/hooks").await?;
    let is_it = |hook: &Hook| hook.id.eq_ignore_ascii_case(wanted) || hook.url == wanted;
    let mut found = all.items.into_iter().filter(is_it);
    match (found.next(), found.next()) {
        (Some(hook), None) => Ok(hook),
        (None, _) => bail!("there is no hook {wanted:?}; `lamplight hooks list` shows them"),
        (Some(_), Some(_)) => bail!("several hooks have the address {wanted:?}; say the id"),
    }
}

fn list(all: &HookList, json: bool, output: &mut Output) -> anyhow::Result<()> {
    if json {
        output.json(all)?;
        return Ok(());
    }
    let now = clock::now();
    for hook in &all.items {
        let events = if hook.events.is_empty() { "everything".to_owned() } else { hook.events.join(", ") };
        output.line(&format!("{}  {}  {}", hook.id, clean(&hook.url), output.paint(Style::Dim, &events)))?;
        let told = hook
            .delivered_at
            .map_or("told nothing yet".to_owned(), |at| format!("told {} ago", duration(now.since_ms(at.0))));
        let line = format!("{told}, {} waiting, {} given up", hook.waiting, hook.dead);
        output.line(&format!("{:26}  {}", "", output.paint(Style::Dim, &line)))?;
        if let Some(why) = &hook.disabled {
            let line = format!("disabled: {}; lamplight hooks retry {}", clean(why), hook.id);
            output.line(&format!("{:26}  {}", "", output.paint(Style::Bad, &line)))?;
        }
    }
    if all.items.is_empty() {
        output.line("No address is told. Add one: lamplight hooks add https://…")?;
    }
    Ok(())
}

fn deliveries(list: &DeliveryList, json: bool, output: &mut Output) -> anyhow::Result<()> {
    if json {
        output.json(list)?;
        return Ok(());
    }
    if list.items.is_empty() {
        output.line("There is nothing.")?;
    }
    for delivery in &list.items {
        output.line(&row(delivery, output))?;
    }
    Ok(())
}

fn row(delivery: &Delivery, output: &Output) -> String {
    let now = clock::now();
    let (style, state) = match delivery.status {
        DeliveryStatus::Delivered => (Style::Good, "delivered".to_owned()),
        DeliveryStatus::Dead => (Style::Bad, "given up".to_owned()),
        DeliveryStatus::Waiting => {
            let wait = delivery.due_at.map(|due| due.0.since_ms(now)).unwrap_or_default();
            (Style::Warm, format!("tried in {}", duration(wait)))
        }
    };
    let tries = match delivery.tries {
        1 => "1 try".to_owned(),
        tries => format!("{tries} tries"),
    };
    let outcome = delivery.outcome.as_deref().map(|outcome| format!(" · {}", clean(outcome)));
    format!(
        "{:>6}  {:22}  {} {}  {}  {}",
        delivery.id,
        delivery.event,
        delivery.session_id,
        delivery.seq,
        output.paint(style, &state),
        output.paint(Style::Dim, &format!("{tries}{}", outcome.unwrap_or_default()))
    )
}
