//! Submodules and large files: what a session's repository is not whole without, by plain git and plain git-lfs inside.

use super::{APP, REPOSITORY, TOKEN, app};
use crate::support::{Place, Server};
use lamplight_fake_github::FakeGitHub;
use std::fs::OpenOptions;
use std::io::Write as _;

const BIG: &[u8] = b"a large file, as far as this is concerned\n";

/// A clone of `acme/api`, which has three submodules and two large files; `acme/lib` and `acme/tools` are allowed.
async fn place(more: &str) -> (Place, FakeGitHub, String) {
    let place = Place::new();
    std::fs::create_dir_all(place.path("github/acme")).unwrap();
    let upstream = |name: &str| place.path(&format!("github/acme/{name}.git")).to_string_lossy().into_owned();
    for name in ["lib", "tools", "other"] {
        place.git(&["clone", "--quiet", "--bare", ".", &upstream(name)]);
    }
    let github = FakeGitHub::start_apart(&place.path("github"), TOKEN).await.unwrap();
    let id = github.keep_large_file(REPOSITORY, BIG);
    let work = place.repository();
    let modules = "[submodule \"lib\"]\npath = lib\nurl = https://github.com/acme/lib.git\n\
        [submodule \"tools\"]\npath = tools\nurl = ../tools.git\n\
        [submodule \"other\"]\npath = other\nurl = ../other.git\n";
    let pointer = |id: &str| {
        format!("version https://git-lfs.github.com/spec/v1\noid sha256:{id}\nsize {}\n", BIG.len())
    };
    let files = [
        (".gitmodules", modules.to_owned()),
        (".gitattributes", "*.bin filter=lfs diff=lfs merge=lfs -text\n".to_owned()),
        ("big.bin", pointer(&id)),
        ("gone.bin", pointer(&"0".repeat(64))),
    ];
    for (name, text) in &files {
        std::fs::write(work.join(name), text).unwrap();
        // As it is: this machine may have git-lfs as well.
        let of = place.git(&["hash-object", "-w", "--no-filters", name]);
        place.git(&["update-index", "--add", "--cacheinfo", &format!("100644,{},{name}", of.trim())]);
    }
    let head = place.git(&["rev-parse", "HEAD"]);
    for name in ["lib", "tools", "other"] {
        place.git(&["update-index", "--add", "--cacheinfo", &format!("160000,{},{name}", head.trim())]);
    }
    place.git(&["commit", "--quiet", "-m", "Need more than is here"]);
    place.git(&["clone", "--quiet", "--bare", ".", &upstream("api")]);
    place.git(&["remote", "add", "origin", "git@github.com:acme/api.git"]);
    let key = place.path("app.pem");
    github.register(app(&key));
    let mut config = OpenOptions::new().append(true).open(place.path("lamplight.toml")).unwrap();
    let github_lines = format!("[github]\n{}app_id = {APP}\nprivate_key_file = {key:?}\n", github.lines());
    write!(config, "{github_lines}[[repositories]]\npath = {work:?}\n{more}").unwrap();
    (place, github, id)
}

/// What the session's branch has under this name.
fn there(server: &Server, branch: &str, name: &str) -> String {
    server.place.git(&["show", &format!("{branch}:{name}")])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plain_git_and_git_lfs_find_what_is_allowed_and_nothing_else() {
    let (place, github, big) = place("submodules = ['acme/lib', 'acme/tools']\nlfs = true\n").await;
    // As a git that was killed in the middle has left it.
    let left = place.path("data/submodules/github.com/acme/lib.git");
    std::fs::create_dir_all(&left).unwrap();
    std::fs::write(left.join("HEAD.lock"), "").unwrap();
    let server = Server::start_in(place);
    let id = server
        .create(&format!(
            "!run git submodule update --init lib tools && git -C lib rev-parse HEAD > lib-is && git -C tools rev-parse HEAD > tools-is\n\
             !run git submodule update --init other > other-is 2>&1 || true\n\
             !run git -C lib push origin HEAD:refs/heads/mine > push-is 2>&1 || true\n\
             !run git lfs pull --include big.bin && cp big.bin big-is\n\
             !run git lfs pull --include gone.bin > gone-is 2>&1 || true\n\
             !run git lfs push --object-id origin {big} > upload-is 2>&1 || true\n\
             !say Done."
        ))
        .await;
    server.until(&id, "work_committed", 1).await;
    let view = server.view(&id).await;
    let branch = view["branch"].as_str().unwrap();
    let head = server.place.git(&["rev-parse", "main~1"]);
    for name in ["lib-is", "tools-is"] {
        assert_eq!(there(&server, branch, name).trim(), head.trim(), "{name}");
    }
    assert_eq!(there(&server, branch, "big-is").as_bytes(), BIG.trim_ascii_end());
    // What is committed is what stands for it.
    assert!(there(&server, branch, "big.bin").starts_with("version https://git-lfs"));
    for (name, expected) in [
        ("other-is", "other is none of the repositories that this session may read"),
        ("push-is", "403"),
        ("gone-is", "there is no large file 0000"),
        ("upload-is", "only downloaded from here"),
    ] {
        let said = there(&server, branch, name);
        assert!(said.contains(expected), "{name}: {said}");
    }
    let mut minted = github.minted();
    minted.sort();
    assert_eq!(minted, ["api: contents=read", "lib: contents=read", "tools: contents=read"]);
    let requests = github.requests();
    assert!(
        !requests.iter().any(|asked| asked.contains("other.git") || asked.contains("receive-pack")),
        "{requests:#?}"
    );
    let (_, log) = server.get(&format!("/sessions/{id}/log?after=0&limit=2000")).await;
    for refused in
        ["Refused: other is none of", "Refused: acme/lib.git is only read", "Refused: A large file"]
    {
        assert!(log.to_string().contains(refused), "{refused}: {log:#}");
    }
    server.clear().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_leave_nothing_elsewhere_is_reached() {
    let (place, github, _) = place("").await;
    let server = Server::start_in(place);
    let id = server
        .create(
            "!run git submodule update --init tools > tools-is 2>&1 || true\n\
             !run git lfs install --local --skip-repo > /dev/null; git lfs pull --include big.bin > big-is 2>&1 || true\n\
             !say Done.",
        )
        .await;
    server.until(&id, "work_committed", 1).await;
    let view = server.view(&id).await;
    let branch = view["branch"].as_str().unwrap();
    assert!(
        there(&server, branch, "tools-is").contains("not found"),
        "{}",
        there(&server, branch, "tools-is")
    );
    let said = there(&server, branch, "big-is");
    assert!(said.contains("has no large files"), "{said}");
    assert_eq!(github.requests(), Vec::<String>::new());
    server.clear().await;
}
