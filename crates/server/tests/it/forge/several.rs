//! Two servers that share a database, of which GitHub knows one address.

use super::{Hook, REPOSITORY, SECRET, Stage, Way};
use crate::several::SHARED_KEY;
use crate::support::{Place, Server};

/// What reaches the one that does not do it is done by the other, once; and by itself when the other is gone.
#[tokio::test]
async fn what_is_asked_for_is_done_once_whichever_server_is_told() {
    let mut place = Place::on_postgres();
    place.environment.push(SHARED_KEY);
    let stage = Stage::start_in(place, Way::App, "").await;
    let other = Server::start_in(stage.server.place.beside());
    let github = &stage.github;
    let told = Hook {
        authority: other.authority().to_owned(),
        path: "/github/webhooks".to_owned(),
        secret: SECRET.to_owned(),
    };
    github.send_to(Some(told));

    let issue = github.open_issue(REPOSITORY, "carol", "Fix the parser", "!write a.txt one\n!say One.").await;
    github.label(REPOSITORY, issue, "bob", "lamplight").await;
    let id = stage.session().await;
    stage.server.until(&id, "work_committed", 1).await;
    stage.until("a pull request", || github.pulls(REPOSITORY).len() == 1).await;
    stage.until_told(issue, "Done for now.").await;
    github.comment(REPOSITORY, issue, "ada", "@lamplight more\n!write b.txt two\n!say Two.").await;
    other.until(&id, "work_committed", 2).await;
    let kept = |place: &Place| place.path("data/mirrors").exists();
    assert!(kept(&stage.server.place) && !kept(&other.place), "it was done where the session is");
    assert_eq!(
        (github.pulls(REPOSITORY).len(), stage.ours(issue).len(), stage.sessions().await.len()),
        (1, 1, 1)
    );

    stage.server.signal("KILL");
    let second = github.open_issue(REPOSITORY, "carol", "And the printer", "!write c.txt three").await;
    github.label(REPOSITORY, second, "bob", "lamplight").await;
    stage.until("another pull request", || github.pulls(REPOSITORY).len() == 2).await;
    assert_eq!((stage.ours(issue).len(), stage.ours(second).len()), (1, 1));
    other.clear().await;
}
