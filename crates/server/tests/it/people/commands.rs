//! `lamplight login`, `tokens` and `people`, and a server that others reach.

use crate::support::{Place, Server};
use std::os::unix::fs::PermissionsExt;

#[tokio::test]
async fn the_command_line_signs_in_and_manages_people() {
    let mut server = Server::start_in(Place::with("[auth]\nrequired = true\n"));
    server.line();
    let link = server.line();
    let refused = server.place.run(&["sessions"]);
    assert!(!refused.status.success());
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(said.contains("nobody is signed in") && said.contains("lamplight login"), "{said}");

    let said = server.place.say(&["login", &link, "--name", "Olga", "--email", "olga@example.org"]);
    assert!(said.starts_with("You are Olga, owner."), "{said}");
    let file = server.place.path("home/.config/lamplight/tokens.toml");
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    server.place.say(&["sessions"]);

    let token = server.place.say(&["tokens", "create", "ci", "--scope", "read", "--expires", "30d"]);
    let token = token.trim();
    assert!(token.starts_with("lmp_"), "{token}");
    let listed = server.place.say(&["tokens", "list"]);
    assert!(listed.contains("read   ci") && listed.contains("ends in 7"), "{listed}");
    assert!(!listed.contains(&token[4..]), "{listed}");
    let with = |token: &str, arguments: &[&str]| {
        server.place.command(arguments).env("LAMPLIGHT_TOKEN", token).output().unwrap()
    };
    assert!(with(token, &["sessions"]).status.success());
    let refused = with(token, &["tokens", "create", "more"]);
    assert!(String::from_utf8(refused.stderr).unwrap().contains("needs a token with the scope admin"));
    server.place.say(&["tokens", "revoke", "ci"]);
    assert!(!with(token, &["sessions"]).status.success(), "revoked");

    let invitation = server.place.say(&["people", "invite", "--role", "viewer"]);
    let mut login =
        server.place.command(&["login", invitation.trim(), "--name", "Vic", "--email", "v@example.org"]);
    let output = login.env("HOME", server.place.path("home/vic")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    server.place.say(&["people", "role", "Vic", "member"]);
    let listed = server.place.say(&["people", "list"]);
    assert!(
        listed.contains("owner   Olga <olga@example.org>") && listed.contains("member  Vic <v@example.org>"),
        "{listed}"
    );
    server.place.say(&["people", "remove", "v@example.org"]);
    assert!(!server.place.say(&["people", "list"]).contains("Vic"));

    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    let refused = server.place.run(&["sessions"]);
    assert!(String::from_utf8(refused.stderr).unwrap().contains("can be read by others"));
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    server.place.say(&["logout"]);
    assert!(!server.place.run(&["sessions"]).status.success());
    assert!(!std::fs::read_to_string(&file).unwrap().contains("lmp_"));
}

#[tokio::test]
async fn beyond_loopback_there_has_to_be_a_sign_in_and_a_word_about_tls() {
    let place = Place::new();
    let serve = |variables: &[(&str, &str)]| {
        let mut command = place.command(&["serve", "--listen", "0.0.0.0:0"]);
        let output = command.envs(variables.iter().copied()).output().unwrap();
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(serve(&[]).contains("set auth.required = true"));
    assert!(serve(&[("LAMPLIGHT_AUTH_REQUIRED", "1")]).contains("set server.tls = \"in_front\""));

    let mut place = Place::with("[auth]\nrequired = true\n");
    place.environment = vec![("LAMPLIGHT_TLS", "none")];
    let server = Server::start_in(place.listening_on("0.0.0.0:0"));
    let port = server.authority().rsplit_once(':').unwrap().1.to_owned();
    let base = format!("http://127.0.0.1:{port}/api/v1/status");
    let answer =
        reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap().get(base).send().await;
    assert_eq!(answer.unwrap().status(), 401);
}
