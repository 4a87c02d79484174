//! Which of several attempts was taken, as the store keeps it.

use crate::support::{Place, on_both, session};
use lamplight_domain::Timestamp;
use lamplight_store::{Choice, ChoiceChange};

on_both!(the_first_choice_is_the_one,);

/// Of the attempts 1, 2 and 3.
pub(crate) fn choice(session_number: u64, at: i64) -> Choice {
    Choice {
        sessions: (1..=3).map(session).collect(),
        session: session(session_number),
        by: "Ada".into(),
        at: Timestamp(at),
    }
}

async fn the_first_choice_is_the_one(place: Place) {
    let store = place.open();
    assert_eq!(store.choice(&session(1)).await.unwrap(), None);
    for (chosen, new) in [(choice(2, 5), 1), (choice(3, 6), 0), (choice(2, 7), 0)] {
        assert_eq!(store.change_choice(ChoiceChange::Make(chosen)).await.unwrap(), new);
    }
    store.close().await;

    let store = place.open();
    assert_eq!(store.choice(&session(1)).await.unwrap(), Some(choice(2, 5)));
    assert_eq!(store.unsettled_choices(9).await.unwrap(), [choice(2, 5)]);
    for changed in [1, 0] {
        let change = ChoiceChange::Settle { attempts: session(1) };
        assert_eq!(store.change_choice(change).await.unwrap(), changed);
    }
    assert_eq!(store.unsettled_choices(9).await.unwrap(), []);
    assert_eq!(store.choice(&session(1)).await.unwrap(), Some(choice(2, 5)));
}
