//! TCP connections carried over the link: out through the gateway, in to a port.

use crate::guest::{Guest, failed};
use crate::stream::{Stream, send};
use anyhow::Context;
use lamplight_wire::{GuestOpen, Reply};
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

/// Connections to the gateway that are open at a time; further ones wait in the listener's backlog.
const MAX_GATEWAY: usize = 96;

/// How long a connection to the gateway waits for a host: what a restart of the control plane may take.
const GATEWAY_PATIENCE: Duration = Duration::from_secs(60);

/// After a connection could not be accepted, as when there are no descriptors left.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// Binds the address at which everything inside finds the gateway.
pub(crate) async fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("listen for the gateway at {address}"))
}

/// Carries every connection to the gateway's address to the host.
pub(crate) async fn carry_out(guest: Rc<Guest>, listener: TcpListener) {
    let places = Arc::new(Semaphore::new(MAX_GATEWAY));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let Ok((connection, _)) = listener.accept().await else {
            sleep(ACCEPT_RETRY).await;
            continue;
        };
        let guest_of_task = Rc::clone(&guest);
        guest.tasks.spawn_local(async move {
            let _place = place;
            match timeout(GATEWAY_PATIENCE, open(&guest_of_task)).await {
                Ok(stream) => carry(connection, stream).await,
                Err(_) => reset(&connection),
            }
        });
    }
}

/// A stream to the host that now is, or to the next one.
async fn open(guest: &Guest) -> Stream {
    let mut opener = guest.opener.subscribe();
    loop {
        // The sender lives in `guest`, so this cannot fail.
        let current = opener.wait_for(Option::is_some).await.ok().and_then(|opener| opener.clone());
        if let Some(opener) = current
            && let Some(mut stream) = opener.open().await
            && send(&mut stream, &GuestOpen::Gateway).await.is_ok()
        {
            return stream;
        }
        // A link that ends says so on the channel, but its task may have to run first.
        tokio::task::yield_now().await;
    }
}

/// Connects the host to a port in here.
pub(crate) async fn dial(port: u16, mut stream: Stream) -> io::Result<()> {
    match connect(port).await {
        Ok(connection) => {
            send(&mut stream, &Reply::Done).await?;
            carry(connection, stream).await;
            Ok(())
        }
        Err(error) => {
            let refused = failed(format!("connect to port {port}"), &error);
            send(&mut stream, &Reply::Refused(refused)).await
        }
    }
}

/// A program that listens at `localhost` may have taken the IPv6 of it alone.
async fn connect(port: u16) -> io::Result<TcpStream> {
    match TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            TcpStream::connect((Ipv6Addr::LOCALHOST, port)).await.map_err(|_| error)
        }
        other => other,
    }
}

/// Both ways until both have ended. What breaks on one side breaks on the other, and does not look like an end.
async fn carry(mut connection: TcpStream, mut stream: Stream) {
    let _ = connection.set_nodelay(true);
    if copy_bidirectional(&mut connection, &mut stream).await.is_err() {
        reset(&connection);
    }
}

fn reset(connection: &TcpStream) {
    let _ = connection.set_zero_linger();
}
