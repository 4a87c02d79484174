//! By what servers of one database know one another's requests: a word sealed with a key that only they can make, for one server, one request
//! and two minutes.

use super::Servers;
use crate::clock;
use crate::engine::Engine;
use std::net::IpAddr;

/// What it is sealed for.
const PURPOSE: &str = "request of another server";
/// How long it counts; clocks of servers may differ.
const COUNTS_MS: u64 = 120_000;

impl Servers {
    pub(super) fn word_for(&self, server: i64, peer: IpAddr, (method, path): (&str, &str)) -> Option<String> {
        let until = clock::now().plus_ms(COUNTS_MS).0;
        let text = format!("{server} {until} {peer} {method} {path}");
        self.between.as_ref()?.seal(PURPOSE, &text).ok()
    }

    fn passed_on_from(&self, us: i64, word: &str, (method, path): (&str, &str)) -> Option<IpAddr> {
        let text = self.between.as_ref()?.unseal(PURPOSE, word)?;
        let mut parts = text.splitn(5, ' ');
        let is_for_us = parts.next()?.parse() == Ok(us);
        let counts = parts.next()?.parse::<i64>().ok()? > clock::now().0;
        let peer = parts.next()?.parse().ok()?;
        let is_it = parts.next()? == method && parts.next()? == path;
        (is_for_us && counts && is_it).then_some(peer)
    }
}

impl Engine {
    /// For a request that this server passes on to another; `peer` is from where it was made. `None` where no other server would know the
    /// word.
    pub fn word_for(&self, server: i64, peer: IpAddr, request: (&str, &str)) -> Option<String> {
        self.shared.servers.word_for(server, peer, request)
    }

    /// From where a request was made that comes with this word; `None` where it is not for this server and this request, or not any more.
    pub fn passed_on_from(&self, word: &str, request: (&str, &str)) -> Option<IpAddr> {
        self.shared.servers.passed_on_from(self.server(), word, request)
    }
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::*;
    use crate::passes::Passes;
    use std::sync::OnceLock;
    use tokio::sync::{Notify, watch};
    use tokio::time::Instant;

    fn servers(key: Option<u8>) -> Servers {
        Servers {
            state: watch::Sender::new(State {
                term: 0,
                until: None,
                is_held: true,
                since: Instant::now(),
                is_first: true,
            }),
            between: key.map(|key| Passes::of([key; 32])),
            alive: watch::Sender::new(None),
            neighbour: OnceLock::new(),
            previews: None,
            left_over: Notify::new(),
        }
    }

    #[test]
    fn a_word_is_for_one_server_and_one_request() {
        const PATH: &str = "/api/v1/sessions/x/prompts?a=b";
        let (ours, peer) = (servers(Some(1)), IpAddr::from([10, 0, 0, 7]));
        let word = ours.word_for(2, peer, ("POST", PATH)).unwrap();
        assert_eq!(ours.passed_on_from(2, &word, ("POST", PATH)), Some(peer));
        for (us, method, path) in
            [(1, "POST", PATH), (2, "GET", PATH), (2, "POST", "/api/v1/sessions/x/prompts")]
        {
            assert_eq!(ours.passed_on_from(us, &word, (method, path)), None, "{us} {method} {path}");
        }
        for stranger in [servers(Some(2)), servers(None)] {
            assert_eq!(stranger.passed_on_from(2, &word, ("POST", PATH)), None);
        }
        assert_eq!(servers(None).word_for(2, peer, ("POST", PATH)), None, "there are no others");
    }
}
