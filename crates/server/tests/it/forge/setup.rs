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
    let lines: String = rest
        .lines()
        .skip_while(|line| *line != "[github]")
        .skip(1)
        .take(3)
        .map(|line| format!("{line}\n"))
        .collect();
    for name in ["github-our-lamp.pem", "github-our-lamp.secret"] {
        let mode = place.path(name).metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    let path = place.path("lamplight.toml");
    let config = std::fs::read_to_string(&path).unwrap().replace("[github]\n", &format!("[github]\n{lines}"));
    std::fs::File::create(&path).unwrap().write_all(config.as_bytes()).unwrap();
    let stage = stage.kill().await;
    let issue = stage.github.open_issue(REPOSITORY, "bob", "Do it", "!say Done.").await;
    stage.github.label(REPOSITORY, issue, "bob", "lamplight").await;
    stage.until_told(issue, "Done for now.").await;
    assert!(stage.ours(issue)[0].starts_with("our-lamp[bot]: "), "{:?}", stage.ours(issue));
    stage.server.clear().await;
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}
