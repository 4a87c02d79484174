//! Work that is asked for on GitHub: from an issue to a draft pull request and on, against a GitHub that is as strict as the real one.

mod asking;
mod automations;
mod beside;
mod checks;
mod deliveries;
mod elsewhere;
mod kills;
mod mentions;
mod peers;
mod recorded;
mod reviews;
mod setup;
mod several;
mod taken;
mod updates;

use crate::support::{PATIENCE, Place, Server};
use lamplight_fake_github::{App, FakeGitHub, Hook, Permission};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::{Duration, Instant};

const TOKEN: &str = "ghp_H4sT0kEnOfAp3rs0nAtGitHub12345";
const SECRET: &str = "w3bh00k-s3cr3t-of-this-test";
const REPOSITORY: &str = "acme/api";
const APP: u64 = 99;

/// Who asks: an App by what it is sent, or a person's token by looking.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    App,
    Looking,
    /// An App that is sent everything and looks as well.
    Both,
}

struct Stage {
    server: Server,
    github: FakeGitHub,
    way: Way,
}

impl Stage {
    async fn start(way: Way) -> Self {
        Self::start_with(way, "").await
    }

    /// With further lines in `[github]`.
    async fn start_with(way: Way, more: &str) -> Self {
        Self::start_in(Place::new(), way, more).await
    }

    async fn start_in(mut place: Place, way: Way, more: &str) -> Self {
        std::fs::create_dir_all(place.path("github/acme")).unwrap();
        let upstream = place.path("github/acme/api.git").to_string_lossy().into_owned();
        place.git(&["clone", "--quiet", "--bare", ".", &upstream]);
        let github = FakeGitHub::start_apart(&place.path("github"), TOKEN).await.unwrap();
        for (login, permission) in
            [("ada", Permission::Admin), ("bob", Permission::Write), ("eve", Permission::Triage)]
        {
            github.know(login, permission);
        }
        let mut lines = format!("[github]\n{}", github.lines());
        if way == Way::Looking {
            place.environment.push(("GITHUB_TOKEN", TOKEN));
        } else {
            let key = place.path("app.pem");
            github.register(app(&key));
            lines += &format!("app_id = {APP}\nprivate_key_file = {key:?}\n");
            place.environment.push(("GITHUB_WEBHOOK_SECRET", SECRET));
        }
        lines += more;
        lines += match way {
            Way::App => "poll_seconds = 0\n",
            Way::Looking | Way::Both => {
                "repositories = ['acme/api']\npoll_seconds = 1\nassignee = 'lamplight-user'\n"
            }
        };
        let config = place.path("lamplight.toml");
        write!(OpenOptions::new().append(true).open(config).unwrap(), "{lines}").unwrap();
        let stage = Self { server: Server::start_in(place), github, way };
        stage.connect();
        if way != Way::App {
            // What happens in the second of the first look counts as before it.
            stage.until("it has looked", || stage.count("GET /repos/acme/api/issues") > 0).await;
            tokio::time::sleep(Duration::from_millis(1_100)).await;
        }
        stage
    }

    fn hook(&self) -> Hook {
        Hook {
            authority: self.server.authority().to_owned(),
            path: "/github/webhooks".to_owned(),
            secret: SECRET.to_owned(),
        }
    }

    /// What happens on GitHub is sent to the server, where it takes that.
    fn connect(&self) {
        if self.way != Way::Looking {
            self.github.send_to(Some(self.hook()));
        }
    }

    fn count(&self, request: &str) -> usize {
        self.github.requests().iter().filter(|asked| *asked == request).count()
    }

    async fn until(&self, what: &str, mut is_so: impl FnMut() -> bool) {
        let begun = now();
        while !is_so() {
            if begun.elapsed() > PATIENCE {
                panic!(
                    "waited too long: {what}\n{:#?}\n{:#?}",
                    self.github.requests(),
                    self.github.comments(REPOSITORY, 1)
                );
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn sessions(&self) -> Vec<Value> {
        let (_, list) = self.server.get("/sessions?limit=100").await;
        list["items"].as_array().unwrap().clone()
    }

    /// The id of the only one, once it is there.
    async fn session(&self) -> String {
        let begun = now();
        loop {
            let sessions = self.sessions().await;
            assert!(sessions.len() < 2, "one session: {sessions:#?}");
            if let Some(session) = sessions.first() {
                return session["id"].as_str().unwrap().to_owned();
            }
            assert!(
                begun.elapsed() < PATIENCE,
                "there is a session\n{:#?}\n{}",
                self.github.requests(),
                std::fs::read_to_string(self.server.place.path("server.log")).unwrap()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Our comments on an issue.
    fn ours(&self, number: u64) -> Vec<String> {
        let all = self.github.comments(REPOSITORY, number);
        all.into_iter().filter(|comment| comment.contains("<!-- lamplight:session:")).collect()
    }

    async fn until_told(&self, number: u64, text: &str) {
        self.until(text, || self.ours(number).iter().any(|comment| comment.contains(text))).await;
    }

    /// What git says in the repository on GitHub.
    fn there(&self, arguments: &[&str]) -> String {
        let upstream = self.server.place.path("github/acme/api.git");
        let output = Command::new("git").arg("-C").arg(upstream).args(arguments).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Somebody commits a file on GitHub, on a branch that is made from `main` where there is none; the commit.
    fn push(&self, branch: &str, file: &str, content: &str) -> String {
        let upstream = self.server.place.path("github/acme/api.git");
        let script = format!(
            "work=$(mktemp -d) && git clone -q {upstream:?} $work && cd $work && (git checkout -q '{branch}' || git checkout -q -b '{branch}') && \
             echo {content} > {file} && git add . && git -c user.name=Bob -c user.email=bob@example.org commit -qm '{file} by Bob' && \
             git push -q origin HEAD && rm -rf $work"
        );
        assert!(Command::new("sh").args(["-c", &script]).status().unwrap().success());
        self.there(&["rev-parse", branch])
    }

    /// The session that works on this branch, once it is there.
    async fn session_on(&self, branch: &str) -> String {
        let begun = now();
        loop {
            let sessions = self.sessions().await;
            let mut on: Vec<_> = sessions.iter().filter(|one| one["branch"] == branch).collect();
            assert!(on.len() < 2, "one session: {on:#?}");
            if let Some(session) = on.pop() {
                return session["id"].as_str().unwrap().to_owned();
            }
            assert!(
                begun.elapsed() < PATIENCE,
                "there is a session on {branch}\n{:#?}\n{}",
                self.github.requests(),
                std::fs::read_to_string(self.server.place.path("server.log")).unwrap()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The id of the session's newest commit.
    async fn head(&self, id: &str) -> String {
        let view = self.server.view(id).await;
        view["commits"].as_array().unwrap().last().unwrap()["id"].as_str().unwrap().to_owned()
    }

    /// The session knows that this commit of its is on GitHub.
    async fn until_published(&self, id: &str, commit: &str) {
        let begun = now();
        while self.server.view(id).await["pull_request"]["head"] != commit {
            assert!(begun.elapsed() < PATIENCE, "{commit} is published\n{:#?}", self.github.requests());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// What the session was told, with who is named for it.
    async fn prompts(&self, id: &str) -> Vec<(String, String)> {
        let (_, page) = self.server.get(&format!("/sessions/{id}/log?after=0&limit=2000")).await;
        let entries = page["entries"].as_array().unwrap().clone();
        let queued = entries.into_iter().filter(|entry| entry["event"]["type"] == "prompt_queued");
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        queued.map(|entry| (text(&entry["event"]["by"]), text(&entry["event"]["text"]))).collect()
    }

    /// Our answers in the conversation of a pull request.
    fn answers(&self, number: u64) -> Vec<String> {
        let all = self.github.comments(REPOSITORY, number);
        all.into_iter().filter(|comment| comment.contains("lamplight:answer:")).collect()
    }

    /// Kills the server at once, and starts another in its place.
    async fn kill(self) -> Self {
        let Self { server, github, way } = self;
        server.signal("KILL");
        let stage = Self { server: Server::start_in(server.ended().1), github, way };
        stage.connect();
        stage
    }
}

#[expect(clippy::disallowed_methods, reason = "a test waits")]
fn now() -> Instant {
    Instant::now()
}

/// Makes its key, and writes the private half where the server finds it.
fn app(path: &std::path::Path) -> App {
    let openssl = |arguments: &[&str]| {
        let output = Command::new("openssl").args(arguments).arg(path).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    };
    openssl(&["genpkey", "-quiet", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out"]);
    let public_key = openssl(&["rsa", "-RSAPublicKey_out", "-outform", "DER", "-in"]);
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
    let write =
        ["checks", "contents", "issues", "pull_requests"].map(|name| (name.to_owned(), "write".to_owned()));
    let permissions: BTreeMap<_, _> =
        write.into_iter().chain([("metadata".to_owned(), "read".to_owned())]).collect();
    let events = [
        "check_run",
        "issue_comment",
        "issues",
        "pull_request",
        "pull_request_review",
        "pull_request_review_comment",
        "push",
    ];
    let events = events.map(str::to_owned).to_vec();
    App { id: APP, slug: "lamplight".to_owned(), public_key, permissions, events }
}
