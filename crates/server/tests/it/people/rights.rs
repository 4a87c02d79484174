//! Rights on a repository of GitHub's are GitHub's own: asked when something is begun, and at intervals.

use super::others::Browser;
use super::streams::ends;
use super::{Door, secret};
use crate::access::{Actor, everybody_gets_what_the_table_says};
use crate::children::begin;
use crate::support::{PATIENCE, Place, Server, answer};
use lamplight_domain::{Role, Scope};
use lamplight_fake_github::{FakeGitHub, Fault, Moment, Permission};
use reqwest::{Method, StatusCode, header};
use serde_json::{Value, json};

pub(super) const TOKEN: &str = "ghp_0123456789abcdefghijABCDEFGHIJ";
pub(super) const REPOSITORY: &str = "acme/api";

pub(super) struct Stage {
    pub(super) door: Door,
    pub(super) github: FakeGitHub,
}

impl Stage {
    /// A repository that is one on GitHub, which is asked again after a second.
    pub(super) async fn open(more: &str) -> Self {
        Self::open_by(FakeGitHub::CLIENT_ID, "", more).await
    }

    /// Where people sign in by this app, with further lines in `[github]`.
    pub(super) async fn open_by(client_id: &str, github_more: &str, more: &str) -> Self {
        let mut place = Place::with(more);
        std::fs::create_dir_all(place.path("github/acme")).unwrap();
        let upstream = place.path("github/acme/api.git").to_string_lossy().into_owned();
        place.git(&["clone", "--quiet", "--bare", ".", &upstream]);
        place.git(&["remote", "add", "origin", "https://github.com/acme/api.git"]);
        let github = FakeGitHub::start(&place.path("github"), TOKEN).await.unwrap();
        for (login, permission) in
            [("ada", Some(Permission::Write)), ("rex", Some(Permission::Triage)), ("nil", None)]
        {
            github.know(login, permission);
            github.join(login, "acme");
        }
        let path = place.path("lamplight.toml");
        let lines = format!(
            "[github]\napi = '{0}'\ngit = '{0}'\n{github_more}\n[auth]\nrequired = true\n\
             [auth.github]\nclient_id = '{1}'\nweb = '{0}'\nrights_seconds = 1\n[auth.allow]\norganisations = ['acme']\n",
            github.api(),
            client_id
        );
        let before = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, format!("{before}{lines}")).unwrap();
        place.environment.push(("GITHUB_CLIENT_SECRET", FakeGitHub::CLIENT_SECRET));
        place.environment.push(("GITHUB_TOKEN", TOKEN));
        let mut server = Server::start_in(place);
        server.line();
        let setup = secret(&server.line());
        let door = Door { server, owner: String::new() };
        let door = Door { owner: door.enter(&setup, "Olga").await, ..door };
        Self { door, github }
    }

    /// Signs in by GitHub; a token.
    pub(super) async fn person(&self, login: &str) -> String {
        let cookie = Browser::of(&self.door.server).sign_in(login).await;
        let request = self.door.server.request(Method::POST, "/api/v1/tokens");
        let request = request.header(header::COOKIE, cookie).header(header::ORIGIN, &self.door.server.base);
        let (status, made) = answer(request.json(&json!({ "name": "test", "scope": "admin" }))).await;
        assert_eq!(status, StatusCode::CREATED, "{made}");
        made["secret"].as_str().unwrap().to_owned()
    }

    async fn listed(&self, token: &str, path: &str) -> usize {
        let (status, list) = self.door.get(token, path).await;
        assert_eq!(status, StatusCode::OK, "{list}");
        list["items"].as_array().unwrap().len()
    }

    async fn prompt(&self, token: &str, session: &str) -> (u16, Value) {
        let body = json!({ "text": "say more" });
        let path = format!("/sessions/{session}/prompts");
        let (status, answer) = self.door.ask(token, Method::POST, &path, body).await;
        (status.as_u16(), answer["code"].clone())
    }
}

#[tokio::test]
async fn every_route_gives_people_of_github_what_they_may_there() {
    let stage = Stage::open("").await;
    let session = stage.door.session().await;
    let (ada, rex, nil) = (stage.person("ada").await, stage.person("rex").await, stage.person("nil").await);
    let member = |called, token, may_use, may_see| Actor {
        called,
        token: Some(token),
        role: Role::Member,
        scope: Scope::Admin,
        may_use,
        may_see,
    };
    let plain = stage.door.person("Moe", "member").await;
    let actors = [
        member("who may write", ada.clone(), true, true),
        member("who may read", rex.clone(), false, true),
        member("who may nothing", nil.clone(), false, false),
        member("who is nobody there", plain, false, false),
    ];
    everybody_gets_what_the_table_says(&stage.door, &session, &actors).await;
    for (token, count) in [(&stage.door.owner, 1), (&ada, 1), (&rex, 1), (&nil, 0)] {
        assert_eq!(stage.listed(token, "/sessions").await, count);
        assert_eq!(stage.listed(token, "/repositories").await, count);
    }
    let new = json!({ "repository": stage.door.server.place.repository(), "prompt": "say hello" });
    for (token, expected) in
        [(&rex, StatusCode::FORBIDDEN), (&nil, StatusCode::FORBIDDEN), (&ada, StatusCode::CREATED)]
    {
        let (status, view) = stage.door.ask(token, Method::POST, "/sessions", new.clone()).await;
        assert_eq!(status, expected, "{view}");
        if status == StatusCode::CREATED {
            stage.door.end(view["id"].as_str().unwrap()).await;
        }
    }
}

#[tokio::test]
async fn what_is_taken_away_there_ends_here() {
    let stage = Stage::open("").await;
    let session = stage.door.session().await;
    let ada = stage.person("ada").await;
    let events = format!("/sessions/{session}/events?resume=0");
    let stream = stage.door.socket(Some(&ada), &events).await.unwrap();
    assert_ne!(stage.prompt(&ada, &session).await.0, 403);

    // While GitHub cannot be asked, what it said counts.
    let path = "/collaborators/ada/permission";
    for _ in 0..4 {
        stage.github.plan(Fault { method: Method::GET, path, moment: Moment::Instead(502) });
    }
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    assert_ne!(stage.prompt(&ada, &session).await.0, 403);

    stage.github.allow(REPOSITORY, "ada", None);
    ends(stream).await;
    assert_eq!(stage.prompt(&ada, &session).await, (403, json!("repository_not_allowed")));
    assert_eq!(stage.door.socket(Some(&ada), &events).await.err(), Some(403));
    assert_eq!(stage.listed(&ada, "/sessions").await, 0);

    stage.github.allow(REPOSITORY, "ada", Some(Permission::Maintain));
    let begun = tokio::time::Instant::now();
    while stage.prompt(&ada, &session).await.0 == 403 {
        assert!(begun.elapsed() < PATIENCE, "what is given there counts here");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn whom_the_configuration_names_needs_nothing_there() {
    let stage = Stage::open("[[repositories]]\npath = '{repository}'\npeople = ['nil@example.org']\n").await;
    let session = stage.door.session().await;
    let nil = stage.person("nil").await;
    assert_ne!(stage.prompt(&nil, &session).await.0, 403);
    assert_eq!(stage.prompt(&stage.person("rex").await, &session).await.0, 403);
}

impl Stage {
    /// One of this person's whose agent hangs, until it does.
    async fn hanging(&self, token: &str) -> String {
        let repository = self.door.server.place.repository();
        let new = json!({ "repository": repository, "prompt": "!write a.txt one\n!hang" });
        let (status, view) = self.door.ask(token, Method::POST, "/sessions", new).await;
        assert_eq!(status, StatusCode::CREATED, "{view}");
        let id = view["id"].as_str().unwrap().to_owned();
        self.until(&id, |view| view["phase"] == "executing").await;
        id
    }

    pub(super) async fn until(&self, session: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let begun = tokio::time::Instant::now();
        loop {
            let (_, view) = self.door.get(&self.door.owner, &format!("/sessions/{session}")).await;
            if is_so(&view) {
                return view;
            }
            assert!(begun.elapsed() < PATIENCE, "{view}");
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    }
}

#[tokio::test]
async fn a_turn_ends_with_the_right_of_whoever_asked_for_it() {
    let stage = Stage::open("").await;
    let ada = stage.person("ada").await;
    let (first, owners) = (stage.hanging(&ada).await, stage.hanging(&stage.door.owner).await);
    // While GitHub cannot be asked, it goes on.
    stage.github.plan(Fault {
        method: Method::GET,
        path: "/collaborators/ada/permission",
        moment: Moment::Instead(502),
    });
    let asked = || stage.github.requests().iter().filter(|one| one.ends_with("/ada/permission")).count();
    let (before, begun) = (asked(), tokio::time::Instant::now());
    while asked() < before + 3 {
        assert!(begun.elapsed() < PATIENCE, "GitHub is asked again");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(stage.until(&first, |_| true).await["phase"], "executing");

    stage.github.allow(REPOSITORY, "ada", Some(Permission::Read));
    let view = stage.until(&first, |view| view["phase"] == "stuck").await;
    let reason = view["reason"].as_str().unwrap();
    assert!(reason.starts_with("Ada Example may not use the repository any more"), "{reason}");
    stage.github.allow(REPOSITORY, "ada", Some(Permission::Write));

    // Removed: at once.
    let begun = tokio::time::Instant::now();
    while stage.prompt(&ada, &first).await.0 == 403 {
        assert!(begun.elapsed() < PATIENCE, "what is given there counts here");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let second = stage.hanging(&ada).await;
    let path = format!("/people/{}", stage.door.id("Ada Example").await);
    let (status, _) = stage.door.ask(&stage.door.owner, Method::DELETE, &path, Value::Null).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    let view = stage.until(&second, |view| view["phase"] == "stuck").await;
    assert!(view["reason"].as_str().unwrap().starts_with("Ada Example was removed"), "{view}");
    assert_eq!(stage.until(&owners, |_| true).await["phase"], "executing", "others' turns go on");
    for id in [first, second, owners] {
        stage.door.end(&id).await;
    }
}

#[tokio::test]
async fn a_child_of_what_began_on_github_ends_with_the_right_of_whoever_asked_there() {
    let more = "repositories = ['acme/api']\npoll_seconds = 1";
    let stage = Stage::open_by(FakeGitHub::CLIENT_ID, more, "").await;
    stage.github.know("bob", Permission::Write);
    // What happens in the second of the first look counts as before it.
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    let text = format!("Delegate it.\n{}", begin("!hang"));
    let issue = stage.github.open_issue(REPOSITORY, "bob", "Fix it", &text).await;
    stage.github.label(REPOSITORY, issue, "bob", "lamplight").await;
    let begun = tokio::time::Instant::now();
    let child = loop {
        let (_, list) = stage.door.get(&stage.door.owner, "/sessions").await;
        let mut all = list["items"].as_array().unwrap().iter();
        if let Some(child) = all.find(|session| !session["parent"].is_null()) {
            break child["id"].as_str().unwrap().to_owned();
        }
        assert!(begun.elapsed() < PATIENCE, "{list}");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    };
    let parent =
        stage.until(&child, |view| view["phase"] == "planning").await["family"]["parents"][0].clone();
    let path = format!("/sessions/{}", parent.as_str().unwrap());
    assert_eq!(stage.door.get(&stage.door.owner, &path).await.1["person"]["name"], "bob");

    stage.github.allow(REPOSITORY, "bob", Some(Permission::Read));
    let view = stage.until(&child, |view| view["phase"] == "stuck").await;
    let reason = view["reason"].as_str().unwrap();
    assert!(reason.starts_with("GitHub says that bob may not write to the repository any more"), "{reason}");
    for id in [child.as_str(), parent.as_str().unwrap()] {
        stage.door.end(id).await;
    }
}

#[tokio::test]
async fn budgets_of_repositories_are_for_those_who_may_see_them() {
    let more = "[[repositories]]\npath = '{repository}'\npeople = []\nbudget_month_micros = 1000000\n[budgets]\nmonth_micros = 2000000\n";
    let stage = Stage::open(more).await;
    let (rex, nil) = (stage.person("rex").await, stage.person("nil").await);
    for (token, expected) in [(&stage.door.owner, 2), (&rex, 2), (&nil, 1)] {
        let (_, usage) = stage.door.get(token, "/usage").await;
        assert_eq!(usage["budgets"].as_array().unwrap().len(), expected, "{usage}");
    }
}
