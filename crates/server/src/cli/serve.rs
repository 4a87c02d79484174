//! `lamplight serve`: the server itself.

use super::Common;
use super::output::Output;
use super::redacting::Redacting;
use crate::config::{Config, Log, LogFormat, Tls};
use crate::http::live::Timings;
use crate::http::{self, App, OverHttp};
use crate::start_code;
use anyhow::Context;
use clap::Args;
use lamplight_domain::Redaction;
use lamplight_engine::Engine;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// For the engine to finish what it is writing, once nobody asks it anything any more.
const SHUTDOWN: Duration = Duration::from_secs(10);

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Address and port [default: 127.0.0.1:7410]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
    /// Let programs that speak E2B's protocol have sandboxes here (e2b.enabled); see docs/e2b.md
    #[arg(long)]
    e2b: bool,
    /// Print a link that makes one more owner, where everybody who was one has lost the way in
    #[arg(long)]
    new_owner: bool,
}

pub(super) fn run(arguments: &Arguments, common: &Common, output: &mut Output) -> anyhow::Result<ExitCode> {
    let mut config = common.configuration_to_serve(arguments.listen.as_ref(), arguments.e2b)?;
    config.read_keys()?;
    config.check_sign_in()?;
    let engine = config.engine();
    engine.redaction.learn(config.auth.known_secrets());
    start_logging(&config.log, engine.redaction.clone())?;
    lamplight_engine::install_tls_provider();
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(config.server.threads)
        .thread_name("lamplight")
        .enable_all()
        .build()?
        .block_on(serve(config, engine, arguments.new_owner, output))?;
    Ok(ExitCode::SUCCESS)
}

async fn serve(
    config: Config,
    mut engine: lamplight_engine::Config,
    new_owner: bool,
    output: &mut Output,
) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    // The address first: two servers cannot both have it, and only one of them then opens the log.
    let listener = TcpListener::bind(config.server.listen)
        .await
        .with_context(|| format!("cannot listen on {}", config.server.listen))?;
    let listen = listener.local_addr()?;
    engine.servers_address = config.servers_address(listen);
    for forge in [&mut engine.forge, &mut engine.github_stored.forge].into_iter().flatten() {
        forge.address = config.address(listen);
    }
    let engine = Engine::open(engine).await?;
    if engine.server() != 0 {
        engine.ask_neighbours_by(Arc::new(OverHttp::new()?));
    }
    let door = match config.auth.required && (new_owner || engine.people().await?.is_empty()) {
        true => Some(format!("{}/sign-in#{}", address(&config, listen), engine.setup_secret().await?)),
        false => None,
    };
    let gateway = match config.gateway.listen {
        Some(address) => Some(config.gateway.address(serve_gateway(&engine, address).await?)),
        None => None,
    };
    let app = App::new(engine.clone(), config, listen, gateway, Timings::default())?;
    // Whoever started this process in the background waits for this line.
    output.line(&format!("Lamplight {} on http://{listen}", env!("CARGO_PKG_VERSION")))?;
    if let Some(door) = door {
        // Whoever started this process in the background may have stopped reading.
        let _ = output.line(&format!(
            "The first owner comes in here, once, within a day (or: lamplight login LINK):\n  {door}"
        ));
    }
    let stop = async move {
        tokio::select! {
            _ = terminate.recv() => tracing::info!("asked to stop by SIGTERM"),
            _ = interrupt.recv() => tracing::info!("asked to stop by SIGINT"),
        }
    };
    tokio::select! {
        () = http::serve(listener, app, stop) => {}
        never = start_code::give_back_after_start() => match never {},
    }
    if tokio::time::timeout(SHUTDOWN, engine.shutdown()).await.is_err() {
        tracing::warn!("some sessions were still busy; they go on at the next start");
    }
    Ok(())
}

/// Where people find the page.
fn address(config: &Config, listen: SocketAddr) -> String {
    let scheme = if config.server.tls == Some(Tls::InFront) { "https" } else { "http" };
    match config.server.hosts.first() {
        Some(host) if scheme == "https" => format!("https://{host}"),
        Some(host) => format!("http://{host}:{}", listen.port()),
        None => format!("http://{listen}"),
    }
}

/// Where it is reached then.
async fn serve_gateway(engine: &Engine, address: SocketAddr) -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address} (gateway.listen)"))?;
    let listening = listener.local_addr()?;
    engine.serve_gateway(listener).await?;
    Ok(listening)
}

fn start_logging(log: &Log, redaction: Redaction) -> anyhow::Result<()> {
    let filter =
        EnvFilter::try_new(&log.level).with_context(|| format!("log.level {:?} is no filter", log.level))?;
    let writer = move || Redacting { redaction: redaction.clone(), out: std::io::stderr() };
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer);
    match log.format {
        LogFormat::Text => {
            subscriber.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).init();
        }
        LogFormat::Json => subscriber.json().init(),
    }
    Ok(())
}
