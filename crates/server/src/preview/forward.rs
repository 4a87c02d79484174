//! One request to a program inside, on a connection of its own.

use super::answer::Connection;
use super::at_work::Worker;
use super::headers::{to_browser, to_program};
use super::refused;
use crate::http::App;
use crate::http::access::{Caller, Open};
use axum::body::Body;
use axum::extract::Request;
use axum::http::uri::{PathAndQuery, Uri};
use axum::http::{StatusCode, Version};
use axum::response::Response;
use hyper::client::conn::http1;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use lamplight_engine::Stream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::copy_bidirectional;
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::io::InspectReader;

/// From a request to the header of its answer; a browser may have given up long before.
const ANSWER: Duration = Duration::from_secs(10 * 60);

/// Passes the request on and the answer back, as they come; a connection that becomes something else, such as a WebSocket, too.
pub(crate) async fn forward(
    app: &App,
    caller: &(Caller, Open),
    stream: Stream,
    mut request: Request,
    place: OwnedSemaphorePermit,
    worker: Option<Worker>,
) -> Response {
    let (connection, waiting) = Connection::new(stream);
    let Ok((mut sender, connection)) = http1::handshake(TokioIo::new(connection)).await else {
        return broken();
    };
    let place = Arc::new(place);
    let taken = place.clone();
    spawn(app, caller, async move {
        let _taken = taken;
        // How it ends, the browser sees by its answer.
        let _ = connection.with_upgrades().await;
    });
    let path = request.uri().path_and_query().cloned().unwrap_or(PathAndQuery::from_static("/"));
    *request.uri_mut() = Uri::from(path);
    *request.version_mut() = Version::HTTP_11;
    let upgrade =
        to_program(request.headers_mut()).and_then(|_| request.extensions_mut().remove::<OnUpgrade>());
    let asked = std::pin::pin!(tokio::time::timeout(ANSWER, sender.send_request(request)));
    // Where the browser leaves, all this is dropped from here on upwards: giving up comes before the end of the request, which the connection hears.
    let mut waiting = waiting;
    let mut response = match asked.await {
        Ok(Ok(response)) => response,
        Ok(Err(_)) => return broken(),
        Err(_) => {
            return refused(
                StatusCode::GATEWAY_TIMEOUT,
                "The program does not answer",
                "Look at what it does.",
            );
        }
    };
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        let Some(browser) = upgrade else { return broken() };
        waiting.is_over();
        join(app, caller, browser, hyper::upgrade::on(&mut response), place, worker);
        return response.map(|_| Body::empty());
    }
    to_browser(response.headers_mut());
    response.map(|body| Body::new(waiting.for_all_of(body)))
}

/// Both ways until either ends.
fn join(
    app: &App,
    caller: &(Caller, Open),
    browser: OnUpgrade,
    program: OnUpgrade,
    place: Arc<OwnedSemaphorePermit>,
    worker: Option<Worker>,
) {
    spawn(app, caller, async move {
        let _place = place;
        let (Ok(browser), Ok(program)) = tokio::join!(browser, program) else { return };
        let heard = AtomicUsize::new(0);
        let carried = carry(browser, program, &heard);
        match worker {
            Some(worker) => tokio::select! { () = carried => {}, () = worker.keep(&heard) => {} },
            None => carried.await,
        }
    });
}

/// Until it ends, the server does, or who asked for it may not any more.
fn spawn(app: &App, caller: &(Caller, Open), work: impl Future<Output = ()> + Send + 'static) {
    let (app, (caller, what)) = (app.clone(), caller.clone());
    app.clone().streams.spawn(async move {
        tokio::select! {
            () = work => {}
            () = app.going_away.cancelled() => {}
            () = caller.ended(&app, what) => {}
        }
    });
}

/// `heard` counts the bytes that come from the browser.
async fn carry(browser: Upgraded, program: Upgraded, heard: &AtomicUsize) {
    let count = |bytes: &[u8]| {
        heard.fetch_add(bytes.len(), Ordering::Relaxed);
    };
    let mut browser = InspectReader::new(TokioIo::new(browser), count);
    // Which of the two went first is seen by the other.
    let _ = copy_bidirectional(&mut browser, &mut TokioIo::new(program)).await;
}

fn broken() -> Response {
    refused(
        StatusCode::BAD_GATEWAY,
        "The program in the sandbox gave no answer that a browser understands",
        "Look at what it prints.",
    )
}
