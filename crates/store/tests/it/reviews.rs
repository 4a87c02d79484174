//! What of a pull request was taken to its session is written in one step, and owed until it is done.

use crate::support::{Place, on_both, session};
use lamplight_store::{ForgeChange, Remark, ReplyOwed, ReviewChange, Reviewed, Store};

on_both!(what_was_read_is_said_once_and_answered_once,);

async fn change(store: &Store, change: ReviewChange) -> usize {
    store.forge(ForgeChange::Review(Box::new(change))).await.unwrap()
}

async fn what_was_read_is_said_once_and_answered_once(place: Place) {
    let store = place.open();
    assert_eq!(store.reviewed(&session(1)).await.unwrap(), Reviewed::default());
    let remark = Remark {
        prompt: "01JD5ZK8W3Q4R6T7V8X9Y0Z1A2".parse().unwrap(),
        text: "Say it".to_owned(),
        by: "bob".to_owned(),
    };
    let owed = |about, number| ReplyOwed { about, thread: 0, prompt: remark.prompt.clone(), number };
    let reviewed =
        Reviewed { review: 7, comment: 9, told_at: Some("abc".to_owned()), rounds: 1, asked_at: None };
    let read = ReviewChange::Read {
        session: session(1),
        reviewed: Some(reviewed.clone()),
        remark: Some(remark.clone()),
        replies: vec![owed(7, 1), owed(9, 2)],
    };
    change(&store, read).await;
    drop(store);

    let store = place.open();
    assert_eq!(store.reviewed(&session(1)).await.unwrap(), reviewed);
    assert_eq!(store.remarks(&session(1)).await.unwrap(), std::slice::from_ref(&remark));
    assert_eq!(store.replies_owed(&session(1)).await.unwrap(), [owed(7, 1), owed(9, 2)]);
    assert_eq!(store.remarks(&session(2)).await.unwrap(), []);
    change(&store, ReviewChange::Said { prompt: remark.prompt.clone() }).await;
    change(&store, ReviewChange::Replied { session: session(1), about: 7 }).await;
    change(&store, ReviewChange::Heard { session: session(1) }).await;
    assert_eq!(store.remarks(&session(1)).await.unwrap(), []);
    assert_eq!(store.replies_owed(&session(1)).await.unwrap(), [owed(9, 2)]);
    assert_eq!(store.reviewed(&session(1)).await.unwrap(), Reviewed { rounds: 0, ..reviewed });
}
