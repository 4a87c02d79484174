//! `lamplight people`: who may use the server, and as what.

use super::client::Client;
use super::output::{Output, Style, clean};
use super::tokens;
use crate::http::people::invite::InviteRequest;
use crate::http::people::list::PersonList;
use crate::http::people::set_role::RoleRequest;
use crate::http::people::{Once, PersonView, RoleView};
use crate::http::tokens::TokenList;
use anyhow::bail;
use clap::{Args, Subcommand};
use lamplight_domain::Role;
use std::process::ExitCode;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Everybody, and who may still come
    List {
        /// One JSON document
        #[arg(long)]
        json: bool,
    },
    /// Make a link by which somebody comes in, once, within a day
    Invite {
        /// As what: viewer, member, admin or owner
        #[arg(long, default_value = "member")]
        role: Role,
    },
    /// Take an invitation back
    Uninvite {
        /// Its id
        invitation: String,
    },
    /// Give somebody another role
    Role {
        /// Name, e-mail address or id
        person: String,
        /// viewer, member, admin or owner
        role: Role,
    },
    /// Make a link that lets somebody who is here already in, once, within a day
    Link {
        /// Name, e-mail address or id
        person: String,
    },
    /// Let somebody in no more; what they did stays theirs
    Remove {
        /// Name, e-mail address or id
        person: String,
    },
    /// Which tokens somebody has
    Tokens {
        /// Name, e-mail address or id
        person: String,
        /// Revoke this one: its id, or its name
        #[arg(long, value_name = "TOKEN")]
        revoke: Option<String>,
        /// One JSON document
        #[arg(long)]
        json: bool,
    },
}

pub(super) async fn run(
    arguments: &Arguments,
    client: &Client,
    output: &mut Output,
) -> anyhow::Result<ExitCode> {
    match &arguments.command {
        Command::List { json } => list(client, *json, output).await?,
        Command::Invite { role } => {
            let request = InviteRequest { role: (*role).into() };
            let once: Once = client.post("/people/invitations", Some(&request)).await?;
            output.line(&link(client, &once))?;
        }
        Command::Uninvite { invitation } => {
            client.delete(&format!("/people/invitations/{invitation}")).await?;
            output.line("The invitation is taken back.")?;
        }
        Command::Role { person, role } => {
            let person = find(client, person).await?;
            let request = RoleRequest { role: (*role).into() };
            let person: PersonView = client.put(&format!("/people/{}/role", person.id), &request).await?;
            output.line(&format!("{} is {}.", clean(&person.name), word(person.role)))?;
        }
        Command::Link { person } => {
            let person = find(client, person).await?;
            let once: Once = client.post(&format!("/people/{}/link", person.id), None::<&()>).await?;
            output.line(&link(client, &once))?;
        }
        Command::Remove { person } => {
            let person = find(client, person).await?;
            client.delete(&format!("/people/{}", person.id)).await?;
            output.line(&format!("{} is let in no more.", clean(&person.name)))?;
        }
        Command::Tokens { person, revoke, json } => {
            let person = find(client, person).await?;
            let all: TokenList = client.get(&format!("/people/{}/tokens", person.id)).await?;
            match revoke {
                Some(wanted) => {
                    let token = tokens::find(&all, wanted)?;
                    client.delete(&format!("/people/{}/tokens/{}", person.id, token.id)).await?;
                    output.line(&format!("{} does not count any more.", clean(&token.name)))?;
                }
                None => tokens::list(&all, *json, output)?,
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// For the browser of whoever gets it, or their `lamplight login`.
fn link(client: &Client, once: &Once) -> String {
    format!("{}/sign-in#{}", client.base(), once.secret)
}

async fn list(client: &Client, json: bool, output: &mut Output) -> anyhow::Result<()> {
    let all: PersonList = client.get("/people").await?;
    if json {
        output.json(&all)?;
        return Ok(());
    }
    for person in &all.items {
        let logins = person.logins.join(", ");
        let rest = [person.id.as_str(), logins.as_str()].join("  ");
        let (name, email) = (clean(&person.name), clean(&person.email));
        let rest = output.paint(Style::Dim, clean(&rest).trim_end());
        output.line(&format!("{:6}  {name} <{email}>  {rest}", word(person.role)))?;
    }
    for invitation in &all.invitations {
        let rest = format!("invited by {}, not here yet  {}", clean(&invitation.by), invitation.id);
        output.line(&format!("{:6}  {}", word(invitation.role), output.paint(Style::Dim, &rest)))?;
    }
    Ok(())
}

/// The one with this name, address or id.
async fn find(client: &Client, wanted: &str) -> anyhow::Result<PersonView> {
    let all: PersonList = client.get("/people").await?;
    let is_it = |person: &PersonView| {
        [&person.id, &person.name, &person.email].iter().any(|one| one.eq_ignore_ascii_case(wanted))
    };
    let mut found = all.items.into_iter().filter(is_it);
    match (found.next(), found.next()) {
        (Some(person), None) => Ok(person),
        (None, _) => bail!("nobody here is {wanted:?}; `lamplight people list` shows who is"),
        (Some(_), Some(_)) => bail!("several people are {wanted:?}; say the id"),
    }
}

fn word(role: RoleView) -> &'static str {
    Role::from(role).as_str()
}
