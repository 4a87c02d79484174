//! A client whose machine or network is gone: nothing comes from it any more, not even a goodbye.

use crate::support::{PATIENCE, Server};
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::time::Duration;
use tokio::time::Instant;
use tokio_tungstenite::MaybeTlsStream;

/// From one look at whether something is so to the next.
const LOOK: Duration = Duration::from_millis(100);
/// After so long nobody takes it for present any more.
const GONE: Duration = Duration::from_secs(45);
/// As `/proc/net/tcp` has it.
const ESTABLISHED: &str = "01";

/// Takes a connection off the network: what comes for it is dropped before TCP sees it, so that nothing is answered, and nobody resets it.
/// Source: socket(7), `SO_ATTACH_FILTER`.
fn vanish(socket: &impl AsRawFd) {
    let code = u16::try_from(libc::BPF_RET | libc::BPF_K).unwrap();
    let mut take_nothing = libc::sock_filter { code, jt: 0, jf: 0, k: 0 };
    let program = libc::sock_fprog { len: 1, filter: &raw mut take_nothing };
    let length = libc::socklen_t::try_from(size_of_val(&program)).unwrap();
    // SAFETY: the program is one instruction, and the kernel copies both.
    let attached = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ATTACH_FILTER,
            (&raw const program).cast(),
            length,
        )
    };
    assert_eq!(attached, 0, "{}", std::io::Error::last_os_error());
}

/// Whether the server still has its end of this connection.
fn has(server: &Server, client: SocketAddr) -> bool {
    let port = server.authority().rsplit_once(':').unwrap().1.parse::<u16>().unwrap();
    let (ours, theirs) = (format!(":{port:04X}"), format!(":{:04X}", client.port()));
    let connections = std::fs::read_to_string("/proc/net/tcp").unwrap();
    connections.lines().any(|line| {
        let mut words = line.split_whitespace().skip(1);
        let (local, remote) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        local.ends_with(&ours) && remote.ends_with(&theirs) && words.next() == Some(ESTABLISHED)
    })
}

#[tokio::test]
async fn a_reader_whose_network_is_gone_is_let_go_and_no_longer_present() {
    let server = Server::start();
    let id = server.create("!say hello").await;
    server.until(&id, "checkpoint_kept", 1).await;
    let events = format!("/sessions/{id}/events?resume=0&presence=true");
    let mut gone = server.socket(&events).await;
    gone.control("live").await;
    let mut stays = server.socket(&events).await;
    while stays.control("present").await["people"][0]["streams"] != 2 {}

    let MaybeTlsStream::Plain(stream) = gone.0.get_ref() else { panic!("there is no TLS") };
    let client = stream.local_addr().unwrap();
    assert!(has(&server, client));
    vanish(stream);
    let since = Instant::now();
    let told = async { while stays.control("present").await["people"][0]["streams"] != 1 {} };
    tokio::time::timeout(PATIENCE, told).await.expect("who is still there is told");
    let after = since.elapsed();
    assert!(after <= GONE, "it is noticed after {after:?}");
    assert!(!has(&server, client));
    server.clear().await;
}

/// Who waits for an answer, and has nothing to say, is no other.
#[tokio::test]
async fn a_silent_connection_whose_network_is_gone_is_let_go() {
    let server = Server::start();
    let stream = std::net::TcpStream::connect(server.authority()).unwrap();
    let client = stream.local_addr().unwrap();
    vanish(&stream);
    let since = Instant::now();
    while has(&server, client) || since.elapsed() < LOOK {
        assert!(since.elapsed() <= GONE, "it is still there");
        tokio::time::sleep(LOOK).await;
    }
}
