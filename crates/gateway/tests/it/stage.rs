//! The way out of one session, with names that lead where a test says, and something on this machine that it must not reach.

use crate::door::{Book, grant};
use async_trait::async_trait;
use lamplight_domain::event::Contact;
use lamplight_domain::{HostPattern, Network};
use lamplight_gateway::{Arrivals, Gateway, Grant, Outside, Resolver, Unresolved, Upstreams};
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};
use std::num::NonZeroU64;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream, UdpSocket};
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Names and their addresses; the n-th question gets the n-th answer, and the last one again.
#[derive(Default)]
pub(crate) struct Hosts {
    pub(crate) answers: HashMap<&'static str, Vec<Vec<IpAddr>>>,
    pub(crate) asked: AtomicUsize,
}

#[async_trait]
impl Resolver for Hosts {
    async fn resolve(&self, name: &str) -> Result<Vec<IpAddr>, Unresolved> {
        let asked = self.asked.fetch_add(1, Ordering::SeqCst);
        match self.answers.get(name) {
            Some(answers) => Ok(answers[asked.min(answers.len() - 1)].clone()),
            None if name == "broken.test" => Err(Unresolved::Failed),
            None => Err(Unresolved::NoSuchName),
        }
    }
}

const HOSTS: &[(&str, &[&str])] = &[
    ("service.test", &["127.0.0.1"]),
    ("loopback.test", &["127.0.0.1"]),
    ("other-loopback.test", &["127.44.0.1"]),
    ("private.test", &["10.0.0.1", "172.16.3.4", "192.168.1.1"]),
    ("metadata.test", &["169.254.169.254"]),
    ("azure.test", &["168.63.129.16"]),
    ("cgnat.test", &["100.64.0.1", "100.100.100.200"]),
    ("unspecified.test", &["0.0.0.0"]),
    ("broadcast.test", &["255.255.255.255"]),
    ("multicast.test", &["224.0.0.1", "ff02::1"]),
    ("v6-loopback.test", &["::1"]),
    ("v6-metadata.test", &["fd00:ec2::254"]),
    ("v6-link.test", &["fe80::1"]),
    ("mapped.test", &["::ffff:127.0.0.1", "::ffff:10.0.0.1"]),
    ("compatible.test", &["::127.0.0.1"]),
    ("nat64.test", &["64:ff9b::7f00:1"]),
    ("sixtofour.test", &["2002:7f00:1::1"]),
    ("teredo.test", &["2001::7f00:1"]),
    ("alias.test", &["198.18.0.1", "198.19.1.1"]),
    ("public.test", &["203.0.114.1"]),
];

/// What connections are for that were not made to the proxy, by where they come from. In a sandbox the kernel says it.
static DESTINATIONS: LazyLock<Mutex<HashMap<SocketAddr, SocketAddrV4>>> = LazyLock::new(Mutex::default);

fn destination(connection: &TcpStream) -> io::Result<Option<SocketAddrV4>> {
    Ok(DESTINATIONS.lock().unwrap().remove(&connection.peer_addr()?))
}

/// After this a question is asked again.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// The way out of one session, and something on this machine that it must not reach.
pub(crate) struct Stage {
    pub(crate) proxy: SocketAddr,
    pub(crate) dns: SocketAddr,
    pub(crate) victim: SocketAddr,
    reached: Arc<AtomicUsize>,
    pub(crate) hosts: Arc<Hosts>,
    pub(crate) ledger: Arc<Book>,
    _serving: JoinSet<()>,
}

impl Stage {
    pub(crate) async fn open(network: Network, allow_private: &[&str]) -> Self {
        Self::with(network, allow_private, Hosts::default()).await
    }

    pub(crate) async fn with(network: Network, allow_private: &[&str], hosts: Hosts) -> Self {
        Self::paced(network, allow_private, hosts, None).await
    }

    pub(crate) async fn paced(
        network: Network,
        allow_private: &[&str],
        mut hosts: Hosts,
        bytes_per_minute: Option<NonZeroU64>,
    ) -> Self {
        for (name, addresses) in HOSTS {
            let addresses = addresses.iter().map(|address| address.parse().unwrap()).collect();
            hosts.answers.entry(name).or_insert_with(|| vec![addresses]);
        }
        let hosts = Arc::new(hosts);
        let victim = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let dns = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let (reached, ledger) = (Arc::new(AtomicUsize::new(0)), Arc::new(Book::default()));
        let outside = Outside {
            allow_private: allow_private.iter().map(|text| text.parse::<HostPattern>().unwrap()).collect(),
            resolver: hosts.clone(),
            bytes_per_minute,
        };
        let gateway = Gateway::new(Upstreams::default(), outside).unwrap();
        let grant = Arc::new(Grant { network, ..grant(Path::new("/nowhere")) });
        let stage = (tcp.local_addr().unwrap(), dns.local_addr().unwrap(), victim.local_addr().unwrap());
        let mut serving = JoinSet::new();
        let (book, count) = (ledger.clone(), reached.clone());
        serving.spawn(async move {
            let arrivals = Arrivals { tcp, dns, destination };
            gateway.serve_web(gateway.way_out(grant, book, &[]), arrivals).await;
        });
        // Says who it is, and repeats what it is told until that ends.
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((mut connection, _)) = victim.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                connections.spawn(async move {
                    let (mut reader, mut writer) = connection.split();
                    let _ended = tokio::io::copy(&mut reader, &mut writer).await;
                    let _gone = writer.shutdown().await;
                });
            }
        });
        Self { proxy: stage.0, dns: stage.1, victim: stage.2, reached, hosts, ledger, _serving: serving }
    }

    /// Says something to the proxy, and reads its answer to the end.
    pub(crate) async fn say(&self, words: &[u8]) -> Vec<u8> {
        let mut connection = TcpStream::connect(self.proxy).await.unwrap();
        connection.write_all(words).await.unwrap();
        connection.shutdown().await.unwrap();
        let mut answer = Vec::new();
        let _reset = connection.read_to_end(&mut answer).await;
        answer
    }

    /// Connects as programs do that know of no proxy, and reads to the end what is there.
    pub(crate) async fn relay(&self, to: SocketAddrV4) -> io::Result<String> {
        let socket = TcpSocket::new_v4()?;
        socket.bind((Ipv4Addr::LOCALHOST, 0).into())?;
        DESTINATIONS.lock().unwrap().insert(socket.local_addr()?, to);
        let mut connection = socket.connect(self.proxy).await?;
        connection.write_all(b"hello").await?;
        connection.shutdown().await?;
        let mut said = String::new();
        connection.read_to_string(&mut said).await?;
        Ok(said)
    }

    pub(crate) async fn http(&self, head: &str) -> String {
        String::from_utf8_lossy(&self.say(format!("{head}\r\n\r\nhello").as_bytes()).await).into_owned()
    }

    pub(crate) async fn connect(&self, authority: &str) -> String {
        self.http(&format!("CONNECT {authority} HTTP/1.1")).await
    }

    /// A SOCKS request; what the reply says.
    pub(crate) async fn socks(&self, kind: u8, address: &[u8], port: u16) -> Option<u8> {
        let request = [&[5, 1, 0, 5, 1, 0, kind], address, &port.to_be_bytes(), b"hello"].concat();
        self.say(&request).await.get(3).copied()
    }

    /// Asks for a name; the code of the answer, and the address in it.
    pub(crate) async fn ask(&self, name: &str, kind: u16) -> (u8, Option<Ipv4Addr>) {
        let answer = self.question(&question(name, kind)).await;
        let address = (answer[7] == 1)
            .then(|| answer[answer.len() - 4..].try_into().map(|bytes: [u8; 4]| bytes.into()).unwrap());
        (answer[3] & 15, address)
    }

    pub(crate) async fn question(&self, question: &[u8]) -> Vec<u8> {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let mut answer = [0; 600];
        loop {
            socket.send_to(question, self.dns).await.unwrap();
            // As every resolver does: a datagram may be lost.
            if let Ok(length) = timeout(ASK_AGAIN, socket.recv(&mut answer)).await {
                return answer[..length.unwrap()].to_vec();
            }
        }
    }

    pub(crate) fn reached(&self) -> usize {
        self.reached.load(Ordering::SeqCst)
    }

    pub(crate) fn contacts(&self) -> Vec<(String, Option<String>)> {
        let all = self.ledger.contacted.lock().unwrap();
        all.iter().map(|Contact { host, refused, .. }| (host.clone(), refused.clone())).collect()
    }
}

pub(crate) fn question(name: &str, kind: u16) -> Vec<u8> {
    let mut message = vec![0xab, 0xcd, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.') {
        message.push(u8::try_from(label.len()).unwrap());
        message.extend(label.bytes());
    }
    message.push(0);
    message.extend([kind.to_be_bytes(), [0, 1]].concat());
    message
}
