//! The load, and what it sees.

use crate::clock;
use anyhow::{Context, Result, bail, ensure};
use reqwest::Client;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// What the gateway lets in; the model takes it for a key.
pub(crate) const TOKEN: &str = "sk-key";
/// Before anything counts.
const WARM_UP: usize = 20;
/// Streams at a time.
const AT_A_TIME: usize = 32;
/// Pieces of a whole answer.
const PIECES: &str = "50-0";
/// Between two pieces that are timed: as fast as a quick model speaks.
const SPOKEN: &str = "2";
/// How often each proxy is asked; the fastest time counts.
const TURNS: usize = 5;
/// Longer than any of this takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// A way to a model.
#[derive(Clone)]
struct Target<'a> {
    name: &'a str,
    base: &'a str,
    client: Client,
}

impl<'a> Target<'a> {
    /// `NAME=URL`, or `NAME=URL@PROXY`.
    fn parse(target: &'a str) -> Result<Self> {
        let (name, address) = named(target)?;
        let (base, proxy) =
            address.split_once('@').map_or((address, None), |(base, proxy)| (base, Some(proxy)));
        let client = Client::builder().no_proxy().tcp_nodelay(true).timeout(PATIENCE);
        let client = match proxy {
            Some(proxy) => client.proxy(reqwest::Proxy::http(proxy)?),
            None => client,
        };
        Ok(Self { name, base, client: client.build()? })
    }

    fn all(targets: &[&'a str]) -> Result<Vec<Self>> {
        targets.iter().map(|target| Self::parse(target)).collect()
    }
}

fn named(target: &str) -> Result<(&str, &str)> {
    target.split_once('=').context("a target is NAME=ADDRESS")
}

async fn ask(client: &Client, base: &str, model: &str) -> Result<reqwest::Response> {
    let question =
        json!({"model": model, "stream": true, "messages": [{"role": "user", "content": "hello"}]});
    let url = format!("{base}/chat/completions");
    let answer = client.post(url).bearer_auth(TOKEN).json(&question).send().await?;
    if !answer.status().is_success() {
        bail!("{}: {}", answer.status(), answer.text().await?);
    }
    Ok(answer)
}

pub(crate) async fn first(count: usize, targets: &[&str]) -> Result<()> {
    let targets = Target::all(targets)?;
    let mut times = BTreeMap::<_, Vec<f64>>::new();
    for number in 0..count + WARM_UP {
        for Target { name, base, client } in &targets {
            let start = clock();
            let mut answer = ask(client, base, "1-0").await?;
            answer.chunk().await?.context("an answer has a piece")?;
            let took = clock() - start;
            while answer.chunk().await?.is_some() {}
            if number >= WARM_UP {
                times.entry(*name).or_default().push(took as f64 / 1e3);
            }
        }
    }
    report(times)
}

pub(crate) async fn pieces(count: usize, targets: &[&str]) -> Result<()> {
    let mut times = BTreeMap::<_, Vec<f64>>::new();
    for Target { name, base, client } in Target::all(targets)? {
        let mut answer = ask(&client, base, &format!("{}-{SPOKEN}", count + WARM_UP)).await?;
        let mut seen = Vec::new();
        while let Some(piece) = answer.chunk().await? {
            let arrived = clock();
            seen.extend(said_at(&piece).map(|said| arrived.saturating_sub(said) as f64 / 1e3));
        }
        ensure!(seen.len() > count, "{name} gave {} pieces", seen.len());
        times.insert(name, seen.split_off(WARM_UP));
    }
    report(times)
}

/// The moments that pieces say they were said at.
fn said_at(text: &[u8]) -> impl Iterator<Item = u64> {
    let text = String::from_utf8_lossy(text).into_owned();
    let moments: Vec<u64> =
        text.split("\"[").skip(1).filter_map(|rest| rest.split(']').next()?.parse().ok()).collect();
    moments.into_iter()
}

pub(crate) async fn streams(count: usize, targets: &[&str]) -> Result<()> {
    let mut rates = Map::new();
    for Target { name, base, client } in Target::all(targets)? {
        let start = clock();
        let mut open = JoinSet::new();
        for number in 0..count {
            if number >= AT_A_TIME {
                open.join_next().await.context("as many are open")???;
            }
            let (client, base) = (client.clone(), base.to_owned());
            open.spawn(async move {
                ask(&client, &base, PIECES).await?.bytes().await.map(drop).context("reading an answer")
            });
        }
        while let Some(done) = open.join_next().await {
            done??;
        }
        rates.insert(name.to_owned(), json!(count as f64 * 1e9 / (clock() - start) as f64));
    }
    println!("{}", Value::Object(rates));
    Ok(())
}

pub(crate) async fn hold(count: usize, target: &str) -> Result<()> {
    // Without an end to the patience.
    let client = Client::builder().no_proxy().build()?;
    let mut open = Vec::new();
    for _ in 0..count {
        let mut answer = ask(&client, target, "2-hang").await?;
        answer.chunk().await?.context("an answer has a piece")?;
        open.push(answer);
    }
    println!("held");
    let mut rest = Vec::new();
    tokio::io::stdin().read_to_end(&mut rest).await?;
    Ok(())
}

pub(crate) async fn tunnel(bytes: u64, target: &str, proxies: &[&str]) -> Result<()> {
    let mut rates = BTreeMap::<_, f64>::new();
    for _ in 0..TURNS {
        for proxy in proxies {
            let (name, proxy) = named(proxy)?;
            let rate = through(bytes, target, proxy).await.with_context(|| name.to_owned())?;
            let best = rates.entry(name).or_default();
            *best = best.max(rate);
        }
    }
    println!("{}", json!(rates));
    Ok(())
}

/// Megabytes a second, through `CONNECT`; without a proxy, if that is empty.
async fn through(bytes: u64, target: &str, proxy: &str) -> Result<f64> {
    let mut connection = TcpStream::connect(if proxy.is_empty() { target } else { proxy }).await?;
    if !proxy.is_empty() {
        connection
            .write_all(format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n").as_bytes())
            .await?;
        let head = head(&mut connection).await?;
        ensure!(head.contains(" 200 "), "{head}");
    }
    let start = clock();
    connection
        .write_all(
            format!("GET /bytes/{bytes} HTTP/1.1\r\nHost: {target}\r\nConnection: close\r\n\r\n").as_bytes(),
        )
        .await?;
    head(&mut connection).await?;
    let mut buffer = vec![0; 256 * 1024];
    let mut got = 0;
    loop {
        match connection.read(&mut buffer).await? {
            0 => break,
            length => got += length as u64,
        }
    }
    ensure!(got == bytes, "{got} bytes came of {bytes}");
    Ok(bytes as f64 * 1e3 / (clock() - start) as f64)
}

async fn head(connection: &mut TcpStream) -> Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(connection.read_u8().await?);
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}

fn report(times: BTreeMap<&str, Vec<f64>>) -> Result<()> {
    let mut all = Map::new();
    for (name, mut times) in times {
        times.sort_unstable_by(f64::total_cmp);
        let at = |share: f64| times[((times.len() - 1) as f64 * share).round() as usize];
        all.insert(name.to_owned(), json!({"p50": at(0.5), "p99": at(0.99), "samples": times.len()}));
    }
    println!("{}", Value::Object(all));
    Ok(())
}
