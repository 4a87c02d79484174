//! The same provider with a container runtime that puts sandboxes up.

use super::*;
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
fn the_runtime_is_probed_by_trying() {
    let names: &[&str] = if rustix::process::geteuid().is_root() { &["crun", "runc"] } else { &["crun"] };
    for name in names {
        let Some(program) = installed(name) else { continue };
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
