//! `lamplight-scripted-model`: the scripted model as a program of its own.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Parser;
use lamplight_scripted_model::{Script, serve};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

/// Answers as a model would, from a script, to any agent that speaks a known model protocol
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Address to listen on; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// File to write the port to, once the server listens
    #[arg(long)]
    port_file: Option<PathBuf>,
    /// Script with scenarios of one's own, in JSON; the built-in ones stay available
    #[arg(long)]
    script: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let script = match &arguments.script {
        Some(file) => {
            let json = std::fs::read_to_string(file)
                .with_context(|| format!("cannot read the script {}", file.display()))?;
            Script::from_json(&json).with_context(|| format!("in {}", file.display()))?
        }
        None => Script::built_in(),
    };
    let listener = TcpListener::bind(arguments.listen)
        .await
        .with_context(|| format!("cannot listen on {}", arguments.listen))?;
    let address = listener.local_addr()?;
    if let Some(file) = &arguments.port_file {
        write_port(file, address.port())?;
    }
    println!("The scripted model listens on http://{address}");
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        served = serve(listener, script) => served.context("the server stopped"),
        _ = terminate.recv() => Ok(()),
        _ = tokio::signal::ctrl_c() => Ok(()),
    }
}

/// The file appears whole: who waits for it can read it at once.
fn write_port(file: &std::path::Path, port: u16) -> Result<()> {
    let unfinished = file.with_extension("unfinished");
    std::fs::write(&unfinished, format!("{port}\n"))
        .and_then(|()| std::fs::rename(&unfinished, file))
        .with_context(|| format!("cannot write the port to {}", file.display()))
}
