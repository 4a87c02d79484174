//! `filesystem.Filesystem`: files and folders by their names.

use super::rpc::{self, Answer, Call, of_file};
use super::{Inside, path, watch};
use crate::http::App;
use axum::extract::{Path, Request, State};
use axum::response::Response;
use lamplight_e2b::connect::{Code, Error};
use lamplight_e2b::filesystem::{
    Entry, EntryResponse, FileType, ListResponse, MoveRequest, PathRequest, permissions,
};
use lamplight_e2b::process::Nothing;
use lamplight_engine::{FileKind, FolderEntry, LentFiles};

/// Entries of one answer, and bytes of the metadata of all of them.
const MOST_ENTRIES: usize = 100_000;
const MOST_METADATA: usize = 16 * 1024 * 1024;

/// Folders within each other that are listed.
const DEEPEST: u32 = 64;

pub(super) async fn handle(
    State(app): State<App>,
    Path(method): Path<String>,
    inside: Inside,
    request: Request,
) -> Response {
    let call = Call { app, inside, headers: request.headers().clone() };
    let answer = match method.as_str() {
        "Stat" => call.stat(request).await,
        "MakeDir" => call.make_dir(request).await,
        "Move" => call.rename(request).await,
        "ListDir" => call.list_dir(request).await,
        "Remove" => call.remove(request).await,
        "WatchDir" => return watch::stream(call, request).await,
        "CreateWatcher" => watch::create(call, request).await,
        "GetWatcherEvents" => watch::events(call, request).await,
        "RemoveWatcher" => watch::remove(call, request).await,
        other => Err(rpc::no_method(other)),
    };
    answer.unwrap_or_else(|error| rpc::refused(&error))
}

impl Call {
    /// The way to files as whoever asks, and the absolute path of what is asked for.
    pub(super) async fn files(&self, said: &str) -> Result<(LentFiles, String), Error> {
        let user = self.inside.user().map_err(|name| rpc::no_user(&name))?;
        let path = path::absolute(said, user.home);
        let path = path.ok_or_else(|| Error::new(Code::InvalidArgument, "this is not a path"))?;
        let files = self.app.engine.lent_files(&self.inside.sandbox.id, user.is_root).await;
        Ok((files.map_err(rpc::of_sandbox)?, path))
    }

    async fn stat(&self, request: Request) -> Answer {
        let asked: PathRequest = rpc::unary(request).await?;
        let (files, path) = self.files(&asked.path).await?;
        rpc::answer(&EntryResponse { entry: found(&files, path).await? })
    }

    async fn make_dir(&self, request: Request) -> Answer {
        let asked: PathRequest = rpc::unary(request).await?;
        let (files, path) = self.files(&asked.path).await?;
        files.make_folder(&path).await.map_err(|error| of_file(error, &path))?;
        rpc::answer(&EntryResponse { entry: found(&files, path).await? })
    }

    async fn rename(&self, request: Request) -> Answer {
        let asked: MoveRequest = rpc::unary(request).await?;
        let (files, from) = self.files(&asked.source).await?;
        let (_, to) = self.files(&asked.destination).await?;
        files.rename(&from, &to).await.map_err(|error| of_file(error, &from))?;
        rpc::answer(&EntryResponse { entry: found(&files, to).await? })
    }

    async fn remove(&self, request: Request) -> Answer {
        let asked: PathRequest = rpc::unary(request).await?;
        let (files, path) = self.files(&asked.path).await?;
        files.remove(&path).await.map_err(|error| of_file(error, &path))?;
        rpc::answer(&Nothing {})
    }

    /// Each folder before what is in it, by name.
    async fn list_dir(&self, request: Request) -> Answer {
        let asked: PathRequest = rpc::unary(request).await?;
        let (files, path) = self.files(&asked.path).await?;
        let about = |error| of_file(error, &path);
        let there = files.stat(&path).await.map_err(about)?;
        if there.entry.leads_to.unwrap_or(there.entry.kind) != FileKind::Folder {
            return Err(Error::new(Code::InvalidArgument, format!("path is not a directory: {path}")));
        }
        let deepest = asked.depth.clamp(1, DEEPEST);
        let mut waiting: Vec<(String, u32, Option<FolderEntry>)> = vec![(path.clone(), 0, None)];
        let (mut entries, mut metadata) = (Vec::new(), 0);
        while let Some((at, depth, listed)) = waiting.pop() {
            let is_folder = listed.as_ref().is_none_or(|one| one.kind == FileKind::Folder);
            if let Some(listed) = listed {
                entries.push(entry(&listed, at.clone(), None));
            }
            if depth == deepest || !is_folder {
                continue;
            }
            let folder = match files.list(&at).await {
                Ok(folder) => folder,
                Err(error) if depth == 0 => return Err(about(error)),
                // One below that is gone, or that may not be looked into.
                Err(_) => continue,
            };
            let length = entries.len() + waiting.len() + folder.entries.len();
            metadata += folder.entries.iter().map(FolderEntry::attribute_bytes).sum::<usize>();
            if folder.more || length > MOST_ENTRIES || metadata > MOST_METADATA {
                let why = format!(
                    "below {path} are more than {MOST_ENTRIES} entries, or more metadata than one answer holds"
                );
                return Err(Error::new(Code::ResourceExhausted, why));
            }
            // The last one that waits is the next.
            let below = folder.entries.into_iter().rev();
            waiting.extend(below.map(|one| (path::join(&at, &one.name), depth + 1, Some(one))));
        }
        rpc::answer(&ListResponse { entries })
    }
}

/// What there is at a path.
pub(super) async fn found(files: &LentFiles, path: String) -> Result<Entry, Error> {
    let there = files.stat(&path).await.map_err(|error| of_file(error, &path))?;
    Ok(entry(&there.entry, path, there.real))
}

fn entry(listed: &FolderEntry, path: String, real: Option<String>) -> Entry {
    let is_link = listed.kind == FileKind::Link;
    let (letter, kind) = match (listed.kind, listed.leads_to) {
        (FileKind::File, _) => ('-', FileType::File),
        (FileKind::Folder, _) => ('d', FileType::Directory),
        (FileKind::Link, Some(FileKind::File)) => ('L', FileType::File),
        (FileKind::Link, Some(FileKind::Folder)) => ('L', FileType::Directory),
        (FileKind::Link, _) => ('L', FileType::Symlink),
        (FileKind::Other, _) => ('?', FileType::Unspecified),
    };
    Entry {
        name: path::name(&path).to_owned(),
        kind,
        size: listed.bytes.to_string(),
        mode: listed.mode & 0o777,
        permissions: permissions(letter, listed.mode),
        owner: owner(listed.user),
        group: owner(listed.group),
        modified_time: super::super::control::moment(listed.modified_ms),
        metadata: listed.attributes.clone(),
        symlink_target: is_link.then(|| real.or_else(|| listed.target.clone())).flatten(),
        path,
    }
}

/// Everybody else is told by their number.
fn owner(number: u32) -> String {
    match number {
        0 => "root".to_owned(),
        1000 => "user".to_owned(),
        other => other.to_string(),
    }
}
