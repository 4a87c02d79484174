//! GitHub's deliveries: how soon and how many are on disk, beside a door that only receives; and how soon something comes of one.

use super::Bench;
use super::peers::Lamplight;
use super::process::{Running, free_port};
use super::table::{Table, ms};
use crate::command::{output_of, run};
use anyhow::{Context, Result};
use serde_json::Value;
use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

const TOKEN: &str = "token-of-the-bench";
const SECRET: &str = "secret-of-the-bench";
/// Half of them one after the other on a few connections, half on many.
const DELIVERIES: usize = 10_000;
const SESSIONS: usize = 5;

pub(super) fn measure(bench: &Bench) -> Result<Vec<Table>> {
    let mut deliveries = Table::new(
        "Deliveries of GitHub",
        "Signed webhooks of 20 KB, from the first byte sent to the answer. Lamplight has checked the signature, read the body, looked whether it was there before and has it on disk then; the bare \
         handler of axum has received the body. Times with four connections, the rate with 64. Load and server share the processors. Goals: p50 of 3 ms, p99 of 30 ms, 7,000 a second.",
        &["program", "p50", "p99", "deliveries/s"],
    );
    match taken(bench) {
        Ok([new, again]) => {
            deliveries.row("Lamplight, new ones", Ok(new));
            deliveries.row("Lamplight, the same again", Ok(again));
        }
        Err(error) => deliveries.row("Lamplight", Err(error)),
    }
    deliveries.row("a bare handler of axum", received(bench));
    let mut sessions = Table::new(
        "From an issue on GitHub",
        "An issue is labelled; until somebody who looks at it sees a reaction, and until the scripted agent's first word is in the log: a fetch, a sandbox and a clone are in between. Then all requests to GitHub until \
         its comment says that it is done, with one turn and a pull request. A GitHub of our own, on this machine. Goal: 25 requests.",
        &["of five", "first reaction", "first word", "requests"],
    );
    match worked(bench) {
        Ok([middle, worst]) => {
            sessions.row("the one in the middle", Ok(middle));
            sessions.row("the worst", Ok(worst));
        }
        Err(error) => sessions.row("Lamplight", Err(error)),
    }
    Ok(vec![deliveries, sessions])
}

/// Deliveries to Lamplight; nothing comes of them, because the GitHub that it asks never answers.
fn taken(bench: &Bench) -> Result<[Vec<String>; 2]> {
    let deaf = TcpListener::bind("127.0.0.1:0")?;
    let running = server(bench, &format!("http://{}", deaf.local_addr()?))?;
    let new = sent(bench, &running)?;
    Ok([new, sent(bench, &running)?])
}

fn received(bench: &Bench) -> Result<Vec<String>> {
    let (port, directory) = (free_port()?, bench.fresh("bare")?);
    let mut bare = Command::new(bench.example("github_load"));
    bare.args(["bare", &port.to_string()]);
    sent(bench, &Running::start(bare, port, "/healthz", &directory.join("log"))?)
}

fn sent(bench: &Bench, running: &Running) -> Result<Vec<String>> {
    let authority = running.url.trim_start_matches("http://");
    let mut load = Command::new(bench.example("github_load"));
    load.args(["send", authority, SECRET, &DELIVERIES.to_string(), "1"]);
    let report: Value = serde_json::from_str(&output_of(&mut load)?)?;
    let number = |key: &str| report[key].as_f64().context("the load reports numbers");
    Ok(vec![ms(number("p50_ms")?), ms(number("p99_ms")?), format!("{:.0}", number("per_second")?)])
}

fn worked(bench: &Bench) -> Result<[Vec<String>; 2]> {
    let root = bench.fresh("github")?;
    repository(&root)?;
    let mut github = GitHub(
        Command::new(bench.example("github_load"))
            .arg("sessions")
            .arg(&root)
            .args([TOKEN, SECRET, &SESSIONS.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("start a GitHub")?,
    );
    let mut says = BufReader::new(github.0.stdout.take().context("it has an output")?);
    let mut api = String::new();
    says.read_line(&mut api)?;
    let running = server(bench, api.trim())?;
    let mut tell = github.0.stdin.take().context("it has an input")?;
    writeln!(tell, "{}", running.url.trim_start_matches("http://"))?;
    let mut report = String::new();
    says.read_line(&mut report)?;
    let report: Value = serde_json::from_str(&report).context("read what was measured")?;
    let number = |key: &str| report[key].as_f64().context("numbers are reported");
    let row = |reaction: &str, words: &str, calls: &str| {
        Ok::<_, anyhow::Error>(vec![
            ms(number(reaction)?),
            ms(number(words)?),
            format!("{:.0}", number(calls)?),
        ])
    };
    Ok([
        row("reaction_ms", "words_ms", "calls")?,
        row("slowest_reaction_ms", "slowest_words_ms", "most_calls")?,
    ])
}

/// Ends with this value.
struct GitHub(Child);

impl Drop for GitHub {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Lamplight, for what is asked on the GitHub at this address.
fn server(bench: &Bench, github: &str) -> Result<Running> {
    let lamplight = Lamplight::new(bench)?;
    let lines = format!(
        "[github]\napi = \"{github}\"\ngit = \"{github}\"\nrepositories = [\"acme/api\"]\npoll_seconds = 0\n"
    );
    let config = lamplight.directory().join("lamplight.toml");
    OpenOptions::new().append(true).open(config)?.write_all(lines.as_bytes())?;
    lamplight.serve_with(&[("GITHUB_TOKEN", TOKEN), ("GITHUB_WEBHOOK_SECRET", SECRET)])
}

/// `acme/api`, with one commit.
fn repository(root: &Path) -> Result<()> {
    let (work, bare) = (root.join("work"), root.join("acme/api.git"));
    std::fs::create_dir_all(&work)?;
    std::fs::create_dir_all(root.join("acme"))?;
    let git = |arguments: &[&str]| {
        let mut git = Command::new("git");
        git.current_dir(&work).args(["-c", "user.name=Bench", "-c", "user.email=bench@example.invalid"]);
        run(git.args(arguments))
    };
    git(&["init", "--quiet", "--initial-branch=main"])?;
    git(&["commit", "--quiet", "--allow-empty", "--no-gpg-sign", "-m", "Begin"])?;
    git(&["clone", "--quiet", "--bare", ".", &bare.to_string_lossy()])
}
