//! `lamplight github setup`: from nothing to an App that works.

use super::{REPOSITORY, Stage, Way};
use crate::support::Server;
use lamplight_fake_github::Hook;
use serde_json::Value;
use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;

/// What a browser would make of an attribute.
fn unescaped(text: &str) -> String {
    let text = text.replace("&#39;", "'").replace("&quot;", "\"");
    text.replace("&gt;", ">").replace("&lt;", "<").replace("&amp;", "&")
}

fn attribute(page: &str, name: &str) -> String {
    let (_, rest) = page.split_once(&format!("{name}=\"")).unwrap();
    unescaped(rest.split_once('"').unwrap().0)
}

/// Goes through it as a person with a browser does; what the command said.
async fn make(stage: &Stage, arguments: &[&str]) -> String {
    let mut command = stage.server.place.command(arguments);
    command.env("LAMPLIGHT_PUBLIC_URL", "https://lamp.example").stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    said.read_line(&mut line).unwrap();
    let here = line.trim().rsplit_once(' ').unwrap().1.to_owned();
    let browser = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap();
    let text = async |address: String| browser.get(address).send().await.unwrap().text().await.unwrap();
    let page = text(here.clone()).await;
    assert!(text(format!("{here}made?code=abc&state=other")).await.contains("did not begin here"));
    let (action, manifest) = (attribute(&page, "action"), attribute(&page, "value"));
    let sent: Value = serde_json::from_str(&manifest).unwrap();
    assert_eq!(sent["hook_attributes"]["url"], "https://lamp.example/github/webhooks");
    assert!(sent["default_permissions"]["workflows"].is_null() && sent["public"] == false, "{sent}");
    let form = format!("manifest={}", encoded(&manifest));
    let kind = "application/x-www-form-urlencoded";
    let back = browser.post(action).header("content-type", kind).body(form).send().await.unwrap();
    assert!(back.text().await.unwrap().contains("Go back to the terminal"));
    let mut rest = String::new();
    said.read_to_string(&mut rest).unwrap();
    assert!(child.wait().unwrap().success() && !rest.contains("PRIVATE KEY"), "{rest}");
    rest
}

/// What it says is what has to be written.
fn write(stage: &Stage, said: &str) -> String {
    let path = stage.server.place.path("lamplight.toml");
    let before = std::fs::read_to_string(&path).unwrap();
    let lines: String = said
        .lines()
        .skip_while(|line| *line != "[github]")
        .skip(1)
        .take_while(|line| !line.starts_with("repositories"))
        // Where GitHub is stands there already.
        .filter(|line| !before.contains(*line))
        .map(|line| format!("{line}\n"))
        .collect();
    let config = before.replace("[github]\n", &format!("[github]\n{lines}"));
    std::fs::File::create(&path).unwrap().write_all(config.as_bytes()).unwrap();
    lines
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_app_is_made_in_a_browser_its_secrets_are_sealed_and_a_backup_goes_on_with_it() {
    let stage = Stage::start(Way::Looking).await;
    let rest = make(&stage, &["github", "setup", "--name", "Our Lamp"]).await;
    let lines = write(&stage, &rest);
    assert!(rest.contains("stored its secrets, sealed") && !lines.contains("_file"), "{rest}");
    assert!(!stage.server.place.path("github-our-lamp.pem").exists());
    // One that is there is not replaced by another App's.
    let again = stage.server.place.run(&["github", "setup"]);
    let text = String::from_utf8(again.stderr).unwrap();
    assert!(!again.status.success() && text.contains("keys remove github-app-key"), "{text}");
    let stage = stage.kill().await;
    let place = &stage.server.place;
    let listed = place.say(&["keys", "list"]);
    for name in ["github-app-key", "github-webhook-secret"] {
        let line = listed.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        assert!(line.contains("stored ") && line.contains("ago"), "{listed}");
    }
    let found = String::from_utf8(place.run(&["doctor", "--json"]).stdout).unwrap();
    assert!(found.contains("the App our-lamp on "), "{found}");

    // Nothing that is on the disk, or was said, has any of it.
    let secret = stage.github.webhook_secret().unwrap();
    let database = std::fs::read(place.path("data/lamplight.db")).unwrap();
    let log = std::fs::read(place.path("server.log")).unwrap();
    let all = [database, log, listed.into_bytes(), found.into_bytes()].concat();
    for part in ["PRIVATE KEY", secret.as_str()] {
        assert!(!all.windows(part.len()).any(|bytes| bytes == part.as_bytes()), "{part}");
    }

    let backup = place.path("backup");
    place.say(&["backup", "create", backup.to_str().unwrap()]);
    stage.server.signal("TERM");
    let Stage { server, github, way } = stage;
    let place = server.ended().1;
    std::fs::rename(place.path("data"), place.path("lost")).unwrap();
    place.say(&["backup", "restore", backup.to_str().unwrap()]);
    let stage = Stage { server: Server::start_in(place), github, way };
    stage.github.send_to(Some(Hook { secret, ..stage.hook() }));
    let issue = stage.github.open_issue(REPOSITORY, "bob", "Do it", "!say Done.").await;
    stage.github.label(REPOSITORY, issue, "bob", "lamplight").await;
    let statuses: Vec<_> = stage.github.deliveries().iter().map(|one| one.status).collect();
    assert!(statuses.ends_with(&[Some(202)]), "what GitHub signs is taken: {statuses:?}");
    stage.until_told(issue, "Done for now.").await;
    assert!(stage.ours(issue)[0].starts_with("our-lamp[bot]: "), "{:?}", stage.ours(issue));
    stage.server.clear().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_app_is_made_with_its_secrets_in_files_where_that_is_said() {
    let stage = Stage::start(Way::Looking).await;
    let rest = make(&stage, &["github", "setup", "--name", "Our Lamp", "--files"]).await;
    write(&stage, &rest);
    for name in ["github-our-lamp.pem", "github-our-lamp.secret"] {
        let mode = stage.server.place.path(name).metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    let stage = stage.kill().await;
    let listed = stage.server.place.say(&["keys", "list"]);
    assert_eq!(listed.matches("as the configuration says").count(), 2, "{listed}");
    // What is stored beside does not count, and it is said.
    let pem = stage.server.place.path("github-our-lamp.pem");
    let set = |name: &str, from: &Path| {
        let mut command = stage.server.place.command(&["keys", "set", name]);
        command.stdin(std::fs::File::open(from).unwrap()).output().unwrap()
    };
    let said = set("github-app-key", &stage.server.place.path("lamplight.toml"));
    assert!(
        !said.status.success() && String::from_utf8_lossy(&said.stderr).contains("no PEM file"),
        "{said:?}"
    );
    assert!(set("github-app-key", &pem).status.success());
    assert_eq!(stage.server.place.say(&["keys", "list"]), listed);
    assert!(stage.server.place.run(&["keys", "remove", "github-app-key"]).status.success());
    let issue = stage.github.open_issue(REPOSITORY, "bob", "Do it", "!say Done.").await;
    stage.github.label(REPOSITORY, issue, "bob", "lamplight").await;
    stage.until_told(issue, "Done for now.").await;
    assert!(stage.ours(issue)[0].starts_with("our-lamp[bot]: "), "{:?}", stage.ours(issue));
    stage.server.clear().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_app_that_there_is_on_an_enterprise_server_is_looked_at_and_taken() {
    let stage = Stage::start(Way::Both).await;
    let (place, github) = (&stage.server.place, &stage.github);
    let key = place.path("app.pem").to_string_lossy().into_owned();
    let addresses = [("--web", github.web()), ("--api", github.api()), ("--graphql", github.graphql())];
    let take = |id: &str, key: &str, git: &str| {
        let mut arguments = vec!["github", "setup", "--host", "ghe.example", "--app-id", id, "--git", git];
        arguments.extend(["--private-key-file", key]);
        arguments.extend(addresses.iter().flat_map(|(name, address)| [*name, address.as_str()]));
        place.command(&arguments).output().unwrap()
    };
    let said = take("99", &key, &github.git());
    let text = String::from_utf8(said.stdout).unwrap();
    assert!(said.status.success(), "{text} {}", String::from_utf8_lossy(&said.stderr));
    assert!(
        text.contains("✓ the App lamplight on ghe.example") && text.contains("✓ acme/api can be"),
        "{text}"
    );
    // What it says is a section that means this server, which has the key now.
    let section = |text: &str| -> toml::Table {
        let lines = text.lines().skip_while(|line| *line != "[github]").skip(1);
        lines.map(|line| format!("{line}\n")).collect::<String>().parse().unwrap()
    };
    let lines = section(&text);
    for (name, expected) in [("host", "ghe.example"), ("api", &github.api()), ("graphql", &github.graphql())]
    {
        assert_eq!(lines[name].as_str(), Some(expected), "{lines}");
    }
    assert_eq!((lines["app_id"].as_integer(), lines.get("private_key_file")), (Some(99), None));
    assert!(text.contains("the configuration has github-app-key in a file"), "{text}");
    place.say(&["keys", "remove", "github-app-key"]);

    let refused = take("98", &key, &github.git());
    let text = String::from_utf8(refused.stdout).unwrap();
    assert!(!refused.status.success() && text.starts_with("! ") && !text.contains("[github]"), "{text}");
    let no_key = take("99", &place.path("lamplight.toml").to_string_lossy(), &github.git());
    assert!(!no_key.status.success());
    // Without a server its files stay where they are.
    let mut command = place.command(&[
        "github",
        "setup",
        "--host",
        "ghe.example",
        "--app-id",
        "99",
        "--private-key-file",
        &key,
    ]);
    for (name, address) in [("--api", github.api()), ("--graphql", github.graphql()), ("--git", github.git())]
    {
        command.arg(name).arg(address);
    }
    command.env("LAMPLIGHT_URL", "http://127.0.0.1:9");
    let text = String::from_utf8(command.output().unwrap().stdout).unwrap();
    assert_eq!(section(&text)["private_key_file"].as_str(), Some(key.as_str()), "{text}");
    stage.server.clear().await;
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}
