//! Living longer than one is allowed to. Careless is to end the process that was started, and no other.

use super::Tried;
use crate::place::{Inside, Place};
use lamplight_sandbox::provider::{Files, Provider};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::process::{Command, Stdio};

/// Two generations away from whoever started it, in a session of its own, deaf to every signal that can be ignored.
fn hide(nonce: &str) -> String {
    format!(
        "trap '' TERM HUP INT; (setsid -f sh -c 'trap \"\" TERM HUP INT; exec sleep {nonce}' &); sleep 0.1; echo"
    )
}

/// An argument of `sleep` that no other process on this machine has.
fn nonce(attempt: u32) -> String {
    format!("86400.{attempt}{}", std::process::id())
}

/// Numbers, on the host, of processes that were started with this argument.
fn running(nonce: &str) -> Vec<String> {
    let processes = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let with = processes.filter(|process| {
        let line = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
        line.split(|byte| *byte == 0).any(|word| word == nonce.as_bytes())
            && std::fs::read_to_string(process.path().join("comm"))
                .is_ok_and(|name| name.trim_end() == "sleep")
    });
    with.map(|process| process.file_name().to_string_lossy().into_owned()).collect()
}

fn left(nonce: &str) -> Tried {
    match running(nonce).len() {
        0 => Err("nothing runs any more".to_owned()),
        count => Ok(format!("{count} still running")),
    }
}

/// The same on the host, where its parent is killed.
fn careless(nonce: &str) -> Tried {
    let script = format!("{}; exec sleep 600", hide(nonce));
    let mut parent = Command::new("sh")
        .args(["-c", &script])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    std::io::Read::read(parent.stdout.as_mut().unwrap(), &mut [0]).unwrap();
    parent.kill().unwrap();
    parent.wait().unwrap();
    let left = left(nonce);
    for process in running(nonce) {
        Command::new("kill").args(["-KILL", &process]).status().unwrap();
    }
    left
}

async fn hidden(place: &Place, nonce: &str) -> Inside {
    let sandbox = place.sandbox().await;
    sandbox.start("hiding", &format!("{}; sleep 600", hide(nonce))).await;
    assert_eq!(running(nonce).len(), 1, "it is not seen from the host: this attempt would see nothing");
    sandbox
}

pub(super) async fn first_killed(place: &Place) -> (Tried, Tried) {
    let nonce = &nonce(125);
    let sandbox = hidden(place, nonce).await;
    let record = std::fs::read(place.generation(&sandbox).join("sandbox.json")).unwrap();
    let record: serde_json::Value = serde_json::from_slice(&record).unwrap();
    let first = Pid::from_raw(record["process"]["pid"].as_i64().unwrap().try_into().unwrap()).unwrap();
    let first = pidfd_open(first, PidfdFlags::empty()).unwrap();
    pidfd_send_signal(&first, Signal::KILL).unwrap();
    poll(&mut [PollFd::new(&first, PollFlags::IN)], None).unwrap();
    let here = left(nonce);
    place.remove(&sandbox).await;
    (here, careless(nonce))
}

pub(super) async fn destroyed(place: &Place) -> (Tried, Tried) {
    let nonce = &nonce(25);
    let sandbox = hidden(place, nonce).await;
    place.local.destroy(&sandbox.handle, Files::Keep).await.unwrap();
    let here = left(nonce);
    place.remove(&sandbox).await;
    (here, careless(nonce))
}

/// New ones are started in sessions of their own for as long as whoever starts them lives, which is in one of its own too.
pub(super) async fn stopped(place: &Place) -> (Tried, Tried) {
    let nonce = &nonce(375);
    let sandbox = place.sandbox().await;
    // Slow enough for the machine, too fast for one list of processes.
    let slow = format!(
        "trap '' TERM HUP INT; while :; do setsid -f sh -c 'trap \"\" TERM HUP INT; exec sleep {nonce}'; sleep 0.02; done"
    );
    sandbox.link.write_file("/tmp/slow", 0o600, slow.into()).await.unwrap();
    sandbox.start("again", "(setsid -f sh /tmp/slow &); echo; sleep 600").await;
    while running(nonce).len() < 5 {
        tokio::task::yield_now().await;
    }
    sandbox.link.kill_all(100).await.unwrap();
    let here = left(nonce);
    place.remove(&sandbox).await;
    (here, careless(nonce))
}

/// With every signal that there is, many times over; what is not PID 1 ends from most of them.
pub(super) async fn end_guest(place: &Place) -> (Tried, Tried) {
    let sandbox = place.sandbox().await;
    let careless = sandbox.sh("sleep 600 & kill -KILL $!; wait $! 2>/dev/null || echo ended").await;
    let storm =
        "for n in $(seq 1 200); do for s in $(seq 1 64); do kill -$s 1; done; done 2>/dev/null; echo done";
    let here = match sandbox.try_sh(storm).await {
        Ok(_) => Err("it goes on".to_owned()),
        Err(_) => Ok("the guest ended, and all with it".to_owned()),
    };
    place.remove(&sandbox).await;
    (here, super::found(careless))
}
