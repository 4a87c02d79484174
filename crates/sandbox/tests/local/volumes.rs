//! Sessions whose files are in a file system of their own, as large as their limit on disk.

use super::files::sh;
use super::*;
use lamplight_domain::SandboxLimits;
use lamplight_sandbox::error::ErrorKind;
use std::os::unix::fs::{FileExt, MetadataExt};

/// When set, [`in_a_container_without_disks`] is: it names the data directory.
const CONTAINER: &str = "LAMPLIGHT_TEST_WITHOUT_DISKS";

const MIB: u64 = 1 << 20;

/// No space left on device.
const ENOSPC: &str = "28";

/// `None` where nobody can have volumes.
pub(super) fn here(data: &Path) -> Option<Here> {
    let has = |folder: &str| Path::new(folder).join("mkfs.ext4").is_file();
    if !rustix::process::geteuid().is_root()
        || !Path::new("/dev/loop-control").exists()
        || !["/usr/sbin", "/sbin"].into_iter().any(has)
    {
        println!("skipped: volumes need root, loop devices and mkfs.ext4");
        return None;
    }
    Some(Here { disk_limit: DiskLimit::Volume, ..Here::new(data, launcher()) })
}

fn disk_of(here: &Here, session: &SessionId) -> PathBuf {
    here.data.join("volumes").join(session.as_str()).join("disk")
}

/// Files of this deployment that are on a loop device.
fn attached(here: &Here) -> Vec<String> {
    let devices = fs::read_dir("/sys/block").unwrap().filter_map(Result::ok);
    let files = devices.filter_map(|device| fs::read_to_string(device.path().join("loop/backing_file")).ok());
    files.filter(|file| file.contains(here.data.to_str().unwrap())).collect()
}

fn volumes(here: &Here) -> usize {
    fs::read_dir(here.data.join("volumes")).map_or(0, Iterator::count)
}

fn limited(here: &Here, disk_bytes: u64) -> SandboxSpec {
    let spec = here.spec();
    SandboxSpec { limits: SandboxLimits { disk_bytes: Some(disk_bytes), ..spec.limits }, ..spec }
}

async fn create(here: &Here, spec: &SandboxSpec) -> (Handle, Link) {
    let provider = here.provider();
    let handle = provider.create(spec).await.unwrap();
    let (link, _gateway) = Link::open(provider.dial(&handle).await.unwrap()).await.unwrap();
    (handle, link)
}

async fn strength(here: &Here, handle: &Handle) -> Strength {
    let enforced = here.provider().inspect(handle).await.unwrap().enforced.unwrap();
    enforced.0.into_iter().find(|row| row.wall == Wall::Disk).unwrap().strength
}

#[test]
fn conforms_in_volumes() {
    let data = tempfile::tempdir().unwrap();
    let Some(here) = here(data.path()) else { return };
    check_conformance(&here);
    assert_eq!((attached(&here), volumes(&here)), (Vec::new(), 0), "of sessions that are gone");
}

#[test]
fn a_killed_launcher_leaves_no_volume() {
    /// About as long as a launch takes that makes one.
    const LIFE_US: u32 = 80_000;
    let data = tempfile::tempdir().unwrap();
    let Some(here) = here(data.path()) else { return };
    kill_launchers(&here, LIFE_US);
    assert_eq!((attached(&here), volumes(&here)), (Vec::new(), 0));
}

/// At the limit the kernel says so, of bytes and of files; what is said is heard, and what is freed is the host's again.
#[test]
fn a_full_volume_is_told_to_who_fills_it_and_to_nobody_else() {
    const LIMIT: u64 = 32 * MIB;
    let data = tempfile::tempdir().unwrap();
    let Some(here) = here(data.path()) else { return };
    let spec = limited(&here, LIMIT);
    let taken = || fs::metadata(disk_of(&here, &spec.session)).unwrap().blocks() * 512;
    runtime().block_on(async {
        let (handle, link) = create(&here, &spec).await;
        assert_eq!(strength(&here, &handle).await, Strength::Enforced);
        assert!(!fs::read_to_string("/proc/self/mountinfo").unwrap().contains("/volumes/"), "seen by all");
        assert!(taken() < 4 * MIB, "{} before anything is written", taken());
        let fill = "exec 2>&1; for n in 1 2 3 4 5; do head -c 8M /dev/urandom > $n || break; done; df -k . | tail -1 | awk '{print $4}'";
        let said = sh(&link, fill).await;
        // All that the limit allows and no more; the guest had room for these words.
        assert!(said.contains("No space left on device"), "{said}");
        assert!(said.lines().last().unwrap().parse::<u64>().unwrap() < 64, "{said}");
        let written = sh(&link, "cat 1 2 3 4 5 2> /dev/null | wc -c").await.parse::<u64>().unwrap();
        assert!((LIMIT - MIB..LIMIT + 3 * MIB).contains(&written), "{written}");
        let full = taken();
        assert!(full < LIMIT + LIMIT / 2, "{full}");
        let told = here.provider().inspect(&handle).await.unwrap().hits;
        assert_eq!(told.iter().map(ToString::to_string).collect::<Vec<_>>(), ["out of disk space (limit 32 MiB)"]);

        assert_eq!(sh(&link, "rm 1 2 && echo more > more && cat more").await, "more");
        let count = "python3 -c '\nimport os\nmade = 0\ntry:\n  while True: os.close(os.open(str(made + 100), os.O_CREAT)); made += 1\nexcept OSError as error: print(error.errno, made)'";
        let said = sh(&link, count).await;
        let (errno, made) = said.split_once(' ').unwrap();
        assert!(errno == ENOSPC && (8_000..16_384).contains(&made.parse().unwrap()), "{said}");
        assert_eq!(sh(&link, "find . -type f -delete; sync; ls").await, "");
        // The kernel gives it back a moment later.
        for _ in 0..200 {
            if taken() < full - 16 * MIB {
                break;
            }
            sh(&link, "sync").await;
        }
        assert!(taken() < full - 16 * MIB, "{} of {full}", taken());
        here.provider().destroy(&handle, Files::Remove).await.unwrap();
        assert_eq!((attached(&here), volumes(&here)), (Vec::new(), 0));
    });
}

/// What the host copies does not fit beside what is there.
#[test]
fn a_checkpoint_that_a_volume_has_no_room_for_is_taken_back() {
    let data = tempfile::tempdir().unwrap();
    let Some(here) = here(data.path()) else { return };
    let spec = limited(&here, 16 * MIB);
    runtime().block_on(async {
        let local = here.provider();
        let (handle, link) = create(&here, &spec).await;
        assert_eq!(sh(&link, "head -c 10M /dev/urandom > large; head -c 1M /dev/urandom > small").await, "");
        let refused = local.checkpoint(&handle, 1).await.unwrap_err();
        assert_eq!(refused.kind, ErrorKind::Exhausted, "{refused}");
        assert!(refused.to_string().contains("no room"), "{refused}");
        assert_eq!(local.checkpoints(&spec.session).await.unwrap(), []);
        // What it had copied is gone.
        assert_eq!(sh(&link, "head -c 3M /dev/urandom > more && rm large && echo grows").await, "grows");
        let kept = local.checkpoint(&handle, 1).await.unwrap();
        sh(&link, "rm small").await;
        local.restore(&kept, &spec.session).await.unwrap();
        let (handle, link) = create(&here, &SandboxSpec { generation: Generation(2), ..spec.clone() }).await;
        assert_eq!(sh(&link, "ls").await, "more\nsmall");
        local.destroy(&handle, Files::Remove).await.unwrap();
    });
}

/// A volume is there as long as somebody stands on it, and on a device as long as somebody runs on it.
#[test]
fn a_fork_has_the_layers_of_a_session_that_is_gone() {
    let data = tempfile::tempdir().unwrap();
    let Some(here) = here(data.path()) else { return };
    let (parent, fork) = (here.session(), here.session());
    runtime().block_on(async {
        let (handle, link) = here.enter(&parent, 1).await;
        sh(&link, "mkdir d; echo parent > d/file; ln d/file d/same; sudo touch /usr/bin/of-parent").await;
        here.provider().destroy(&handle, Files::Keep).await.unwrap();
        assert_eq!((attached(&here), volumes(&here)), (Vec::new(), 1), "where nothing runs");
        let kept = here.provider().checkpoint(&handle, 1).await.unwrap();
        here.provider().restore(&kept, &fork).await.unwrap();
        here.provider().destroy(&handle, Files::Remove).await.unwrap();
        for generation in [1, 2] {
            let (handle, link) = here.enter(&fork, generation).await;
            assert_eq!(volumes(&here), 2);
            let own = if generation == 1 { "" } else { "own\n" };
            let look =
                "cat d/*; stat -c '%U %h' d/file; ls own 2> /dev/null; ls /usr/bin/of-parent; echo own > own";
            let said = sh(&link, look).await;
            assert_eq!(said, format!("parent\nparent\nagent 2\n{own}/usr/bin/of-parent"));
            assert_eq!(attached(&here).len(), 2, "both, and each once");
            here.provider().destroy(&handle, Files::Keep).await.unwrap();
            assert_eq!(attached(&here), Vec::<String>::new());
        }
        here.provider().forget(&fork).await.unwrap();
        assert_eq!(volumes(&here), 0, "the last who stood on it is gone");
    });
}

/// Whoever configures otherwise does not move what there is.
#[test]
fn a_session_keeps_what_it_began_with() {
    let data = tempfile::tempdir().unwrap();
    let Some(here) = here(data.path()) else { return };
    let watched = Here::new(data.path(), launcher());
    runtime().block_on(async {
        for (first, then, is_enforced) in [(&watched, &here, false), (&here, &watched, true)] {
            let session = first.session();
            let (_, link) = first.enter(&session, 1).await;
            sh(&link, "echo kept > file").await;
            let (handle, link) = then.enter(&session, 2).await;
            assert_eq!(sh(&link, "cat file").await, "kept");
            assert_eq!(strength(then, &handle).await == Strength::Enforced, is_enforced);
            then.provider().destroy(&handle, Files::Remove).await.unwrap();
            assert_eq!(then.left_of(&session), Some(Vec::new()));
        }
        assert_eq!((attached(&here), volumes(&here)), (Vec::new(), 0));
    });
}

/// What a power cut leaves is mended by the journal; what nothing can mend is said, and can be removed.
#[test]
fn a_volume_that_was_cut_off_goes_on_and_a_damaged_one_is_told() {
    let data = tempfile::tempdir().unwrap();
    let Some(here) = here(data.path()) else { return };
    let session = here.session();
    let disk = disk_of(&here, &session);
    runtime().block_on(async {
        let (handle, link) = here.enter(&session, 1).await;
        sh(&link, "mkdir d; for n in $(seq 500); do echo $n > d/$n; done; sync").await;
        // As the host's disk has it now, in the middle of its life.
        let torn = disk.with_file_name("torn");
        assert!(Command::new("cp").arg("--sparse=always").args([&disk, &torn]).status().unwrap().success());
        here.provider().destroy(&handle, Files::Keep).await.unwrap();
        fs::rename(torn, &disk).unwrap();
        let (handle, link) = here.enter(&session, 2).await;
        assert_eq!(sh(&link, "ls d | wc -l; cat d/500").await, "500\n500");
        here.provider().destroy(&handle, Files::Keep).await.unwrap();

        let file = fs::File::options().write(true).open(&disk).unwrap();
        file.write_all_at(&[0xff; 4096], 0).unwrap();
        drop(file);
        let spec = SandboxSpec { session: session.clone(), generation: Generation(3), ..here.spec() };
        let refused = here.provider().create(&spec).await.unwrap_err().to_string();
        assert!(refused.contains("which has the session's files") && refused.contains("e2fsck"), "{refused}");
        here.provider().forget(&session).await.unwrap();
        assert_eq!(
            (here.left_of(&session), attached(&here), volumes(&here)),
            (Some(Vec::new()), Vec::new(), 0)
        );
    });
}

#[test]
fn with_volumes_the_disk_lacks_nothing() {
    let data = tempfile::tempdir().unwrap();
    let Some(here) = here(data.path()) else { return };
    let found = runtime().block_on(probe(here.config()));
    assert!(found.findings[0].ok && found.findings.iter().all(|finding| finding.name != "disk"), "{found:?}");
    assert!(found.tier == Tier::Isolated || found.findings.len() > 1, "{found:?}");
    assert!(!data.path().join("probe").exists() && attached(&here).is_empty());
}

/// By name and at the start, and nothing is watched instead.
#[test]
fn where_there_are_no_volumes_they_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "volumes::in_a_container_without_disks", "--nocapture"])
        .env(CONTAINER, folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("refused"),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    if !rustix::process::geteuid().is_root() {
        refused(folder.path(), "has to run as root");
    }
}

fn refused(data: &Path, why: &str) {
    let config = LocalConfig { disk_limit: DiskLimit::Volume, ..Here::new(data, launcher()).config() };
    let error = Local::open(config.clone()).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unsupported, "{error}");
    let said = error.to_string();
    assert!(said.starts_with("sandbox.disk_limit = \"volume\": ") && said.contains(why), "{said}");
    assert!(said.contains("set sandbox.disk_limit to \"watched\""), "{said}");
    let found = runtime().block_on(probe(config));
    assert_eq!((found.tier, found.findings.len()), (Tier::Refused, 1), "{found:?}");
    assert!(found.findings[0].detail.contains(why), "{found:?}");
}

/// Not a test by itself: somebody who is root in a namespace of users, where no loop device is theirs.
#[test]
fn in_a_container_without_disks() {
    let Some(data) = std::env::var_os(CONTAINER).map(PathBuf::from) else { return };
    refused(&data, "a volume was tried");
    println!("refused");
}
