//! The server's life: from a listening socket to the last answer.

use super::access;
use super::audit::Peer;
use super::{App, router};
use axum::Router;
use hyper::Request;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rustix::net::sockopt;
use rustix::process::{Resource, getrlimit};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Connections that are served at once; more of them wait to be accepted.
const MAX_CONNECTIONS: usize = 12_000;
/// File descriptors that they leave to the log, to sandboxes and to git; half of them, where there are few.
const LEFT: usize = 4_096;
/// From one request to the end of the next one's header; a connection that is silent for longer is closed.
const HEADER: Duration = Duration::from_secs(60);
/// From the signal to stop until requests and streams that are still open are cut.
const GRACE: Duration = Duration::from_secs(5);
/// A client whose machine or network is gone says no goodbye. Silent for so long it is asked whether it is there, and again each time
/// after [`ASKED_AGAIN`].
const ASKED: Duration = Duration::from_secs(10);
const ASKED_AGAIN: Duration = Duration::from_secs(5);
/// One that neither answers that, nor takes what it was sent, for so long is gone. An event stream that says something in between,
/// which it does after 12 s at most, is so within 45 s.
const GONE: Duration = Duration::from_secs(30);
/// Before accepting again when the process has no file descriptors left.
const EXHAUSTED: Duration = Duration::from_millis(500);

/// Answers until `stop` is done, then says farewell to the streams, and lets requests that are being answered end.
pub async fn serve(listener: TcpListener, app: App, stop: impl Future<Output = ()>) {
    let connections = TaskTracker::new();
    let router = router(app.clone());
    app.streams.spawn(access::watch(app.clone()));
    app.engine.automate(Arc::new(access::OwnersHere(app.clone())));
    tokio::select! {
        () = accept(&listener, &router, &connections, &app.going_away) => {}
        () = stop => {}
    }
    drop(listener);
    app.going_away.cancel();
    connections.close();
    app.streams.close();
    let ended = async {
        connections.wait().await;
        app.streams.wait().await;
    };
    if tokio::time::timeout(GRACE, ended).await.is_err() {
        tracing::warn!("some requests did not end in time and were cut");
    }
}

async fn accept(
    listener: &TcpListener,
    router: &Router,
    connections: &TaskTracker,
    going_away: &CancellationToken,
) {
    let free = Arc::new(Semaphore::new(connections_at_most()));
    loop {
        let Ok(place) = free.clone().acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let connection = answer(stream, router.clone(), going_away.clone());
                connections.spawn(async move {
                    connection.await;
                    drop(place);
                });
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "no connection can be accepted");
                tokio::time::sleep(EXHAUSTED).await;
            }
        }
    }
}

fn connections_at_most() -> usize {
    let descriptors = getrlimit(Resource::Nofile).current.and_then(|limit| usize::try_from(limit).ok());
    let left = |descriptors: usize| descriptors - LEFT.min(descriptors / 2);
    descriptors.map_or(MAX_CONNECTIONS, |descriptors| MAX_CONNECTIONS.min(left(descriptors)))
}

/// The client left before it was accepted; accept(2) reports such errors of the new connection itself.
fn is_of_one_connection(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// An entry is one small write; waiting for more to send with it would only delay it. Source of the others: tcp(7).
fn prepare(stream: &TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    sockopt::set_socket_keepalive(stream, true)?;
    sockopt::set_tcp_keepidle(stream, ASKED)?;
    sockopt::set_tcp_keepintvl(stream, ASKED_AGAIN)?;
    sockopt::set_tcp_user_timeout(stream, GONE.as_millis() as u32)?;
    Ok(())
}

async fn answer(stream: TcpStream, router: Router, going_away: CancellationToken) {
    if let Err(error) = prepare(&stream) {
        tracing::debug!(%error, "a connection does not take its options");
    }
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEADER);
    // Of a client that has left by now nobody knows it.
    let peer = stream.peer_addr().map(|peer| Peer(peer.ip().to_canonical())).ok();
    let service = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: Request<_>| {
        if let Some(peer) = peer {
            request.extensions_mut().insert(peer);
        }
        service.call(request)
    });
    let connection = http.serve_connection(TokioIo::new(stream), service).with_upgrades();
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = going_away.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection broke");
    }
}
