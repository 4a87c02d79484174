//! Shells at terminals, as a person uses them; and the ports that programs listen at.

use super::stage::{Inside, Stage, failed, same};
use super::{Case, Verdict};
use crate::link::{Output, ProcessSpec, Screen, TerminalSize};
use lamplight_domain::agent::ExitStatus;
use std::time::Duration;
use tokio::io::AsyncReadExt;

const SIZE: TerminalSize = TerminalSize { rows: 20, columns: 70 };

/// More than a guest keeps of a terminal's output.
const FLOOD: u64 = 3 * 1024 * 1024;

/// A plain shell without anybody's settings.
fn plain(inside: &Inside, command: &str) -> ProcessSpec {
    let mut spec = inside.shell(command);
    spec.env =
        [("TERM", "dumb"), ("PS1", "> "), ("ENV", "")].map(|(a, b)| (a.to_owned(), b.to_owned())).into();
    spec
}

/// Reads until the text has been shown; all that was read.
async fn until(screen: &mut Screen, text: &str) -> Result<String, Verdict> {
    let mut shown = Vec::new();
    loop {
        match screen.next().await? {
            Some(Output::Stdout { bytes, .. }) => shown.extend_from_slice(&bytes),
            Some(Output::Stderr { .. }) => return Err(failed("a terminal has one output")),
            Some(Output::Exited { .. }) | None => {
                let shown = String::from_utf8_lossy(&shown).into_owned();
                return Err(failed(format!("it ended with {shown:?}, and without {text:?}")));
            }
        }
        let so_far = String::from_utf8_lossy(&shown);
        if so_far.contains(text) {
            return Ok(so_far.into_owned());
        }
    }
}

async fn end(screen: &mut Screen) -> Result<ExitStatus, Verdict> {
    loop {
        match screen.next().await? {
            Some(Output::Exited { status }) => return Ok(status),
            Some(Output::Stdout { .. } | Output::Stderr { .. }) => {}
            None => return Err(failed("an end before the end of the process")),
        }
    }
}

pub(super) async fn a_shell_sits_at_a_terminal(stage: &Stage<'_>) -> Case {
    let inside = stage.first().await?;
    let shell = plain(&inside, "tty; stty size; exec sh -i");
    inside.link.spawn_terminal("shell", &shell, SIZE).await?;
    let (mut screen, mut keyboard) = inside.link.terminal("shell", 0).await?.split();
    let shown = until(&mut screen, "20 70").await?;
    same("a terminal", shown.contains("/dev/pts/"), true)?;
    keyboard.resize(TerminalSize { rows: 33, columns: 101 }).await?;
    keyboard.write(&"stty size; ps -o stat= -p $$ | tr -d '[:space:]'; id -u\r".into()).await?;
    until(&mut screen, "33 101").await?;
    // What is typed is a signal where it is to be one, and reaches what runs in the foreground: what says that it does.
    keyboard.write(&"sh -c 'echo up $((6 * 7)); exec sleep 600'\r".into()).await?;
    until(&mut screen, "up 42").await?;
    keyboard.write(&"\x03".into()).await?;
    keyboard.write(&"echo awake $((6 * 7))\r".into()).await?;
    until(&mut screen, "awake 42").await?;
    keyboard.write(&"exit 7\r".into()).await?;
    same("its end", end(&mut screen).await?, ExitStatus::Code { code: 7 })
}

pub(super) async fn a_terminal_outlives_who_sits_at_it(stage: &Stage<'_>) -> Case {
    let inside = stage.first().await?;
    inside.link.spawn_terminal("shell", &plain(&inside, "exec sh -i"), SIZE).await?;
    let (mut screen, mut keyboard) = inside.link.terminal("shell", 0).await?.split();
    keyboard.write(&"echo one $((20 + 3))\r".into()).await?;
    let shown = until(&mut screen, "one 23").await?;
    let later = stage.reenter(&inside.handle).await?;
    // Two of them: each sees everything from where it likes, and either may type.
    let (mut again, _first) = later.link.terminal("shell", 0).await?.split();
    let (mut only_new, mut second) = later.link.terminal("shell", shown.len() as u64).await?.split();
    second.write(&"echo two $((20 + 4))\r".into()).await?;
    same("all of it", until(&mut again, "two 24").await?.contains("one 23"), true)?;
    same("the rest", until(&mut only_new, "two 24").await?.contains("one 23"), false)
}

pub(super) async fn a_terminal_keeps_the_newest_and_waits_for_nobody(stage: &Stage<'_>) -> Case {
    let inside = stage.first().await?;
    let flood = format!("yes | head -c {FLOOD}; touch flooded; echo; echo the end; exec sleep 600");
    inside.link.spawn_terminal("flood", &plain(&inside, &flood), SIZE).await?;
    inside.sh("while ! [ -e flooded ]; do sleep 0.01; done").await?;
    let (mut screen, _keyboard) = inside.link.terminal("flood", 0).await?.split();
    match screen.next().await? {
        Some(Output::Stdout { offset, .. }) if offset > FLOOD => {}
        other => return Err(failed(format!("the oldest of it is not gone: {other:?}"))),
    }
    until(&mut screen, "the end").await.map(|_| ())
}

pub(super) async fn closing_a_terminal_ends_what_runs_in_it(stage: &Stage<'_>) -> Case {
    let inside = stage.first().await?;
    for (name, command) in [
        ("easy", "echo ready; exec sleep 86399"),
        ("stubborn", "trap '' HUP; echo ready; while :; do sleep 86398; done"),
    ] {
        inside.link.spawn_terminal(name, &plain(&inside, command), SIZE).await?;
        let (mut screen, _) = inside.link.terminal(name, 0).await?.split();
        until(&mut screen, "ready").await?;
        inside.link.close_terminal(name).await?;
    }
    inside.link.close_terminal("nobody's").await?;
    same("known", inside.link.processes().await?.len(), 0)?;
    // The kernel hangs up on what is left when the last of a terminal goes.
    for _ in 0..200 {
        if inside.count("[8]639").await? == "0" {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Err(failed(format!("{} processes are left", inside.count("[8]639").await?)))
}

/// Listens at the two loopbacks there are, says where, and greets one at each.
const LISTENER: &str = "\
import socket
def listen(family, host):
    listener = socket.socket(family)
    listener.bind((host, 0))
    listener.listen()
    return listener
both = [listen(socket.AF_INET, '127.0.0.1'), listen(socket.AF_INET6, '::1')]
print(*(listener.getsockname()[1] for listener in both), flush=True)
for listener in both:
    connection = listener.accept()[0]
    connection.sendall(b'hello')
    connection.close()
";

pub(super) async fn what_listens_is_listed_and_reached(stage: &Stage<'_>) -> Case {
    let inside = stage.first().await?;
    inside.write("/tmp/listen.py", LISTENER).await?;
    let said = inside.start("listener", "exec python3 /tmp/listen.py").await?;
    let listed = inside.link.ports().await?;
    for port in said.split_whitespace() {
        let port: u16 = port.parse()?;
        same(&format!("{port} among {listed:?}"), listed.contains(&port), true)?;
        let mut stream = inside.link.dial(port).await?;
        let mut greeting = String::new();
        stream.read_to_string(&mut greeting).await?;
        same("what it says", greeting, "hello".to_owned())?;
    }
    Ok(())
}
