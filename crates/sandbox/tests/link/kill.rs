//! Stop stops: nothing that was started in the sandbox outlives `kill_all`, however it tried to get away.

use crate::sandbox::{LIMITS, PATIENCE, START, Sandbox, read_to_end, shell, spec};
use lamplight_domain::agent::ExitStatus;
use lamplight_sandbox::link::{Link, Output};
use std::process::Command;
use tokio::time::timeout;

/// At least `SURVIVING` processes, which have something against ending: sessions of their own, parents that are gone, ignored
/// signals, being stopped.
const SURVIVORS: &str = "
    trap '' TERM
    setsid sleep 1001 &
    (setsid sh -c 'sleep 1002 & sleep 1003' &)
    (setsid sh -c 'trap \"\" TERM HUP INT; while :; do sleep 1004; done' &)
    sleep 1005 & kill -STOP $!
    setsid nohup sleep 1006 >/dev/null 2>&1 &
    until [ $(cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' ' | grep -o 'sleep 100[1-6]' | sort -u | wc -l) -ge 6 ]; do :; done
    echo up
    while :; do sleep 1007; done";

/// The shell and most of the rest: one or two may be only just starting when they are looked for.
const SURVIVING: u32 = 5;

async fn start_survivors(link: &Link) {
    link.spawn("survivors", &shell(SURVIVORS)).await.unwrap();
    let mut attached = link.attach("survivors", START).await.unwrap();
    let up = timeout(PATIENCE, attached.next()).await.expect("all are up").unwrap();
    assert!(matches!(up, Some(Output::Stdout { .. })), "{up:?}");
}

/// The numbers of the guest's living children, orphans that fell to it included.
fn children(sandbox: &Sandbox) -> String {
    let pid = sandbox.guest_pid();
    std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap()
}

#[tokio::test]
async fn only_the_guest_is_left() {
    let sandbox = Sandbox::start();
    let link = sandbox.link().await;
    start_survivors(&link).await;
    let killed = link.kill_all(200).await.unwrap();
    assert!(killed >= SURVIVING, "only {killed} were found");
    assert_eq!(children(&sandbox), "");
    let seen = link.run(&shell("set -- /proc/[0-9]*; echo $#"), None, LIMITS).await.unwrap();
    assert_eq!(seen.stdout, "2\n", "the guest, and the shell that looks");

    let killed = Output::Exited { status: ExitStatus::Signal { signal: 9 } };
    assert_eq!(read_to_end(&link, "survivors", START).await, (b"up\n".to_vec(), vec![], killed));
    assert_eq!(link.kill_all(0).await.unwrap(), 0);
}

#[tokio::test]
async fn whoever_ends_by_itself_is_given_the_time() {
    let sandbox = Sandbox::start();
    let link = sandbox.link().await;
    let polite = "trap 'echo bye; exit 5' TERM; echo up; while :; do sleep 0.05; done";
    link.spawn("polite", &shell(polite)).await.unwrap();
    let mut attached = link.attach("polite", START).await.unwrap();
    assert!(matches!(
        timeout(PATIENCE, attached.next()).await.unwrap().unwrap(),
        Some(Output::Stdout { .. })
    ));
    link.kill_all(30_000).await.unwrap();
    // On the other output the shell complains about its child.
    let (stdout, _, exited) = read_to_end(&link, "polite", START).await;
    let status = ExitStatus::Code { code: 5 };
    assert_eq!((&stdout[..], exited), (&b"up\nbye\n"[..], Output::Exited { status }));
}

#[tokio::test]
async fn a_storm_of_forks_ends_too() {
    let sandbox = Sandbox::start();
    let link = sandbox.link().await;
    let storm =
        "trap '' TERM; echo up; while :; do (trap '' TERM; sleep 0.2 & sleep 0.2) & sleep 0.002; done";
    link.spawn("storm", &shell(storm)).await.unwrap();
    let mut attached = link.attach("storm", START).await.unwrap();
    assert!(matches!(
        timeout(PATIENCE, attached.next()).await.unwrap().unwrap(),
        Some(Output::Stdout { .. })
    ));
    link.kill_all(100).await.unwrap();
    assert_eq!(children(&sandbox), "");
}

#[tokio::test]
async fn beside_others_only_what_descends_from_the_guest_ends() {
    let sandbox = Sandbox::start_beside_others();
    let link = sandbox.link().await;
    assert!(!link.hello().init);
    let mut stranger = Command::new("sleep").arg("1000").spawn().unwrap();
    link.spawn("survivors", &shell(SURVIVORS.split_once("until").unwrap().0)).await.unwrap();
    link.spawn("plain", &spec(&["sleep", "1000"])).await.unwrap();
    read_to_end(&link, "survivors", START).await;
    assert!(link.kill_all(100).await.unwrap() >= 2);
    assert_eq!(children(&sandbox), "");
    assert_eq!(stranger.try_wait().unwrap(), None, "a stranger was killed");
    stranger.kill().unwrap();
    stranger.wait().unwrap();
}
