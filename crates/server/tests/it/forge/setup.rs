//! `lamplight github setup`: from nothing to an App that works.

use super::{REPOSITORY, Stage, Way};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt;
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_app_is_made_in_a_browser_and_works() {
    let stage = Stage::start(Way::Looking).await;
    let place = &stage.server.place;
    let arguments = ["github", "setup", "--name", "Our Lamp"];
    let mut command = place.command(&arguments);
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

    // What it says is what has to be written.
    let path = place.path("lamplight.toml");
    let before = std::fs::read_to_string(&path).unwrap();
    let lines: String = rest
        .lines()
        .skip_while(|line| *line != "[github]")
        .skip(1)
        .take_while(|line| !line.starts_with("repositories"))
        // Where GitHub is stands there already.
        .filter(|line| !before.contains(*line))
        .map(|line| format!("{line}\n"))
        .collect();
    for name in ["github-our-lamp.pem", "github-our-lamp.secret"] {
        let mode = place.path(name).metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    let config = before.replace("[github]\n", &format!("[github]\n{lines}"));
    std::fs::File::create(&path).unwrap().write_all(config.as_bytes()).unwrap();
    let stage = stage.kill().await;
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
    // What it says is a section that means this server.
    let lines: String =
        text.lines().skip_while(|line| *line != "[github]").skip(1).map(|line| format!("{line}\n")).collect();
    let lines: toml::Table = lines.parse().unwrap();
    for (name, expected) in [("host", "ghe.example"), ("api", &github.api()), ("graphql", &github.graphql())]
    {
        assert_eq!(lines[name].as_str(), Some(expected), "{lines}");
    }
    assert_eq!(
        (lines["app_id"].as_integer(), lines["private_key_file"].as_str()),
        (Some(99), Some(key.as_str()))
    );

    let refused = take("98", &key, &github.git());
    let text = String::from_utf8(refused.stdout).unwrap();
    assert!(!refused.status.success() && text.starts_with("! ") && !text.contains("[github]"), "{text}");
    let no_key = take("99", &place.path("lamplight.toml").to_string_lossy(), &github.git());
    assert!(!no_key.status.success());
    stage.server.clear().await;
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}
