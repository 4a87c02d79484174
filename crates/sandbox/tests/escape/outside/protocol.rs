//! What a sandbox says to the host. Careless is to believe it, or to keep all of it.

use super::Tried;
use crate::place::{Place, shell};
use bytes::BytesMut;
use lamplight_domain::agent::ExitStatus;
use lamplight_sandbox::link::{Link, RunLimits};
use lamplight_wire::{Output, message};
use std::time::Duration;
use tokio::time::timeout;
use tokio_util::compat::TokioAsyncReadCompatExt;

const MIB: u64 = 1024 * 1024;

/// Unread output that a guest keeps of one process.
const SPOOL: u64 = 64 * MIB;

/// A guest that was replaced by something evil: it answers the first call with a length of four gibibytes.
pub(super) async fn announced(_: &Place) -> (Tried, Tried) {
    const LENGTH: [u8; 4] = u32::MAX.to_be_bytes();
    let (host, evil) = tokio::io::duplex(64 * 1024);
    let mut guest = tokio::task::JoinSet::new();
    guest.spawn(async move {
        use futures::AsyncWriteExt;
        let config = yamux::Config::default();
        let mut connection = yamux::Connection::new(evil.compat(), config, yamux::Mode::Server);
        let Some(Ok(mut stream)) = std::future::poll_fn(|cx| connection.poll_next_inbound(cx)).await else {
            return;
        };
        let mut answer = std::pin::pin!(async move {
            let _ = stream.write_all(&LENGTH).await;
            std::future::pending::<()>().await;
        });
        std::future::poll_fn(|cx| {
            let _ = answer.as_mut().poll(cx);
            connection.poll_next_inbound(cx).map(|_| ())
        })
        .await;
    });
    let here = match timeout(Duration::from_secs(10), Link::open(host)).await {
        Ok(Ok(_)) => Ok("was believed".to_owned()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Ok("the host waits for it".to_owned()),
    };
    let careless = u32::from_be_bytes(LENGTH) as usize;
    (
        here,
        Ok(format!(
            "{} MiB would be waited for; the longest message is {}",
            careless >> 20,
            message::MAX_MESSAGE
        )),
    )
}

/// Prints the frame by which a guest says that a process ended well, and then fails.
pub(super) async fn forged(place: &Place) -> (Tried, Tried) {
    let mut frame = BytesMut::new();
    Output::Exited(lamplight_wire::ExitStatus::Code { code: 0 }).encode(&mut frame).unwrap();
    let octal: String = frame.iter().map(|byte| format!("\\{byte:03o}")).collect();
    let sandbox = place.sandbox().await;
    let limits = RunLimits { timeout_ms: 10_000, output_bytes: 1024 };
    let output = sandbox.link.run(&shell(&format!("printf '{octal}'; exit 3")), None, limits).await.unwrap();
    place.remove(&sandbox).await;
    let here = match output.status {
        ExitStatus::Code { code: 3 } => Err("the host hears of status 3".to_owned()),
        status => Ok(format!("the host believes {status:?}")),
    };
    let careless = Output::decode(&mut BytesMut::from(&output.stdout[..]));
    let careless = match careless {
        Ok(Some(Output::Exited(status))) => Ok(format!("read as a frame it says {status:?}")),
        other => Err(format!("{other:?}")),
    };
    (here, careless)
}

/// Nobody reads what it says. What the guest keeps of it lies on the host's disk.
pub(super) async fn flood(place: &Place) -> (Tried, Tried) {
    const SAID: u64 = 200 * MIB;
    let said = format!("yes lamplight | head -c {SAID}");
    let sandbox = place.sandbox().await;
    sandbox.link.spawn("flood", &shell(&said)).await.unwrap();
    let kept = async {
        loop {
            let process = sandbox.link.processes().await.unwrap().swap_remove(0);
            let kept = process.stdout.end - process.stdout.start;
            if kept >= SPOOL || process.status.is_some() {
                return (kept, process.status.is_some());
            }
        }
    };
    let (kept, done) = kept.await;
    place.remove(&sandbox).await;
    let words = format!("{} MiB are kept", kept / MIB);
    let here = if kept > SPOOL || done { Ok(words) } else { Err(words) };
    let file = place.facts.folder.join("flood");
    let careless = format!("{said} > {}", file.display());
    std::process::Command::new("sh").args(["-c", &careless]).status().unwrap();
    let length = std::fs::metadata(&file).unwrap().len();
    std::fs::remove_file(file).unwrap();
    (here, if length > SPOOL { Ok(format!("{} MiB", length / MIB)) } else { Err("it is small".to_owned()) })
}

/// Without an end, and not even text.
pub(super) async fn line(place: &Place) -> (Tried, Tried) {
    const KEPT: usize = 64 * 1024;
    let command = "head -c 16M /dev/zero | tr '\\0' '\\377'";
    let sandbox = place.sandbox().await;
    let limits = RunLimits { timeout_ms: 30_000, output_bytes: KEPT };
    let output = sandbox.link.run(&shell(command), None, limits).await.unwrap();
    place.remove(&sandbox).await;
    let kept = output.stdout.len();
    let here = if kept <= KEPT && output.truncated {
        Err(format!("{kept} bytes are kept"))
    } else {
        Ok(format!("{kept} bytes"))
    };
    let careless = std::process::Command::new("sh").args(["-c", command]).output().unwrap().stdout.len();
    (here, if careless > KEPT { Ok(format!("{careless} bytes")) } else { Err("it is short".to_owned()) })
}

/// Counts what arrives at the host of many.
pub(super) async fn connections(place: &Place) -> (Tried, Tried) {
    const MANY: usize = 400;
    let ask = |port: u16, patience: u32| {
        format!(
            "import socket, time\nall = []\nfor _ in range({MANY}):\n  try: all.append(socket.create_connection((\"127.0.0.1\", {port}), {patience}))\n  except OSError: break\nprint(1, flush=True)\ntime.sleep(600)"
        )
    };
    let mut sandbox = place.sandbox().await;
    sandbox.link.write_file("/tmp/ask.py", 0o600, ask(7411, 1).into()).await.unwrap();
    sandbox.start("asking", "exec python3 /tmp/ask.py").await;
    let mut held = Vec::new();
    while let Ok(Some(stream)) = timeout(Duration::from_millis(300), sandbox.gateway.recv()).await {
        held.push(stream);
    }
    let here = held.len();
    place.remove(&sandbox).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let script = ask(listener.local_addr().unwrap().port(), 30);
    let mut asking = std::process::Command::new("python3").args(["-c", &script]).spawn().unwrap();
    let mut careless = Vec::new();
    while careless.len() < MANY {
        match timeout(Duration::from_secs(5), listener.accept()).await {
            Ok(Ok(accepted)) => careless.push(accepted),
            Ok(Err(_)) | Err(_) => break,
        }
    }
    asking.kill().unwrap();
    asking.wait().unwrap();
    let judge = |count: usize| {
        if count < MANY / 2 {
            Err(format!("{count} of {MANY} arrive"))
        } else {
            Ok(format!("{count} arrive"))
        }
    };
    (judge(here), judge(careless.len()))
}
