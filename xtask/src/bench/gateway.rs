//! The gateway: what it adds to a model's answer, what an open stream costs, how fast git and the web pass.

use super::Bench;
use super::gateway_peers::{self, LITELLM};
use super::process::{Running, free_port, now};
use super::table::{Table, quantile, size};
use crate::command::{output_of, run};
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

const REQUESTS: u32 = 1_000;
const PIECES: u32 = 2_000;
const STREAMS: u32 = 2_000;
/// As the load has them.
const PIECES_OF_A_STREAM: u32 = 50;
/// For a peer of milliseconds; it would take minutes.
const FEWER: u32 = 10;
const OPEN: u32 = 500;
/// Until memory that is given back is given back.
const SETTLED: Duration = Duration::from_secs(3);
const REPOSITORY_BYTES: u64 = 200_000_000;
const CLONES: usize = 5;
const TUNNEL_BYTES: u64 = 2_000_000_000;

pub(super) fn measure(bench: &Bench) -> Result<Vec<Table>> {
    let load = bench.example("gateway_load");
    let repository = repository(bench)?;
    let upstream_port = free_port()?;
    let mut upstream = Command::new(&load);
    upstream.args(["upstream", &upstream_port.to_string()]);
    let upstream = Running::start(upstream, upstream_port, "/", &bench.fresh("upstream")?.join("log"))?;
    let stage = Stage { bench, load, repository, direct: format!("{}/v1", upstream.url), upstream_port };
    Ok(vec![models(&stage)?, passing(&stage)?])
}

/// What all of it is measured with.
struct Stage<'a> {
    bench: &'a Bench,
    load: PathBuf,
    repository: PathBuf,
    /// The model, without anything before it.
    direct: String,
    upstream_port: u16,
}

impl Stage<'_> {
    /// A gateway of its own.
    fn door(&self) -> Result<Door> {
        let [port, proxy, by_token] = [free_port()?, free_port()?, free_port()?];
        let mut door = Command::new(&self.load);
        door.arg("door").args([port, proxy, by_token].map(|port| port.to_string()));
        door.arg(&self.direct).arg(&self.repository);
        let ready = "/git/repository.git/info/refs?service=git-upload-pack";
        let running = Running::start(door, port, ready, &self.bench.fresh("door")?.join("log"))?;
        Ok(Door { running, proxy, by_token })
    }

    /// The report of one run of the load.
    fn load(&self, arguments: &[String]) -> Result<Value> {
        let report = output_of(Command::new(&self.load).args(arguments))?;
        serde_json::from_str(&report).context("the load reports JSON")
    }
}

/// The gateway, and the ports of its web proxy and for those with a token.
struct Door {
    running: Running,
    proxy: u16,
    by_token: u16,
}

/// One way to the model.
struct Way {
    name: String,
    /// As the load names it.
    short: &'static str,
    base: Result<(String, Option<Running>)>,
    /// Runs fewer of everything.
    slow: bool,
}

fn models(stage: &Stage) -> Result<Table> {
    let mut table = Table::new(
        "Gateway, models",
        "Streamed chats on loopback, through each way by turns; a piece: from its being said to its being read, one every 2 ms. Added: the difference of the same quantiles. What one more process costs on this machine in these minutes, \
         whatever it does, is shown by a thread that does nothing but read and write, and by our web proxy. \
         Lamplight twice: a connection in the place of a stream that a sandbox opens, without the sandbox and the link; and `gateway.listen`, which is reached and asked as litellm is. It reads usage, and asks for it where the client did not. Streams: of 50 pieces, 32 at a time. Memory: 500 open streams, proportional set size as a difference. \
         Goals: a first byte +0.5 ms p50, +2 ms p99; a piece +50 µs; 40 KiB a stream.",
        &[
            "way",
            "first byte p50",
            "p99",
            "added p50",
            "added p99",
            "a piece p50",
            "p99",
            "added p50",
            "added p99",
            "streams/s",
            "processor time a piece",
            "memory a stream",
        ],
    );
    let (inside, by_token) = (stage.door()?, stage.door()?);
    let inside_url = format!("{}/openai/v1", inside.running.url);
    let token_url = format!("http://127.0.0.1:{}/openai/v1", by_token.by_token);
    let relay = format!("{}@http://127.0.0.1:{}", stage.direct, inside.proxy);
    let carrier_port = free_port()?;
    let mut carrier = Command::new(&stage.load);
    carrier.args(["carrier".to_owned(), carrier_port.to_string(), stage.upstream_port.to_string()]);
    let carrier = Running::start(carrier, carrier_port, "/", &stage.bench.fresh("carrier")?.join("log"))
        .map(|running| (format!("{}/v1", running.url), Some(running)));
    let litellm = gateway_peers::litellm(stage.bench, &stage.direct)
        .map(|running| (format!("{}/v1", running.url), Some(running)));
    let ways = [
        Way {
            name: "directly".to_owned(),
            short: "direct",
            base: Ok((stage.direct.clone(), None)),
            slow: false,
        },
        Way {
            name: "the least in between: a thread that reads and writes".to_owned(),
            short: "carrier",
            base: carrier,
            slow: false,
        },
        Way {
            name: "our web proxy, which only carries bytes".to_owned(),
            short: "relay",
            base: Ok((relay, None)),
            slow: false,
        },
        Way {
            name: "Lamplight, as a stream of a link".to_owned(),
            short: "lamplight",
            base: Ok((inside_url, Some(inside.running))),
            slow: false,
        },
        Way {
            name: "Lamplight, by a token".to_owned(),
            short: "token",
            base: Ok((token_url, Some(by_token.running))),
            slow: false,
        },
        Way { name: format!("litellm[proxy] {LITELLM}"), short: "litellm", base: litellm, slow: true },
    ];
    // Apart, so that the slow one does not set the pace of the others.
    let direct = &ways[0];
    let mut plain = None;
    for way in &ways {
        let row = match &way.base {
            Ok((base, running)) => timed(stage, direct, way, base, running.as_ref(), &mut plain),
            Err(error) => Err(anyhow::anyhow!("{error:#}")),
        };
        table.row(&way.name, row);
    }
    Ok(table)
}

fn timed(
    stage: &Stage,
    direct: &Way,
    way: &Way,
    base: &str,
    running: Option<&Running>,
    plain: &mut Option<f64>,
) -> Result<Vec<String>> {
    let share = if way.slow { FEWER } else { 1 };
    let targets = [format!("{}={}", direct.short, stage.direct), format!("{}={base}", way.short)];
    let both = |what: &str, count: u32| {
        let words = [what.to_owned(), (count / share).to_string()];
        stage.load(&[&words[..], &targets[..]].concat())
    };
    let (first, pieces) = (both("first", REQUESTS)?, both("pieces", PIECES)?);
    let streams = STREAMS / share;
    let cpu_ms = || running.map(Running::cpu_ms).transpose();
    let before = cpu_ms()?;
    let rate = stage.load(&["streams".to_owned(), streams.to_string(), targets[1].clone()])?;
    let used = cpu_ms()?
        .zip(before)
        .map(|(after, before)| (after - before) * 1e3 / f64::from(streams * PIECES_OF_A_STREAM));
    let rate = rate[way.short].as_f64().context("the load reports a rate")?;
    let at = |report: &Value, name: &str, quantile: &str| {
        report[name][quantile].as_f64().context("the load reports quantiles")
    };
    let added = |report: &Value, quantile: &str| {
        anyhow::Ok(at(report, way.short, quantile)? - at(report, direct.short, quantile)?)
    };
    let mut row = vec![us(at(&first, way.short, "p50")?), us(at(&first, way.short, "p99")?)];
    let is_direct = way.short == direct.short;
    let difference = |report: &Value, quantile: &str| {
        anyhow::Ok(if is_direct { String::new() } else { us(added(report, quantile)?) })
    };
    row.extend([difference(&first, "p50")?, difference(&first, "p99")?]);
    row.extend([
        us(at(&pieces, way.short, "p50")?),
        us(at(&pieces, way.short, "p99")?),
        difference(&pieces, "p50")?,
        difference(&pieces, "p99")?,
    ]);
    let of_direct = plain.map(|plain| format!(" ({:.2} ×)", rate / plain)).unwrap_or_default();
    if is_direct {
        *plain = Some(rate);
    }
    row.push(format!("{rate:.0}{of_direct}"));
    row.push(used.map(us).unwrap_or_default());
    row.push(running.map(|running| held(stage, base, running)).transpose()?.unwrap_or_default());
    Ok(row)
}

/// What an open stream takes of the process that it goes through.
fn held(stage: &Stage, base: &str, running: &Running) -> Result<String> {
    std::thread::sleep(SETTLED);
    let before = running.pss()?;
    let mut load = Command::new(&stage.load);
    load.args(["hold", &OPEN.to_string(), base]);
    let mut load = load.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut said = String::new();
    BufReader::new(load.stdout.take().context("read what the load says")?).read_line(&mut said)?;
    std::thread::sleep(SETTLED);
    let after = running.pss()?;
    drop(load.stdin.take());
    ensure!(load.wait()?.success() && said.trim() == "held", "not all streams were open at a time");
    Ok(size(((after - before) / f64::from(OPEN)).max(0.0)))
}

/// Git and the web.
fn passing(stage: &Stage) -> Result<Table> {
    let mut table = Table::new(
        "Gateway, git and the web",
        "On loopback, by turns: a bare clone of a repository of 200 MB that does not compress, median; 2 GB through one tunnel, the fastest of five. Goal: 0.9 of the peer's.",
        &["what", "Lamplight", "peer", "of the peer's", "peer is"],
    );
    table.row("git clone", clones(stage));
    table.row("web proxy", tunnels(stage));
    Ok(table)
}

fn clones(stage: &Stage) -> Result<Vec<String>> {
    let door = stage.door()?;
    let parent = stage.repository.parent().context("a repository is in a directory")?;
    let nginx = gateway_peers::nginx(stage.bench, parent)?;
    let name = stage.repository.file_name().context("a repository has a name")?.to_string_lossy();
    let urls = [format!("{}/git/repository.git", door.running.url), format!("{}/git/{name}", nginx.url)];
    let mut times = [Vec::new(), Vec::new()];
    for turn in 0..=CLONES {
        for (url, times) in urls.iter().zip(&mut times) {
            let target = stage.bench.fresh("clone")?;
            let start = now();
            output_of(Command::new("git").args(["clone", "--quiet", "--bare", url]).arg(&target))?;
            // The first fills the page cache.
            if turn > 0 {
                times.push(start.elapsed().as_secs_f64());
            }
            std::fs::remove_dir_all(target)?;
        }
    }
    let [ours, theirs] = times.map(|mut times| quantile(&mut times, 0.5));
    let rate = |seconds: f64| format!("{seconds:.2} s, {:.0} MB/s", REPOSITORY_BYTES as f64 / 1e6 / seconds);
    Ok(vec![
        rate(ours),
        rate(theirs),
        format!("{:.2} ×", theirs / ours),
        "git http-backend behind nginx".to_owned(),
    ])
}

fn tunnels(stage: &Stage) -> Result<Vec<String>> {
    let door = stage.door()?;
    let (_peer, peer) = gateway_peers::tinyproxy(stage.bench)?;
    let target = format!("127.0.0.1:{}", stage.upstream_port);
    let words = ["tunnel".to_owned(), TUNNEL_BYTES.to_string(), target, "direct=".to_owned()];
    let proxies = [format!("lamplight=127.0.0.1:{}", door.proxy), format!("tinyproxy=127.0.0.1:{peer}")];
    let report = stage.load(&[&words[..], &proxies[..]].concat())?;
    let rate = |name: &str| report[name].as_f64().context("the load reports rates");
    let (ours, theirs, direct) = (rate("lamplight")?, rate("tinyproxy")?, rate("direct")?);
    let ratio = format!("{:.2} ×", ours / theirs);
    Ok(vec![
        format!("{ours:.0} MB/s"),
        format!("{theirs:.0} MB/s"),
        ratio,
        format!("tinyproxy; without any {direct:.0} MB/s"),
    ])
}

/// A bare repository of one large file that does not compress.
fn repository(bench: &Bench) -> Result<PathBuf> {
    let work = bench.fresh("source")?;
    let git = |directory: &Path, arguments: &[&str]| {
        let mut git = Command::new("git");
        git.current_dir(directory).args(["-c", "user.name=Bench", "-c", "user.email=bench@example.invalid"]);
        run(git.args(["-c", "core.compression=0"]).args(arguments))
    };
    git(&work, &["init", "--quiet", "--initial-branch=main"])?;
    let mut noise = std::io::Read::take(std::fs::File::open("/dev/urandom")?, REPOSITORY_BYTES);
    std::io::copy(&mut noise, &mut std::fs::File::create(work.join("noise"))?)?;
    git(&work, &["add", "--all"])?;
    git(&work, &["commit", "--quiet", "--no-gpg-sign", "-m", "Begin"])?;
    let bare = bench.fresh("repositories")?.join("large.git");
    git(&work, &["clone", "--quiet", "--bare", ".", &bare.to_string_lossy()])?;
    git(&bare, &["repack", "-adq"])?;
    Ok(bare)
}

fn us(us: f64) -> String {
    if us.abs() >= 1_000.0 { format!("{:.2} ms", us / 1e3) } else { format!("{us:.0} µs") }
}
