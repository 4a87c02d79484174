//! Submodules and large files: what a session's repository is not whole without, by plain git and plain git-lfs inside.

use super::{APP, REPOSITORY, TOKEN, app};
use crate::support::{Place, Server};
use lamplight_fake_github::FakeGitHub;
use serde_json::json;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

const BIG: &[u8] = b"a large file, as far as this is concerned\n";
/// As long, so that both pointers say the same size.
const OF_LIB: &[u8] = b"a large file of the submodule that is lib\n";

/// What stands in a repository for a large file.
fn pointer(id: &str) -> String {
    format!("version https://git-lfs.github.com/spec/v1\noid sha256:{id}\nsize {}\n", BIG.len())
}

/// As it is: this machine may have git-lfs as well.
fn add_as_it_is(place: &Place, directory: &Path, name: &str, text: &str) {
    std::fs::write(directory.join(name), text).unwrap();
    let at = directory.to_str().unwrap();
    let of = place.git(&["-C", at, "hash-object", "-w", "--no-filters", name]);
    place.git(&["-C", at, "update-index", "--add", "--cacheinfo", &format!("100644,{},{name}", of.trim())]);
}

const ATTRIBUTES: &str = "*.bin filter=lfs diff=lfs merge=lfs -text\n";

/// `acme/lib`, with a large file of its own; its newest commit.
fn make_lib(place: &Place, upstream: &str, id: &str) -> String {
    let work = place.path("lib-work");
    let at = work.to_str().unwrap();
    place.git(&["clone", "--quiet", ".", at]);
    add_as_it_is(place, &work, ".gitattributes", ATTRIBUTES);
    add_as_it_is(place, &work, "lib.bin", &pointer(id));
    let as_ada = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"];
    place.git(&[&["-C", at], as_ada.as_slice(), &["commit", "--quiet", "-m", "Large"]].concat());
    place.git(&["clone", "--quiet", "--bare", at, upstream]);
    place.git(&["-C", at, "rev-parse", "HEAD"]).trim().to_owned()
}

/// A clone of `acme/api`, which has three submodules and two large files; `acme/lib` and `acme/tools` are allowed.
async fn place(more: &str) -> (Place, FakeGitHub, String) {
    let place = Place::new();
    std::fs::create_dir_all(place.path("github/acme")).unwrap();
    let upstream = |name: &str| place.path(&format!("github/acme/{name}.git")).to_string_lossy().into_owned();
    for name in ["tools", "other"] {
        place.git(&["clone", "--quiet", "--bare", ".", &upstream(name)]);
    }
    let github = FakeGitHub::start_apart(&place.path("github"), TOKEN).await.unwrap();
    let id = github.keep_large_file(REPOSITORY, BIG);
    let of_lib = github.keep_large_file("acme/lib", OF_LIB);
    let lib = make_lib(&place, &upstream("lib"), &of_lib);
    let work = place.repository();
    let modules = "[submodule \"lib\"]\npath = lib\nurl = https://github.com/acme/lib.git\n\
        [submodule \"tools\"]\npath = tools\nurl = ../tools.git\n\
        [submodule \"other\"]\npath = other\nurl = ../other.git\n";
    let files = [
        (".gitmodules", modules.to_owned()),
        (".gitattributes", ATTRIBUTES.to_owned()),
        ("big.bin", pointer(&id)),
        ("gone.bin", pointer(&"0".repeat(64))),
    ];
    for (name, text) in &files {
        add_as_it_is(&place, &work, name, text);
    }
    let head = place.git(&["rev-parse", "HEAD"]);
    for (name, head) in [("lib", lib.as_str()), ("tools", head.trim()), ("other", head.trim())] {
        place.git(&["update-index", "--add", "--cacheinfo", &format!("160000,{head},{name}")]);
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
    let (place, github, _) = place("submodules = ['acme/lib', 'acme/tools']\nlfs = true\n").await;
    // As a git that was killed in the middle has left it.
    let left = place.path("data/submodules/github.com/acme/lib.git");
    std::fs::create_dir_all(&left).unwrap();
    std::fs::write(left.join("HEAD.lock"), "").unwrap();
    let server = Server::start_in(place);
    let id = server
        .create(
            "!run git submodule update --init lib tools && git -C lib rev-parse HEAD > lib-is && git -C tools rev-parse HEAD > tools-is\n\
             !run git submodule update --init other > other-is 2>&1 || true\n\
             !run git -C lib push origin HEAD:refs/heads/mine > push-is 2>&1 || true\n\
             !run git lfs pull --include big.bin && cp big.bin big-is\n\
             !run git lfs pull --include gone.bin > gone-is 2>&1 || true\n\
             !run git -C lib lfs pull && cp lib/lib.bin lib-big-is\n\
             !run (cd lib && git lfs push --object-id origin $(git cat-file blob HEAD:lib.bin | sed -n 's/^oid sha256://p')) > upload-is 2>&1 || true\n\
             !say Done."
        )
        .await;
    server.until(&id, "work_committed", 1).await;
    let view = server.view(&id).await;
    let branch = view["branch"].as_str().unwrap();
    for (name, expected) in [("lib-is", "main:lib"), ("tools-is", "main:tools")] {
        let expected = server.place.git(&["rev-parse", expected]);
        assert_eq!(there(&server, branch, name).trim(), expected.trim(), "{name}");
    }
    assert_eq!(there(&server, branch, "big-is").trim_end().as_bytes(), BIG.trim_ascii_end());
    assert_eq!(there(&server, branch, "lib-big-is").trim_end().as_bytes(), OF_LIB.trim_ascii_end());
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

/// What a program inside gets for these: a batch of one object, and its content under its address.
fn ask(id: &str, said: u64, content: &str) -> String {
    format!(
        "!run python3 -c 'import http.client as h, json; c = h.HTTPConnection(\"127.0.0.1\", 7411); base = \"/git/repository.git/info/lfs/objects/\"; \
         c.request(\"POST\", base + \"batch\", json.dumps({{\"operation\": \"upload\", \"objects\": [{{\"oid\": \"{id}\", \"size\": {said}}}]}})); \
         a = c.getresponse(); print(a.status, a.read()); \
         c.request(\"PUT\", base + \"{id}?bytes={said}\", b\"{content}\"); a = c.getresponse(); print(a.status, a.read())' >> misuse-is 2>&1"
    )
}

fn sha256(content: &str) -> String {
    let script = format!("printf '{content}' | sha256sum");
    let output = Command::new("sh").args(["-c", &script]).output().unwrap();
    String::from_utf8(output.stdout).unwrap()[..64].to_owned()
}

/// Where git-lfs has one in the person's repository.
fn kept(server: &Server, id: &str) -> Option<Vec<u8>> {
    let path = format!(".git/lfs/objects/{}/{}/{id}", &id[..2], &id[2..4]);
    std::fs::read(server.place.repository().join(path)).ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_large_file_goes_to_github_with_its_branch_and_nothing_else_does() {
    let (place, github, _) = place("lfs = true\n").await;
    github.need_large_files(REPOSITORY);
    let server = Server::start_in(place);
    let (new, stray, wrong) = (sha256("new and large"), sha256("of no commit"), sha256("right"));
    let prompt = [
        "!run printf 'new and large' > new.bin",
        "!run printf 'of no commit' | git lfs clean > /dev/null",
        &format!("!run git lfs push --object-id origin {stray} > stray-is 2>&1"),
        &ask(&wrong, 5, "wrong"),
        &ask(&wrong, 50, "right"),
        &ask(&wrong, 3 << 30, "right"),
        "!say Done.",
    ];
    let id = server.create(&prompt.join("\n")).await;
    server.until(&id, "work_committed", 1).await;
    let branch = server.view(&id).await["branch"].as_str().unwrap().to_owned();
    assert!(there(&server, &branch, "new.bin").contains(&format!("oid sha256:{new}\nsize 13")), "a pointer");
    let misuse = there(&server, &branch, "misuse-is");
    for part in ["not what its SHA-256 says", "shorter than was said", "none may have more than 2 GiB"] {
        assert!(misuse.contains(part), "{part}: {misuse}");
    }
    assert_eq!(kept(&server, &wrong), None);
    assert_eq!(
        (kept(&server, &new), kept(&server, &stray)),
        (Some(b"new and large".to_vec()), Some(b"of no commit".to_vec()))
    );
    // Whoever works on has it from here, whatever became of what the sandbox had.
    let again = "!run rm -rf .git/lfs/objects new.bin && git checkout new.bin && git lfs pull --include new.bin && cp new.bin new-is";
    server.post(&format!("/sessions/{id}/prompts"), json!({ "text": again })).await;
    server.until(&id, "work_committed", 2).await;
    assert_eq!(there(&server, &branch, "new-is"), "new and large");
    // Nobody has published anything.
    assert_eq!(github.large_file(REPOSITORY, &new), None);

    let said = server.place.say(&["pr", &id]);
    assert!(said.starts_with("acme/api#1 (draft) shows "), "{said}");
    assert_eq!(github.large_file(REPOSITORY, &new).as_deref(), Some(b"new and large".as_slice()));
    assert_eq!(github.large_file(REPOSITORY, &stray), None);
    assert!(github.minted().iter().all(|minted| minted.starts_with("api: ")), "{:?}", github.minted());

    let (_, log) = server.get(&format!("/sessions/{id}/log?after=0&limit=2000")).await;
    assert!(log.to_string().contains("Refused: A large file of 3221225472 bytes was not taken"), "{log:#}");
    server.clear().await;
}
