//! What a process may say while nobody listens, and what that may cost.

use crate::sandbox::{LIMITS, PATIENCE, START, Sandbox, memory_kib, read_to_end, shell, spec, with_stdin};
use bytes::Bytes;
use lamplight_domain::agent::ExitStatus;
use lamplight_sandbox::link::{Attached, Link, Offsets, Output};
use tokio::time::timeout;

const MIB: u64 = 1024 * 1024;

/// Unread bytes that a guest keeps of one output.
const SPOOL: u64 = 64 * MIB;

/// The guest's own memory, whatever processes say: its program, its event loop, and pieces on their way.
const GUEST_MEMORY_KIB: u64 = 12 * 1024;

/// What this end of the link, which is this process, may take beside what it had: the window of a stream, and pieces of it.
const HOST_MEMORY_KIB: u64 = 12 * 1024;

const OK: Output = Output::Exited { status: ExitStatus::Code { code: 0 } };

/// Waits until the guest holds as much unread output as it may, or all there will be.
async fn until_full(link: &Link, total: u64) {
    let full = async {
        loop {
            let bounds = link.processes().await.unwrap()[0].stdout;
            if bounds.end - bounds.start == SPOOL || bounds.end == total {
                return;
            }
        }
    };
    timeout(PATIENCE, full).await.expect("the spool fills up");
}

/// Reads and acknowledges `count` bytes of zeros from `offset` on.
async fn read_zeros(attached: &mut Attached, offset: u64, count: u64) -> u64 {
    static ZEROS: [u8; 64 * 1024] = [0; 64 * 1024];
    let mut at = offset;
    while at < offset + count {
        match timeout(PATIENCE, attached.next()).await.expect("output in time").unwrap() {
            Some(Output::Stdout { offset, bytes }) => {
                assert_eq!(offset, at);
                assert!(bytes == ZEROS[..bytes.len()], "not zeros at {at}");
                at += bytes.len() as u64;
            }
            other => panic!("not output at {at}: {other:?}"),
        }
        attached.ack(Offsets { stdout: at, stderr: 0 }).await.unwrap();
    }
    at
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_reader_costs_neither_end_memory() {
    const TOTAL: u64 = 100 * MIB;
    let sandbox = Sandbox::start();
    let link = sandbox.link().await;
    link.spawn("loud", &spec(&["head", "-c", &TOTAL.to_string(), "/dev/zero"])).await.unwrap();
    let mut attached = link.attach("loud", START).await.unwrap();
    let (before, _) = memory_kib(std::process::id());
    let mut read = 0;
    while read < TOTAL {
        // The slowest reader there is: it goes on only when the process can not.
        until_full(&link, TOTAL).await;
        read = read_zeros(&mut attached, read, (TOTAL - read).min(4 * MIB)).await;
    }
    assert_eq!(timeout(PATIENCE, attached.next()).await.unwrap().unwrap(), Some(OK));
    let (now, highest) = sandbox.guest_memory_kib();
    assert!(highest < GUEST_MEMORY_KIB, "the guest took {highest} KiB, and has {now} KiB");
    let (_, highest) = memory_kib(std::process::id());
    assert!(highest < before + HOST_MEMORY_KIB, "the host took {} KiB more", highest - before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gigabyte_without_a_newline_blocks_and_resumes() {
    const TOTAL: u64 = 1024 * MIB;
    let sandbox = Sandbox::start();
    let link = sandbox.link().await;
    let state = link.spawn("loud", &spec(&["head", "-c", &TOTAL.to_string(), "/dev/zero"])).await.unwrap();
    // Attached, but not read: that fills the stream's window and holds up nothing else.
    let unread = link.attach("loud", START).await.unwrap();
    until_full(&link, TOTAL).await;
    let stat = link.read_file(&format!("/proc/{}/stat", state.pid), 4096).await.unwrap();
    let blocked = String::from_utf8_lossy(&stat);
    assert!(blocked.contains("(head) S "), "the process sleeps: {blocked}");
    let bounds = link.processes().await.unwrap()[0].stdout;
    assert_eq!((bounds.start, bounds.end), (0, SPOOL));
    drop(unread);
    link.close();

    let link = sandbox.link().await;
    let mut attached = link.attach("loud", START).await.unwrap();
    read_zeros(&mut attached, 0, TOTAL).await;
    assert_eq!(timeout(PATIENCE, attached.next()).await.unwrap().unwrap(), Some(OK));
    let (now, highest) = sandbox.guest_memory_kib();
    assert!(highest < GUEST_MEMORY_KIB, "the guest took {highest} KiB, and has {now} KiB");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_makes_the_process_wait_and_loses_nothing() {
    const TOTAL: u64 = 20 * MIB;
    let sandbox = Sandbox::with_a_small_disk();
    let link = sandbox.link().await;
    link.spawn("loud", &spec(&["head", "-c", &TOTAL.to_string(), "/dev/zero"])).await.unwrap();
    let full = async { while link.processes().await.unwrap()[0].stdout.end < MIB {} };
    timeout(PATIENCE, full).await.unwrap();
    let mut attached = link.attach("loud", START).await.unwrap();
    read_zeros(&mut attached, 0, TOTAL).await;
    assert_eq!(timeout(PATIENCE, attached.next()).await.unwrap().unwrap(), Some(OK));
}

#[tokio::test]
async fn one_full_output_does_not_hold_up_the_other_nor_another_process() {
    let sandbox = Sandbox::start();
    let link = sandbox.link().await;
    let both =
        "head -c 200000000 /dev/zero & i=0; while [ $i -lt 50 ]; do i=$((i+1)); echo $i >&2; done; wait";
    link.spawn("a", &shell(both)).await.unwrap();
    until_full(&link, u64::MAX).await;
    let output = link.run(&shell("echo others go on"), None, LIMITS).await.unwrap();
    assert_eq!(output.stdout, "others go on\n");
    let expected: String = (1..=50).map(|i| format!("{i}\n")).collect();
    let complete = async { while link.processes().await.unwrap()[0].stderr.end < expected.len() as u64 {} };
    timeout(PATIENCE, complete).await.unwrap();
}

#[tokio::test]
async fn the_exit_status_waits_for_whoever_comes() {
    let sandbox = Sandbox::start();
    let link = sandbox.link().await;
    link.spawn("short", &shell("echo last words; exit 7")).await.unwrap();
    link.spawn("killed", &spec(&["sleep", "1000"])).await.unwrap();
    let mut attached = link.attach("killed", START).await.unwrap();
    link.signal("killed", 9).await.unwrap();
    assert!(matches!(attached.next().await.unwrap(), Some(Output::Exited { .. })));
    link.close();
    for _ in 0..3 {
        let link = sandbox.link().await;
        let short = read_to_end(&link, "short", START).await;
        let seven = Output::Exited { status: ExitStatus::Code { code: 7 } };
        assert_eq!(short, (b"last words\n".to_vec(), vec![], seven));
        let nine = Output::Exited { status: ExitStatus::Signal { signal: 9 } };
        assert_eq!(read_to_end(&link, "killed", START).await, (vec![], vec![], nine));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_as_long_as_may_be_arrives_and_one_byte_more_does_not() {
    let sandbox = Sandbox::start();
    let link = sandbox.link().await;
    let longest = Bytes::from(vec![b'x'; 32 * 1024 * 1024]);
    link.spawn("count", &with_stdin(spec(&["wc", "-c"]))).await.unwrap();
    let mut stdin = link.stdin("count").await.unwrap();
    let over = Bytes::from(vec![0; longest.len() + 1]);
    assert!(stdin.write(1, over).await.unwrap_err().to_string().contains("over the limit"));
    stdin.write(1, longest.clone()).await.unwrap();
    stdin.write(2, longest).await.unwrap();
    stdin.close().await.unwrap();
    assert_eq!(read_to_end(&link, "count", START).await.0, b"67108864\n");
}
