//! The web, and whatever else is outside: programs inside connect and ask for names as anywhere, and what they ask for arrives here.
//!
//! ```text
//! question ─▶ dns ─▶ session: judged by name ─▶ resolved, judged by address ─▶ an address that stands for the name
//! connection ─▶ is it for such an address, a literal one, or for the proxy?
//!                    └▶ session: the name judged, resolved, judged by address ─▶ that address dialled ─▶ relay
//! ```
//! Not allowed: a name has no address, a connection is reset, a proxy's client is told why. Each new host is told to the ledger.

mod address;
mod courier;
mod dns;
mod host;
mod names;
mod pace;
mod proxy;
mod relay;
mod resolver;
mod session;

pub use courier::{Courier, NotPosted, Posted};
pub use resolver::{Resolver, SystemResolver, Unresolved};

use crate::begun::Begun;
use crate::{Grant, Ledger};
use lamplight_domain::event::Contact;
use lamplight_domain::{HostPattern, Network};
use rustix::process::{Resource, getrlimit};
use session::Session;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddrV4};
use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// Connections of one session that are open at a time; further ones wait in the listener's backlog.
const MAX_CONNECTIONS: usize = 256;
/// Of the descriptors that this process may have, one in this many may be a connection of a sandbox's, which takes two; and of
/// those one in this many may be one session's.
const SHARE: usize = 4;
/// Questions of one session that are being answered at a time; further ones are dropped, and asked again by whoever asked.
const MAX_QUESTIONS: usize = 32;
/// After a connection could not be accepted, as when there are no descriptors left.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);
/// Between two questions on one connection.
const QUESTION_TIMEOUT: Duration = Duration::from_secs(30);
/// The port of name servers.
const DNS: u16 = 53;

/// What of the outside this deployment knows.
#[derive(Clone)]
pub struct Outside {
    /// Hosts that may be reached although their addresses are not public, by whoever may reach them at all.
    pub allow_private: Vec<HostPattern>,
    pub resolver: Arc<dyn Resolver>,
    /// What all connections of one session together may carry, both ways; what is more is slowed down. `None` is no bound.
    pub bytes_per_minute: Option<NonZeroU64>,
}

impl Outside {
    /// Whether the host may be reached although its addresses are not public.
    fn allows_private(&self, asked: &str) -> bool {
        self.allow_private.iter().any(|pattern| pattern.matches(asked))
    }

    /// Those of a host's addresses at which it may be dialled.
    fn allowed(&self, asked: &str, all: &[IpAddr]) -> Vec<IpAddr> {
        let private = self.allows_private(asked);
        let may = |address: &IpAddr| {
            !address::is_nowhere(*address)
                && (private || address::is_public(*address) && !address::is_own(*address))
        };
        all.iter().map(IpAddr::to_canonical).filter(may).collect()
    }
}

impl Default for Outside {
    fn default() -> Self {
        Self { allow_private: Vec::new(), resolver: Arc::new(SystemResolver), bytes_per_minute: None }
    }
}

impl fmt::Debug for Outside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outside")
            .field("allow_private", &self.allow_private)
            .field("bytes_per_minute", &self.bytes_per_minute)
            .finish_non_exhaustive()
    }
}

/// How many connections there may be, of all sessions.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    all: Arc<Semaphore>,
    of_one_session: usize,
}

impl Places {
    /// As many as this process has descriptors for, so that what is inside cannot keep the server from its own.
    pub(crate) fn of_this_process() -> Self {
        let limit = getrlimit(Resource::Nofile).current.and_then(|limit| usize::try_from(limit).ok());
        let all = limit.unwrap_or(Semaphore::MAX_PERMITS).min(Semaphore::MAX_PERMITS) / SHARE;
        let of_one_session = (all / SHARE).clamp(1, MAX_CONNECTIONS);
        Self { all: Arc::new(Semaphore::new(all.max(1))), of_one_session }
    }
}

/// Where what programs inside ask for arrives.
#[derive(Debug)]
pub struct Arrivals {
    pub tcp: TcpListener,
    pub dns: UdpSocket,
    /// What a connection is for; `None` when it was made to the proxy itself.
    pub destination: fn(&TcpStream) -> io::Result<Option<SocketAddrV4>>,
}

/// The way out of one session: what it may reach, what it has reached, and how much may pass, over whatever it comes.
#[derive(Clone)]
pub struct WayOut {
    session: Arc<Session>,
    /// For connections of all sessions.
    all: Arc<Semaphore>,
}

impl WayOut {
    pub(crate) fn new(
        outside: Arc<Outside>,
        places: &Places,
        grant: Arc<Grant>,
        ledger: Arc<dyn Ledger>,
        contacts: &[Contact],
    ) -> Self {
        let session = Session::new(outside, grant, ledger, contacts, places.of_one_session);
        Self { session: Arc::new(session), all: places.all.clone() }
    }

    /// Another policy than the grant's, for what is asked for from now on; what is connected stays connected.
    pub fn set_network(&self, network: Network) {
        self.session.set_network(network);
    }
}

/// What a connection that speaks to the proxy asks for.
pub(crate) struct Asked(proxy::Asked);

impl Asked {
    /// `None`: it is nothing that can be asked for, and has been answered.
    pub(crate) async fn read(client: &mut Begun) -> io::Result<Option<Self>> {
        Ok(proxy::Asked::read(client, Vec::new()).await?.map(Self))
    }

    /// The value of its `Proxy-Authorization`.
    pub(crate) fn authorization(&self) -> Option<&str> {
        self.0.authorization()
    }

    pub(crate) async fn unauthorized(&self, client: &mut Begun, why: &str) -> io::Result<()> {
        self.0.unauthorized(client, why).await
    }

    /// Serves it to its end.
    pub(crate) async fn serve(self, way_out: &WayOut, client: &mut Begun) -> io::Result<()> {
        let _places = (way_out.session.places.acquire().await, way_out.all.acquire().await);
        self.0.pass(&way_out.session, client).await
    }
}

/// Serves what arrives, for ever. Dropping it ends every connection.
pub(crate) async fn serve(way_out: WayOut, arrivals: Arrivals) {
    let Arrivals { tcp, dns, destination } = arrivals;
    let WayOut { session, all } = way_out;
    let (dns, places) = (Arc::new(dns), session.places.clone());
    let questions = Arc::new(Semaphore::new(MAX_QUESTIONS));
    let mut question = [0; dns::MAX_QUESTION];
    let mut tasks = JoinSet::new();
    let accept = async || {
        let place = Arc::clone(&places).acquire_owned().await;
        (tcp.accept().await, place)
    };
    loop {
        tokio::select! {
            accepted = accept() => match accepted {
                (Ok((connection, _)), place) => {
                    let (session, all) = (Arc::clone(&session), Arc::clone(&all));
                    tasks.spawn(async move {
                        let _places = (place, all.acquire_owned().await);
                        let served = serve_one(&session, connection, destination).await;
                        if let Err(error) = served {
                            tracing::debug!(session.id = %session.grant.session, %error, "a connection to the outside ended early");
                        }
                    });
                }
                (Err(error), _) => {
                    tracing::warn!(session.id = %session.grant.session, %error, "a connection to the outside is not accepted");
                    sleep(ACCEPT_RETRY).await;
                }
            },
            received = dns.recv_from(&mut question) => {
                if let (Ok((length, from)), Ok(place)) = (received, Arc::clone(&questions).try_acquire_owned()) {
                    let (session, dns, question) = (Arc::clone(&session), Arc::clone(&dns), question[..length].to_vec());
                    tasks.spawn(async move {
                        let _place = place;
                        if let Some(answer) = dns::answer(&session, &question).await {
                            let _asked_again_when_lost = dns.send_to(&answer, from).await;
                        }
                    });
                }
            }
            Some(_) = tasks.join_next() => {}
        }
    }
}

async fn serve_one(
    session: &Session,
    mut connection: TcpStream,
    destination: fn(&TcpStream) -> io::Result<Option<SocketAddrV4>>,
) -> io::Result<()> {
    connection.set_nodelay(true)?;
    let served = match destination(&connection)? {
        None => proxy::serve(session, &mut connection).await,
        Some(address) if address.port() == DNS => serve_questions(session, &mut connection).await,
        Some(address) => match session.connect((*address.ip()).into(), address.port()).await {
            Ok(outside) => relay::relay(&session.pace, &mut connection, outside).await,
            Err(refused) => Err(io::Error::other(format!("{address}: {refused}"))),
        },
    };
    if served.is_err() {
        // What broke does not look like an end.
        connection.set_zero_linger()?;
    }
    served
}

/// Questions over TCP, one after the other. Source: RFC 7766.
async fn serve_questions(session: &Session, connection: &mut TcpStream) -> io::Result<()> {
    let mut question = [0; dns::MAX_QUESTION];
    loop {
        let Ok(length) = timeout(QUESTION_TIMEOUT, connection.read_u16()).await else { return Ok(()) };
        let length = match length {
            Ok(length) => usize::from(length),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            Err(error) => return Err(error),
        };
        let Some(question) = question.get_mut(..length) else {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the question is too long"));
        };
        match timeout(QUESTION_TIMEOUT, connection.read_exact(question)).await {
            Ok(read) => read?,
            Err(_) => return Err(io::ErrorKind::TimedOut.into()),
        };
        let Some(answer) = dns::answer(session, question).await else { return Ok(()) };
        connection.write_u16(u16::try_from(answer.len()).map_err(io::Error::other)?).await?;
        connection.write_all(&answer).await?;
    }
}
