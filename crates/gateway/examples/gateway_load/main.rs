//! The programs of `cargo xtask bench gateway`: a model, the gateway before it, and the load. Prints JSON; times are microseconds.
//!
//! ```text
//! gateway_load upstream PORT [ADDRESS]                      a model that says what it is asked to, and a source of bytes
//! gateway_load carrier PORT UPSTREAM                        the least that can stand in between: carries bytes between two ports
//! gateway_load door PORT PROXY TOKENS UPSTREAM REPOSITORY   the gateway: each connection as a stream of a link gives it, the web proxy,
//!                                                           and by a token, each on a port
//! gateway_load first COUNT NAME=URL...                      from asking to the first piece of the answer, by turns
//! gateway_load pieces COUNT NAME=URL...                     from a piece's being said to its being read, one stream after the other
//! gateway_load streams COUNT NAME=URL...                    whole answers, as many at a time as are open to a busy team
//! gateway_load hold COUNT URL                               opens streams, and keeps them until its standard input ends
//! gateway_load tunnel BYTES TARGET NAME=PROXY...            bytes through a proxy, by turns
//! ```
//! A URL is that of an SDK, such as `http://127.0.0.1:1/openai/v1`; with `@http://127.0.0.1:2` behind it, through that proxy.

mod carrier;
mod door;
mod load;
mod upstream;

use anyhow::{Result, bail};
use std::net::Ipv4Addr;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<()> {
    lamplight_gateway::install_tls_provider();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["upstream", port] => upstream::serve(Ipv4Addr::LOCALHOST, port.parse()?).await,
        ["upstream", port, address] => upstream::serve(address.parse()?, port.parse()?).await,
        ["carrier", port, upstream] => carrier::serve(port.parse()?, upstream.parse()?),
        ["door", port, proxy, tokens, upstream, repository] => {
            door::serve([port.parse()?, proxy.parse()?, tokens.parse()?], upstream, repository).await
        }
        ["first", count, ref targets @ ..] => load::first(count.parse()?, targets).await,
        ["pieces", count, ref targets @ ..] => load::pieces(count.parse()?, targets).await,
        ["streams", count, ref targets @ ..] => load::streams(count.parse()?, targets).await,
        ["hold", count, target] => load::hold(count.parse()?, target).await,
        ["tunnel", bytes, target, ref proxies @ ..] => load::tunnel(bytes.parse()?, target, proxies).await,
        _ => bail!("see the first lines of this program for how it is used"),
    }
}

/// The machine's clock in nanoseconds, which is the same in every process.
#[expect(clippy::disallowed_methods, reason = "this measures")]
fn clock() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_nanos()).unwrap_or(u64::MAX)
}
