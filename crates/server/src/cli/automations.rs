//! `lamplight automations`: sessions that are begun by the clock, or by what happens on GitHub.

use super::budget::micros;
use super::client::Client;
use super::output::{Output, Style, clean, duration, first_line};
use super::run::network;
use crate::clock;
use crate::http::automations::create::NewAutomationRequest;
use crate::http::automations::list::AutomationList;
use crate::http::automations::show::AutomationWithRuns;
use crate::http::automations::{Automation, AutomationRun, AutomationRunState, AutomationTrigger};
use crate::http::resources::{Moment, Network};
use anyhow::{Context, bail};
use clap::{ArgGroup, Args, Subcommand, ValueEnum};
use lamplight_domain::session::Dollars;
use std::path::PathBuf;
use std::process::ExitCode;

/// Characters of a name and of a sentence that are shown.
const NAME: usize = 32;
const DETAIL: usize = 100;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make one; its sessions are yours, with your rights and budgets
    Add(Box<AddArguments>),
    /// Which there are, and when each runs next
    List {
        /// One JSON document
        #[arg(long)]
        json: bool,
    },
    /// Show one, and what came of its last times
    Show {
        #[command(flatten)]
        which: Which,
        /// One JSON document
        #[arg(long)]
        json: bool,
    },
    /// Let one run no more until it is resumed; what is at work goes on
    Pause(Which),
    /// Let one run again from now on
    Resume(Which),
    /// Let one run now, paused or not
    Run(Which),
    /// Remove one; its sessions stay
    Remove(Which),
}

#[derive(Debug, Args)]
struct Which {
    /// Its name or id
    automation: String,
}

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("trigger").required(true)))]
struct AddArguments {
    /// What is to be done each time
    text: String,
    /// What it is called, unlike every other
    #[arg(long)]
    name: String,
    /// The repository to work on
    #[arg(long, value_name = "PATH", default_value = ".")]
    repo: PathBuf,
    /// Run by the clock: minute, hour, day of the month, month, day of the week, such as "0 9 * * 1-5"
    #[arg(long, value_name = "EXPRESSION", group = "trigger")]
    cron: Option<String>,
    /// By whose clocks, such as Europe/Berlin [default: those of this machine]
    #[arg(long, value_name = "ZONE", requires = "cron")]
    timezone: Option<String>,
    /// Run when this happens on GitHub, in the repository that the one here is a clone of
    #[arg(long, value_name = "EVENT", group = "trigger")]
    on: Option<Event>,
    /// The branch to start from, and that `--on pushed` and `--on checks-failed` are about
    #[arg(long)]
    branch: Option<String>,
    /// The label that `--on issue-labelled` is about
    #[arg(long)]
    label: Option<String>,
    /// The agent to give it to; `lamplight agents list` names them
    #[arg(long)]
    agent: Option<String>,
    /// The agent's own name of a model
    #[arg(long)]
    model: Option<String>,
    /// What programs in the sandbox may connect to: `open`, `none`, or hosts such as `example.org,*.example.net`
    /// [default: as configured]
    #[arg(long, value_name = "POLICY", value_parser = network)]
    network: Option<Network>,
    /// Dollars that each session may cost, such as 2.50 [default: as configured]
    #[arg(long, value_name = "DOLLARS", value_parser = micros)]
    budget: Option<u64>,
    /// One JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Event {
    Pushed,
    IssueOpened,
    IssueLabelled,
    PullRequestOpened,
    ChecksFailed,
}

impl AddArguments {
    fn request(&self) -> anyhow::Result<NewAutomationRequest> {
        let repository = self.repo.canonicalize().with_context(|| format!("find {}", self.repo.display()))?;
        Ok(NewAutomationRequest {
            name: self.name.clone(),
            repository: repository.to_str().context("the repository's path is not UTF-8")?.to_owned(),
            text: self.text.clone(),
            trigger: self.trigger()?,
            base: self.branch.clone(),
            agent: self.agent.clone(),
            model: self.model.clone(),
            network: self.network.clone(),
            budget_micros: self.budget,
        })
    }

    fn trigger(&self) -> anyhow::Result<AutomationTrigger> {
        if let Some(expression) = self.cron.clone() {
            let timezone = self.timezone.clone().unwrap_or_else(timezone_here);
            return Ok(AutomationTrigger::Cron { expression, timezone });
        }
        let branch = || self.branch.clone().context("say which branch it is about (--branch)");
        Ok(match self.on.context("say when it runs: --cron or --on")? {
            Event::Pushed => AutomationTrigger::Pushed { branch: branch()? },
            Event::ChecksFailed => AutomationTrigger::ChecksFailed { branch: branch()? },
            Event::IssueLabelled => {
                let label = self.label.clone().context("say which label it is about (--label)")?;
                AutomationTrigger::IssueLabelled { label }
            }
            Event::IssueOpened => AutomationTrigger::IssueOpened,
            Event::PullRequestOpened => AutomationTrigger::PullRequestOpened,
        })
    }
}

/// By whose clocks whoever types lives; UTC where this machine does not say.
fn timezone_here() -> String {
    jiff::tz::TimeZone::system().iana_name().unwrap_or("UTC").to_owned()
}

pub(super) async fn run(
    arguments: &Arguments,
    client: &Client,
    output: &mut Output,
) -> anyhow::Result<ExitCode> {
    match &arguments.command {
        Command::Add(new) => {
            let made: Automation = client.post("/automations", Some(&new.request()?)).await?;
            if new.json {
                output.json(&made)?;
            } else {
                output.line(&line(&made, output))?;
            }
        }
        Command::List { json } => list(&client.get("/automations").await?, *json, output)?,
        Command::Show { which, json } => {
            let path = which.path(client).await?;
            show(&client.get(&path).await?, *json, output)?;
        }
        Command::Pause(which) => change(which, "pause", client, output).await?,
        Command::Resume(which) => change(which, "resume", client, output).await?,
        Command::Run(which) => {
            let path = format!("{}/run", which.path(client).await?);
            let _run: AutomationRun = client.post(&path, None::<&()>).await?;
            let name = clean(&which.automation);
            output.line(&format!("It runs: lamplight automations show {name:?} names its session."))?;
        }
        Command::Remove(which) => {
            client.delete(&which.path(client).await?).await?;
            output.line(&format!("{} is removed; its sessions stay.", clean(&which.automation)))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn change(which: &Which, what: &str, client: &Client, output: &mut Output) -> anyhow::Result<()> {
    let path = format!("{}/{what}", which.path(client).await?);
    let automation: Automation = client.post(&path, None::<&()>).await?;
    Ok(output.line(&line(&automation, output))?)
}

impl Which {
    /// Of the one with this name or id.
    async fn path(&self, client: &Client) -> anyhow::Result<String> {
        let all: AutomationList = client.get("/automations").await?;
        let wanted = &self.automation;
        let is_it = |one: &&Automation| {
            one.id.eq_ignore_ascii_case(wanted) || one.name.to_lowercase() == wanted.to_lowercase()
        };
        match all.items.iter().find(is_it) {
            Some(found) => Ok(format!("/automations/{}", found.id)),
            None => bail!("there is no automation {wanted:?}; `lamplight automations list` shows them"),
        }
    }
}

fn list(all: &AutomationList, json: bool, output: &mut Output) -> anyhow::Result<()> {
    if json {
        output.json(all)?;
        return Ok(());
    }
    for automation in &all.items {
        output.line(&line(automation, output))?;
    }
    if all.items.is_empty() {
        output.line("There is no automation. Make one: lamplight automations add --cron \"0 9 * * 1-5\" --name NAME TEXT")?;
    }
    Ok(())
}

fn show(shown: &AutomationWithRuns, json: bool, output: &mut Output) -> anyhow::Result<()> {
    if json {
        output.json(shown)?;
        return Ok(());
    }
    let automation = &shown.automation;
    output.line(&output.paint(Style::Bold, &clean(&automation.name)))?;
    let mut row = |name: &str, value: &str| output.line(&format!("{name:11} {value}"));
    row("runs", &when(&automation.trigger))?;
    row("next", &next(automation))?;
    row("repository", &clean(automation.github_repository.as_ref().unwrap_or(&automation.repository)))?;
    row("owner", &clean(&automation.owner))?;
    row("text", &first_line(&automation.text, DETAIL))?;
    if let Some(budget) = automation.budget_micros {
        row("budget", &format!("{} each", Dollars(budget)))?;
    }
    for run in &shown.runs {
        output.line(&run_line(run, output))?;
    }
    Ok(())
}

fn line(automation: &Automation, output: &Output) -> String {
    let name = first_line(&automation.name, NAME);
    let rest = format!("{} · {} · {}", when(&automation.trigger), next(automation), clean(&automation.owner));
    format!("{name:NAME$}  {}", output.paint(Style::Dim, &rest))
}

fn when(trigger: &AutomationTrigger) -> String {
    match trigger {
        AutomationTrigger::Cron { expression, timezone } => {
            format!("{} by the clocks of {}", clean(expression), clean(timezone))
        }
        AutomationTrigger::Pushed { branch } => format!("when {} is pushed to", clean(branch)),
        AutomationTrigger::IssueOpened => "when an issue is opened".to_owned(),
        AutomationTrigger::IssueLabelled { label } => {
            format!("when an issue gets the label {}", clean(label))
        }
        AutomationTrigger::PullRequestOpened => "when a pull request is opened".to_owned(),
        AutomationTrigger::ChecksFailed { branch } => format!("when checks on {} fail", clean(branch)),
    }
}

fn next(automation: &Automation) -> String {
    match (&automation.paused, automation.next_run_at) {
        (Some(paused), _) => format!("paused: {}", first_line(&paused.reason, DETAIL)),
        (None, Some(Moment(at))) => format!("in {}", duration(at.since_ms(clock::now()))),
        (None, None) => "waiting".to_owned(),
    }
}

fn run_line(run: &AutomationRun, output: &Output) -> String {
    let (state, style) = match run.state {
        AutomationRunState::Waiting => ("waiting", Style::Warm),
        AutomationRunState::Running => ("running", Style::Warm),
        AutomationRunState::Done => ("done", Style::Good),
        AutomationRunState::Failed => ("failed", Style::Bad),
        AutomationRunState::Skipped => ("skipped", Style::Dim),
    };
    let ago = duration(clock::now().since_ms(run.at.0));
    let detail = if run.detail.is_empty() { String::new() } else { format!(": {}", run.detail) };
    let why = first_line(&format!("{}{detail}", run.cause), DETAIL);
    let session = run.session.as_deref().unwrap_or("no session");
    format!("{}  {session:26}  {ago} ago  {why}", output.paint(style, &format!("{state:7}")))
}
