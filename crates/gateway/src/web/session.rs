//! The outside as one session may reach it: what is asked for is judged by name, resolved here, judged by address, and dialled by the
//! address that was judged.

use super::Outside;
use super::host::Host;
use super::names::{self, Names};
use super::pace::Pace;
use super::resolver::Unresolved;
use crate::{Grant, Ledger};
use lamplight_domain::Network;
use lamplight_domain::event::Contact;
use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

/// To resolve a name.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(10);
/// To reach one address, and how many of a name's addresses are tried.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const MAX_TRIES: usize = 3;
/// Hosts that the ledger is told of: a little more than it keeps, as it keeps none twice.
const MAX_TOLD: usize = 1024;

/// One link's way out.
pub(crate) struct Session {
    pub(super) outside: Arc<Outside>,
    pub(super) grant: Arc<Grant>,
    /// The grant's, until another is set.
    network: RwLock<Network>,
    pub(super) pace: Pace,
    ledger: Arc<dyn Ledger>,
    names: Mutex<Names>,
    /// What the ledger was told: the host, and whether it was reached.
    told: Mutex<BTreeSet<(String, bool)>>,
    /// For its connections.
    pub(super) places: Arc<Semaphore>,
}

/// Why something is not reached.
#[derive(Debug)]
pub(crate) enum Refused {
    /// It may not be. A few words that follow "because".
    Forbidden(&'static str),
    NoSuchName,
    /// It may be, but nobody answers.
    Unreachable(io::Error),
}

impl Session {
    pub(super) fn new(
        outside: Arc<Outside>,
        grant: Arc<Grant>,
        ledger: Arc<dyn Ledger>,
        contacts: &[Contact],
        places: usize,
    ) -> Self {
        let names = Mutex::new(Names::remembered(contacts));
        let network = RwLock::new(grant.network.clone());
        let pace = Pace::new(outside.bytes_per_minute);
        let (told, places) = (Mutex::default(), Arc::new(Semaphore::new(places)));
        Self { outside, grant, network, pace, ledger, names, told, places }
    }

    /// For what is asked for from now on.
    pub(super) fn set_network(&self, network: Network) {
        *self.network.write().unwrap_or_else(PoisonError::into_inner) = network;
    }

    fn allows(&self, asked: &str) -> bool {
        self.network.read().unwrap_or_else(PoisonError::into_inner).allows(asked)
    }

    /// A connection to what was asked for. An address that stands for a name is that name.
    pub(crate) async fn connect(&self, host: Host, port: u16) -> Result<TcpStream, Refused> {
        let host = match host {
            Host::Address(IpAddr::V4(address)) if names::is_ours(address) => {
                match self.names().name_of(address) {
                    Some(name) => Host::Name(name.to_owned()),
                    None => Host::Address(address.into()),
                }
            }
            other => other,
        };
        let asked = host.to_string();
        let connected = match self.addresses(&host).await {
            Ok(addresses) => dial(&addresses, port).await.map_err(Refused::Unreachable),
            Err(refused) => Err(refused),
        };
        match &connected {
            Ok(_) => self.tell(&asked, port, None).await,
            Err(Refused::Forbidden(why)) => self.tell(&asked, port, Some(why)).await,
            Err(Refused::NoSuchName | Refused::Unreachable(_)) => {}
        }
        connected
    }

    /// The address that stands for a name inside, if the name exists and may be reached.
    pub(super) async fn name(&self, name: &str) -> Result<Ipv4Addr, Refused> {
        match self.addresses(&Host::Name(name.to_owned())).await {
            Ok(_) => Ok(self.names().address_of(name)),
            Err(refused) => {
                if let Refused::Forbidden(why) = &refused {
                    self.tell(name, 0, Some(why)).await;
                }
                Err(refused)
            }
        }
    }

    /// The name that an address stands for inside.
    pub(super) fn name_of(&self, address: Ipv4Addr) -> Option<String> {
        self.names().name_of(address).map(str::to_owned)
    }

    /// The addresses at which the host may be dialled, and no others.
    async fn addresses(&self, host: &Host) -> Result<Vec<IpAddr>, Refused> {
        let asked = host.to_string();
        if !self.allows(&asked) {
            return Err(Refused::Forbidden("this session's network policy does not name it"));
        }
        let all = match host {
            Host::Name(name) => self.resolve(name).await?,
            Host::Address(address) => vec![*address],
        };
        let allowed = self.outside.allowed(&asked, &all);
        match (allowed.is_empty(), all.is_empty()) {
            (false, _) => {
                if let Host::Name(name) = host {
                    self.names().keep(name, &allowed, Instant::now());
                }
                Ok(allowed)
            }
            (true, false) => Err(Refused::Forbidden("it has no public address")),
            (true, true) => Err(Refused::NoSuchName),
        }
    }

    async fn resolve(&self, name: &str) -> Result<Vec<IpAddr>, Refused> {
        if let Some(found) = self.names().found(name, Instant::now()) {
            return Ok(found.to_vec());
        }
        match timeout(RESOLVE_TIMEOUT, self.outside.resolver.resolve(name)).await {
            Ok(Ok(found)) => Ok(found),
            Ok(Err(Unresolved::NoSuchName)) => Err(Refused::NoSuchName),
            Ok(Err(Unresolved::Failed)) => {
                Err(Refused::Unreachable(io::Error::other("its name cannot be resolved now")))
            }
            Err(_) => Err(Refused::Unreachable(io::ErrorKind::TimedOut.into())),
        }
    }

    /// Tells the ledger what it has not been told.
    async fn tell(&self, host: &str, port: u16, refused: Option<&str>) {
        let news = {
            let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
            told.len() < MAX_TOLD && told.insert((host.to_owned(), refused.is_none()))
        };
        if news {
            let known_as = self.names().known_as(host);
            let refused = refused.map(str::to_owned);
            self.ledger.contacted(Contact { host: host.to_owned(), port, known_as, refused }).await;
        }
    }

    fn names(&self) -> MutexGuard<'_, Names> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn dial(addresses: &[IpAddr], port: u16) -> io::Result<TcpStream> {
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in addresses.iter().take(MAX_TRIES) {
        match timeout(CONNECT_TIMEOUT, TcpStream::connect((*address, port))).await {
            Ok(Ok(connection)) => {
                connection.set_nodelay(true)?;
                return Ok(connection);
            }
            Ok(Err(error)) => last = error,
            Err(_) => last = io::ErrorKind::TimedOut.into(),
        }
    }
    Err(last)
}

/// For people and programs: a sentence's end.
impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Forbidden(why) => f.write_str(why),
            Self::NoSuchName => f.write_str("there is no such name"),
            Self::Unreachable(error) => write!(f, "it is not reached: {error}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{NotReserved, Reservation, Resolver, Used};
    use async_trait::async_trait;

    /// A name that leads to public machines and to this one.
    struct Mixed;

    const ANSWER: [&str; 7] =
        ["127.0.0.1", "203.0.114.1", "10.0.0.1", "::1", "3000::1", "::ffff:127.0.0.1", "0.0.0.0"];

    #[async_trait]
    impl Resolver for Mixed {
        async fn resolve(&self, _: &str) -> Result<Vec<IpAddr>, Unresolved> {
            Ok(ANSWER.map(|text| text.parse().unwrap()).to_vec())
        }
    }

    struct Deaf;

    #[async_trait]
    impl Ledger for Deaf {
        fn is_bounded(&self) -> bool {
            false
        }
        async fn reserve(&self, _: u64) -> Result<Reservation, NotReserved> {
            Ok(Reservation::new(()))
        }
        async fn used(&self, _: Used) {}
        fn may_push(&self) -> bool {
            true
        }
        async fn pushed(&self, _: &str) {}
        async fn contacted(&self, _: Contact) {}
        async fn refused(&self, _: &str) {}
    }

    #[tokio::test]
    async fn of_a_mixture_only_what_is_public_may_be_dialled() {
        let grant = Grant {
            session: "01JAZZZZZZZZZZZZZZZZZZZZZZ".parse().unwrap(),
            repository: "/nowhere".into(),
            branch: "lamplight/x".into(),
            base: "main".into(),
            rewrite: false,
            elsewhere: None,
            children: None,
            models: false,
            network: Network::Open,
        };
        let outside = Outside { resolver: Arc::new(Mixed), ..Outside::default() };
        let session = Session::new(Arc::new(outside), Arc::new(grant), Arc::new(Deaf), &[], 1);
        // The second time it is known, and judged again.
        for _ in 0..2 {
            let found = session.addresses(&Host::Name("mixed.test".into())).await.unwrap();
            assert_eq!(found, ["203.0.114.1", "3000::1"].map(|text| text.parse::<IpAddr>().unwrap()));
        }
    }
}
