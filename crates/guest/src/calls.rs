//! What the host asks for.

use crate::agent::Hand;
use crate::guest::{Guest, failed, refusal};
use crate::stream::{Stream, parse, receive_text, send};
use crate::{attach, files, folder, kill, listening, names, ports, process, stdin, terminal, watch};
use lamplight_wire::{Code, Generations, Hello, Open, Refusal, Reply};
use rustix::process::Signal;
use std::io;
use std::rc::Rc;
use std::time::Duration;

/// How long `hello` waits for the transient processes of earlier links to end; they get SIGKILL before.
const HELLO_PATIENCE: Duration = Duration::from_secs(5);

/// Answers one call.
pub(crate) async fn answer(guest: Rc<Guest>, link: u64, mut stream: Stream) -> io::Result<()> {
    let text = receive_text(&mut stream).await?;
    let Ok(open) = parse::<Open>(&text) else {
        let message = "this guest does not know what it is asked".to_owned();
        return send(&mut stream, &Reply::Refused(refusal(Code::Unsupported, message))).await;
    };
    let reply = match open {
        Open::Hello { generations } => hello(&guest, link, generations).await,
        Open::Spawn { process, spec, transient } => {
            process::spawn(&guest, process, &spec, transient.then_some(link))
                .map(|process| Reply::Process(process.state()))
        }
        Open::Attach { process, from } => match guest.process(&process) {
            Ok(process) => return attach::serve(&process, from, stream).await,
            Err(refused) => Err(refused),
        },
        Open::Stdin { process } => match guest.process(&process).and_then(|process| process.with_input()) {
            Ok(process) => return stdin::serve(&guest, &process, stream).await,
            Err(refused) => Err(refused),
        },
        Open::Signal { process, signal: number } => {
            guest.process(&process).and_then(|process| process.signal(signal(number)?)).map(|()| Reply::Done)
        }
        Open::KillAll { grace_ms } => kill::everything(&guest, Duration::from_millis(grace_ms))
            .await
            .map(|count| Reply::Killed { count }),
        Open::Forget { process } => forget(&guest, &process).map(|()| Reply::Done),
        Open::ReadFile { path, limit, who } => match Hand::of(&guest, who) {
            Ok(hand) => return files::read(hand, &path, limit, stream).await,
            Err(refused) => Err(refused),
        },
        Open::ListFolder { path, limit, who } => match Hand::of(&guest, who) {
            Ok(hand) => return folder::list(hand, &path, limit, stream).await,
            Err(refused) => Err(refused),
        },
        Open::WriteFile { path, mode, attributes, who } => match Hand::of(&guest, who) {
            Ok(hand) => return files::write(hand, &path, mode, &attributes, stream).await,
            Err(refused) => Err(refused),
        },
        Open::Watch { path, deep, who } => match Hand::of(&guest, who) {
            Ok(hand) => return watch::serve(hand, &path, deep, stream).await,
            Err(refused) => Err(refused),
        },
        Open::Stat { path, who } => Hand::of(&guest, who).and_then(|hand| names::stat(hand, &path)),
        Open::MakeFolder { path, who } => {
            Hand::of(&guest, who).and_then(|hand| names::make_folder(hand, &path)).map(|()| Reply::Done)
        }
        Open::Rename { from, to, who } => {
            Hand::of(&guest, who).and_then(|hand| names::rename(hand, &from, &to)).map(|()| Reply::Done)
        }
        Open::Remove { path, who } => {
            Hand::of(&guest, who).and_then(|hand| names::remove(hand, &path)).map(|()| Reply::Done)
        }
        Open::Dial { port } => return ports::dial(port, stream).await,
        Open::Processes => {
            let processes = guest.processes.borrow().values().map(|process| process.state()).collect();
            Ok(Reply::Processes { processes })
        }
        Open::SpawnTerminal { process, spec, size } => {
            process::spawn_on_terminal(&guest, process, &spec, size)
                .map(|process| Reply::Process(process.state()))
        }
        Open::Terminal { process, from } => match guest.process(&process) {
            Ok(process) => return terminal::serve(&process, from, stream).await,
            Err(refused) => Err(refused),
        },
        Open::Ports => Ok(Reply::Ports { ports: listening::ports() }),
    };
    send(&mut stream, &reply.unwrap_or_else(Reply::Refused)).await
}

async fn hello(guest: &Guest, link: u64, theirs: Generations) -> Result<Reply, Refusal> {
    if Generations::OURS.shared_with(theirs).is_none() {
        let Generations { oldest, newest } = Generations::OURS;
        let message = format!("this guest speaks generations {} to {} of the link", oldest.0, newest.0);
        return Err(refusal(Code::Unsupported, message));
    }
    let settled = async {
        loop {
            let forgotten = guest.forgotten.notified();
            if !guest.processes.borrow().values().any(|process| process.is_abandoned()) {
                return;
            }
            forgotten.await;
        }
    };
    // One that not even SIGKILL ends hangs in the kernel; the host is not to wait for that.
    let _ = tokio::time::timeout(HELLO_PATIENCE, settled).await;
    let version = env!("CARGO_PKG_VERSION").to_owned();
    Ok(Reply::Hello(Hello { version, generations: Generations::OURS, link, init: guest.init }))
}

fn forget(guest: &Guest, name: &str) -> Result<(), Refusal> {
    if let Ok(process) = guest.process(name) {
        if process.status().is_none() {
            return Err(refusal(Code::StillRunning, format!("process {name} has not ended")));
        }
        guest.forget(name);
    }
    Ok(())
}

fn signal(number: i32) -> Result<Signal, Refusal> {
    Signal::from_named_raw(number)
        .ok_or_else(|| failed(format!("signal {number}"), &io::Error::from(io::ErrorKind::InvalidInput)))
}
