//! Signing in by GitHub: a browser that goes there and comes back.

use super::{Door, secret};
use crate::support::{Place, Server};
use lamplight_fake_github::{FakeGitHub, Permission};
use reqwest::{Method, Response, StatusCode, header};
use serde_json::{Value, json};

const TOKEN: &str = "ghp_0123456789abcdefghijABCDEFGHIJ";

/// A server whose people sign in by a GitHub, and that GitHub, where `ada` has an account.
async fn open(allow: &str) -> (Server, FakeGitHub) {
    let mut place = Place::new();
    let github = FakeGitHub::start(&place.path("github"), TOKEN).await.unwrap();
    github.know("ada", Permission::Write);
    github.join("ada", "Acme");
    let path = place.path("lamplight.toml");
    let more = format!(
        "[github]\nhost = 'github.example'\napi = '{0}'\n[auth]\nrequired = true\n\
         [auth.github]\nclient_id = '{1}'\nweb = '{0}'\n[auth.allow]\n{allow}\n",
        github.api(),
        FakeGitHub::CLIENT_ID
    );
    let before = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("{before}{more}")).unwrap();
    place.environment.push(("GITHUB_CLIENT_SECRET", FakeGitHub::CLIENT_SECRET));
    (Server::start_in(place), github)
}

/// A browser, as far as this needs one.
pub(super) struct Browser<'a> {
    pub(super) server: &'a Server,
    /// What it was sent away with.
    pub(super) away: String,
    /// What it is signed in by.
    pub(super) own: Option<String>,
}

fn client() -> reqwest::Client {
    let client = reqwest::Client::builder().no_proxy().tls_certs_only([]);
    client.redirect(reqwest::redirect::Policy::none()).build().unwrap()
}

impl<'a> Browser<'a> {
    pub(super) fn of(server: &'a Server) -> Self {
        Self { server, away: String::new(), own: None }
    }

    /// Sent away; where to.
    pub(super) async fn begin(&mut self, body: Value) -> String {
        let request = self.server.request(Method::POST, "/api/v1/sign-in/github").json(&body);
        let answer = request.header(header::ORIGIN, &self.server.base).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        let cookie = answer.headers()[header::SET_COOKIE].to_str().unwrap();
        assert!(cookie.contains("; HttpOnly; SameSite=Lax"), "{cookie}");
        self.away = cookie.split(';').next().unwrap().to_owned();
        answer.json::<Value>().await.unwrap()["address"].as_str().unwrap().to_owned()
    }

    /// There, where somebody says that they are this one; and where that sends it.
    pub(super) async fn at_github(&self, address: &str, login: &str) -> String {
        let page = client().get(address).send().await.unwrap();
        assert_eq!(page.status(), StatusCode::OK);
        assert!(page.text().await.unwrap().contains("Authorize as ada"));
        let (to, query) = address.split_once('?').unwrap();
        let request = client().post(to).body(format!("{query}&login={login}"));
        let answer = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded").send().await;
        let answer = answer.unwrap();
        assert_eq!(answer.status(), StatusCode::FOUND);
        answer.headers()[header::LOCATION].to_str().unwrap().to_owned()
    }

    /// Back, as browsers come: where it is led, and the cookie that it gets.
    pub(super) async fn back(&self, address: &str) -> (String, Option<String>) {
        let path = address.strip_prefix(&self.server.base).unwrap();
        let cookies = self.own.iter().fold(self.away.clone(), |all, own| format!("{all}; {own}"));
        let request = client().get(format!("{}{path}", self.server.base)).header(header::COOKIE, cookies);
        let request = request.header("sec-fetch-site", "cross-site").header("sec-fetch-mode", "navigate");
        let answer: Response = request.header("sec-fetch-dest", "document").send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::SEE_OTHER);
        let cookies = answer.headers().get_all(header::SET_COOKIE).iter().map(|one| one.to_str().unwrap());
        let own =
            cookies.filter_map(|one| one.split(';').next()).find(|one| one.starts_with("lamplight=lms_"));
        (answer.headers()[header::LOCATION].to_str().unwrap().to_owned(), own.map(str::to_owned))
    }

    /// All of it; the cookie.
    pub(super) async fn sign_in(&mut self, login: &str) -> String {
        let address = self.begin(json!({})).await;
        let back = self.at_github(&address, login).await;
        let (to, cookie) = self.back(&back).await;
        assert_eq!(to, "/", "{login}");
        cookie.unwrap()
    }

    pub(super) async fn me(&self, cookie: &str) -> Value {
        let request = self.server.request(Method::GET, "/api/v1/me").header(header::COOKIE, cookie);
        request.send().await.unwrap().json().await.unwrap()
    }
}

#[tokio::test]
async fn who_is_allowed_comes_in_by_github_and_is_the_same_person_the_next_time() {
    let (server, github) = open("organisations = ['acme']").await;
    let mut browser = Browser::of(&server);
    let address = browser.begin(json!({})).await;
    for part in ["code_challenge_method=S256", "state=", "scope=user%3Aemail+read%3Aorg"] {
        assert!(address.contains(part), "{address}");
    }
    let back = browser.at_github(&address, "ada").await;
    let (to, cookie) = browser.back(&back).await;
    assert_eq!(to, "/");
    let cookie = cookie.unwrap();
    let me = browser.me(&cookie).await;
    let expected = json!({ "name": "Ada Example", "email": "ada@example.org", "role": "member" });
    assert_eq!(json!({ "name": me["name"], "email": me["email"], "role": me["role"] }), expected);
    // What came once counts no more, from this browser either.
    assert_eq!(browser.back(&back).await, ("/sign-in?problem=sign_in_refused".to_owned(), None));
    browser.own = Some(cookie.clone());
    let other = browser.sign_in("ada").await;
    assert_ne!(other, cookie);
    assert_eq!(browser.me(&other).await["id"], me["id"]);
    assert_eq!(browser.me(&cookie).await["code"], "sign_in_required", "what it was in by before is over");
    let asked = github.requests();
    assert!(asked.contains(&"GET /user/memberships/orgs".to_owned()), "{asked:?}");
    let log = std::fs::read_to_string(server.place.path("server.log")).unwrap();
    for canary in ["gho_canary", FakeGitHub::CLIENT_SECRET] {
        assert!(!log.contains(canary));
    }
}

#[tokio::test]
async fn who_is_not_allowed_wrong_states_and_other_browsers_get_nothing() {
    let (mut server, _github) = open("people = ['github:somebody', 'old@example.org']").await;
    server.line();
    let setup = secret(&server.line());
    let mut browser = Browser::of(&server);
    let address = browser.begin(json!({})).await;
    let back = browser.at_github(&address, "ada").await;
    let check = async |browser: &Browser<'_>, back: &str, code: &str| {
        assert_eq!(browser.back(back).await, (format!("/sign-in?problem={code}"), None), "{back}");
    };
    check(&Browser::of(&server), &back, "sign_in_stale").await;
    let mut later = Browser::of(&server);
    later.begin(json!({})).await;
    check(&later, &back, "sign_in_stale").await;
    check(&browser, &back.replace("state=", "state=0"), "sign_in_stale").await;
    check(&browser, &back.replace("github/callback", "oidc/callback"), "sign_in_stale").await;
    check(&browser, &back.replace("code=", "error=access_denied&x="), "sign_in_refused").await;
    check(&browser, &back, "not_invited").await;
    let no = browser.begin(json!({})).await;
    check(&browser, &browser.at_github(&no, "").await, "sign_in_refused").await;

    // By an invitation, whoever they are.
    let door = Door { server, owner: String::new() };
    let door = Door { owner: door.enter(&setup, "Olga").await, ..door };
    let (_, once) =
        door.ask(&door.owner, Method::POST, "/people/invitations", json!({ "role": "viewer" })).await;
    let mut browser = Browser::of(&door.server);
    let address = browser.begin(json!({ "secret": once["secret"] })).await;
    assert!(!address.contains("lmj_"), "an invitation is not told to others");
    let (to, cookie) = browser.back(&browser.at_github(&address, "ada").await).await;
    assert_eq!(to, "/");
    assert_eq!(browser.me(&cookie.unwrap()).await["role"], "viewer");
    let (_, people) = door.get(&door.owner, "/people").await;
    assert_eq!(people["items"][1]["logins"], json!(["ada"]));
    // From then on without one.
    browser.sign_in("ada").await;

    let (_, audit) = door.get(&door.owner, "/audit?action=finish_sign_in").await;
    let told = audit["items"].as_array().unwrap().iter();
    let told: Vec<_> =
        told.map(|one| (one["person"].as_str(), one["outcome"].as_str(), one["code"].as_str())).collect();
    assert!(told.contains(&(Some("Ada Example"), Some("done"), None)), "{told:?}");
    assert!(told.contains(&(None, Some("refused"), Some("not_invited"))), "{told:?}");
}

#[test]
fn doctor_says_what_is_missing_for_people_to_sign_in() {
    let more = "[auth]\nrequired = true\n[auth.oidc]\nissuer = 'http://127.0.0.1:1'\nclient_id = 'x'\n\
        [auth.github]\nclient_id = 'y'\n[auth.allow]\norganisations = ['acme']\n";
    let mut place = Place::with(more);
    let without_rights = ("limited", "[github] has neither an App nor a token");
    let check = |place: &Place, expected: [(&str, &str); 4]| {
        let report: Value = serde_json::from_slice(&place.run(&["doctor", "--json"]).stdout).unwrap();
        let findings = report["findings"].as_array().unwrap().iter();
        let told: Vec<_> = findings.filter(|found| found["name"] == "sign-in").collect();
        assert_eq!(told.len(), expected.len(), "{told:?}");
        for (found, (state, detail)) in told.iter().zip(expected) {
            assert_eq!(found["state"], state, "{found}");
            assert!(found["detail"].as_str().unwrap().contains(detail), "{found}");
        }
    };
    check(
        &place,
        [
            ("missing", "OIDC_CLIENT_SECRET is not set"),
            ("missing", "GITHUB_CLIENT_SECRET is not set"),
            without_rights,
            ("ok", "whom [auth.allow] names comes in as member"),
        ],
    );
    place.environment.extend([("OIDC_CLIENT_SECRET", "canary"), ("GITHUB_CLIENT_SECRET", "canary")]);
    check(
        &place,
        [
            ("limited", "http://127.0.0.1:1 could not be asked"),
            ("ok", "the address to come back to: http://127.0.0.1:0/api/v1/sign-in/github/callback"),
            without_rights,
            ("ok", "whom [auth.allow] names comes in as member"),
        ],
    );
}
