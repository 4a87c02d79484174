//! Where the key comes from that seals all others: a file, a variable, or a program that asks somebody else for it.

use super::seal::SealingKey;
use lamplight_gateway::Secret;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::process::Command;

/// For the program that gives the key.
const COMMAND_WAIT: Duration = Duration::from_secs(30);
/// More than this is no key.
const KEY_TEXT_BYTES: u64 = 1024;

/// Where the key is that secrets are sealed with: 64 hexadecimal digits, never in the database.
#[derive(Debug, Clone)]
pub enum SealingSource {
    /// Made when the first secret is stored.
    File(PathBuf),
    /// What a variable had when this process began.
    Variable { name: String, value: Secret },
    /// A program and its arguments; it prints the key.
    Command(Vec<String>),
}

/// Why there is no key to seal with; says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoSealingKey {
    #[error("{path} is not there, and what it sealed cannot be read without it: put it back, or set each key again after removing it (`lamplight keys remove`)", path = .0.display())]
    Missing(PathBuf),
    #[error("{0}")]
    Unusable(String),
}

impl SealingSource {
    pub(super) async fn read(&self) -> Result<SealingKey, NoSealingKey> {
        let (text, whence) = match self {
            Self::File(path) => (read_file(path)?, format!("the file {}", path.display())),
            Self::Variable { name, value } => (value.expose().to_owned(), format!("the variable {name}")),
            Self::Command(command) => (run(command).await?, "what secrets.key_command prints".to_owned()),
        };
        let wrong = || {
            format!(
                "{whence} is no key: it has to be 64 hexadecimal digits, as `openssl rand -hex 32` prints"
            )
        };
        SealingKey::parse(&text).ok_or_else(|| NoSealingKey::Unusable(wrong()))
    }

    /// Like [`SealingSource::read`]; a file that is not there is made.
    pub(super) async fn read_or_make(&self) -> Result<SealingKey, NoSealingKey> {
        match (self.read().await, self) {
            (Err(NoSealingKey::Missing(_)), Self::File(path)) => {
                make_file(path).map_err(|error| {
                    let path = path.display();
                    NoSealingKey::Unusable(format!(
                        "{path} cannot be made: {error}; choose another place with secrets.key_file"
                    ))
                })?;
                self.read().await
            }
            (read, _) => read,
        }
    }
}

fn read_file(path: &Path) -> Result<String, NoSealingKey> {
    let unusable = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => NoSealingKey::Missing(path.to_owned()),
        _ => NoSealingKey::Unusable(format!("{} cannot be read: {error}", path.display())),
    };
    let file = File::open(path).map_err(unusable)?;
    if file.metadata().map_err(unusable)?.mode() & 0o077 != 0 {
        let path = path.display();
        return Err(NoSealingKey::Unusable(format!("{path} can be read by others: chmod 600 {path}")));
    }
    let mut text = String::new();
    file.take(KEY_TEXT_BYTES).read_to_string(&mut text).map_err(unusable)?;
    Ok(text)
}

/// Whole or not at all, and never over one that is there.
fn make_file(path: &Path) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("/"));
    std::fs::create_dir_all(directory)?;
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let new = path.with_file_name(name);
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    file.write_all(format!("{}\n", SealingKey::draw()?).as_bytes())?;
    file.sync_all()?;
    let linked = std::fs::hard_link(&new, path);
    std::fs::remove_file(&new)?;
    linked?;
    File::open(directory)?.sync_all()
}

async fn run(command: &[String]) -> Result<String, NoSealingKey> {
    let failed = |why: String| NoSealingKey::Unusable(format!("secrets.key_command gave no key: {why}"));
    let Some((program, arguments)) = command.split_first() else {
        return Err(failed("it is empty".to_owned()));
    };
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| failed(format!("{program}: {error}")))?;
    let stdout = child.stdout.take();
    let read = async {
        let mut text = String::new();
        if let Some(stdout) = stdout {
            stdout.take(KEY_TEXT_BYTES).read_to_string(&mut text).await?;
        }
        Ok::<_, io::Error>((text, child.wait().await?))
    };
    match tokio::time::timeout(COMMAND_WAIT, read).await {
        Ok(Ok((text, status))) if status.success() => Ok(text),
        Ok(Ok((_, status))) => {
            Err(failed(format!("{program} ended with {status}; what it says is in the log")))
        }
        Ok(Err(error)) => Err(failed(format!("{program}: {error}"))),
        Err(_) => Err(failed(format!("{program} took longer than {} s", COMMAND_WAIT.as_secs()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    async fn why(source: SealingSource) -> String {
        source.read().await.err().unwrap().to_string()
    }

    #[tokio::test]
    async fn a_file_is_made_once_and_for_its_owner_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deeper/lamplight.key");
        let source = SealingSource::File(path.clone());
        assert!(matches!(source.read().await, Err(NoSealingKey::Missing(_))));
        let made = source.read_or_make().await.unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert!(source.read_or_make().await.unwrap().text == made.text);
        assert!(make_file(&path).is_err() && source.read().await.unwrap().text == made.text);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(why(source.clone()).await.contains("chmod 600"));
        std::fs::write(&path, "something else").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        assert!(why(source).await.contains("64 hexadecimal digits"));
    }

    #[tokio::test]
    async fn a_program_gives_the_key_or_it_is_told_why_not() {
        let command =
            |words: &[&str]| SealingSource::Command(words.iter().map(|word| (*word).to_owned()).collect());
        let key = "ab".repeat(32);
        assert!(command(&["echo", &key]).read().await.unwrap().text == Secret::new(key));
        assert!(why(command(&["false"])).await.contains("ended with exit status: 1"));
        assert!(why(command(&["/nowhere/at/all"])).await.contains("No such file"));
        assert!(why(command(&["echo", "nothing"])).await.contains("64 hexadecimal digits"));
        // A program that never stops printing is not read to its end.
        assert!(why(command(&["sh", "-c", "exec yes"])).await.contains("secrets.key_command"));
    }
}
