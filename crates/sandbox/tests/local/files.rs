//! What sessions keep, across versions, checkpoints and kills.

use super::{Here, launcher, runtime};
use lamplight_domain::SandboxLimits;
use lamplight_sandbox::conformance::Subject;
use lamplight_sandbox::error::ErrorKind;
use lamplight_sandbox::handle::Handle;
use lamplight_sandbox::link::{Link, ProcessSpec, RunLimits};
use lamplight_sandbox::provider::{Files, SandboxSpec};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// When set, [`keeper`] makes one checkpoint after the other of what it names (data directory, launcher, handle), until it is killed.
const KEEP: &str = "LAMPLIGHT_TEST_KEEP";

/// What a shell command inside prints, whether it succeeds or not.
pub(super) async fn sh(link: &Link, command: &str) -> String {
    let argv = ["/bin/sh", "-c", command].map(str::to_owned).to_vec();
    let cwd = Some("/workspace".to_owned());
    let process = ProcessSpec { argv, env: BTreeMap::new(), cwd, stdin: false };
    let limits = RunLimits { timeout_ms: 20_000, output_bytes: 64 * 1024 };
    let output = link.run(&process, None, limits).await.unwrap();
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).trim().to_owned()
}

/// Root inside is root of the session's files, not of what the machine has closed to its users.
#[test]
fn what_the_machine_keeps_closed_stays_closed() {
    struct Closed(PathBuf);
    impl Drop for Closed {
        fn drop(&mut self) {
            let _ = fs::remove_file(&self.0);
        }
    }
    if !rustix::process::geteuid().is_root() {
        println!("skipped: only root can put files into /usr");
        return;
    }
    let file = |name: &str, mode: u32| {
        let file = Closed(format!("/usr/local/share/lamplight-test-{name}-{}", std::process::id()).into());
        fs::write(&file.0, "secret").unwrap();
        fs::set_permissions(&file.0, fs::Permissions::from_mode(mode)).unwrap();
        file
    };
    let (closed, open) = (file("closed", 0o600), file("open", 0o644));
    let data = tempfile::tempdir().unwrap();
    let subject = Here::new(data.path(), launcher());
    runtime().block_on(async {
        let (handle, link) = subject.enter(&subject.session(), 1).await;
        let read = async |file: &Closed| {
            let path = file.0.display();
            let read =
                format!("sudo cat {path} 2>&1; sudo cp {path} /tmp/x 2>&1; sudo stat -c '%U %a' {path}");
            sh(&link, &read).await
        };
        let said = read(&closed).await;
        assert!(!said.contains("secret") && said.ends_with("root 600"), "{said}");
        // One that is open can be read, to the moment when it is closed.
        assert_eq!(read(&open).await, "secretroot 644");
        fs::set_permissions(&open.0, fs::Permissions::from_mode(0o600)).unwrap();
        let said = read(&open).await;
        assert!(!said.contains("secret"), "{said}");
        subject.provider().destroy(&handle, Files::Remove).await.unwrap();
    });
}

/// What the host copies counts too, and is not held against the agent.
#[test]
fn a_checkpoint_that_there_is_no_room_for_is_taken_back() {
    const LIMIT: u64 = 16 << 20;
    let data = tempfile::tempdir().unwrap();
    let subject = Here::new(data.path(), launcher());
    let spec = subject.spec();
    let limits = SandboxLimits { disk_bytes: Some(LIMIT), ..spec.limits };
    let spec = SandboxSpec { limits, ..spec };
    runtime().block_on(async {
        let local = subject.provider();
        let handle = local.create(&spec).await.unwrap();
        let (link, _gateway) = Link::open(local.dial(&handle).await.unwrap()).await.unwrap();
        assert_eq!(sh(&link, "head -c 10M /dev/urandom > large; head -c 1M /dev/urandom > small").await, "");
        let refused = local.checkpoint(&handle, 1).await.unwrap_err();
        assert_eq!(refused.kind, ErrorKind::Exhausted, "{refused}");
        assert!(refused.to_string().contains("no room"), "{refused}");
        assert_eq!(local.checkpoints(&spec.session).await.unwrap(), []);
        assert_eq!(fs::read_dir(data.path().join("layers")).unwrap().count(), 1, "more than its lock");
        assert_eq!(sh(&link, "echo more >> small && rm large && echo grows").await, "grows");
        let kept = local.checkpoint(&handle, 1).await.unwrap();
        assert_eq!(local.checkpoints(&spec.session).await.unwrap(), [kept]);
        local.destroy(&handle, Files::Remove).await.unwrap();
    });
}

/// As version 0.1 left it: four directories, and as root one host user.
#[test]
fn a_session_of_the_first_version_goes_on() {
    let data = tempfile::tempdir().unwrap();
    let subject = Here::new(data.path(), launcher());
    let session = subject.session();
    let folder = data.path().join("sandboxes").join(session.as_str());
    let files = folder.join("files");
    let is_root = rustix::process::geteuid().is_root();
    let made = [("workspace", "repository"), ("home", ".config"), ("tmp", "left"), ("var", "lib")];
    for (directory, entry) in made {
        fs::create_dir_all(files.join(directory).join(entry)).unwrap();
        fs::write(files.join(directory).join(entry).join("file"), directory).unwrap();
    }
    fs::set_permissions(files.join("tmp"), fs::Permissions::from_mode(0o1777)).unwrap();
    std::os::unix::fs::symlink("/run", files.join("var/run")).unwrap();
    if is_root {
        const USER: &str = "1912345678";
        fs::write(folder.join("uid"), USER).unwrap();
        let chown = Command::new("chown").args(["-R", USER]).arg(&files).status().unwrap();
        let chgrp = Command::new("chgrp").args(["-R", USER]).arg(&files).status().unwrap();
        assert!(chown.success() && chgrp.success());
    }
    runtime().block_on(async {
        for generation in [4, 5] {
            let (_, link) = subject.enter(&session, generation).await;
            let look = "cat /workspace/repository/file ~/.config/file /tmp/left/file /var/lib/file; \
                        stat -c %U /workspace ~ ~/.config/file; echo x > ~/.config/new; echo x > /workspace/new; \
                        echo x > /tmp/new; test -d /etc && id -un";
            let said = sh(&link, look).await;
            assert_eq!(said, "workspacehometmpvaragent\nagent\nagent\nagent");
            if is_root {
                assert_eq!(sh(&link, "sudo sh -c 'id -u; touch /usr/bin/new && ls /usr/bin/new'").await, "0\n/usr/bin/new");
            }
        }
        let handle = subject.provider().list().await.unwrap().pop().unwrap().handle;
        subject.provider().destroy(&handle, Files::Remove).await.unwrap();
        assert_eq!(subject.left_of(&session), Some(Vec::new()));
    });
}

/// Whoever makes checkpoints is killed at any moment: what is listed is whole, the sandbox goes on, and the next is made.
#[test]
fn a_killed_checkpoint_leaves_nothing_half() {
    const ROUNDS: u64 = 30;
    let data = tempfile::tempdir().unwrap();
    let subject = Here::new(data.path(), launcher());
    let session = subject.session();
    runtime().block_on(async {
        let (handle, mut link) = subject.enter(&session, 1).await;
        sh(&link, "cd /workspace; mkdir d; for i in $(seq 300); do echo $i > d/$i; done").await;
        let keep = [data.path().to_str().unwrap(), launcher().to_str().unwrap(), handle.as_str()].join("\n");
        let mut made_last = Vec::new();
        for round in 0..ROUNDS {
            sh(
                &link,
                &format!(
                    "cd /workspace; echo {round} > round; for i in $(seq 20); do echo {round} >> d/$i; done"
                ),
            )
            .await;
            let life = format!("{}e-3", 30 + round * 14);
            let mut keeper = Command::new("timeout");
            keeper.args(["--signal=KILL", &life]).arg(std::env::current_exe().unwrap());
            keeper.args(["--exact", "files::keeper", "--nocapture"]).env(KEEP, &keep).stdout(Stdio::null());
            let status = keeper.status().unwrap();
            assert!(!status.success(), "it is killed, whatever it does");
            // Dialled anew, as whoever comes next does: it runs, whatever was held.
            link = Link::open(subject.provider().dial(&handle).await.unwrap()).await.unwrap().0;
            assert_eq!(sh(&link, "cat /workspace/round").await, round.to_string());
            made_last.extend(subject.provider().checkpoints(&session).await.unwrap().pop());
        }
        let provider = subject.provider();
        let last = provider.checkpoint(&handle, u32::MAX).await.unwrap();
        let all = provider.checkpoints(&session).await.unwrap();
        assert_eq!(all.last(), Some(&last));
        println!("{} checkpoints were made before somebody was killed", all.len() - 1);
        assert!(all.len() > 1, "nobody got as far as a checkpoint");
        // Those of a round in which none was made are the one of before.
        made_last.push(last);
        made_last.dedup();
        let fork = subject.session();
        for kept in &made_last {
            provider.restore(kept, &fork).await.unwrap();
            let (_, link) = subject.enter(&fork, 1).await;
            let said = sh(&link, "cd /workspace; cat round; ls d | wc -l; tail -qn 1 d/1 d/20").await;
            let said: Vec<_> = said.lines().collect();
            assert_eq!((said[1], said[0], said[0]), ("300", said[2], said[3]), "{kept}");
        }
        for session in [&session, &fork] {
            let listed = provider.list().await.unwrap();
            for found in listed.into_iter().filter(|found| found.session == *session) {
                provider.destroy(&found.handle, Files::Remove).await.unwrap();
            }
            assert_eq!(subject.left_of(session), Some(Vec::new()));
        }
        let layers = fs::read_dir(data.path().join("layers"))
            .unwrap()
            .filter(|entry| entry.as_ref().unwrap().path().is_dir());
        assert_eq!(layers.count(), 0, "layers that nobody names");
    });
}

/// Not a test: the process that makes checkpoints in [`a_killed_checkpoint_leaves_nothing_half`].
#[test]
fn keeper() {
    let Ok(keep) = std::env::var(KEEP) else { return };
    let [data, launcher, handle] = keep.split('\n').collect::<Vec<_>>().try_into().unwrap();
    let subject = Here::new(Path::new(data), launcher.into());
    let (provider, handle) = (subject.provider(), Handle::from_log(handle));
    runtime().block_on(async {
        let before = provider.checkpoints(&handle.open("local").unwrap().session).await.unwrap();
        let last = before.last().map_or(0, |last| last.open("local").unwrap().number);
        for number in last + 1.. {
            provider.checkpoint(&handle, number).await.unwrap();
        }
    });
}
