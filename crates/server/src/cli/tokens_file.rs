//! The tokens that `lamplight login` keeps, one for each server, in a file that nobody else reads.

use anyhow::{Context, bail};
use std::collections::BTreeMap;
use std::fs::{DirBuilder, File};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// By the server's address.
type Tokens = BTreeMap<String, String>;

/// Nobody else may read or write it.
const OTHERS: u32 = 0o077;

/// The token for the server at `base`.
pub(super) fn find(base: &str) -> anyhow::Result<Option<String>> {
    let Some(path) = path() else { return Ok(None) };
    Ok(read(&path)?.remove(&key(base)))
}

/// Keeps a token, in place of the one before. Gives the file's path.
pub(super) fn keep(base: &str, token: &str) -> anyhow::Result<PathBuf> {
    let path =
        path().context("neither HOME nor XDG_CONFIG_HOME says where to keep it; set LAMPLIGHT_TOKEN")?;
    let mut tokens = read(&path)?;
    tokens.insert(key(base), token.to_owned());
    write(&path, &tokens)?;
    Ok(path)
}

/// Whether there was one.
pub(super) fn forget(base: &str) -> anyhow::Result<bool> {
    let Some(path) = path() else { return Ok(false) };
    let mut tokens = read(&path)?;
    let was_there = tokens.remove(&key(base)).is_some();
    if was_there {
        write(&path, &tokens)?;
    }
    Ok(was_there)
}

fn path() -> Option<PathBuf> {
    let of = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let directory = of("XDG_CONFIG_HOME").or_else(|| Some(of("HOME")?.join(".config")))?;
    Some(directory.join("lamplight/tokens.toml"))
}

fn key(base: &str) -> String {
    base.trim_end_matches('/').to_ascii_lowercase()
}

fn read(path: &Path) -> anyhow::Result<Tokens> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Tokens::new()),
        Err(error) => return Err(error).with_context(|| format!("open {}", path.display())),
    };
    if file.metadata().context("look at the file of tokens")?.mode() & OTHERS != 0 {
        bail!("{0} can be read by others; chmod 600 {0}, and make new tokens", path.display());
    }
    let text = std::io::read_to_string(file).with_context(|| format!("read {}", path.display()))?;
    // What a parser says of a mistake has parts of the text in it.
    toml::from_str(&text).ok().with_context(|| format!("{} is no list of tokens", path.display()))
}

/// Whole or not at all: a file beside it takes its place.
fn write(path: &Path, tokens: &Tokens) -> anyhow::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("."));
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
        .context("make the directory for tokens")?;
    let fresh = path.with_extension(format!("new-{}", std::process::id()));
    let text = toml::to_string(tokens).context("write tokens down")?;
    let written =
        File::options().write(true).create_new(true).mode(0o600).open(&fresh).and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            std::fs::rename(&fresh, path)
        });
    if written.is_err() {
        // What is left of it is of no use.
        let _ = std::fs::remove_file(&fresh);
    }
    written.with_context(|| format!("write {}", path.display()))
}
