//! What the host does with files that an agent has made. Careless is to use their paths on the host.

use super::Tried;
use crate::place::Place;
use lamplight_sandbox::link::LinkError;
use lamplight_sandbox::provider::{Files, Provider};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

const ONE_MIB: u64 = 1024 * 1024;

/// Whether the host was told the secret.
fn told(place: &Place, read: Result<impl AsRef<[u8]>, impl ToString>) -> Tried {
    match read {
        Ok(content) if content.as_ref() == place.facts.marker.as_bytes() => Ok("read the secret".to_owned()),
        Ok(_) => Err("read something else".to_owned()),
        Err(error) => Err(short(&error.to_string())),
    }
}

/// The kind of a refusal, without paths of this run.
fn short(words: &str) -> String {
    words.rsplit(": ").next().unwrap_or(words).to_owned()
}

fn refused<T>(result: Result<T, LinkError>, evidence: &str) -> Tried {
    match result {
        Ok(_) => Ok(evidence.to_owned()),
        Err(LinkError::Refused { code, .. }) => Err(format!("{code:?}").to_lowercase()),
        Err(error) => Err(error.to_string()),
    }
}

pub(super) async fn read_link(place: &Place) -> (Tried, Tried) {
    let sandbox = place.sandbox().await;
    sandbox.sh(&format!("ln -s {} /workspace/link", place.facts.secret.display())).await;
    let here = told(place, sandbox.link.read_file("/workspace/link", ONE_MIB).await.map_err(refusal));
    let careless = told(place, fs::read(place.files(&sandbox).join("workspace/link")));
    place.remove(&sandbox).await;
    (here, careless)
}

fn refusal(error: LinkError) -> String {
    match error {
        LinkError::Refused { code, .. } => format!("{code:?}").to_lowercase(),
        error => error.to_string(),
    }
}

pub(super) async fn read_up(place: &Place) -> (Tried, Tried) {
    let sandbox = place.sandbox().await;
    // There has to be something in it before the host has the directory, too.
    sandbox.sh("touch /workspace/x").await;
    let up = format!("/workspace/{}{}", "../".repeat(40), place.facts.secret.display());
    let here = told(place, sandbox.link.read_file(&up, ONE_MIB).await.map_err(refusal));
    let careless = told(place, fs::read(place.files(&sandbox).join(up.trim_start_matches('/'))));
    place.remove(&sandbox).await;
    (here, careless)
}

pub(super) async fn write_link(place: &Place) -> (Tried, Tried) {
    // The stand-in's folder is the host's, and this user's.
    let outside = place.facts.folder.join("written");
    fs::create_dir(&outside).unwrap();
    let sandbox = place.sandbox().await;
    sandbox.sh(&format!("ln -s {} /workspace/away", outside.display())).await;
    let arrived = |name: &str| {
        if outside.join(name).exists() {
            Ok("wrote on the host".to_owned())
        } else {
            Err("nothing was written there".to_owned())
        }
    };
    // Whether it is refused or written inside: not on the host.
    let _ = sandbox.link.write_file("/workspace/away/here", 0o600, "x".into()).await;
    let here = arrived("here");
    let _ = fs::write(place.files(&sandbox).join("workspace/away/careless"), "x");
    let careless = arrived("careless");
    place.remove(&sandbox).await;
    fs::remove_dir_all(outside).unwrap();
    (here, careless)
}

/// `timeout` ends with 124 what does not end by itself.
pub(super) async fn pipe(place: &Place) -> (Tried, Tried) {
    let sandbox = place.sandbox().await;
    sandbox.sh("mkfifo /workspace/pipe").await;
    let here = refused(sandbox.link.read_file("/workspace/pipe", ONE_MIB).await, "read it");
    let pipe = place.files(&sandbox).join("workspace/pipe");
    let waited = Command::new("timeout").arg("0.2").arg("cat").arg(pipe).status().unwrap();
    let careless =
        if waited.code() == Some(124) { Ok("waits for ever".to_owned()) } else { Err(waited.to_string()) };
    place.remove(&sandbox).await;
    (here, careless)
}

pub(super) async fn endless(place: &Place) -> (Tried, Tried) {
    let sandbox = place.sandbox().await;
    sandbox.sh("truncate -s 4G /workspace/endless").await;
    let here = refused(sandbox.link.read_file("/workspace/endless", ONE_MIB).await, "read it");
    let length = fs::metadata(place.files(&sandbox).join("workspace/endless")).unwrap().len();
    let careless =
        if length > ONE_MIB { Ok(format!("{} GiB", length >> 30)) } else { Err("it is small".to_owned()) };
    place.remove(&sandbox).await;
    (here, careless)
}

pub(super) async fn environment(place: &Place) -> (Tried, Tried) {
    let path = "/proc/self/environ";
    let has = |read: Result<Vec<u8>, String>| match read {
        Ok(text) if text.windows(crate::SECRET.len()).any(|part| part == crate::SECRET.as_bytes()) => {
            Ok("read a secret of the server".to_owned())
        }
        Ok(_) => Err("only the guest's own".to_owned()),
        Err(error) => Err(error),
    };
    let sandbox = place.sandbox().await;
    let here = has(sandbox.link.read_file(path, ONE_MIB).await.map(Into::into).map_err(refusal));
    place.remove(&sandbox).await;
    (here, has(fs::read(path).map_err(|error| error.to_string())))
}

/// A directory of the host behind a link in the workspace.
pub(super) async fn remove_link(place: &Place) -> (Tried, Tried) {
    let precious = |name: &str| {
        let folder = place.facts.folder.join(name);
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("precious"), "x").unwrap();
        folder
    };
    let gone = |folder: &Path| {
        let gone = !folder.join("precious").exists();
        let _ = fs::remove_dir_all(folder);
        if gone { Ok("removed a file of the host".to_owned()) } else { Err("it is still there".to_owned()) }
    };
    let (kept, lost) = (precious("kept"), precious("lost"));
    let sandbox = place.sandbox().await;
    sandbox.sh(&format!("ln -s {} /workspace/kept; chmod 000 /workspace", kept.display())).await;
    place.remove(&sandbox).await;
    let link = place.facts.folder.join("link");
    std::os::unix::fs::symlink(&lost, &link).unwrap();
    Command::new("find").arg("-L").arg(&link).args(["-type", "f", "-delete"]).status().unwrap();
    fs::remove_file(link).unwrap();
    (gone(&kept), gone(&lost))
}

/// Deeper than any path that the kernel takes.
pub(super) async fn deep(place: &Place) -> (Tried, Tried) {
    const DEPTH: usize = 5000;
    let sandbox = place.sandbox().await;
    sandbox
        .sh(&format!("python3 -c 'import os\nfor _ in range({DEPTH}): os.mkdir(\"d\"); os.chdir(\"d\")'"))
        .await;
    let bottom: PathBuf = place.files(&sandbox).join("workspace").join("d/".repeat(DEPTH));
    let careless = match fs::remove_dir(bottom) {
        Ok(()) => Err("removed".to_owned()),
        Err(error) => Ok(short(&error.to_string())),
    };
    let here = match place.local.destroy(&sandbox.handle, Files::Remove).await {
        Ok(()) => Err("removed".to_owned()),
        Err(error) => Ok(error.to_string()),
    };
    (here, careless)
}

/// It is its owner's on the host too; what counts is whether anybody there can get to it.
pub(super) async fn planted(place: &Place) -> (Tried, Tried) {
    let sandbox = place.sandbox().await;
    sandbox.sh("cp /usr/bin/id /workspace/planted; chmod 4755 /workspace/planted").await;
    let planted = place.files(&sandbox).join("workspace/planted");
    let here = reach(&planted);
    let open = place.facts.folder.join("open");
    fs::create_dir(&open).unwrap();
    fs::set_permissions(&open, fs::Permissions::from_mode(0o755)).unwrap();
    fs::copy(&planted, open.join("planted")).unwrap();
    fs::set_permissions(open.join("planted"), fs::Permissions::from_mode(0o4755)).unwrap();
    let careless = reach(&open.join("planted"));
    fs::remove_dir_all(open).unwrap();
    place.remove(&sandbox).await;
    (here, careless)
}

/// Whether everybody may enter all directories above, and execute it as its owner.
fn reach(program: &Path) -> Tried {
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
    if mode(program) & 0o4001 != 0o4001 {
        return Err("it is not set-user-id".to_owned());
    }
    // Those above the folder of this run are the machine's.
    let above = program.ancestors().skip(1).take_while(|above| above.components().count() > 3);
    match above.map(mode).find(|mode| mode & 0o001 == 0) {
        Some(mode) => Err(format!("a directory above it is {:o}", mode & 0o777)),
        None => Ok("everybody can start it".to_owned()),
    }
}
