//! Sandboxes whose files begin with an image.

use super::files::sh;
use super::{Here, check_conformance, launcher, runtime};
use lamplight_domain::{Generation, ImageName, SessionId, SessionImage};
use lamplight_sandbox::conformance::Subject;
use lamplight_sandbox::error::ErrorKind;
use lamplight_sandbox::handle::Handle;
use lamplight_sandbox::link::Link;
use lamplight_sandbox::provider::{Files, Provider, SandboxSpec};
use lamplight_sandbox::providers::local::{Images, Local, LocalConfig, Tool};
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

/// What a shell needs to look around: programs of this machine, which any image may have.
const PROGRAMS: &[&str] =
    &["cat", "env", "head", "id", "ls", "mkdir", "mv", "rm", "sh", "stat", "touch", "hostname"];

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// A system as small as it can be, of this machine's programs and their libraries, with files that no machine has.
fn build(at: &Path) {
    for directory in ["usr/bin", "usr/lib", "usr/lib64", "etc", "srv", "opt/tool/bin"] {
        fs::create_dir_all(at.join(directory)).unwrap();
    }
    for name in ["bin", "lib", "lib64"] {
        symlink(format!("usr/{name}"), at.join(name)).unwrap();
    }
    let mut libraries = BTreeSet::new();
    for program in PROGRAMS {
        let host = ["/usr/bin", "/bin"].map(|folder| Path::new(folder).join(program));
        let host = host.iter().find(|path| path.exists()).unwrap();
        fs::copy(host, at.join("usr/bin").join(program)).unwrap();
        let listed = Command::new("ldd").arg(host).output().unwrap();
        let listed = String::from_utf8(listed.stdout).unwrap();
        libraries.extend(listed.split_whitespace().filter(|word| word.starts_with('/')).map(PathBuf::from));
    }
    for library in libraries {
        let inside = library.strip_prefix("/").unwrap();
        let inside = if inside.starts_with("usr") { at.join(inside) } else { at.join("usr").join(inside) };
        fs::create_dir_all(inside.parent().unwrap()).unwrap();
        fs::copy(library, inside).unwrap();
    }
    fs::write(at.join("opt/tool/bin/tool"), "#!/bin/sh\necho a tool of the image\n").unwrap();
    fs::set_permissions(at.join("opt/tool/bin/tool"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(at.join("etc/passwd"), "root:x:0:0:root:/root:/bin/sh\nnode:x:1000:1000::/home/node:/bin/sh\n")
        .unwrap();
    fs::write(at.join("etc/group"), "root:x:0:\nnode:x:1000:\n").unwrap();
    fs::write(at.join("etc/os-release"), "ID=tiny\n").unwrap();
    fs::write(at.join("etc/closed"), "root's").unwrap();
    fs::set_permissions(at.join("etc/closed"), fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(at.join("srv/file"), "of the image").unwrap();
    fs::create_dir(at.join("workspace")).unwrap();
    fs::write(at.join("workspace/in-the-way"), "").unwrap();
}

/// When set, [`conforms_on_an_image`] runs on what it names, as `lamplight image add` takes it.
const IMAGE: &str = "LAMPLIGHT_TEST_IMAGE";

struct OnImage {
    here: Here,
    images: Images,
    image: SessionImage,
    source: tempfile::TempDir,
    _data: tempfile::TempDir,
}

impl OnImage {
    fn new() -> Self {
        let (data, source) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        build(source.path());
        let images = Images::of(data.path());
        let name: ImageName = "tiny".parse().unwrap();
        let added = images.add(&name, source.path().to_str().unwrap(), |_| {});
        let digest = runtime().block_on(added).unwrap().digest;
        let here = Here::new(data.path(), launcher());
        Self { here, images, image: SessionImage { name, digest }, source, _data: data }
    }

    fn spec(&self, session: &SessionId, generation: u32) -> SandboxSpec {
        SandboxSpec {
            session: session.clone(),
            generation: Generation(generation),
            image: Some(self.image.clone()),
            ..self.here.spec()
        }
    }

    async fn enter(&self, session: &SessionId, generation: u32) -> (Handle, Link) {
        let provider = self.here.provider();
        let handle = provider.create(&self.spec(session, generation)).await.unwrap();
        let (link, _gateway) = Link::open(provider.dial(&handle).await.unwrap()).await.unwrap();
        (handle, link)
    }
}

/// The whole suite once more. What it needs of toolchains is too large to be made by every run.
#[test]
fn conforms_on_an_image() {
    let Ok(source) = std::env::var(IMAGE) else {
        println!("skipped: {IMAGE} names no image");
        return;
    };
    let data = tempfile::tempdir().unwrap();
    let name: ImageName = "it".parse().unwrap();
    let digest = runtime().block_on(Images::of(data.path()).add(&name, &source, |_| {})).unwrap().digest;
    let image = Some(SessionImage { name, digest });
    check_conformance(&Here { image, ..Here::new(data.path(), launcher()) });
}

#[test]
fn the_images_files_are_there_and_the_machines_are_not() {
    let on = OnImage::new();
    runtime().block_on(async {
        let session = on.here.session();
        let (handle, link) = on.enter(&session, 1).await;
        assert_eq!(sh(&link, "cat /srv/file /etc/os-release").await, "of the imageID=tiny");
        for absent in ["/usr/bin/git", "/usr/bin/python3", "/etc/ssl", "/usr/share", "/sys"] {
            assert!(sh(&link, &format!("ls -d {absent}")).await.contains("No such file"), "{absent}");
        }
        for hidden in on.here.hidden() {
            let said = sh(&link, &format!("ls -d {}", hidden.display())).await;
            // The agent's own home may be called as somebody's on the host.
            assert!(said.contains("No such file") || hidden == Path::new("/home/agent"), "{said}");
        }
        assert_eq!(sh(&link, "id -un; id -u; hostname").await, "agent\n1000\nlamplight");
        assert_eq!(sh(&link, "cat /etc/hosts | head -1").await, "127.0.0.1 localhost lamplight");
        assert_eq!(sh(&link, "head -1 /etc/resolv.conf").await, "nameserver 198.18.0.1");
        assert!(sh(&link, "cat /etc/passwd").await.contains("node:x:1000:1000::/home/node:/bin/sh"));
        assert_eq!(sh(&link, "stat -c %U /workspace /home/agent").await, "agent\nagent");
        assert_eq!(sh(&link, "ls -A /workspace").await, "");
        assert_eq!(sh(&link, "echo a > /workspace/a && echo b > ~/b && cat /workspace/a ~/b").await, "a\nb");
        if is_root() {
            assert!(sh(&link, "cat /etc/closed").await.contains("Permission denied"));
            assert_eq!(sh(&link, "sudo cat /etc/closed").await, "root's");
        }
        on.here.provider().destroy(&handle, Files::Remove).await.unwrap();
        assert_eq!(on.here.left_of(&session), Some(Vec::new()));
    });
}

#[test]
fn what_a_session_writes_is_its_own_and_outlives_its_sandbox() {
    let on = OnImage::new();
    let tree = |name: &str| {
        let images = on.here.data.join("images");
        fs::read_to_string(images.join(on.image.digest.as_str()).join("tree").join(name)).unwrap()
    };
    runtime().block_on(async {
        let (one, other) = (on.here.session(), on.here.session());
        let (first, link) = on.enter(&one, 1).await;
        let as_root = if is_root() { "sudo " } else { "" };
        let change = format!(
            "{as_root}sh -c 'echo changed > /srv/file; rm /etc/os-release; mkdir /usr/new; mv /opt/tool /opt/moved' 2>&1; \
             echo mine > /workspace/mine; echo var > /var/tmp/x"
        );
        let said = sh(&link, &change).await;
        // An ordinary user's session has nobody inside who may change the system.
        let changed = if is_root() { "changed\n" } else { "of the image" };
        assert_eq!(said.is_empty(), is_root(), "{said}");
        assert_eq!(format!("{}\n", sh(&link, "cat /srv/file").await).trim_end(), changed.trim_end());

        let (second, link) = on.enter(&other, 1).await;
        assert_eq!(sh(&link, "cat /srv/file /etc/os-release; ls /workspace").await, "of the imageID=tiny");
        on.here.provider().destroy(&second, Files::Remove).await.unwrap();
        assert_eq!((tree("srv/file"), tree("etc/os-release")), ("of the image".into(), "ID=tiny\n".into()));

        on.here.provider().destroy(&first, Files::Keep).await.unwrap();
        let (first, link) = on.enter(&one, 2).await;
        let found = "cat /workspace/mine /var/tmp/x; cat /srv/file; ls /opt; ls -d /usr/new /etc/os-release 2>/dev/null";
        let found = sh(&link, found).await;
        let wanted = match is_root() {
            true => "mine\nvar\nchanged\nmoved\n/usr/new",
            false => "mine\nvar\nof the imagetool\n/etc/os-release",
        };
        assert!(found.contains(wanted), "{found}");
        on.here.provider().destroy(&first, Files::Remove).await.unwrap();
    });
}

#[test]
fn checkpoints_and_forks_are_on_the_same_image() {
    let on = OnImage::new();
    runtime().block_on(async {
        let (parent, fork) = (on.here.session(), on.here.session());
        let provider = on.here.provider();
        let (handle, link) = on.enter(&parent, 1).await;
        let as_root = if is_root() { "sudo " } else { "" };
        let change = "echo 1 > /srv/file; mv /opt/tool /opt/moved; rm /etc/os-release";
        sh(&link, &format!("echo 1 > /workspace/a; {as_root}sh -c '{change}' 2>&1")).await;
        let running = provider.checkpoint(&handle, 1).await.unwrap();
        sh(&link, "echo 2 > /workspace/a").await;
        provider.destroy(&handle, Files::Keep).await.unwrap();
        let stopped = provider.checkpoint(&handle, 2).await.unwrap();

        provider.restore(&running, &fork).await.unwrap();
        // The fork is on it before it is started: nobody else's name is needed.
        assert!(on.images.remove(&on.image.name).unwrap());
        let (forked, link) = on.enter(&fork, 1).await;
        let (file, tool) = if is_root() { ("1\n", "moved") } else { ("of the image", "tool") };
        let found = sh(&link, "cat /workspace/a /srv/file; ls /opt; /opt/*/bin/tool").await;
        assert_eq!(found, format!("1\n{file}{tool}\na tool of the image"));
        assert_eq!(sh(&link, "ls /etc/os-release 2>/dev/null").await.is_empty(), is_root());

        provider.restore(&stopped, &parent).await.unwrap();
        let (handle, link) = on.enter(&parent, 2).await;
        let found = sh(&link, "cat /workspace/a; /opt/*/bin/tool").await;
        assert_eq!(found, "2\na tool of the image");
        provider.destroy(&handle, Files::Remove).await.unwrap();
        provider.destroy(&forked, Files::Remove).await.unwrap();
        let left = fs::read_dir(on.here.data.join("images")).unwrap();
        let left = left.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let left: BTreeSet<String> = left.filter(|name| name != "names").collect();
        assert_eq!(left, ["lock".to_owned()].into(), "it went with the last that was on it");
    });
}

#[test]
fn what_cannot_be_is_said() {
    let on = OnImage::new();
    runtime().block_on(async {
        let provider = on.here.provider();
        let session = on.here.session();
        let on_host =
            provider.create(&SandboxSpec { session: session.clone(), ..on.here.spec() }).await.unwrap();
        let moved = provider.create(&on.spec(&session, 2)).await.unwrap_err();
        assert!(moved.to_string().contains("on top of something else"), "{moved}");
        provider.destroy(&on_host, Files::Remove).await.unwrap();

        on.images.remove(&on.image.name).unwrap();
        let gone = provider.create(&on.spec(&on.here.session(), 1)).await.unwrap_err();
        assert_eq!(gone.kind, ErrorKind::Unsupported);
        assert!(gone.to_string().contains("add it again: lamplight image add"), "{gone}");
    });
}

#[test]
fn a_c_library_is_known_by_its_loader() {
    let on = OnImage::new();
    assert!(!on.images.lacks_c_library(&on.image.digest).unwrap());
    fs::remove_dir_all(on.source.path().join("usr")).unwrap();
    let bare = on.images.add(&on.image.name, on.source.path().to_str().unwrap(), |_| {});
    let bare = runtime().block_on(bare).unwrap();
    assert!(on.images.lacks_c_library(&bare.digest).unwrap());
}

/// The machine's toolchains need its libraries: an image has its own, and its own variables.
#[test]
fn the_machines_toolchains_stay_away() {
    let on = OnImage::new();
    // Any directory of the machine that can be shown, and that the image has not.
    let shown = "/mnt";
    let local = Local::open(LocalConfig { tools: vec![Tool::directory(shown.into())], ..on.here.config() });
    let local = local.unwrap();
    assert!(local.environment(None)["PATH"].contains(shown));
    assert!(!local.environment(Some(&on.image.digest))["PATH"].contains(shown));
    runtime().block_on(async {
        let handle = local.create(&on.spec(&on.here.session(), 1)).await.unwrap();
        let (link, _gateway) = Link::open(local.dial(&handle).await.unwrap()).await.unwrap();
        assert!(sh(&link, &format!("ls -d {shown}")).await.contains("No such file"));
        local.destroy(&handle, Files::Remove).await.unwrap();
    });
}
