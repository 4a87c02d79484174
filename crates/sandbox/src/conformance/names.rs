//! What the host does to files and folders by their names, and what it hears of them.

use super::stage::{Inside, Stage, failed, same};
use super::{Case, Verdict};
use crate::link::{Change, Code, FileKind, LinkError, Watched, Watcher, Who};

const AGENT: Who = Who::Agent;

fn code<T>(result: Result<T, LinkError>) -> Option<Code> {
    match result {
        Err(LinkError::Refused { code, .. }) => Some(code),
        Ok(_) | Err(_) => None,
    }
}

pub(super) async fn what_is_there_is_told(stage: &Stage<'_>) -> Case {
    let inside = stage.first().await?;
    inside.sh("mkdir there; printf four > there/file; chmod 640 there/file; ln -s file there/link; ln -s no there/broken").await?;
    let of = |name: &str| inside.told(&format!("/workspace/there/{name}"));
    let file = inside.link.stat(AGENT, &of("file")).await?;
    let entry = &file.entry;
    same("a file", (&*entry.name, entry.kind, entry.bytes, entry.mode), ("file", FileKind::File, 4, 0o640))?;
    let owner = inside.sh("stat -c '%u %g' there/file").await?;
    same("its owner", format!("{} {}", entry.user, entry.group), owner)?;
    let link = inside.link.stat(AGENT, &of("link")).await?;
    same("a link", (link.entry.kind, link.entry.leads_to), (FileKind::Link, Some(FileKind::File)))?;
    let real = inside.sh("realpath there/file").await?;
    same(
        "where it leads",
        link.real.map(|real| real.ends_with("there/file")),
        Some(real.ends_with("there/file")),
    )?;
    same("nowhere", inside.link.stat(AGENT, &of("broken")).await?.real, None)?;
    same("nothing", code(inside.link.stat(AGENT, &of("none")).await), Some(Code::NotFound))?;
    same("no text of C's", inside.link.stat(AGENT, "/a\0b").await.is_err(), true)
}

pub(super) async fn names_are_made_changed_and_removed(stage: &Stage<'_>) -> Case {
    let inside = stage.first().await?;
    let of = |name: &str| inside.told(&format!("/workspace/{name}"));
    let link = &inside.link;
    link.make_folder(AGENT, &of("a/b/c")).await?;
    same("made", inside.sh("stat -c '%F %a' a/b/c").await?, "directory 755".into())?;
    same("again", code(link.make_folder(AGENT, &of("a/b/c")).await), Some(Code::Exists))?;
    inside.sh("echo x > a/b/c/file").await?;
    same("in the way", code(link.make_folder(AGENT, &of("a/b/c/file")).await), Some(Code::Unreadable))?;
    link.rename(AGENT, &of("a/b/c/file"), &of("d/e/other")).await?;
    same("renamed", inside.sh("cat d/e/other; ls a/b/c").await?, "x".into())?;
    same("nothing", code(link.rename(AGENT, &of("a/none"), &of("a/x")).await), Some(Code::NotFound))?;
    inside.sh("mkdir keep; echo x > keep/me; ln -s ../keep d/to-keep").await?;
    link.remove(AGENT, &of("d")).await?;
    link.remove(AGENT, &of("d")).await?;
    same("left", inside.sh("ls; cat keep/me").await?, "a\nkeep\nx".into())
}

pub(super) async fn files_can_be_roots_where_there_is_one(stage: &Stage<'_>) -> Case {
    let inside = stage.first().await?;
    let path = inside.told("/workspace/roots");
    if !stage.provider.capabilities().root_inside {
        let refused = inside.link.make_folder(Who::Root, &path).await;
        return same("no root", code(refused), Some(Code::Denied));
    }
    inside.link.make_folder(Who::Root, &path).await?;
    same("whose", inside.sh("stat -c '%u %g' roots").await?, "0 0".into())?;
    // The next that is done is the agent's again.
    let file = format!("{path}/file");
    let write = inside.link.write_file(&file, 0o600, "x".into()).await;
    same("the agent's hand", code(write), Some(Code::Denied))?;
    same("who reads", code(inside.link.read_file("/etc/shadow-of-none", 10).await), Some(Code::NotFound))?;
    inside.link.remove(Who::Root, &path).await?;
    same("the guest's mind", inside.sh("id -u").await?, "1000".into())
}

/// Somebody who hears, and all that they heard.
struct Ear {
    watcher: Watcher,
    heard: Vec<(Change, String)>,
}

impl Ear {
    async fn at(inside: &Inside, path: &str, deep: bool) -> Result<Self, Verdict> {
        Ok(Self { watcher: inside.link.watch(AGENT, path, deep).await?, heard: Vec::new() })
    }

    /// Waits until this was told.
    async fn hears(&mut self, what: Change, name: &str) -> Result<(), Verdict> {
        let wanted = (what, name.to_owned());
        while !self.heard.contains(&wanted) {
            match self.watcher.next().await? {
                Watched::Events { events } => {
                    self.heard.extend(events.into_iter().map(|event| (event.what, event.name)));
                }
                Watched::Lost => return Err(failed("of so little something was lost")),
            }
        }
        Ok(())
    }
}

pub(super) async fn what_happens_in_a_folder_is_heard(stage: &Stage<'_>) -> Case {
    let inside: Inside = stage.first().await?;
    inside.sh("mkdir -p watched/deep other").await?;
    let path = inside.told("/workspace/watched");
    let mut flat = Ear::at(&inside, &path, false).await?;
    let mut deep = Ear::at(&inside, &path, true).await?;
    inside.sh("cd watched; echo x > a; chmod 700 a; mv a b; rm b; echo x > deep/a; mkdir new").await?;
    for (what, name) in [
        (Change::Created, "a"),
        (Change::Written, "a"),
        (Change::Attributes, "a"),
        (Change::Renamed, "a"),
        (Change::Created, "b"),
        (Change::Removed, "b"),
        (Change::Created, "new"),
    ] {
        flat.hears(what, name).await?;
    }
    same("of what is below", flat.heard.iter().any(|(_, name)| name.contains('/')), false)?;
    deep.hears(Change::Created, "deep/a").await?;
    deep.hears(Change::Created, "new").await?;
    inside.sh("echo x > watched/new/c").await?;
    deep.hears(Change::Written, "new/c").await?;
    let file = inside.told("/workspace/watched/new/c");
    same("a file", code(inside.link.watch(AGENT, &file, false).await), Some(Code::Unreadable))?;
    let none = inside.told("/workspace/none");
    same("nothing", code(inside.link.watch(AGENT, &none, false).await), Some(Code::NotFound))
}
