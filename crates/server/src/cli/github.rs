//! `lamplight github setup`: makes a GitHub App, or takes one that there is. To make one, a person's browser takes along what it should be, and
//! comes back here with a code for it; so no key is ever typed, and none goes through the browser.

mod keep;

use super::Common;
use super::output::Output;
use crate::config::{Addresses, Config, GitHub};
use crate::random;
use anyhow::{Context as _, bail};
use axum::Router;
use axum::extract::{Query, State};
use axum::response::Html;
use axum::routing::get;
use clap::{Args, Subcommand};
use keep::{Keeper, Secrets};
use lamplight_engine::NewApp;
use serde::Deserialize;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};

/// For the person to come back from GitHub.
const WAIT: Duration = Duration::from_secs(15 * 60);
/// For the last answer to reach the browser.
const FAREWELL: Duration = Duration::from_secs(5);

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a GitHub App for this server in your browser, or take one that there is; stores its key with the server (`lamplight keys`), or in files
    /// where none runs, and says what to write into the configuration
    Setup(Box<Setup>),
}

#[derive(Debug, Args)]
struct Setup {
    /// The App's name, which no other App may have [default: lamplight- and some letters]
    #[arg(long)]
    name: Option<String>,
    /// Make it for an organization instead of for yourself
    #[arg(long)]
    organization: Option<String>,
    /// A GitHub Enterprise Server; its addresses follow from this one [default: github.host]
    #[arg(long, value_name = "NAME")]
    host: Option<String>,
    /// Of its pages, where that is elsewhere
    #[arg(long, value_name = "URL")]
    web: Option<String>,
    /// Of its REST interface
    #[arg(long, value_name = "URL")]
    api: Option<String>,
    /// Of its GraphQL interface
    #[arg(long, value_name = "URL")]
    graphql: Option<String>,
    /// What git's addresses begin with
    #[arg(long, value_name = "URL")]
    git: Option<String>,
    /// Take the App with this id instead of making one, once GitHub has said that it is what it should be
    #[arg(long, value_name = "ID", requires = "private_key_file", conflicts_with_all = ["name", "organization"])]
    app_id: Option<u64>,
    /// Its private key, as GitHub lets you download it
    #[arg(long, value_name = "FILE", requires = "app_id")]
    private_key_file: Option<PathBuf>,
    /// With the secret of its webhook, where it has one
    #[arg(long, value_name = "FILE", requires = "app_id")]
    webhook_secret_file: Option<PathBuf>,
    /// Keep its secrets in files beside the configuration, although a server runs
    #[arg(long)]
    files: bool,
}

impl Setup {
    /// What is said here counts before what is configured. Addresses are of a host: those of another one count for nothing.
    fn apply(&self, github: &mut GitHub) {
        if let Some(host) = self.host.as_ref().filter(|host| **host != github.host) {
            github.host.clone_from(host);
            (github.web, github.api, github.graphql, github.git) = (None, None, None, None);
        }
        for (said, address) in [
            (&self.web, &mut github.web),
            (&self.api, &mut github.api),
            (&self.graphql, &mut github.graphql),
            (&self.git, &mut github.git),
        ] {
            if said.is_some() {
                address.clone_from(said);
            }
        }
    }
}

/// What the two pages need.
struct Pages {
    /// Where the form is sent.
    action: String,
    manifest: String,
    state: String,
    api: String,
    made: mpsc::Sender<Result<NewApp, String>>,
}

pub(super) async fn run(
    arguments: &Arguments,
    common: &Common,
    output: &mut Output,
) -> anyhow::Result<ExitCode> {
    let Command::Setup(setup) = &arguments.command;
    let mut config = common.configuration(None)?;
    setup.apply(&mut config.github);
    config.github.check()?;
    let keeper = Keeper::find(setup.files, common).await?;
    match setup.app_id {
        Some(id) => take_existing(id, setup, config, keeper, output).await,
        None => make(setup, &config, keeper, output).await,
    }
}

/// Where no server stores them, its files are where they are.
async fn take_existing(
    id: u64,
    setup: &Setup,
    mut config: Config,
    keeper: Keeper,
    output: &mut Output,
) -> anyhow::Result<ExitCode> {
    let absolute = |path: &PathBuf| std::path::absolute(path);
    config.github.app_id = Some(id);
    config.github.private_key_file = setup.private_key_file.as_ref().map(absolute).transpose()?;
    if let Some(path) = &setup.webhook_secret_file {
        config.github.webhook_secret_file = Some(absolute(path)?);
    }
    config.read_keys()?;
    lamplight_engine::install_tls_provider();
    let findings = lamplight_engine::examine_github(&config.engine()).await;
    for finding in &findings {
        output.line(&format!("{} {}", if finding.is_well { "✓" } else { "!" }, finding.detail))?;
        if let Some(remedy) = &finding.remedy {
            output.line(&format!("  → {remedy}"))?;
        }
    }
    // The first says who we are there; without that nothing works.
    if !findings.first().is_some_and(|finding| finding.is_well) {
        bail!("this App cannot be used as it is; see above, and begin again");
    }
    let github = &config.github;
    let kept = match keeper.has_server() {
        true => {
            let read = |path: &Option<PathBuf>| path.as_ref().map(std::fs::read_to_string).transpose();
            let key = read(&setup.private_key_file)?.unwrap_or_default();
            let webhook_secret = read(&setup.webhook_secret_file)?;
            keeper
                .keep("app", &Secrets { key: &key, webhook_secret: webhook_secret.as_deref() }, output)
                .await?
        }
        false => {
            let files = [
                ("private_key_file", &github.private_key_file),
                ("webhook_secret_file", &github.webhook_secret_file),
            ];
            let files =
                files.into_iter().filter_map(|(name, path)| Some(format!("{name} = {:?}\n", path.as_ref()?)));
            files.collect()
        }
    };
    output.line("\nWrite this into lamplight.toml:\n")?;
    output
        .line(&format!("[github]\n{}app_id = {id}\n{kept}repositories = [\"owner/name\"]", github.lines()))?;
    Ok(ExitCode::SUCCESS)
}

async fn make(
    Setup { name, organization, .. }: &Setup,
    config: &Config,
    keeper: Keeper,
    output: &mut Output,
) -> anyhow::Result<ExitCode> {
    lamplight_engine::install_tls_provider();
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("listen on loopback")?;
    let here = format!("http://{}", listener.local_addr()?);
    let Addresses { web, api, .. } = config.github.addresses();
    let state = random::text()?;
    let name = name.clone().unwrap_or_else(|| format!("lamplight-{}", &state[..8]));
    let webhook = config.server.public_url.as_ref();
    let webhook = webhook.map(|url| format!("{}/github/webhooks", url.trim_end_matches('/')));
    let home = config.server.public_url.clone().unwrap_or_else(|| here.clone());
    let redirect = format!("{here}/made");
    let manifest = lamplight_engine::manifest(&name, &home, &redirect, webhook.as_deref()).to_string();
    let of = organization.as_ref().map(|name| format!("/organizations/{name}")).unwrap_or_default();
    let action = format!("{web}{of}/settings/apps/new?state={state}");
    let (made, mut result) = mpsc::channel(1);
    let pages = Arc::new(Pages { action, manifest, state, api, made });
    let router = Router::new().route("/", get(form)).route("/made", get(take)).with_state(pages);
    output.line(&format!("Open this in your browser: {here}/"))?;
    if webhook.is_none() {
        output.line("Without server.public_url the App gets no webhook, and the server looks at the repositories instead.")?;
    }
    let (tell, told) = oneshot::channel();
    let back = async move {
        let app = tokio::time::timeout(WAIT, result.recv()).await;
        let _ = tell.send(app.ok().flatten());
    };
    // What the browser is being answered is answered.
    let serving = axum::serve(listener, router).with_graceful_shutdown(back).into_future();
    tokio::time::timeout(WAIT + FAREWELL, serving).await.context("the page could not be closed")??;
    match told.await {
        Ok(Some(Ok(app))) => {
            hand_over(&app, &keeper, &config.github, output).await?;
            Ok(ExitCode::SUCCESS)
        }
        Ok(Some(Err(why))) => bail!("GitHub did not give the App: {why}; begin again"),
        Ok(None) | Err(_) => bail!("nobody came back within {} minutes; begin again", WAIT.as_secs() / 60),
    }
}

/// Nothing is sent before the person presses the button.
async fn form(State(pages): State<Arc<Pages>>) -> Html<String> {
    Html(format!(
        "<!doctype html><meta charset=\"utf-8\"><title>Lamplight</title><form method=\"post\" action=\"{}\">\
         <input type=\"hidden\" name=\"manifest\" value=\"{}\"><button>Make the App on GitHub</button></form>",
        escaped(&pages.action),
        escaped(&pages.manifest)
    ))
}

#[derive(Deserialize)]
struct Made {
    code: String,
    state: String,
}

async fn take(
    State(pages): State<Arc<Pages>>,
    Query(Made { code, state }): Query<Made>,
) -> Html<&'static str> {
    let is_code = |code: &str| !code.is_empty() && code.chars().all(|c| c.is_ascii_alphanumeric());
    if state != pages.state || !is_code(&code) {
        return Html("<!doctype html><title>Lamplight</title>This did not begin here.");
    }
    let app = lamplight_engine::take_app(&pages.api, &code).await;
    // One is enough; the browser may ask again.
    let _ = pages.made.try_send(app);
    Html("<!doctype html><title>Lamplight</title>Go back to the terminal.")
}

fn escaped(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    text.replace('"', "&quot;").replace('\'', "&#39;")
}

/// The secrets are kept, everything else is for the person.
async fn hand_over(
    app: &NewApp,
    keeper: &Keeper,
    github: &GitHub,
    output: &mut Output,
) -> anyhow::Result<()> {
    output.line(&format!("\nMade {}.", app.html_url))?;
    let secrets = Secrets { key: &app.pem, webhook_secret: app.webhook_secret.as_deref() };
    let kept = keeper.keep(&app.slug, &secrets, output).await?;
    output.line("Write this into lamplight.toml:\n")?;
    let lines = format!("[github]\n{}app_id = {}\n{kept}", github.lines(), app.id);
    output.line(&format!("{lines}repositories = [\"owner/name\"]"))?;
    output.line(&format!(
        "\nInstall it on these repositories: {}\nThen start the server again, and `lamplight doctor` says whether all is well.",
        installation_page(app, github)
    ))?;
    Ok(())
}

/// Of an Enterprise Server Apps have their pages elsewhere than on github.com, and GitHub says where.
fn installation_page(app: &NewApp, github: &GitHub) -> String {
    let own = app.html_url.trim_end_matches('/');
    if own.starts_with("http") {
        format!("{own}/installations/new")
    } else {
        format!("{}/apps/{}", github.addresses().web, app.slug)
    }
}
