//! The load of `cargo xtask bench`: readers that follow a session's events, and an appender whose events they look for. Prints JSON.
//!
//! ```text
//! load deliver PEER URL SESSION READERS ROUNDS PAUSE_MS   how long from asking for an append to having read it
//! load idle    PEER URL SESSION READERS          follows and does nothing, until its standard input ends
//! load behind  URL SESSION EVENTS ROUNDS        comes back so many events behind, until it has read the last one
//! load storm   PEER URL SESSION READERS          all come back at once, until each has read an event that is appended then
//! load append  PEER URL SESSION CONNECTIONS ROUNDS   how many events a second one session takes over HTTP
//! load floor   PORT FILE                        a server that does as little as an event on disk can cost
//! load echo                                      an ACP agent that repeats each prompt, for the peer that needs one
//! ```

mod answer;
mod echo;
mod floor;
mod peer;
mod pipelined;
mod readers;
mod returning;

use anyhow::{Result, bail};
use peer::Peer;
use std::time::Duration;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    // Nothing here is encrypted, but the client that the workspace shares wants to know with what it would be.
    rustls::crypto::ring::default_provider().install_default().expect("it is the first one");
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["deliver", peer, url, session, readers, rounds, pause_ms] => {
            let mut peer = Peer::new(peer, url, session)?;
            let pause = Duration::from_millis(pause_ms.parse()?);
            let report = readers::deliver(&mut peer, readers.parse()?, rounds.parse()?, pause).await?;
            println!("{report}");
            Ok(())
        }
        ["idle", peer, url, session, readers] => {
            readers::idle(&Peer::new(peer, url, session)?, readers.parse()?).await
        }
        ["behind", url, session, events, rounds] => {
            let peer = Peer::new("lamplight", url, session)?;
            println!("{}", returning::behind(&peer, events.parse()?, rounds.parse()?).await?);
            Ok(())
        }
        ["storm", peer, url, session, readers] => {
            println!("{}", returning::storm(Peer::new(peer, url, session)?, readers.parse()?).await?);
            Ok(())
        }
        ["append", peer, url, session, connections, rounds] => {
            let peer = Peer::new(peer, url, session)?;
            println!("{}", pipelined::append(peer, connections.parse()?, rounds.parse()?).await?);
            Ok(())
        }
        ["floor", port, file] => floor::run(port.parse()?, file),
        ["echo"] => echo::run(),
        _ => bail!("see the first lines of this program for how it is used"),
    }
}
