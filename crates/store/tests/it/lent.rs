//! Sandboxes that are lent, as the store keeps them.

use crate::support::{Place, on_both, session};
use lamplight_store::{LentChange, LentRow};

on_both!(what_is_lent_is_kept_changed_and_removed,);

fn row(n: u64, body: &[u8]) -> LentRow {
    LentRow { id: session(n), person: "Ada".into(), body: body.into() }
}

async fn what_is_lent_is_kept_changed_and_removed(place: Place) {
    let store = place.open();
    assert_eq!(store.lent().await.unwrap(), []);
    for one in [row(1, b"first"), row(2, b"other"), row(1, b"second")] {
        store.change_lent(LentChange::Keep(one)).await.unwrap();
    }
    store.close().await;

    let store = place.open();
    assert_eq!(store.lent().await.unwrap(), [row(1, b"second"), row(2, b"other")]);
    for _ in 0..2 {
        store.change_lent(LentChange::Remove(session(1))).await.unwrap();
    }
    assert_eq!(store.lent().await.unwrap(), [row(2, b"other")]);
}
