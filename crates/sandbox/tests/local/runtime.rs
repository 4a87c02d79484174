//! The same provider with a container runtime that puts sandboxes up.

use super::*;
use lamplight_domain::SandboxLimits;
use lamplight_sandbox::error::ErrorKind;

/// As Debian calls them; `None` where a machine does not have it.
fn installed(name: &str) -> Option<String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let is_there = std::env::split_paths(&path).any(|folder| folder.join(name).is_file());
    if !is_there {
        println!("skipped: there is no {name} on this machine (Debian: apt-get install {name})");
    }
    is_there.then(|| name.to_owned())
}

fn here(data: &Path, runtime: String) -> Here {
    Here { runtime: Some(runtime), ..Here::new(data, launcher()) }
}

#[test]
fn conforms_by_crun() {
    let Some(crun) = installed("crun") else { return };
    let data = tempfile::tempdir().unwrap();
    check_conformance(&here(data.path(), crun));
}

#[test]
fn conforms_by_runc() {
    if !rustix::process::geteuid().is_root() {
        println!("skipped: runc wants a root inside, whom an ordinary user cannot have");
        return;
    }
    let Some(runc) = installed("runc") else { return };
    let data = tempfile::tempdir().unwrap();
    check_conformance(&here(data.path(), runc));
}

#[test]
fn conforms_by_runsc() {
    let Some(runsc) = usable_runsc() else { return };
    let data = tempfile::tempdir().unwrap();
    check_conformance(&here(data.path(), runsc));
}

/// Of a command in a test.
const LIMITS: RunLimits = RunLimits { timeout_ms: 30_000, output_bytes: 4096 };

fn process(argv: &[&str]) -> ProcessSpec {
    let argv = argv.iter().map(|word| (*word).to_owned()).collect();
    ProcessSpec { argv, cwd: Some("/workspace".into()), ..ProcessSpec::default() }
}

/// Why a case cannot hold with gVisor, whose kernel is another.
pub(crate) fn by_runsc(case: &str) -> Option<&'static str> {
    const LISTS: [(&str, &[&str]); 8] = [
        (
            "what is called inside, its own kernel answers: it knows user namespaces, and no list of calls",
            &[
                "root_inside_is_nobody_outside",
                "namespaces_and_mounts_cannot_be_made",
                "dangerous_system_calls_are_refused",
                "sandboxes_inside_need_leave",
            ],
        ),
        (
            "its own kernel has other files in /proc, /sys and /dev",
            &[
                "two_sessions_share_no_memory",
                "nothing_of_the_host_is_visible",
                "there_are_no_capabilities",
                "only_harmless_devices_exist",
                "the_kernels_files_tell_and_change_nothing",
            ],
        ),
        (
            "its own kernel shows the environment of PID 1, in which is no secret",
            &["the_guest_cannot_be_looked_into"],
        ),
        (
            "the guest's own socket has a name, at which nothing is any more",
            &["nothing_inside_is_handed_the_way_out"],
        ),
        ("named pipes are its own kernel's, and end with it", &["a_named_pipe_is_kept"]),
        ("its own kernel leaves a typed Ctrl-C in the line, too", &["a_shell_sits_at_a_terminal"]),
        ("its own kernel counts the time of its processes otherwise", &["processor_time_is_shared_out"]),
        (
            "at a limit of memory or disk the whole sandbox ends, as all of it is one kernel's",
            &["memory_runs_out_for_the_one_that_took_it", "files_end_where_the_disk_limit_is"],
        ),
    ];
    LISTS.iter().find(|(_, cases)| cases.contains(&case)).map(|(why, _)| *why)
}

/// gVisor, in `PATH` or where `LAMPLIGHT_TEST_RUNSC` says that it is; one that Lamplight can use.
fn usable_runsc() -> Option<String> {
    let wanted = std::env::var("LAMPLIGHT_TEST_RUNSC").ok().or_else(|| installed("runsc"))?;
    let data = tempfile::tempdir().unwrap();
    match Local::open(here(data.path(), wanted.clone()).config()) {
        Ok(_) => Some(wanted),
        Err(error) => {
            println!("skipped: {error}");
            None
        }
    }
}

#[test]
fn the_runtime_is_probed_by_trying() {
    let names: &[&str] = if rustix::process::geteuid().is_root() { &["crun", "runc"] } else { &["crun"] };
    let named = names.iter().filter_map(|name| Some((*name, installed(name)?)));
    for (name, program) in named.chain(usable_runsc().map(|runsc| ("runsc", runsc))) {
        let data = tempfile::tempdir().unwrap();
        let found = runtime().block_on(probe(here(data.path(), program).config()));
        println!("{found:#?}");
        assert!(found.findings[0].ok && found.tier == Tier::Limited, "{found:?}");
        assert!(found.findings[0].detail.contains(&format!("a sandbox was made by {name}")), "{found:?}");
        let rules = found.findings.iter().find(|finding| finding.name == "file rules").unwrap();
        assert!(rules.remedy.as_ref().unwrap().contains("sandbox.launcher = \"own\""), "{rules:?}");
        assert!(!data.path().join("probe").exists());
    }
}

/// The one that is configured has to be there before anything is made.
#[test]
fn a_runtime_that_is_missing_is_told_first() {
    let data = tempfile::tempdir().unwrap();
    let missing = here(&data.path().join("data"), "no-such-runtime".into());
    let error = Local::open(missing.config()).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unsupported);
    assert!(!data.path().join("data").exists());
    let found = runtime().block_on(probe(missing.config()));
    assert_eq!((found.tier, found.findings.len()), (Tier::Refused, 1), "{found:?}");
    assert!(found.findings[0].detail.contains("no program no-such-runtime"), "{found:?}");
}

/// Nor does the runtime that it started, wherever that was.
#[test]
fn a_killed_launcher_takes_its_runtime_with_it() {
    /// The longest that one is left to live; about as long as a launch takes.
    const LIFE_US: u32 = 100_000;
    let Some(crun) = installed("crun") else { return };
    let data = tempfile::tempdir().unwrap();
    kill_launchers(&here(data.path(), crun), LIFE_US);
}

#[test]
fn a_killed_launcher_takes_a_kernel_with_it() {
    const LIFE_US: u32 = 500_000;
    let Some(runsc) = usable_runsc() else { return };
    let data = tempfile::tempdir().unwrap();
    kill_launchers(&here(data.path(), runsc), LIFE_US);
}

/// All memory inside is its kernel's: what ends for want of it is the sandbox, and this is told.
#[test]
fn a_kernel_without_memory_ends_and_says_why() {
    const LIMIT: u64 = 256 << 20;
    let Some(runsc) = usable_runsc() else { return };
    let data = tempfile::tempdir().unwrap();
    let here = here(data.path(), runsc);
    let limits = SandboxLimits { memory_bytes: Some(LIMIT), ..SandboxLimits::default() };
    let spec = SandboxSpec { limits, ..here.spec() };
    runtime().block_on(async {
        let provider = here.provider();
        let handle = provider.create(&spec).await.unwrap();
        let enforced = provider.inspect(&handle).await.unwrap().enforced.unwrap();
        let memory = enforced.0.iter().find(|row| row.wall == Wall::Memory).unwrap();
        if memory.strength != Strength::Enforced {
            println!("skipped: nothing limits memory here: {memory:?}");
        } else {
            let (link, _gateway) = Link::open(provider.dial(&handle).await.unwrap()).await.unwrap();
            let eat = ["python3", "-c", "bytearray(600 << 20)"];
            let ate = link.run(&process(&eat), None, LIMITS).await;
            assert!(ate.is_err(), "{ate:?}");
            assert_eq!(provider.dial(&handle).await.map(|_| ()).unwrap_err().kind, ErrorKind::Gone);
            let hits = provider.inspect(&handle).await.unwrap().hits;
            let told: Vec<_> = hits.iter().map(ToString::to_string).collect();
            assert_eq!(told, ["out of memory (limit 256 MiB)"]);
        }
        provider.destroy(&handle, Files::Remove).await.unwrap();
    });
    assert_eq!(here.left_of(&spec.session), Some(Vec::new()));
}

/// The socket that the guest made itself is out of reach of everybody inside, and so is what hosts take of the network.
#[test]
fn nothing_inside_takes_the_place_of_a_host() {
    let Some(runsc) = usable_runsc() else { return };
    let data = tempfile::tempdir().unwrap();
    let here = here(data.path(), runsc);
    let spec = here.spec();
    runtime().block_on(async {
        let (handle, link) = here.enter(&spec.session, 1).await;
        let connect = "import os, socket\npath = '/run/lamplight/spool/link.sock'\nassert not os.path.exists(path)\n\
                       try: socket.socket(socket.AF_UNIX).connect(path)\nexcept FileNotFoundError: print('nowhere')\n\
                       try: socket.create_server(('127.0.0.1', 7412))\nexcept OSError: print('taken')";
        let connect = [lamplight_sandbox::provider::inside::SUDO, "python3", "-c", connect];
        let output = link.run(&process(&connect), None, LIMITS).await.unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), "nowhere\ntaken\n", "{output:?}");
        let egress = here.provider().egress(&handle).await.unwrap().unwrap();
        assert_eq!(egress.tcp.local_addr().unwrap().port(), 7412);
        here.provider().destroy(&handle, Files::Remove).await.unwrap();
    });
    assert_eq!(here.left_of(&spec.session), Some(Vec::new()));
}

/// What it says is told, and nothing stays.
#[test]
fn a_runtime_that_fails_is_quoted() {
    let data = tempfile::tempdir().unwrap();
    let fails = data.path().join("fails");
    let script = "#!/bin/sh\ncase $1 in --version) echo crun version 0;; *) echo 'no room for another' >&2; exit 3;; esac\n";
    fs::write(&fails, script).unwrap();
    fs::set_permissions(&fails, fs::Permissions::from_mode(0o755)).unwrap();
    let here = here(&data.path().join("data"), fails.display().to_string());
    let spec = here.spec();
    let error = runtime().block_on(here.provider().create(&spec)).unwrap_err().to_string();
    assert!(error.contains("crun ended with exit status: 3 and said \"no room for another\""), "{error}");
    let left = here.left_of(&spec.session).unwrap();
    let folder = here.data.join("sandboxes").join(spec.session.as_str());
    assert_eq!(left, [format!("folder {}", folder.display())], "only the session's own files");
    assert!(!folder.join("1").exists());
    forget(&here, &spec);
}

/// One that says it made a sandbox, and leaves walls out.
#[test]
fn what_a_runtime_leaves_out_is_seen() {
    let Some(crun) = installed("crun") else { return };
    let data = tempfile::tempdir().unwrap();
    let careless = data.path().join("careless");
    let script = "#!/bin/sh\nset -e\nfor word; do case $word in */container) bundle=$word;; esac; done\n\
        test -z \"$bundle\" || python3 - \"$bundle/config.json\" <<'E'\nimport json, sys\n\
        all = json.load(open(sys.argv[1])); del all['linux']['seccomp']; json.dump(all, open(sys.argv[1], 'w'))\nE\n\
        exec crun \"$@\"\n";
    assert_eq!(crun, "crun");
    fs::write(&careless, script).unwrap();
    fs::set_permissions(&careless, fs::Permissions::from_mode(0o755)).unwrap();
    let here = here(&data.path().join("data"), careless.display().to_string());
    let spec = here.spec();
    let error = runtime().block_on(here.provider().create(&spec)).unwrap_err().to_string();
    assert!(error.contains("crun filters no system calls; nothing runs without that"), "{error}");
    assert!(here.left_of(&spec.session).unwrap().iter().all(|left| !left.contains("process")));
    forget(&here, &spec);
}

/// What a failed start leaves goes with the session.
fn forget(here: &Here, spec: &SandboxSpec) {
    runtime().block_on(here.provider().forget(&spec.session)).unwrap();
    assert_eq!(here.left_of(&spec.session), Some(Vec::new()));
}
