//! The cookie of a browser: who may use it, and until when.

use super::Door;
use crate::support::answer;
use lamplight_domain::Timestamp;
use lamplight_store::{CredentialKind, PeopleChange, PeopleOutcome};
use reqwest::{Method, RequestBuilder, StatusCode, header};
use serde_json::{Value, json};

impl Door {
    /// Signs a browser in by a link of this person's; the whole `Set-Cookie`.
    pub(super) async fn browser(&self, name: &str) -> String {
        let link = format!("/people/{}/link", self.id(name).await);
        let (_, once) = self.ask(&self.owner, Method::POST, &link, Value::Null).await;
        let request = self.server.request(Method::POST, "/api/v1/sign-in");
        let request = request.json(&json!({ "secret": once["secret"] }));
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        answer.headers()[header::SET_COOKIE].to_str().unwrap().to_owned()
    }

    /// As the page asks.
    pub(super) fn by(&self, cookie: &str, method: Method, path: &str) -> RequestBuilder {
        let pair = cookie.split(';').next().unwrap();
        let request = self.server.request(method, &format!("/api/v1{path}"));
        request.header(header::COOKIE, pair).header(header::ORIGIN, &self.server.base)
    }
}

#[tokio::test]
async fn a_browser_is_in_until_it_signs_out() {
    let door = Door::open("").await;
    let cookie = door.browser("Olga").await;
    assert!(cookie.starts_with("lamplight=lms_"), "{cookie}");
    for part in ["; HttpOnly", "; SameSite=Lax", "; Path=/", "; Max-Age=1209600"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert!(!cookie.contains("Secure"), "it would not come back without TLS: {cookie}");
    let (status, me) = answer(door.by(&cookie, Method::GET, "/me")).await;
    assert_eq!((status, &me["name"]), (StatusCode::OK, &json!("Olga")));
    let other = door.browser("Olga").await;
    assert_ne!(cookie, other, "each sign-in has a secret of its own");

    let (status, _) = answer(door.by(&cookie, Method::POST, "/sign-out")).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    let (status, problem) = answer(door.by(&cookie, Method::GET, "/me")).await;
    assert_eq!((status.as_u16(), &problem["code"]), (401, &json!("sign_in_required")));
    assert_eq!(answer(door.by(&other, Method::GET, "/me")).await.0, StatusCode::OK);

    let third = door.browser("Olga").await;
    let (status, _) = answer(door.by(&third, Method::POST, "/sign-out/everywhere")).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    for cookie in [&other, &third] {
        assert_eq!(answer(door.by(cookie, Method::GET, "/me")).await.0, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(door.get(&door.owner, "/me").await.0, StatusCode::OK, "tokens stay");
}

/// The store with its browser's secret two hours old.
async fn grown_old(place: &crate::support::Place, cookie: &str) {
    let store = lamplight_store::Store::open(&place.path("data")).unwrap();
    let now = lamplight_engine::now();
    let people = store.people().await.unwrap();
    let all = store.credentials(Some(&people[0].id), now).await.unwrap();
    let browser = all.into_iter().find(|one| matches!(one.kind, CredentialKind::Browser { .. })).unwrap();
    let since = Timestamp(now.0 - 2 * 60 * 60 * 1000);
    let change = PeopleChange::Renew {
        id: browser.id,
        former: browser.hash,
        hash: browser.hash,
        kind: CredentialKind::Browser { person: people[0].id.clone(), since },
        former_until: now,
    };
    assert_eq!(store.change_people(change).await.unwrap(), PeopleOutcome::Done, "{cookie}");
    store.close().await;
}

#[tokio::test]
async fn the_secret_of_a_browser_is_renewed_as_it_is_used() {
    let door = Door::open("").await;
    let cookie = door.browser("Olga").await;
    let fresh = door.by(&cookie, Method::GET, "/me").send().await.unwrap();
    assert!(fresh.headers().get(header::SET_COOKIE).is_none(), "it is new");
    door.server.signal("TERM");
    let (_, place) = door.server.ended();
    grown_old(&place, &cookie).await;
    let door = Door { server: crate::support::Server::start_in(place), owner: door.owner };
    let renewed = door.by(&cookie, Method::GET, "/me").send().await.unwrap();
    let other = renewed.headers()[header::SET_COOKIE].to_str().unwrap().to_owned();
    assert_ne!(cookie.split(';').next(), other.split(';').next());
    for cookie in [&cookie, &other] {
        let answer = door.by(cookie, Method::GET, "/me").send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "the former one counts for what is under way");
        assert!(answer.headers().get(header::SET_COOKIE).is_none(), "and is not renewed again");
    }
    let (status, _) = answer(door.by(&other, Method::POST, "/sign-out")).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    for cookie in [&cookie, &other] {
        assert_eq!(answer(door.by(cookie, Method::GET, "/me")).await.0, StatusCode::UNAUTHORIZED);
    }
}

#[tokio::test]
async fn other_sites_and_forged_cookies_get_nothing() {
    let door = Door::open("").await;
    let cookie = door.browser("Olga").await;
    let pair = cookie.split(';').next().unwrap();
    let ask = async |method: Method, headers: &[(&str, &str)]| {
        let mut request = door.server.request(method, "/api/v1/tokens");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (status, problem) = answer(request.json(&json!({ "name": "x", "scope": "admin" }))).await;
        (status.as_u16(), problem["code"].as_str().unwrap_or_default().to_owned())
    };
    let check = async |headers: &[(&str, &str)], status: u16, code: &str| {
        assert_eq!(ask(Method::POST, headers).await, (status, code.to_owned()), "{headers:?}");
    };
    let own = door.server.base.as_str();
    check(&[("cookie", pair), ("origin", "http://evil.example")], 403, "origin_not_allowed").await;
    check(&[("cookie", pair), ("sec-fetch-site", "cross-site")], 403, "origin_not_allowed").await;
    check(&[("cookie", pair), ("sec-fetch-site", "same-site")], 403, "origin_not_allowed").await;
    check(&[("cookie", pair)], 403, "origin_missing").await;
    check(&[("cookie", pair), ("origin", own)], 201, "").await;
    // A neighbour that sets a cookie of this name gets nobody signed in as somebody else.
    let two = format!("{pair}; lamplight=lms_{}", "0".repeat(72));
    check(&[("cookie", &two), ("origin", own)], 401, "sign_in_required").await;
    let forged = format!("lamplight=lms_{}", "0".repeat(72));
    check(&[("cookie", &forged), ("origin", own)], 401, "sign_in_required").await;
    let as_token = format!("lamplight={}", door.owner);
    check(&[("cookie", &as_token), ("origin", own)], 401, "sign_in_required").await;
    let bearer = format!("Bearer {}", pair.trim_start_matches("lamplight="));
    check(&[("authorization", &bearer)], 401, "sign_in_required").await;
    // A secret that came before does not stay one after signing in: there is none before.
    let before = door.server.request(Method::GET, "/").send().await.unwrap();
    assert!(before.headers().get(header::SET_COOKIE).is_none());
}

#[tokio::test]
async fn nothing_that_lets_somebody_in_is_written_anywhere() {
    let door = Door::open("[log]\nlevel = 'trace'\n").await;
    let cookie = door.browser("Olga").await;
    answer(door.by(&cookie, Method::GET, "/me")).await;
    let wrong = door.server.request(Method::POST, "/api/v1/sign-in").body(door.owner.clone());
    let (_, problem) = answer(wrong.header(header::CONTENT_TYPE, "application/json")).await;
    let member = door.person("Mia", "member").await;
    door.get(&member, "/people").await;
    let (owner, cookie) = (door.owner.clone(), cookie.split([';', '=']).nth(1).unwrap().to_owned());
    door.server.signal("TERM");
    let (_, place) = door.server.ended();
    let log = std::fs::read_to_string(place.path("server.log")).unwrap();
    assert!(log.contains("asked to stop"), "it is all in there: {log}");
    for secret in [owner.as_str(), member.as_str(), cookie.as_str()] {
        let core = &secret[4..68];
        assert!(!log.contains(core) && !problem.to_string().contains(core));
        for file in std::fs::read_dir(place.path("data")).unwrap() {
            let bytes = std::fs::read(file.unwrap().path()).unwrap_or_default();
            assert!(!bytes.windows(core.len()).any(|bytes| bytes == core.as_bytes()));
        }
    }
}

#[tokio::test]
async fn with_tls_in_front_the_cookie_is_for_tls_alone() {
    let door = Door::open("").await;
    door.server.signal("TERM");
    let (_, place) = door.server.ended();
    let path = place.path("lamplight.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replacen("[server]\n", "[server]\ntls = 'in_front'\n", 1)).unwrap();
    let door = Door { server: crate::support::Server::start_in(place), owner: door.owner };
    let cookie = door.browser("Olga").await;
    assert!(cookie.starts_with("__Host-lamplight=lms_") && cookie.contains("; Secure"), "{cookie}");
    assert_eq!(answer(door.by(&cookie, Method::GET, "/me")).await.0, StatusCode::OK);
    let plain = cookie.replacen("__Host-", "", 1);
    assert_eq!(answer(door.by(&plain, Method::GET, "/me")).await.0, StatusCode::UNAUTHORIZED);
}
