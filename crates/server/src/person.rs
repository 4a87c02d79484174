//! Who uses this machine, as git knows it.

use lamplight_domain::Person;
use tokio::process::Command;

/// The name and email of git's own configuration; where it has none, a name that says so.
pub(crate) async fn from_git() -> Person {
    let ask = |key: &'static str| async move {
        let output = Command::new("git").args(["config", "--get", key]).output().await.ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        Some(text.trim().to_owned()).filter(|text| !text.is_empty())
    };
    Person {
        name: ask("user.name").await.unwrap_or_else(|| "someone".to_owned()),
        email: ask("user.email").await.unwrap_or_else(|| "someone@localhost".to_owned()),
    }
}
