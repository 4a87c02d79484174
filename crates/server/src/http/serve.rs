//! The server's life: from a listening socket to the last answer.

use super::{App, router};
use anyhow::Context;
use axum::serve::ListenerExt;
use std::time::Duration;
use tokio::net::TcpListener;

/// From the signal to stop until requests and streams that are still open are cut.
const GRACE: Duration = Duration::from_secs(5);

/// Answers until `stop` is done, then says farewell to the streams, and lets requests that are being answered end.
pub async fn serve(
    listener: TcpListener,
    app: App,
    stop: impl Future<Output = ()> + Send + 'static,
) -> anyhow::Result<()> {
    // An entry is one small write; waiting for more to send with it would only delay it.
    let listener = listener.tap_io(|stream| {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection does not take TCP_NODELAY");
        }
    });
    let going_away = app.going_away.clone();
    let stopping = {
        let going_away = going_away.clone();
        async move {
            stop.await;
            going_away.cancel();
        }
    };
    let ended = async {
        axum::serve(listener, router(app.clone())).with_graceful_shutdown(stopping).await?;
        app.streams.close();
        app.streams.wait().await;
        Ok::<(), std::io::Error>(())
    };
    let cut = async {
        going_away.cancelled().await;
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        ended = ended => ended.context("serving failed"),
        () = cut => {
            tracing::warn!("some requests did not end in time and were cut");
            Ok(())
        }
    }
}
