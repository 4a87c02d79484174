//! Somebody outside of all sandboxes, at an address of this machine that is not loopback's.

use std::net::{SocketAddr, UdpSocket};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// Of documentation (RFC 5737): nothing is sent there.
const ANYWHERE: &str = "192.0.2.1:9";

pub(super) struct Outside {
    /// `None` where this machine has no other address.
    address: Option<SocketAddr>,
    /// Ends with this.
    _serving: JoinSet<()>,
}

impl Outside {
    pub(super) async fn open() -> Self {
        let mut serving = JoinSet::new();
        Self { address: serve(&mut serving).await.ok(), _serving: serving }
    }

    /// The configuration with which sandboxes may reach it.
    pub(super) fn allowed(&self) -> String {
        self.address.map(|at| format!("[sandbox]\nallow_private = [\"{}\"]\n", at.ip())).unwrap_or_default()
    }

    /// For the cases, which leave out what they cannot try.
    pub(super) fn told(&self) -> impl Iterator<Item = (&'static str, String)> {
        self.address.map(|at| ("OUTSIDE", at.to_string())).into_iter()
    }
}

async fn serve(serving: &mut JoinSet<()>) -> std::io::Result<SocketAddr> {
    let way = UdpSocket::bind("0.0.0.0:0")?;
    way.connect(ANYWHERE)?;
    let listener = TcpListener::bind((way.local_addr()?.ip(), 0)).await?;
    let address = listener.local_addr()?;
    serving.spawn(async move {
        // One after the other: whoever asks reads what it says and goes.
        while let Ok((mut client, _)) = listener.accept().await {
            let _asked = client.read(&mut [0; 64]).await;
            let _gone = client.write_all(b"HTTP/1.0 200 OK\r\n\r\nhere").await;
        }
    });
    Ok(address)
}
