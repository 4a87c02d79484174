//! Deliveries of a forge: each has one row, however often and on however many ways it comes.

use crate::support::{Place, on_both, session};
use lamplight_domain::{SessionId, Timestamp};
use lamplight_store::{Delivery, ForgeChange, Mark, Store, Thread};

on_both!(
    the_same_is_new_once_by_its_id_and_by_what_it_is_about,
    a_row_waits_until_it_is_done_and_is_remembered_then,
    an_issue_has_one_session_until_another_is_put_in_its_place,
);

fn delivery(id: &str, identity: Option<&str>, at: i64) -> Delivery {
    let identity = identity.map(str::to_owned);
    Delivery { id: id.to_owned(), identity, body: format!("{{\"id\":\"{id}\"}}"), at: Timestamp(at) }
}

async fn deliver(store: &Store, deliveries: Vec<Delivery>) -> usize {
    store.forge(ForgeChange::Deliver { deliveries, mark: None }).await.unwrap()
}

async fn the_same_is_new_once_by_its_id_and_by_what_it_is_about(place: Place) {
    let store = place.open();
    let twice = vec![delivery("a", Some("comments/1"), 1), delivery("a", Some("comments/1"), 1)];
    assert_eq!(deliver(&store, twice).await, 1);
    assert_eq!(deliver(&store, vec![delivery("b", Some("comments/1"), 2), delivery("c", None, 2)]).await, 1);
    assert_eq!(deliver(&store, vec![delivery("c", None, 3), delivery("d", None, 3)]).await, 1);
    let waiting = store.waiting_deliveries(Timestamp(9), 10).await.unwrap();
    assert_eq!(
        waiting.iter().map(|row| row.body.as_str()).collect::<Vec<_>>(),
        [r#"{"id":"a"}"#, r#"{"id":"c"}"#, r#"{"id":"d"}"#]
    );
}

async fn a_row_waits_until_it_is_done_and_is_remembered_then(place: Place) {
    let store = place.open();
    let mark = Some(Mark { name: "list".to_owned(), at: "7".to_owned() });
    let deliveries = vec![delivery("a", None, 1), delivery("b", None, 2)];
    store.forge(ForgeChange::Deliver { deliveries, mark }).await.unwrap();
    assert_eq!(store.mark("list").await.unwrap().as_deref(), Some("7"));
    let number = store.waiting_deliveries(Timestamp(5), 1).await.unwrap()[0].number;
    store.forge(ForgeChange::Try { number }).await.unwrap();
    let due = Timestamp(100);
    store.forge(ForgeChange::Postpone { number, due, why: "later".to_owned() }).await.unwrap();
    let waiting = store.waiting_deliveries(Timestamp(5), 10).await.unwrap();
    assert_eq!((waiting.len(), store.next_delivery_due(Timestamp(5)).await.unwrap()), (1, Some(due)));
    let postponed = store.waiting_deliveries(due, 10).await.unwrap();
    assert_eq!(postponed.iter().map(|row| row.tries).collect::<Vec<_>>(), [0, 1]);
    assert_eq!(store.deliveries_waiting().await.unwrap(), 2);
    for row in postponed {
        store.forge(ForgeChange::Finish { number: row.number, outcome: "done".to_owned() }).await.unwrap();
    }
    drop(store);
    let store = place.open();
    assert_eq!(store.waiting_deliveries(due, 10).await.unwrap(), []);
    assert_eq!(store.deliveries_waiting().await.unwrap(), 0);
    assert_eq!(deliver(&store, vec![delivery("a", None, 200)]).await, 0);
    // After a month it is forgotten.
    let month = 31 * 24 * 60 * 60 * 1000;
    assert_eq!(deliver(&store, vec![delivery("e", None, month)]).await, 1);
    assert_eq!(deliver(&store, vec![delivery("a", None, month)]).await, 1);
}

async fn an_issue_has_one_session_until_another_is_put_in_its_place(place: Place) {
    let store = place.open();
    let thread = |n: u64, begun: i64| Thread {
        repository: "acme/api".to_owned(),
        number: 12,
        session: session(n),
        begun_at: Timestamp(begun),
        comment: None,
        told: String::new(),
        branch: None,
        pull_request: None,
        problem: None,
        problem_at: None,
    };
    let begin = |n: u64, instead_of: &[SessionId]| {
        let (thread, instead_of) = (thread(n, n as i64), instead_of.to_vec());
        ForgeChange::BeginThread { thread, instead_of }
    };
    assert_eq!(store.forge(begin(1, &[])).await.unwrap(), 1);
    assert_eq!(store.forge(begin(2, &[])).await.unwrap(), 0);
    assert_eq!(store.forge(begin(2, &[session(3)])).await.unwrap(), 0);
    let changes = [
        ForgeChange::Comment { session: session(1), comment: 77 },
        ForgeChange::Told { session: session(1), told: "Hello".to_owned() },
        ForgeChange::Branch { session: session(1), branch: "lamplight/x".to_owned() },
        ForgeChange::PullRequest { session: session(1), number: 13 },
        ForgeChange::Problem {
            session: session(1),
            problem: Some("No".to_owned()),
            at: Some("abc".to_owned()),
        },
    ];
    for change in changes {
        assert_eq!(store.forge(change).await.unwrap(), 1);
    }
    let whole = Thread {
        comment: Some(77),
        told: "Hello".to_owned(),
        branch: Some("lamplight/x".to_owned()),
        pull_request: Some(13),
        problem: Some("No".to_owned()),
        problem_at: Some("abc".to_owned()),
        ..thread(1, 1)
    };
    let found = [
        store.thread("acme/api", 12).await.unwrap(),
        store.thread("acme/api", 13).await.unwrap(),
        store.thread_of(&session(1)).await.unwrap(),
        store.thread_of_branch("acme/api", "lamplight/x").await.unwrap(),
    ];
    assert!(found.iter().all(|one| one.as_ref() == Some(&whole)), "{found:?}");
    assert_eq!(store.thread("acme/other", 12).await.unwrap(), None);
    assert_eq!(store.forge(begin(4, &[session(1)])).await.unwrap(), 1);
    assert_eq!(store.threads(10).await.unwrap(), [thread(4, 4)]);

    // Of one branch likewise, on whichever pull request it is asked for.
    let of_branch = |n: u64, number: u64, instead_of: &[SessionId]| {
        let branch = Some("feature".to_owned());
        let thread = Thread { number, branch, pull_request: Some(number), ..thread(n, n as i64) };
        ForgeChange::BeginThread { thread, instead_of: instead_of.to_vec() }
    };
    assert_eq!(store.forge(of_branch(5, 20, &[])).await.unwrap(), 1);
    assert_eq!(store.forge(of_branch(6, 21, &[])).await.unwrap(), 0);
    assert!(store.thread("acme/api", 20).await.unwrap().is_some_and(|found| found.is_pull_request()));
    assert_eq!(store.forge(of_branch(6, 21, &[session(5)])).await.unwrap(), 1);
    let found = store.thread_of_branch("acme/api", "feature").await.unwrap();
    assert_eq!(found.map(|found| found.session), Some(session(6)), "the one that was begun last");
    // Back on the first, whose own is not the newest of the branch.
    assert_eq!(store.forge(of_branch(7, 20, &[session(5)])).await.unwrap(), 0);
    assert_eq!(store.forge(of_branch(7, 20, &[session(5), session(6)])).await.unwrap(), 1);
    let found = store.thread("acme/api", 20).await.unwrap();
    assert_eq!(found.map(|found| found.session), Some(session(7)));
    assert!(store.thread("acme/api", 21).await.unwrap().is_some(), "another's stays");
}
