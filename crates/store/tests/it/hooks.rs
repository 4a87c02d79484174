//! What hooks are told: a row each with the entry that it comes from, tried by one at a time until it came through or is given up.

use crate::support::{NOON, Place, append, on_both, open_at, session};
use lamplight_domain::{Seq, Timestamp};
use lamplight_store::{
    Append, AppendError, Claimed, DeliveryQuery, DeliveryState, HookChange, HookOutcome, HookRow, NoticeRow,
    SealedSecret, Store,
};

on_both!(
    each_hook_has_what_it_wants_once_and_with_its_entry,
    a_claim_keeps_others_away_until_it_is_over,
    what_came_of_a_try_counts_only_while_no_other_has_begun,
    a_disabled_hook_gives_up_what_waits_until_it_is_tried_again,
    a_hook_that_is_removed_leaves_nothing,
    what_is_old_is_forgotten,
);

const LATER: Timestamp = Timestamp(NOON.0 + 20_000);

pub(crate) fn hook(id: &str, kinds: &[&str]) -> HookRow {
    HookRow {
        id: id.into(),
        url: format!("https://{id}.example.org/"),
        kinds: kinds.iter().map(|kind| (*kind).to_owned()).collect(),
        created_by: "Ada".into(),
        created_at: NOON,
        came_at: None,
        disabled: None,
    }
}

fn secret_of(id: &str) -> SealedSecret {
    SealedSecret { name: format!("hook:{id}"), nonce: vec![1; 24], ciphertext: vec![2, 0], set_at: NOON }
}

/// Gives how many rows are new or other than before.
pub(crate) async fn change(store: &Store, change: HookChange) -> usize {
    match store.change_hooks(change).await.unwrap() {
        HookOutcome::Changed(rows) => rows,
        HookOutcome::Claimed(claimed) => panic!("{claimed:?}"),
    }
}

pub(crate) async fn add(store: &Store, hook: HookRow) {
    let secret = secret_of(&hook.id);
    assert_eq!(change(store, HookChange::Add { hook, secret, most: 9 }).await, 1);
}

/// The entries after `last`, each with a notice of this kind.
pub(crate) fn telling(n: u64, last: u64, kinds: &[&str]) -> Append {
    let mut append = append(&session(n), last, kinds.len() as u64);
    append.notices = (last + 1..)
        .zip(kinds)
        .map(|(seq, kind)| NoticeRow {
            seq: Seq(seq),
            kind: (*kind).to_owned(),
            body: format!("{{\"seq\":{seq}}}"),
        })
        .collect();
    append
}

async fn claim(store: &Store, hook: &str, now: Timestamp, limit: usize) -> Vec<Claimed> {
    let claim = HookChange::Claim { hook: hook.into(), now, until: now.plus_ms(20_000), limit };
    match store.change_hooks(claim).await.unwrap() {
        HookOutcome::Claimed(claimed) => claimed,
        HookOutcome::Changed(rows) => panic!("{rows}"),
    }
}

fn seqs(claimed: &[Claimed]) -> Vec<u64> {
    claimed.iter().map(|claimed| claimed.seq.0).collect()
}

/// Their entries and states, the newest first.
async fn listed(store: &Store, hook: &str) -> Vec<(u64, DeliveryState)> {
    let query = DeliveryQuery { limit: 100, ..DeliveryQuery::default() };
    let all = store.hook_deliveries(hook, query).await.unwrap();
    all.iter().map(|delivery| (delivery.seq.0, delivery.state)).collect()
}

async fn each_hook_has_what_it_wants_once_and_with_its_entry(place: Place) {
    let store = place.open();
    store.append(telling(1, 0, &["turn.ended"])).await.unwrap();
    add(&store, hook("all", &[])).await;
    add(&store, hook("some", &["turn.ended", "turn.failed"])).await;
    let full = HookChange::Add { hook: hook("more", &[]), secret: secret_of("more"), most: 2 };
    assert_eq!(change(&store, full).await, 0, "there are two");
    // One that is refused leaves nothing; one that is made with others in one group leaves all.
    let refused = store.append(telling(1, 0, &["turn.ended"])).await;
    assert_eq!(refused, Err(AppendError::Conflict { actual: Seq(1) }));
    let kinds = ["session.queued", "turn.failed", "turn.end", "turn.ended"];
    let (one, other) = tokio::join!(store.append(telling(1, 1, &kinds)), store.append(telling(2, 0, &kinds)));
    one.unwrap();
    other.unwrap();
    assert_eq!(store.due_hooks(Timestamp(NOON.0 - 1)).await.unwrap(), Vec::<String>::new());
    assert_eq!(store.due_hooks(NOON).await.unwrap(), ["all", "some"]);
    let all = claim(&store, "all", NOON, 100).await;
    let of = |n: u64| all.iter().filter(|claimed| claimed.session == session(n)).cloned().collect::<Vec<_>>();
    assert_eq!((seqs(&of(1)), seqs(&of(2))), (vec![2, 3, 4, 5], vec![1, 2, 3, 4]));
    assert_eq!(of(1)[0].body, "{\"seq\":2}");
    let some = claim(&store, "some", NOON, 100).await;
    let mut some: Vec<_> = some.iter().map(|claimed| (claimed.session.clone(), claimed.seq.0)).collect();
    some.sort();
    assert_eq!(some, [(session(1), 3), (session(1), 5), (session(2), 2), (session(2), 4)]);
    let elsewhere =
        store.append(Append { notices: telling(3, 4, &["x"]).notices, ..append(&session(3), 0, 1) });
    assert!(matches!(elsewhere.await, Err(AppendError::Refused(_))));
}

async fn a_claim_keeps_others_away_until_it_is_over(place: Place) {
    let store = place.open();
    add(&store, hook("a", &[])).await;
    store.append(telling(1, 0, &["x", "x", "x"])).await.unwrap();
    let other_dir = tempfile::tempdir().unwrap();
    let other = match &place.cluster {
        Some(cluster) => open_at(other_dir.path(), &cluster.url()).unwrap(),
        None => store.clone(),
    };
    let (ours, theirs) = tokio::join!(claim(&store, "a", NOON, 2), claim(&other, "a", NOON, 2));
    let mut both = [seqs(&ours), seqs(&theirs)].concat();
    both.sort_unstable();
    both.extend(seqs(&claim(&store, "a", NOON, 9).await));
    both.sort_unstable();
    assert_eq!(both, [1, 2, 3], "nobody has one that another has");
    assert_eq!(store.due_hooks(Timestamp(LATER.0 - 1)).await.unwrap(), Vec::<String>::new());
    // Whoever had them has died.
    let again = claim(&other, "a", LATER, 9).await;
    assert_eq!((seqs(&again), again[0].tries), (vec![1, 2, 3], 2));
    other.close().await;
}

async fn what_came_of_a_try_counts_only_while_no_other_has_begun(place: Place) {
    let store = place.open();
    add(&store, hook("a", &[])).await;
    store.append(telling(1, 0, &["x"])).await.unwrap();
    let first = claim(&store, "a", NOON, 9).await.remove(0);
    let second = claim(&store, "a", LATER, 9).await.remove(0);
    assert_eq!((first.number, first.tries, second.tries), (second.number, 1, 2));
    let failed = |claimed: &Claimed, due: Option<Timestamp>| HookChange::Failed {
        number: claimed.number,
        tries: claimed.tries,
        at: LATER,
        due,
        outcome: "it answered 500".into(),
    };
    assert_eq!(change(&store, failed(&first, None)).await, 0, "it is the other's");
    let due = LATER.plus_ms(5_000);
    assert_eq!(change(&store, failed(&second, Some(due))).await, 1);
    assert_eq!(listed(&store, "a").await, [(1, DeliveryState::Waiting { due })]);
    let third = claim(&store, "a", due, 9).await.remove(0);
    let came = HookChange::Came {
        hook: "a".into(),
        number: third.number,
        tries: third.tries,
        at: due,
        outcome: "it answered 204".into(),
    };
    assert_eq!(change(&store, came).await, 1);
    assert_eq!(change(&store, failed(&third, Some(due))).await, 0, "it came through");
    assert_eq!(listed(&store, "a").await, [(1, DeliveryState::Delivered { at: due })]);
    assert_eq!(store.hook("a").await.unwrap().unwrap().came_at, Some(due));
    let delivery =
        store.hook_deliveries("a", DeliveryQuery { limit: 9, ..Default::default() }).await.unwrap();
    assert_eq!((delivery[0].tries, delivery[0].outcome.as_str()), (3, "it answered 204"));
    let retry = HookChange::Retry { hook: "a".into(), number: Some(third.number), at: due };
    assert_eq!(change(&store, retry).await, 1);
    let again = claim(&store, "a", due, 9).await.remove(0);
    assert_eq!((again.tries, again.tries_since), (4, 1), "with all its time, and none of its tries");
}

async fn a_disabled_hook_gives_up_what_waits_until_it_is_tried_again(place: Place) {
    let store = place.open();
    add(&store, hook("a", &[])).await;
    store.append(telling(1, 0, &["x", "x"])).await.unwrap();
    let disable = HookChange::Disable { hook: "a".into(), why: "it answered 410".into() };
    assert_eq!(change(&store, disable.clone()).await, 1);
    assert_eq!(change(&store, disable).await, 0);
    store.append(telling(1, 2, &["x"])).await.unwrap();
    assert_eq!(listed(&store, "a").await, [(2, DeliveryState::Dead), (1, DeliveryState::Dead)]);
    let told = store.hooks().await.unwrap().remove(0);
    assert_eq!((told.waiting, told.dead, told.hook.disabled.as_deref()), (0, 2, Some("it answered 410")));
    let dead = DeliveryQuery { dead: true, limit: 1, before: None };
    let first = store.hook_deliveries("a", dead.clone()).await.unwrap().remove(0);
    let rest =
        store.hook_deliveries("a", DeliveryQuery { before: Some(first.number), ..dead }).await.unwrap();
    assert_eq!((first.seq, rest[0].seq, rest.len()), (Seq(2), Seq(1), 1));
    let none = HookChange::Retry { hook: "a".into(), number: Some(999), at: LATER };
    assert_eq!(change(&store, none).await, 0);
    assert!(store.hook("a").await.unwrap().unwrap().disabled.is_some(), "nothing is tried again");
    let one = HookChange::Retry { hook: "a".into(), number: Some(first.number), at: LATER };
    assert_eq!(change(&store, one.clone()).await, 1);
    assert_eq!(change(&store, one).await, 0, "it waits");
    assert_eq!(change(&store, HookChange::Retry { hook: "a".into(), number: None, at: LATER }).await, 1);
    let give_up = HookChange::GiveUp { hook: "a".into() };
    assert_eq!(change(&store, give_up).await, 0, "it is not disabled any more");
    let claimed = claim(&store, "a", LATER, 9).await;
    assert_eq!((seqs(&claimed), claimed[0].since), (vec![1, 2], LATER));
    store.append(telling(1, 3, &["x"])).await.unwrap();
    assert_eq!(seqs(&claim(&store, "a", LATER, 9).await), [4], "it is told again");
}

async fn a_hook_that_is_removed_leaves_nothing(place: Place) {
    let store = place.open();
    add(&store, hook("a", &[])).await;
    store.append(telling(1, 0, &["x"])).await.unwrap();
    let remove = HookChange::Remove { hook: "a".into(), secret: secret_of("a").name };
    assert_eq!(change(&store, remove.clone()).await, 1);
    assert_eq!(change(&store, remove).await, 0);
    assert_eq!((store.hooks().await.unwrap(), store.secrets().await.unwrap()), (vec![], vec![]));
    assert_eq!(listed(&store, "a").await, []);
}

async fn what_is_old_is_forgotten(place: Place) {
    let store = place.open();
    add(&store, hook("a", &[])).await;
    store.append(telling(1, 0, &["x", "x", "x"])).await.unwrap();
    let day = |n: u64| NOON.plus_ms(n * 24 * 60 * 60 * 1000);
    let claimed = claim(&store, "a", NOON, 9).await;
    let came = |claimed: &Claimed, at| {
        let Claimed { number, tries, .. } = *claimed;
        HookChange::Came { hook: "a".into(), number, tries, at, outcome: String::new() }
    };
    let left = async || -> Vec<u64> { listed(&store, "a").await.iter().map(|(seq, _)| *seq).collect() };
    change(&store, came(&claimed[0], NOON)).await;
    let (number, tries) = (claimed[1].number, claimed[1].tries);
    let given_up = HookChange::Failed { number, tries, at: day(1), due: None, outcome: "no".into() };
    change(&store, given_up).await;
    change(&store, came(&claimed[2], day(3))).await;
    assert_eq!(left().await, [3, 2, 1]);
    store.append(Append { at: day(4), ..telling(1, 3, &["x", "x"]) }).await.unwrap();
    let later = claim(&store, "a", day(4), 9).await;
    change(&store, came(&later[0], day(4))).await;
    assert_eq!(left().await, [5, 4, 3, 2], "what came through is forgotten three days after it did");
    change(&store, came(&later[1], day(31))).await;
    assert_eq!(left().await, [5], "and what did not thirty days after it happened");
}
