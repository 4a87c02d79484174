//! Pushes that no git sends, but a program in a sandbox may: whole, with a real pack behind them.

use crate::door::{BRANCH, Door, grant};
use crate::repository::{Home, commit, git, head, pack};
use lamplight_gateway::Upstreams;
use std::io::Write;

const ZERO: &str = "0000000000000000000000000000000000000000";

fn packet(text: &str) -> String {
    format!("{:04x}{text}", text.len() + 4)
}

/// A list of refs as git begins a push.
fn list(commands: &[(&str, &str, &str)]) -> Vec<u8> {
    let mut text = String::new();
    for (number, (old, new, name)) in commands.iter().enumerate() {
        let capabilities = if number == 0 { "\0report-status" } else { "" };
        text += &packet(&format!("{old} {new} {name}{capabilities}"));
    }
    (text + "0000").into_bytes()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(bytes).unwrap();
    gzip.finish().unwrap()
}

/// Makes the body out of where the base is, the commit to push, and its pack.
type Craft<'a> = Box<dyn Fn(&str, &str, &[u8]) -> Vec<u8> + 'a>;
/// A name, the body, headers; the status and words of the answer, and whether the session's branch moves.
type Row<'a> = (&'a str, Craft<'a>, &'a [(&'a str, &'a str)], u16, &'a str, bool);

#[tokio::test(flavor = "multi_thread")]
async fn a_crafted_push_moves_the_sessions_branch_or_nothing() {
    let own = format!("refs/heads/{BRANCH}");
    let main = "refs/heads/main";
    let with = |commands: fn(&str, &str, &str) -> Vec<u8>| -> Craft<'_> {
        let own = own.clone();
        Box::new(move |old, new, pack| [&commands(old, new, &own)[..], pack].concat())
    };
    let after_the_pack: Craft = Box::new(|old, new, pack| {
        [&list(&[(ZERO, new, &own)])[..], pack, &list(&[(old, new, main)])[..]].concat()
    });
    let second_list: Craft = Box::new(|old, new, pack| {
        [&list(&[(ZERO, new, &own)])[..], &list(&[(old, new, main)])[..], pack].concat()
    });
    let options: Craft = Box::new(|_, new, pack| {
        let first = packet(&format!("{ZERO} {new} {own}\0report-status push-options"));
        [format!("{first}0000{}0000", packet("ci.skip")).as_bytes(), pack].concat()
    });
    let rows: Vec<Row> = vec![
        ("a plain one", with(|_, new, own| list(&[(ZERO, new, own)])), &[], 200, "ok refs/heads", true),
        (
            "said to be as it is",
            with(|_, new, own| list(&[(ZERO, new, own)])),
            &[("content-encoding", "identity")],
            200,
            "ok refs",
            true,
        ),
        (
            "said to be gzip, and is not",
            with(|_, new, own| list(&[(ZERO, new, own)])),
            &[("content-encoding", "gzip")],
            415,
            "without",
            false,
        ),
        (
            "said to be gzip the second time",
            with(|_, new, own| list(&[(ZERO, new, own)])),
            &[("content-encoding", "identity"), ("content-encoding", "gzip")],
            415,
            "without",
            false,
        ),
        (
            "said to be gzip behind a comma",
            with(|_, new, own| list(&[(ZERO, new, own)])),
            &[("content-encoding", "identity, gzip")],
            415,
            "without",
            false,
        ),
        (
            "gzip, and said to be",
            Box::new(|_, new, pack| gzip(&[&list(&[(ZERO, new, main)])[..], pack].concat())),
            &[("content-encoding", "gzip")],
            415,
            "without",
            false,
        ),
        (
            "gzip, and not said to be",
            Box::new(|_, new, pack| gzip(&[&list(&[(ZERO, new, main)])[..], pack].concat())),
            &[],
            400,
            "length",
            false,
        ),
        ("a list after the pack", after_the_pack, &[], 200, "", true),
        ("a second list before the pack", second_list, &[], 200, "ng refs/heads/lamplight", false),
        ("options though none are offered", options, &[], 200, "push options are not accepted", false),
        ("HEAD", with(|old, new, _| list(&[(old, new, "HEAD")])), &[], 200, "ng HEAD", false),
        (
            "a name without refs/",
            with(|_, new, _| list(&[(ZERO, new, BRANCH)])),
            &[],
            200,
            "ng lamplight",
            false,
        ),
        (
            "a way around",
            with(|_, new, _| list(&[(ZERO, new, "refs/heads/x/../main")])),
            &[],
            200,
            "ng refs/heads/x",
            false,
        ),
        (
            "a way around to its own",
            with(|_, new, _| list(&[(ZERO, new, &format!("refs/heads/lamplight/x/../{}", &BRANCH[10..]))])),
            &[],
            200,
            "ng refs",
            false,
        ),
        (
            "its name after another's",
            with(|_, new, _| list(&[(ZERO, new, &format!("refs/heads/x/{BRANCH}"))])),
            &[],
            200,
            "may push only its branch",
            false,
        ),
        (
            "two slashes",
            with(|_, new, _| list(&[(ZERO, new, &format!("refs/heads//{BRANCH}"))])),
            &[],
            200,
            "ng refs",
            false,
        ),
        (
            "a slash at the end",
            with(|_, new, own| list(&[(ZERO, new, &format!("{own}/"))])),
            &[],
            200,
            "ng refs",
            false,
        ),
        (
            "a space at the end",
            with(|_, new, own| list(&[(ZERO, new, &format!("{own} "))])),
            &[],
            200,
            "ng refs",
            false,
        ),
        (
            "a lock's name",
            with(|_, new, own| list(&[(ZERO, new, &format!("{own}.lock"))])),
            &[],
            200,
            "ng refs",
            false,
        ),
        (
            "its own and the base",
            with(|old, new, own| list(&[(ZERO, new, own), (old, new, "refs/heads/main")])),
            &[],
            200,
            "ng refs/heads/main",
            false,
        ),
        (
            "the base, then its own",
            with(|old, new, own| list(&[(old, new, "refs/heads/main"), (ZERO, new, own)])),
            &[],
            200,
            "ng refs/heads/main",
            false,
        ),
        ("from where it is not", with(|old, new, own| list(&[(old, new, own)])), &[], 200, "ng refs", false),
        (
            "to what is not sent",
            Box::new(|_, _, pack| [&list(&[(ZERO, &"1".repeat(40), &own)])[..], pack].concat()),
            &[],
            200,
            "ng refs",
            false,
        ),
        ("without a pack", Box::new(|_, new, _| list(&[(ZERO, new, &own)])), &[], 200, "ng refs", false),
        (
            "half a pack",
            Box::new(|_, new, pack| [&list(&[(ZERO, new, &own)])[..], &pack[..pack.len() / 2]].concat()),
            &[],
            200,
            "ng refs",
            false,
        ),
        (
            "a broken pack",
            Box::new(|_, new, pack| {
                let mut pack = pack.to_vec();
                pack[20] ^= 0xff;
                [&list(&[(ZERO, new, &own)])[..], &pack].concat()
            }),
            &[],
            200,
            "ng refs",
            false,
        ),
        ("no commands at all", Box::new(|_, _, _| b"0000".to_vec()), &[], 200, "", false),
        ("nothing", Box::new(|_, _, _| Vec::new()), &[], 400, "ends before", false),
        (
            "as a fetch",
            with(|_, new, own| list(&[(ZERO, new, own)])),
            &[("content-type", "application/x-git-upload-pack-request")],
            415,
            "not a git request",
            false,
        ),
        (
            "to another by a header",
            with(|_, new, own| list(&[(ZERO, new, own)])),
            &[("x-original-url", "/git/other.git/git-receive-pack")],
            200,
            "ok refs",
            true,
        ),
    ];
    println!("| crafted | answer | the branch |\n|---|---|---|");
    for (name, craft, headers, status, words, moves) in rows {
        let home = Home::new().await;
        let door = Door::open(grant(&home.repository()), Upstreams::default()).await;
        let clone = home.clone_of(&door.git_url()).await;
        let new = commit(&clone, "work.txt", b"done\n").await;
        let old = head(&home.repository()).await;
        let before = home.refs().await;
        let body = craft(&old, &new, &pack(&clone, &new).await);
        let mut request =
            reqwest::Client::new().post(format!("{}/git-receive-pack", door.git_url())).body(body);
        if !headers.iter().any(|(name, _)| *name == "content-type") {
            request = request.header("content-type", "application/x-git-receive-pack-request");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = request.send().await.unwrap();
        let answered = answer.status().as_u16();
        let text = String::from_utf8_lossy(&answer.bytes().await.unwrap()).into_owned();
        let after = home.refs().await;
        let moved = after.replace(&format!("refs/heads/{BRANCH} {new}\n"), "") == before && after != before;
        println!(
            "| {name} | {answered} {} | {} |",
            text.trim().replace('\n', " "),
            if moved { "moved" } else { "as before" }
        );
        assert!(after == before || moved, "{name}: {after}");
        assert_eq!((answered, moved), (status, moves), "{name}: {text}");
        assert!(text.contains(words), "{name}: {text}");
        assert_eq!(door.pushed(), if moved { vec![new] } else { vec![] }, "{name}");
        git(&home.repository(), &["fsck", "--strict"]).await.expect_success();
    }
}

/// Git writes through a symbolic ref. None can be pushed, but one may be there.
#[tokio::test]
async fn a_branch_that_stands_for_another_is_not_written_through() {
    let home = Home::new().await;
    let repository = home.repository();
    let door = Door::open(grant(&repository), Upstreams::default()).await;
    let clone = home.clone_of(&door.git_url()).await;
    commit(&clone, "work.txt", b"done\n").await;
    git(&repository, &["branch", "feature"]).await.expect_success();
    git(&repository, &["symbolic-ref", &format!("refs/heads/{BRANCH}"), "refs/heads/feature"])
        .await
        .expect_success();
    let before = home.refs().await;
    git(&clone, &["push", "origin", BRANCH]).await.expect_failure("stands for another");
    assert_eq!(home.refs().await, before);
    assert_eq!(door.pushed(), Vec::<String>::new());
}
