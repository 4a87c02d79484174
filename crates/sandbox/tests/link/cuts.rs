//! The promise of the link: wherever it is cut, and however often, the host's log holds every byte of output once and the process
//! got every message once.
//!
//! The host here is what the engine is: it has a durable log, and memory that a crash loses. The process repeats its input on
//! both outputs, so what the log holds in the end tells what the process was given.

use crate::proxy::{At, Direction, Proxy};
use crate::sandbox::{PATIENCE, Sandbox, spec, with_stdin};
use bytes::Bytes;
use fastrand::Rng;
use lamplight_domain::agent::ExitStatus;
use lamplight_sandbox::link::{Acks, Link, LinkError, Offsets, Output, Reader, Stdin};
use std::time::Duration;
use tokio::net::UnixStream;
use tokio::time::timeout;

/// What survives a crash of the host.
#[derive(Default)]
struct Log {
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    exit: Option<ExitStatus>,
    /// Messages known to be written.
    confirmed: u64,
}

impl Log {
    fn offsets(&self) -> Offsets {
        Offsets { stdout: self.stdout.len() as u64, stderr: self.stderr.len() as u64 }
    }
}

/// The life of a host, from its start to a cut or to the end of the process.
async fn live(
    link: &Link,
    name: &str,
    log: &mut Log,
    messages: &[Bytes],
    random: &mut Rng,
) -> Result<(), LinkError> {
    let echo = with_stdin(spec(&["tee", "/dev/stderr"]));
    link.spawn(name, &echo).await?;
    let stdin = link.stdin(name).await?;
    assert!(stdin.written() >= log.confirmed, "a message that was confirmed is not written");
    assert!(stdin.written() <= messages.len() as u64);
    let (reader, acks) = link.attach(name, log.offsets()).await?.split();
    let Log { stdout, stderr, exit, confirmed } = log;
    let read = record(reader, acks, stdout, stderr, exit, random);
    let ((), ()) = tokio::try_join!(read, write(stdin, messages, confirmed))?;
    Ok(())
}

/// Some of what came is stored, and that is acknowledged; what is not stored yet is lost with this host.
async fn record(
    mut reader: Reader,
    mut acks: Acks,
    stdout: &mut Vec<u8>,
    stderr: &mut Vec<u8>,
    exit: &mut Option<ExitStatus>,
    random: &mut Rng,
) -> Result<(), LinkError> {
    let (mut fresh_stdout, mut fresh_stderr) = (Vec::new(), Vec::new());
    loop {
        match reader.next().await? {
            Some(Output::Stdout { offset, bytes }) => {
                assert_eq!(offset, (stdout.len() + fresh_stdout.len()) as u64);
                fresh_stdout.extend_from_slice(&bytes);
            }
            Some(Output::Stderr { offset, bytes }) => {
                assert_eq!(offset, (stderr.len() + fresh_stderr.len()) as u64);
                fresh_stderr.extend_from_slice(&bytes);
            }
            Some(Output::Exited { status }) => {
                stdout.append(&mut fresh_stdout);
                stderr.append(&mut fresh_stderr);
                *exit = Some(status);
                return Ok(());
            }
            None => unreachable!("an end comes after `Exited` only"),
        }
        for (stored, fresh) in [(&mut *stdout, &mut fresh_stdout), (&mut *stderr, &mut fresh_stderr)] {
            let count = random.usize(..=fresh.len());
            stored.extend(fresh.drain(..count));
        }
        if random.bool() {
            acks.ack(Offsets { stdout: stdout.len() as u64, stderr: stderr.len() as u64 }).await?;
        }
    }
}

async fn write(mut stdin: Stdin, messages: &[Bytes], confirmed: &mut u64) -> Result<(), LinkError> {
    for (n, message) in (1..).zip(messages).skip(*confirmed as usize) {
        stdin.write(n, message.clone()).await?;
        *confirmed = n;
    }
    stdin.close().await
}

/// Whether the link was cut before the process ended.
async fn live_with_cut(
    sandbox: &Sandbox,
    name: &str,
    log: &mut Log,
    messages: &[Bytes],
    random: &mut Rng,
    (direction, at): (Direction, At),
) -> bool {
    let (proxy, stream) = Proxy::new(sandbox.dial().await, direction, at);
    let lived = async {
        let (link, _gateway) = Link::open(stream).await?;
        live(&link, name, log, messages, random).await
    };
    match timeout(PATIENCE, lived).await.unwrap_or_else(|_| panic!("{name} hangs")) {
        Ok(()) => {
            assert!(log.exit.is_some());
            false
        }
        Err(LinkError::Closed) => {
            // The guest may have been cut off by the proxy only; nobody else cuts links here.
            assert!(matches!(at, At::Bytes(_) | At::Frames(_)), "{name}: cut by nobody");
            let _ = proxy.has_cut();
            true
        }
        Err(error) => panic!("{name}: {error}"),
    }
}

fn messages(random: &mut Rng, lengths: impl Iterator<Item = usize>) -> Vec<Bytes> {
    lengths.map(|length| std::iter::repeat_with(|| random.u8(..)).take(length).collect()).collect()
}

/// Small numbers as often as large ones, up to 2^`bits`.
fn below_a_power_of_two(random: &mut Rng, bits: u32) -> usize {
    let bound = 1 << random.u32(..=bits);
    random.usize(..bound)
}

fn check(name: &str, log: &Log, messages: &[Bytes]) {
    let expected = messages.concat();
    assert_eq!(log.stdout.len(), expected.len(), "{name}: bytes on stdout");
    assert_eq!(log.stderr.len(), expected.len(), "{name}: bytes on stderr");
    assert!(log.stdout == expected, "{name}: stdout differs");
    assert!(log.stderr == expected, "{name}: stderr differs");
    assert_eq!(log.exit, Some(ExitStatus::Code { code: 0 }), "{name}");
    assert_eq!(log.confirmed, messages.len() as u64);
}

/// One conversation for every place in it, each cut there once, until a conversation ends before its place comes.
async fn cut_everywhere(lengths: &[usize], place: impl Fn(usize) -> At) -> usize {
    let sandbox = Sandbox::start();
    let mut cuts = 0;
    for direction in [Direction::ToGuest, Direction::ToHost] {
        for count in 0.. {
            let name = format!("{direction:?}-{count}");
            let mut random = Rng::with_seed(count as u64);
            let messages = messages(&mut random, lengths.iter().copied());
            let mut log = Log::default();
            let cut = (direction, place(count));
            let was_cut = live_with_cut(&sandbox, &name, &mut log, &messages, &mut random, cut).await;
            let again = (direction, At::Never);
            if was_cut {
                assert!(!live_with_cut(&sandbox, &name, &mut log, &messages, &mut random, again).await);
            }
            check(&name, &log, &messages);
            sandbox.link().await.forget(&name).await.unwrap();
            if !was_cut {
                break;
            }
            cuts += 1;
        }
    }
    cuts
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cut_after_every_frame() {
    let cuts = cut_everywhere(&[1, 500, 40_000, 0, 3], At::Frames).await;
    assert!(cuts > 40, "only {cuts} frames were cut after");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cut_at_every_third_byte_of_a_small_conversation() {
    let cuts = cut_everywhere(&[5, 7], |count| At::Bytes(count * 3)).await;
    assert!(cuts > 400, "only {cuts} places were cut at");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cut_hundreds_of_times_at_random_bytes() {
    let seed = fastrand::u64(..);
    let mut random = Rng::with_seed(seed);
    let sandbox = Sandbox::start();
    let mut cuts = 0;
    for round in 0.. {
        let name = format!("seed {seed}, round {round}");
        let lengths: Vec<usize> = (0..60).map(|_| below_a_power_of_two(&mut random, 16)).collect();
        let messages = messages(&mut random, lengths.into_iter());
        let mut log = Log::default();
        loop {
            let direction = if random.bool() { Direction::ToGuest } else { Direction::ToHost };
            let at = At::Bytes(below_a_power_of_two(&mut random, 18));
            if !live_with_cut(&sandbox, &name, &mut log, &messages, &mut random, (direction, at)).await {
                break;
            }
            cuts += 1;
        }
        check(&name, &log, &messages);
        if cuts >= 500 {
            return;
        }
        sandbox.link().await.forget(&name).await.unwrap();
    }
}

/// The driver may end between a call's being asked for and its being taken: then nobody would answer, and nobody say so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_that_is_cut_while_it_is_opened_is_told_at_once() {
    for round in 0..50_000 {
        let (host, guest) = UnixStream::pair().unwrap();
        drop(guest);
        let opened = timeout(Duration::from_secs(10), Link::open(host)).await;
        let opened = opened.unwrap_or_else(|_| panic!("round {round}: nobody says that the link is gone"));
        assert!(matches!(opened, Err(LinkError::Closed)), "round {round}");
    }
}
