//! Two sessions beside each other, or one after the other. Careless is to have both in one sandbox.

use super::{Tried, found};
use crate::place::{Inside, Place};
use lamplight_sandbox::provider::{Files, Provider};
use std::time::Duration;
use tokio::time::timeout;

/// Everything that a session can write to.
const WRITABLE: &str = "/workspace ~ /tmp /var /var/tmp /dev/shm /run/lock $XDG_RUNTIME_DIR";

/// Listens at a TCP port and at an abstract name, on everything that there is.
const LISTEN: &str = "exec python3 -uc '
import socket, time
port = socket.create_server((\"0.0.0.0\", 8123))
name = socket.socket(socket.AF_UNIX)
name.bind(\"\\0lamplight-escape-session\")
name.listen()
print(1)
time.sleep(600)'";

/// How long something that must not come is waited for.
const NOTHING_COMES: Duration = Duration::from_millis(200);

/// Does something in one session, and looks for it in another and in the same.
async fn beside(place: &Place, prepare: &str, look: &str) -> (Tried, Tried) {
    let (one, two) = (place.sandbox().await, place.sandbox().await);
    one.start("prepared", prepare).await;
    let seen = (found(two.sh(look).await), found(one.sh(look).await));
    remove(place, [one, two]).await;
    seen
}

async fn remove(place: &Place, sandboxes: [Inside; 2]) {
    for sandbox in sandboxes {
        place.remove(&sandbox).await;
    }
}

pub(super) async fn files(place: &Place) -> (Tried, Tried) {
    let prepare = format!("for d in {WRITABLE}; do echo x > $d/of-the-other; done; echo; sleep 600");
    beside(place, &prepare, "find / -name of-the-other 2>/dev/null | head -n 3 | tr '\\n' ' '").await
}

pub(super) async fn processes(place: &Place) -> (Tried, Tried) {
    let look = "cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' ' | grep -o '[s]leep 600.25'";
    beside(place, "echo; exec sleep 600.25", look).await
}

pub(super) async fn port(place: &Place) -> (Tried, Tried) {
    beside(place, LISTEN, &connect("AF_INET, (\"127.0.0.1\", 8123)")).await
}

pub(super) async fn abstract_socket(place: &Place) -> (Tried, Tried) {
    beside(place, LISTEN, &connect("AF_UNIX, \"\\0lamplight-escape-session\"")).await
}

/// Prints something only when it got through.
fn connect(to: &str) -> String {
    let (family, address) = to.split_once(", ").expect("family and address");
    format!(
        "python3 -c 'import socket; socket.socket(socket.{family}).connect({address}); print(\"connected\")' 2>/dev/null"
    )
}

pub(super) async fn shared_memory(place: &Place) -> (Tried, Tried) {
    let prepare = "ipcmk -M 4096 -p 0666 && ipcmk -Q -p 0666 && ipcmk -S 1 -p 0666; sleep 600";
    beside(place, prepare, "ipcs | grep ^0x | tr '\\n' ' '").await
}

/// By the path of its socket, as the host does.
pub(super) async fn guest(place: &Place) -> (Tried, Tried) {
    let (one, two) = (place.sandbox().await, place.sandbox().await);
    let socket = place.generation(&one).join("link.sock");
    let here = found(two.sh(&format!("ls {} 2>/dev/null", socket.display())).await);
    let careless = if socket.exists() {
        Ok("its socket is there on the host".to_owned())
    } else {
        Err("no socket".to_owned())
    };
    remove(place, [one, two]).await;
    (here, careless)
}

/// What a session sends to its gateway has to arrive on its own link, which is how the host knows who asks.
pub(super) async fn gateway(place: &Place) -> (Tried, Tried) {
    let (mut one, mut two) = (place.sandbox().await, place.sandbox().await);
    two.start("asking", "exec python3 -uc 'import socket, time; s = socket.create_connection((\"127.0.0.1\", 7411)); print(1); time.sleep(600)'")
        .await;
    let arrived = |stream: Option<_>| {
        stream.map(|_| "a connection arrived".to_owned()).ok_or("the link ended".to_owned())
    };
    let own = timeout(Duration::from_secs(10), two.gateway.recv()).await;
    let careless = own.map_or_else(|_| Err("nothing arrived".to_owned()), arrived);
    let here = timeout(NOTHING_COMES, one.gateway.recv()).await;
    let here = here.map_or_else(|_| Err("nothing arrived".to_owned()), arrived);
    remove(place, [one, two]).await;
    (here, careless)
}

/// Also its number as a user of the host, which is found by its id. Careless is to keep its files.
pub(super) async fn left_over(place: &Place) -> (Tried, Tried) {
    let leave = format!("for d in {WRITABLE}; do echo x > $d/left-over; done");
    let look = "find / -name left-over 2>/dev/null | head -n 3 | tr '\\n' ' '";
    let first = place.sandbox().await;
    first.sh(&leave).await;
    place.local.destroy(&first.handle, Files::Keep).await.unwrap();
    let kept = place.enter(&first.session, 2).await;
    let careless = found(kept.sh(look).await);
    place.remove(&kept).await;
    let again = place.enter(&first.session, 1).await;
    let here = found(again.sh(look).await);
    place.remove(&again).await;
    (here, careless)
}
