//! Every call once, and its refusals.

use crate::sandbox::{LIMITS, PATIENCE, START, Sandbox, read_to_end, shell, spec, with_stdin};
use bytes::Bytes;
use futures::FutureExt;
use lamplight_domain::agent::ExitStatus;
use lamplight_sandbox::link::{
    Code, Link, LinkError, Offsets, Output, ProcessSpec, RunLimits, RunOutput, Who,
};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

const OK: ExitStatus = ExitStatus::Code { code: 0 };

fn refused(error: LinkError) -> Code {
    match error {
        LinkError::Refused { code, .. } => code,
        other => panic!("not a refusal: {other}"),
    }
}

#[tokio::test]
async fn a_command_runs_to_its_end() {
    let sandbox = Sandbox::start();
    let link = sandbox.link().await;
    assert!(link.hello().init);
    let run = |script: &'static str, input: Option<&'static str>| {
        let link = link.clone();
        async move { link.run(&shell(script), input.map(Bytes::from), LIMITS).await }
    };
    let output = |code, stdout: &'static str, stderr: &'static str| RunOutput {
        status: ExitStatus::Code { code },
        stdout: stdout.into(),
        stderr: stderr.into(),
        truncated: false,
    };
    assert_eq!(run("echo out; echo err >&2; exit 3", None).await.unwrap(), output(3, "out\n", "err\n"));
    assert_eq!(run("tr a-z A-Z", Some("loud")).await.unwrap(), output(0, "LOUD", ""));
    assert_eq!(run("exec true", Some("never read")).await.unwrap(), output(0, "", ""));
    assert_eq!(run("echo $$; kill -9 $$", None).await.unwrap().status, ExitStatus::Signal { signal: 9 });
    // The environment is the guest's, and over it what was given.
    let given = [("TO".to_owned(), "the process".to_owned()), ("OVER".to_owned(), "given".to_owned())].into();
    let seen = ProcessSpec { env: given, ..shell("env | grep -E '^(FROM|TO|OVER)' | sort") };
    let seen = link.run(&seen, None, LIMITS).await.unwrap();
    assert_eq!(seen.stdout, "FROM=the guest\nOVER=given\nTO=the process\n");
    // What a command leaves running does not hold up its end.
    assert_eq!(run("sleep 1000 & echo done", None).await.unwrap(), output(0, "done\n", ""));
    assert_eq!(run("yes & sleep 0.1; exit 4", None).await.unwrap().status, ExitStatus::Code { code: 4 });

    let truncated = RunLimits { timeout_ms: 30_000, output_bytes: 5 };
    let output = link.run(&shell("seq 1 500000"), None, truncated).await.unwrap();
    assert_eq!((&output.stdout[..], output.truncated, output.status), (&b"1\n2\n3"[..], true, OK));

    let missing = link.run(&spec(&["no-such-program"]), None, LIMITS).await.unwrap_err();
    assert_eq!(refused(missing), Code::NotFound);
    assert_eq!(refused(link.run(&spec(&[]), None, LIMITS).await.unwrap_err()), Code::Failed);
    none_left(&link).await;
}

#[tokio::test]
async fn a_command_that_takes_too_long_is_ended() {
    let sandbox = Sandbox::start();
    let link = sandbox.link().await;
    let limits = RunLimits { timeout_ms: 300, output_bytes: 100 };
    let stubborn = shell("trap '' TERM; echo started; while :; do sleep 1; done");
    let late = link.run(&stubborn, None, limits).await.unwrap_err();
    assert!(matches!(late, LinkError::Deadline { .. }), "{late}");
    none_left(&link).await;
}

/// Transient processes end a moment after their call.
async fn none_left(link: &Link) {
    timeout(PATIENCE, async { while !link.processes().await.unwrap().is_empty() {} }).await.unwrap();
}

/// Who begins it again has it once.
#[tokio::test]
async fn a_command_that_a_signal_ends_takes_with_it_what_it_started() {
    let sandbox = Sandbox::start();
    let link = sandbox.link().await;
    let output = link
        .run(&shell("exec 2> /dev/null; sleep 1000 & echo $!; kill -KILL $$"), None, LIMITS)
        .await
        .unwrap();
    assert_eq!(output.status, ExitStatus::Signal { signal: 9 });
    let left = String::from_utf8(output.stdout.to_vec()).unwrap();
    let is_gone = async {
        let look = shell(&format!("! kill -0 {left}"));
        while link.run(&look, None, LIMITS).await.unwrap().status != (ExitStatus::Code { code: 0 }) {}
    };
    timeout(PATIENCE, is_gone).await.expect("what it started ends");
}

#[tokio::test]
async fn a_process_is_started_once_and_kept_until_it_is_forgotten() {
    let sandbox = Sandbox::start();
    let link = sandbox.link().await;
    let first =
        link.spawn("agent-1", &with_stdin(shell("echo $$; read line; echo got $line"))).await.unwrap();
    let again = link.spawn("agent-1", &spec(&["something", "else"])).await.unwrap();
    assert_eq!((again.pid, again.status), (first.pid, None));
    assert_eq!(refused(link.forget("agent-1").await.unwrap_err()), Code::StillRunning);

    let mut stdin = link.stdin("agent-1").await.unwrap();
    stdin.write(1, Bytes::from_static(b"this\n")).await.unwrap();
    assert_eq!(stdin.written(), 1);
    let expected = format!("{}\ngot this\n", first.pid).into_bytes();
    let exited = Output::Exited { status: OK };
    assert_eq!(read_to_end(&link, "agent-1", START).await, (expected.clone(), vec![], exited.clone()));

    // All of it is still there, for any link, from any offset that was not acknowledged.
    let link = sandbox.link().await;
    let tail = Offsets { stdout: 2, stderr: 0 };
    assert_eq!(read_to_end(&link, "agent-1", tail).await, (expected[2..].to_vec(), vec![], exited.clone()));
    let state = &link.processes().await.unwrap()[0];
    assert_eq!((state.process.as_str(), state.stdin_written), ("agent-1", 1));
    assert_eq!((state.stdout.start, state.stdout.end), (0, expected.len() as u64));

    let mut attached = link.attach("agent-1", START).await.unwrap();
    attached.ack(tail).await.unwrap();
    let acknowledged = async { while link.processes().await.unwrap()[0].stdout.start != 2 {} };
    timeout(PATIENCE, acknowledged).await.unwrap();
    assert_eq!(refused(link.attach("agent-1", START).await.err().unwrap()), Code::OutOfBounds);
    assert_eq!(read_to_end(&link, "agent-1", tail).await, (expected[2..].to_vec(), vec![], exited));

    link.forget("agent-1").await.unwrap();
    link.forget("agent-1").await.unwrap();
    assert_eq!(refused(link.attach("agent-1", START).await.err().unwrap()), Code::UnknownProcess);
    assert_eq!(refused(link.stdin("agent-1").await.err().unwrap()), Code::UnknownProcess);
}

#[tokio::test]
async fn an_input_closes_when_asked_and_when_the_process_does() {
    let sandbox = Sandbox::start();
    let link = sandbox.link().await;
    link.spawn("cat", &with_stdin(spec(&["cat"]))).await.unwrap();
    let mut stdin = link.stdin("cat").await.unwrap();
    for (n, text) in [(1, "one "), (2, ""), (3, "three")] {
        stdin.write(n, Bytes::from(text)).await.unwrap();
    }
    // Once more is once only.
    stdin.write(2, Bytes::from_static(b"two")).await.unwrap();
    stdin.close().await.unwrap();
    let (stdout, _, exited) = read_to_end(&link, "cat", START).await;
    assert_eq!((&stdout[..], exited), (&b"one three"[..], Output::Exited { status: OK }));
    let mut stdin = link.stdin("cat").await.unwrap();
    assert_eq!(stdin.written(), 3);
    let late = stdin.write(4, Bytes::from_static(b"four")).await.unwrap_err();
    assert_eq!(refused(late), Code::NoStdin);

    link.spawn("deaf", &spec(&["sleep", "1000"])).await.unwrap();
    assert_eq!(refused(link.stdin("deaf").await.err().unwrap()), Code::NoStdin);

    // A message is missing before this one.
    link.spawn("gap", &with_stdin(spec(&["cat"]))).await.unwrap();
    let gap = link.stdin("gap").await.unwrap().write(2, Bytes::from_static(b"x")).await;
    assert!(matches!(gap, Err(LinkError::Protocol { .. })), "{gap:?}");
}

#[tokio::test]
async fn signals_reach_the_whole_group() {
    let sandbox = Sandbox::start();
    let link = sandbox.link().await;
    link.spawn("group", &shell("sleep 1000 & echo up; wait")).await.unwrap();
    let mut attached = link.attach("group", START).await.unwrap();
    assert!(matches!(attached.next().await.unwrap(), Some(Output::Stdout { .. })));
    link.signal("group", 15).await.unwrap();
    let ended = timeout(PATIENCE, attached.next()).await.unwrap().unwrap();
    assert_eq!(ended, Some(Output::Exited { status: ExitStatus::Signal { signal: 15 } }));
    // The guest's view of the sandbox: `sleep` is gone too, or about to be.
    let count = "for i in $(seq 300); do n=$(grep -l sleep /proc/[0-9]*/comm | wc -l); [ $n = 0 ] && break; done; echo $n";
    let sleeping = link.run(&shell(count), None, LIMITS).await.unwrap();
    assert_eq!(sleeping.stdout, "0\n");
    assert_eq!(refused(link.signal("group", 15).await.unwrap_err()), Code::NotRunning);
}

#[tokio::test]
async fn what_is_kept_with_a_file_goes_with_it_and_is_replaced() {
    let sandbox = Sandbox::start();
    let link = sandbox.link().await;
    let path = |name: &str| sandbox.folder.path().join(name).to_str().unwrap().to_owned();
    let attributes = |value: &str| BTreeMap::from([("made-by".to_owned(), value.to_owned())]);
    let write = async |kept| {
        let content = futures::stream::iter([Ok::<_, Infallible>(Bytes::from_static(b"x"))]);
        link.as_write_file_from(Who::Agent, &path("a"), 0o400, kept, content)
            .await
            .map(|written| written.unwrap())
    };
    match write(attributes("one")).await {
        // A file system that keeps nothing says so.
        Err(LinkError::Refused { code: Code::Failed, message }) => {
            assert!(message.contains("os error 95"), "{message}")
        }
        written => {
            written.unwrap();
            assert_eq!(link.stat(Who::Agent, &path("a")).await.unwrap().entry.attributes, attributes("one"));
            write(attributes("another")).await.unwrap();
            link.rename(Who::Agent, &path("a"), &path("b")).await.unwrap();
            let listed = link.list_folder(sandbox.folder.path().to_str().unwrap(), 100).await.unwrap();
            let listed = listed.entries.into_iter().find(|one| one.name == "b").unwrap();
            assert_eq!(listed.attributes, attributes("another"));
            link.rename(Who::Agent, &path("b"), &path("a")).await.unwrap();
        }
    }
    write(BTreeMap::new()).await.unwrap();
    assert_eq!(link.stat(Who::Agent, &path("a")).await.unwrap().entry.attributes, BTreeMap::new());
}

#[tokio::test]
async fn files_go_in_and_come_out() {
    let sandbox = Sandbox::start();
    let link = sandbox.link().await;
    let path = |name: &str| sandbox.folder.path().join(name).to_str().unwrap().to_owned();
    let mut random = fastrand::Rng::with_seed(3);
    for (name, length) in [("empty", 0), ("small", 5), ("deep/er/large", 300_000)] {
        let content: Bytes = std::iter::repeat_with(|| random.u8(..)).take(length).collect();
        link.write_file(&path(name), 0o600, Bytes::from_static(b"before")).await.unwrap();
        link.write_file(&path(name), 0o750, content.clone()).await.unwrap();
        assert_eq!(link.read_file(&path(name), length as u64).await.unwrap(), content);
        let mode =
            std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(path(name)).unwrap().permissions());
        assert_eq!(mode & 0o7777, 0o750);
    }
    // A file that tells no length, and the refusals.
    let comm = link.read_file("/proc/1/comm", 100).await.unwrap();
    assert_eq!(comm, "lamplight-guest\n");
    assert_eq!(refused(link.read_file("/proc/1/comm", 3).await.unwrap_err()), Code::Unreadable);
    assert_eq!(refused(link.read_file(&path("small"), 4).await.unwrap_err()), Code::Unreadable);
    assert_eq!(refused(link.read_file(&path("nothing"), 4).await.unwrap_err()), Code::NotFound);
    assert_eq!(refused(link.read_file("/dev/zero", 4).await.unwrap_err()), Code::Unreadable);
    link.run(&spec(&["mkfifo", &path("pipe")]), None, LIMITS).await.unwrap();
    assert_eq!(refused(link.read_file(&path("pipe"), 4).await.unwrap_err()), Code::Unreadable);
    let long = Bytes::from(vec![0; 3_000_000]);
    assert_eq!(refused(link.write_file(&path("small/x"), 0o600, long).await.unwrap_err()), Code::Failed);
    let left = std::fs::read_dir(sandbox.folder.path()).unwrap().flatten();
    let left = left.filter(|entry| entry.file_name().to_string_lossy().starts_with(".lamplight")).count();
    assert_eq!(left, 0, "temporary files are left");
}

#[tokio::test]
async fn connections_go_out_through_the_gateway_and_in_to_a_port() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let sandbox = Sandbox::with_gateway(&format!("127.0.0.1:{port}"));
    let (link, mut gateway) = sandbox.link_with_gateway().await;

    // The guest itself listens at the gateway's port, so dialling it goes in and comes out again.
    let mut inside = link.dial(port).await.unwrap();
    let mut outside = timeout(PATIENCE, gateway.recv()).await.unwrap().unwrap();
    inside.write_all(b"question").await.unwrap();
    inside.shutdown().await.unwrap();
    let mut asked = String::new();
    timeout(PATIENCE, outside.read_to_string(&mut asked)).await.unwrap().unwrap();
    outside.write_all(b"answer").await.unwrap();
    outside.shutdown().await.unwrap();
    let mut answered = String::new();
    timeout(PATIENCE, inside.read_to_string(&mut answered)).await.unwrap().unwrap();
    assert_eq!((asked.as_str(), answered.as_str()), ("question", "answer"));

    // A broken connection is not an end.
    let mut inside = link.dial(port).await.unwrap();
    drop(timeout(PATIENCE, gateway.recv()).await.unwrap().unwrap());
    let broken = timeout(PATIENCE, inside.read(&mut [0; 9])).await.unwrap();
    assert_eq!(broken.unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);

    // A connection made while there is no host waits for the next one.
    link.spawn("client", &spec(&["bash", "-c", &format!("exec 3<>/dev/tcp/127.0.0.1/{port}; cat <&3")]))
        .await
        .unwrap();
    let first = timeout(PATIENCE, gateway.recv()).await.unwrap().unwrap();
    drop(first);
    link.close();
    link.closed().await;
    let (link, mut gateway) = sandbox.link_with_gateway().await;
    link.spawn("later", &spec(&["bash", "-c", &format!("exec 3<>/dev/tcp/127.0.0.1/{port}; cat <&3")]))
        .await
        .unwrap();
    let mut outside = timeout(PATIENCE, gateway.recv()).await.unwrap().unwrap();
    outside.write_all(b"hello again").await.unwrap();
    outside.shutdown().await.unwrap();
    assert_eq!(read_to_end(&link, "later", START).await.0, b"hello again");

    let unused = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    assert_eq!(refused(link.dial(unused).await.err().unwrap()), Code::NotFound);
}

#[tokio::test]
async fn the_newer_of_two_links_wins() {
    let sandbox = Sandbox::start();
    let older = sandbox.link().await;
    older.spawn("agent-1", &with_stdin(spec(&["cat"]))).await.unwrap();
    let mut attached = older.attach("agent-1", START).await.unwrap();
    let mut stdin = older.stdin("agent-1").await.unwrap();
    let mut transient = JoinSet::new();
    transient.spawn({
        let older = older.clone();
        async move { older.run(&shell("trap '' TERM; while :; do sleep 1; done"), None, LIMITS).await }
    });
    let both_run = async { while older.processes().await.unwrap().len() < 2 {} };
    timeout(PATIENCE, both_run).await.unwrap();

    let newer = sandbox.link().await;
    assert_eq!((older.hello().link, newer.hello().link), (1, 2));
    timeout(PATIENCE, older.closed()).await.expect("the older link ends");
    assert!(matches!(attached.next().await, Err(LinkError::Closed)));
    assert!(matches!(stdin.write(1, Bytes::from_static(b"x")).await, Err(LinkError::Closed)));
    assert!(matches!(older.processes().await, Err(LinkError::Closed)));
    assert!(matches!(transient.join_next().await.unwrap().unwrap(), Err(LinkError::Closed)));

    // Whoever is greeted finds nothing of what earlier links ran for themselves, and everything else.
    let names: Vec<String> =
        newer.processes().await.unwrap().into_iter().map(|state| state.process).collect();
    assert_eq!(names, ["agent-1"]);
    let mut stdin = newer.stdin("agent-1").await.unwrap();
    stdin.write(1, Bytes::from_static(b"x")).await.unwrap();
    stdin.close().await.unwrap();
    assert_eq!(read_to_end(&newer, "agent-1", START).await.0, b"x");
}

/// As a pause does it: what was begun before is left, and its message is read when all goes on.
#[tokio::test]
async fn a_command_that_is_left_before_it_begins_does_not_go_on_alone() {
    let sandbox = Sandbox::start();
    let mut link = sandbox.link().await;
    let guest = rustix::process::Pid::from_raw(sandbox.guest_pid().cast_signed()).unwrap();
    rustix::process::kill_process(guest, rustix::process::Signal::STOP).unwrap();
    {
        let command = spec(&["sleep", "1000"]);
        let mut run = std::pin::pin!(link.run(&command, None, LIMITS));
        // Until everything of it is on its way.
        for _ in 0..100 {
            assert!((&mut run).now_or_never().is_none());
            tokio::task::yield_now().await;
        }
    }
    rustix::process::kill_process(guest, rustix::process::Signal::CONT).unwrap();
    let is_gone = async {
        loop {
            match link.processes().await {
                Ok(processes) if processes.is_empty() => return,
                Ok(_) => {}
                Err(LinkError::Closed) => link = sandbox.link().await,
                Err(error) => panic!("{error}"),
            }
        }
    };
    timeout(PATIENCE, is_gone).await.expect("what nobody waits for ends");
}

#[tokio::test]
async fn nobody_inside_can_take_the_hosts_place() {
    let sandbox = Sandbox::start();
    let link = sandbox.link().await;
    let socket = sandbox.folder.path().join("link.sock");
    let script =
        "import socket,sys; s=socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); print(s.recv(1))";
    let inside = spec(&["python3", "-c", script, socket.to_str().unwrap()]);
    let output = link.run(&inside, None, LIMITS).await.unwrap();
    assert_eq!((output.status, &output.stdout[..]), (OK, &b"b''\n"[..]), "hung up on at once");
    assert_eq!(link.processes().await.map(|_| ()).map_err(|error| error.to_string()), Ok(()));
}

#[tokio::test]
async fn a_guest_makes_its_own_socket_for_its_owner_only() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("guest.sock");
    std::fs::write(&socket, "left over").unwrap();
    let mut guest = std::process::Command::new(crate::sandbox::write_guest(folder.path()));
    let mut guest = guest.arg("--listen").arg(&socket).args(["--gateway", "127.0.0.1:0"]).spawn().unwrap();
    let stream = timeout(PATIENCE, async {
        loop {
            match UnixStream::connect(&socket).await {
                Ok(stream) => return stream,
                Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
    });
    let (link, _gateway) = Link::open(stream.await.unwrap()).await.unwrap();
    assert!(!link.hello().init);
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&socket).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    guest.kill().unwrap();
    guest.wait().unwrap();
    timeout(PATIENCE, link.closed()).await.unwrap();
}
