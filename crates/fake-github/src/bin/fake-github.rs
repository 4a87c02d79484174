//! One of its own, for tests in a browser: `fake-github DIRECTORY TOKEN LOGIN=PERMISSION…` says where it listens, and lives until its
//! input ends. Who is `LOGIN=none` has an account, and may do nothing. What is written to it, a line each, happens: `allow
//! OWNER/NAME LOGIN PERMISSION`, `revoke LOGIN`; and `pulls OWNER/NAME` and `tokens` are answered with a line of JSON.

use lamplight_fake_github::{FakeGitHub, Permission};
use std::io;
use std::path::Path;
use tokio::io::{AsyncBufReadExt, BufReader};

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let (Some(directory), Some(token)) = (arguments.next(), arguments.next()) else {
        return Err(io::Error::other("say a directory, a token, and LOGIN=PERMISSION of people"));
    };
    let github = FakeGitHub::start(Path::new(&directory), &token).await?;
    for person in arguments {
        let (login, word) = person.split_once('=').ok_or_else(|| io::Error::other("LOGIN=PERMISSION"))?;
        github.know(login, permission(word));
    }
    println!("{}", github.api());
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["allow", repository, login, word] => github.allow(repository, login, permission(word)),
            ["revoke", login] => github.revoke_user_tokens(login),
            ["pulls", repository] => println!("{}", serde_json::Value::from(github.pulls(repository))),
            ["tokens"] => println!("{}", serde_json::Value::from(github.user_tokens())),
            _ => return Err(io::Error::other(format!("{line} is not understood"))),
        }
    }
    Ok(())
}

fn permission(word: &str) -> Option<Permission> {
    match word {
        "read" => Some(Permission::Read),
        "triage" => Some(Permission::Triage),
        "write" => Some(Permission::Write),
        "maintain" => Some(Permission::Maintain),
        "admin" => Some(Permission::Admin),
        _ => None,
    }
}
