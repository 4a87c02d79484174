//! Connections that pass through here, and can be cut, all at once.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

pub(super) struct Wire {
    /// Every change of it is a cut.
    cuts: watch::Sender<()>,
    _passing: Mutex<JoinSet<()>>,
}

impl Wire {
    /// To a TCP port; where it is reached instead.
    pub(super) async fn to_port(port: u16) -> (Self, u16) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let here = listener.local_addr().unwrap().port();
        let passing = Self::passing(async move |cut| {
            let mut open = JoinSet::new();
            while let Ok((near, _)) = listener.accept().await {
                if let Ok(far) = TcpStream::connect(("127.0.0.1", port)).await {
                    open.spawn(pass(near, far, cut.clone()));
                }
                while open.try_join_next().is_some() {}
            }
        });
        (passing, here)
    }

    /// To PostgreSQL's socket; the directory with the one that is connected to instead is the caller's.
    pub(super) fn to_socket(socket: PathBuf, directory: &Path) -> Self {
        let listener = UnixListener::bind(directory.join(socket.file_name().unwrap())).unwrap();
        Self::passing(async move |cut| {
            let mut open = JoinSet::new();
            while let Ok((near, _)) = listener.accept().await {
                if let Ok(far) = UnixStream::connect(&socket).await {
                    open.spawn(pass(near, far, cut.clone()));
                }
                while open.try_join_next().is_some() {}
            }
        })
    }

    fn passing<F>(accept: impl FnOnce(watch::Receiver<()>) -> F) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (cuts, cut) = watch::channel(());
        let mut passing = JoinSet::new();
        passing.spawn(accept(cut));
        Self { cuts, _passing: Mutex::new(passing) }
    }

    pub(super) fn cut(&self) {
        self.cuts.send_replace(());
    }
}

/// Until either side is done, or it is cut.
async fn pass(
    mut near: impl AsyncRead + AsyncWrite + Unpin,
    mut far: impl AsyncRead + AsyncWrite + Unpin,
    mut cut: watch::Receiver<()>,
) {
    cut.mark_unchanged();
    tokio::select! {
        _ = copy_bidirectional(&mut near, &mut far) => {}
        _ = cut.changed() => {}
    }
}
