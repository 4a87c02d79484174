//! What is said on issues, and what happened there since the last look.

use super::{Stage, TOKEN, stage};
use lamplight_fake_github::{Fault, Moment, Permission};
use lamplight_integrations::github::{Occurrence, Place, Seen, Tag, Watch, What};
use lamplight_integrations::{GitHubError, section};

const MARK: &str = "<!-- mark -->";

#[tokio::test]
async fn a_comment_is_written_once_whatever_happens_to_the_answer() {
    let stage = stage(TOKEN).await;
    let Stage { fake, github, repository, .. } = &stage;
    let number = fake.open_issue("acme/api", "bob", "Title", "Body").await;
    let post = |moment| Fault { method: "POST".parse().unwrap(), path: "/comments", moment };
    fake.plan(post(Moment::ThenDropped));
    let text = section::replace("", &format!("{MARK} one"));
    let id = github.comment_once(repository, number, MARK, &text, true).await.unwrap();
    assert_eq!(github.comment_once(repository, number, MARK, &text, false).await.unwrap(), id);
    fake.edit_comment(id, |body| format!("Mind this.\n\n{body}"));
    github.edit_comment(repository, id, &format!("{MARK} two")).await.unwrap();
    let two = section::replace("", &format!("{MARK} two"));
    assert_eq!(fake.comments("acme/api", number), [format!("ada: Mind this.\n\n{two}")]);
    // What is so already is not written again.
    let asked = fake.requests().len();
    github.edit_comment(repository, id, &format!("{MARK} two")).await.unwrap();
    assert_eq!(fake.requests()[asked..], [format!("GET /repos/acme/api/issues/comments/{id}")]);
    fake.plan(post(Moment::Instead(502)));
    let another = "<!-- another mark -->";
    let error = github.comment_once(repository, number, another, another, true).await.unwrap_err();
    assert!(matches!(error, GitHubError::Unreachable { .. }), "{error}");
    assert_eq!(fake.comments("acme/api", number).len(), 1);
}

#[tokio::test]
async fn a_reaction_is_there_once() {
    let stage = stage(TOKEN).await;
    let Stage { fake, github, repository, .. } = &stage;
    let number = fake.open_issue("acme/api", "bob", "Title", "Body").await;
    let comment = fake.comment("acme/api", number, "bob", "Text").await;
    let pull = fake.open_pull("acme/api", "bob", ("acme/api", "feature", "main"), "Title", "Body").await;
    let line = fake.review("acme/api", pull, "bob", "", &[("a.txt", 1, "Text")]).await[0];
    for place in [Place::Issue(number), Place::Issue(number), Place::Comment(comment), Place::Remark(line)] {
        github.react(repository, place, "eyes").await.unwrap();
    }
    assert_eq!(fake.reactions().len(), 3);
    let error = github.react(repository, Place::Issue(number), "tada").await.unwrap_err();
    assert!(matches!(error, GitHubError::Refused { .. }), "{error}");
}

#[tokio::test]
async fn only_who_may_push_may_write() {
    let stage = stage(TOKEN).await;
    let Stage { fake, github, repository, .. } = &stage;
    let all = [
        ("reader", Permission::Read, false),
        ("sorter", Permission::Triage, false),
        ("writer", Permission::Write, true),
        ("keeper", Permission::Maintain, true),
        ("owner", Permission::Admin, true),
    ];
    for (login, permission, may) in all {
        fake.know(login, permission);
        assert_eq!(github.may_write(repository, login).await.unwrap(), may, "{login}");
    }
    assert!(!github.may_write(repository, "nobody").await.unwrap());
}

/// Looks until nothing is new.
async fn look(
    stage: &Stage,
    watch: Watch,
    mark: &mut Option<String>,
    tag: &mut Option<Tag>,
) -> Vec<Occurrence> {
    let seen = stage.github.look(&stage.repository, watch, mark.as_deref(), tag.as_ref()).await.unwrap();
    let Some(Seen { occurrences, mark: next, tag: now }) = seen else { return Vec::new() };
    (*mark, *tag) = (Some(next), now);
    occurrences.into_iter().map(|(_, occurrence)| occurrence).collect()
}

#[tokio::test]
async fn a_look_brings_what_is_new_and_nothing_of_before_the_first() {
    let stage = stage(TOKEN).await;
    let fake = &stage.fake;
    let number = fake.open_issue("acme/api", "bob", "Title", "Body").await;
    fake.label("acme/api", number, "bob", "old").await;
    for watch in Watch::ALL {
        let (mut mark, mut tag) = (None, None);
        assert_eq!(look(&stage, watch, &mut mark, &mut tag).await, [], "{watch:?}");
        assert_eq!(look(&stage, watch, &mut mark, &mut tag).await, [], "{watch:?}");
    }
    // What has happened in the second of the first look counts as before it.
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    let (mut events, mut comments, mut issues) = ((None, None), (None, None), (None, None));
    look(&stage, Watch::Events, &mut events.0, &mut events.1).await;
    look(&stage, Watch::Comments, &mut comments.0, &mut comments.1).await;
    look(&stage, Watch::Issues, &mut issues.0, &mut issues.1).await;
    fake.label("acme/api", number, "bob", "new").await;
    let comment = fake.comment("acme/api", number, "bob", "Text").await;
    let second = fake.open_issue("acme/api", "carol", "Two", "@lamplight").await;

    let found = look(&stage, Watch::Events, &mut events.0, &mut events.1).await;
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].number, &found[0].by.login), (number, &"bob".to_owned()));
    assert_eq!(found[0].what, What::Labelled { label: "new".to_owned() });
    let found = look(&stage, Watch::Comments, &mut comments.0, &mut comments.1).await;
    assert_eq!(found[0].what, What::Commented { comment, text: "Text".to_owned() });
    let found = look(&stage, Watch::Issues, &mut issues.0, &mut issues.1).await;
    assert_eq!((found.len(), found[0].number), (1, second), "an old one that was only changed is none");

    // Seen again by its second, then not even told again.
    let before = stage.fake.requests().len();
    assert_eq!(look(&stage, Watch::Events, &mut events.0, &mut events.1).await, []);
    let again = look(&stage, Watch::Comments, &mut comments.0, &mut comments.1).await;
    assert!(
        again.iter().all(|occurrence| occurrence.identity() == Some(format!("acme/api/comments/{comment}")))
    );
    assert!(comments.1.is_some(), "the answer has a tag");
    let question =
        stage.github.look(&stage.repository, Watch::Comments, comments.0.as_deref(), comments.1.as_ref());
    assert_eq!(question.await.unwrap(), None, "nothing has changed");
    assert_eq!(stage.fake.requests().len(), before + 3);
}

#[tokio::test]
async fn a_look_finds_reviews_and_what_is_said_at_lines() {
    let stage = stage(TOKEN).await;
    let fake = &stage.fake;
    let of = ("acme/api", "feature", "main");
    let number = fake.open_pull("acme/api", "bob", of, "Title", "Body").await;
    fake.review("acme/api", number, "bob", "Before", &[("a.txt", 1, "Before")]).await;
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    let (mut remarks, mut reviews) = ((None, None), (None, None));
    for _ in 0..2 {
        assert_eq!(look(&stage, Watch::Remarks, &mut remarks.0, &mut remarks.1).await, []);
        assert_eq!(look(&stage, Watch::Reviews, &mut reviews.0, &mut reviews.1).await, []);
    }
    let asked = fake.requests().len();
    assert_eq!(look(&stage, Watch::Reviews, &mut reviews.0, &mut reviews.1).await, []);
    assert_eq!(fake.requests().len(), asked + 1, "no pull request has changed");

    let line = fake.review("acme/api", number, "carol", "Text", &[("a.txt", 1, "At a line")]).await[0];
    let found = look(&stage, Watch::Remarks, &mut remarks.0, &mut remarks.1).await;
    assert_eq!((found.len(), found[0].number, found[0].is_pull_request), (1, number, true));
    assert_eq!(found[0].what, What::Remarked { comment: line, text: "At a line".to_owned() });
    let found = look(&stage, Watch::Reviews, &mut reviews.0, &mut reviews.1).await;
    assert_eq!((found.len(), found[0].number, found[0].by.login.as_str()), (1, number, "carol"));
    assert_eq!(found[0].what.text(), Some("Text"));
    // It is seen again by its second, under the same name.
    let again = look(&stage, Watch::Reviews, &mut reviews.0, &mut reviews.1).await;
    assert!(again.iter().all(|one| one.identity() == found[0].identity()), "{again:?}");
}
