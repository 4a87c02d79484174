//! Several servers on one database: whose a session is, and what a stale owner may still do.

use crate::people::{credential, enter, person};
use crate::support::*;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use lamplight_domain::{Role, Seq, SessionId};
use lamplight_store::{
    Announced, AppendError, Away, CredentialKind, Disk, LentChange, LentRow, Owner, PeopleChange,
    PeopleOutcome, Remembered, Store, Together, Unwritten, Whose,
};
use std::collections::BTreeSet;
use std::sync::Arc;
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// A database with so many servers.
struct Servers {
    place: Place,
    stores: Vec<Store>,
    _dirs: Vec<TempDir>,
}

impl Servers {
    fn start(count: usize) -> Self {
        let place = Place::postgres();
        let dirs: Vec<TempDir> = (0..count).map(|_| tempfile::tempdir().unwrap()).collect();
        let url = place.cluster.as_ref().unwrap().url();
        let stores = dirs.iter().map(|dir| open_at(dir.path(), &url).unwrap()).collect();
        Self { place, stores, _dirs: dirs }
    }

    fn sql(&self, text: &str) -> String {
        self.place.cluster.as_ref().unwrap().sql(text).unwrap()
    }

    /// It has not renewed for long, by the database's clock.
    fn expire(&self, store: &Store) {
        self.sql(&format!("UPDATE servers SET expires_at = 1 WHERE number = {}", store.server()));
    }

    /// As long as the test takes.
    fn keep(&self) {
        self.sql("UPDATE servers SET expires_at = expires_at + 3600000 WHERE expires_at > 1");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_stale_owner_appends_is_refused_and_changes_nothing() {
    let servers = Servers::start(2);
    let [one, other] = &servers.stores[..] else { unreachable!() };
    servers.keep();
    let (s, mine) = (session(1), session(2));
    one.append(full_append(&s, 0, 3)).await.unwrap();
    one.append(full_append(&mine, 0, 3)).await.unwrap();
    // As long as its owner is there, nobody else has it.
    match other.claim(&s).await.unwrap() {
        Owner::Other(server) => assert_eq!((server.number, server.is_alive), (one.server(), true)),
        owner => panic!("{owner:?}"),
    }
    assert_eq!(other.append(append(&s, 3, 1)).await, Err(AppendError::Fenced));

    servers.expire(one);
    // It may only have lost the database, and be back in a moment.
    match other.claim_left(&s).await.unwrap() {
        Owner::Other(server) => assert_eq!((server.number, server.is_alive), (one.server(), false)),
        owner => panic!("{owner:?}"),
    }
    assert_eq!(other.claim_open(Whose::Left, 10).await, Ok(vec![]));
    assert_eq!(other.claim_open(Whose::Ours, 10).await, Ok(vec![]));
    assert_eq!(other.claim(&s).await, Ok(Owner::Ours));
    // Among others, that are good, and before anything was appended by the new one.
    let (stale, good) = tokio::join!(one.append(full_append(&s, 3, 1)), one.append(full_append(&mine, 3, 2)));
    assert_eq!((stale, good.unwrap().last), (Err(AppendError::Fenced), Seq(5)));
    other.append(full_append(&s, 3, 2)).await.unwrap();
    assert_eq!(one.append(append(&s, 5, 1)).await, Err(AppendError::Fenced));
    check_log(other, &s, 5).await;
    assert_eq!(servers.sql("SELECT count(*) FROM texts"), "4", "nothing of what was refused is found");
    // It is told, and does not get it back by claiming.
    assert!(matches!(one.claim(&s).await, Ok(Owner::Other(_))));
    check_log(one, &s, 5).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lent_sandbox_is_at_the_server_that_lent_it() {
    let servers = Servers::start(2);
    servers.keep();
    let [one, other] = &servers.stores[..] else { unreachable!() };
    let lent = LentRow { id: session(1), person: "Ada".into(), body: b"sealed".into() };
    one.change_lent(LentChange::Keep(lent)).await.unwrap();
    for (store, is_us) in [(one, true), (other, false)] {
        let server = store.lent_by(&session(1)).await.unwrap().unwrap();
        assert_eq!((server.number, server.is_us, server.is_alive), (one.server(), is_us, true));
        assert_eq!(store.lent_by(&session(2)).await, Ok(None));
    }
    servers.expire(one);
    assert!(!other.lent_by(&session(1)).await.unwrap().unwrap().is_alive);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_that_claim_each_session_has_one_owner() {
    const SESSIONS: u64 = 60;
    let servers = Servers::start(4);
    servers.keep();
    let (gone, others) = servers.stores.split_first().unwrap();
    for n in 0..SESSIONS {
        gone.append(full_append(&session(n), 0, 1)).await.unwrap();
    }
    assert_eq!(others[0].claim_open(Whose::Gone, 100).await, Ok(vec![]), "its server is there");
    servers.expire(gone);
    let mut tasks = JoinSet::new();
    for store in others.iter().cloned() {
        tasks.spawn(async move {
            let mut all: Vec<SessionId> = Vec::new();
            loop {
                let claimed = store.claim_open(Whose::Gone, 7).await.unwrap();
                if claimed.is_empty() {
                    return (store, all);
                }
                all.extend(claimed);
            }
        });
    }
    let mut seen = BTreeSet::new();
    for (store, claimed) in tasks.join_all().await {
        for s in claimed {
            assert!(seen.insert(s.clone()), "{s} was claimed twice");
            store.append(full_append(&s, 1, 1)).await.unwrap();
        }
    }
    assert_eq!(seen.len() as u64, SESSIONS);
    // One session that all want.
    servers.expire(&others[0]);
    let s = session(1000);
    gone.append(append(&s, 0, 1)).await.unwrap();
    let mut tasks = JoinSet::new();
    for (store, s) in others[1..].iter().cloned().zip(std::iter::repeat(s)) {
        tasks.spawn(async move { store.claim(&s).await.unwrap() });
    }
    let owners: Vec<Owner> = tasks.join_all().await;
    assert_eq!(owners.iter().filter(|owner| **owner == Owner::Ours).count(), 1, "{owners:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_is_renewed_or_ends_by_the_clock_of_the_database() {
    let servers = Servers::start(2);
    let [one, other] = &servers.stores[..] else { unreachable!() };
    let (first, second) = (one.renew().await.unwrap(), other.renew().await.unwrap());
    assert_eq!((first.is_first, first.was_gone), (true, false));
    assert_eq!((second.is_first, second.was_gone), (false, false));
    let alive = async |store: &Store| {
        let servers = store.servers().await.unwrap();
        servers.into_iter().filter(|server| server.is_alive).map(|server| server.number).collect::<Vec<_>>()
    };
    assert_eq!(alive(one).await, [one.server(), other.server()]);
    servers.expire(one);
    assert_eq!(alive(other).await, [other.server()]);
    assert!(other.renew().await.unwrap().is_first, "somebody does what is done once");
    let back = one.renew().await.unwrap();
    assert_eq!((back.is_first, back.was_gone), (false, true), "and goes on to do so");
    other.close().await;
    assert_eq!(alive(one).await, [one.server()]);
}

/// The next process in the same directory is the same server: what was its own is so at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_next_process_of_a_server_has_its_sessions_and_the_one_before_has_none() {
    let place = Place::postgres();
    let store = place.open();
    let (number, s) = (store.server(), session(1));
    store.append(full_append(&s, 0, 1)).await.unwrap();
    store.close().await;
    let store = place.open();
    assert_eq!(store.server(), number);
    assert_eq!(store.append(append(&s, 1, 1)).await, Err(AppendError::Fenced), "it has to be claimed");
    assert_eq!(store.claim_open(Whose::Ours, 10).await, Ok(vec![s.clone()]));
    store.append(full_append(&s, 1, 1)).await.unwrap();
    // Another directory is another server.
    let dir = tempfile::tempdir().unwrap();
    let other = open_at(dir.path(), &place.cluster.as_ref().unwrap().url()).unwrap();
    assert_ne!(other.server(), number);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_with_different_keys_are_not_let_in_together() {
    let servers = Servers::start(2);
    let [one, other] = &servers.stores[..] else { unreachable!() };
    let announced = |key: &str| Announced {
        address: format!("http://127.0.0.1:{}", key.len()),
        key: key.into(),
        version: "1".into(),
    };
    assert_eq!(one.announce(announced("a key")).await, Ok(None));
    let refused = other.announce(announced("another")).await.unwrap();
    assert_eq!(refused.as_deref(), Some("http://127.0.0.1:5"));
    assert!(other.announce(announced("")).await.unwrap().is_some(), "no key is no key of theirs");
    assert_eq!(other.announce(announced("a key")).await, Ok(None));
    servers.expire(one);
    servers.expire(other);
    assert_eq!(one.announce(announced("another")).await, Ok(None), "nobody else is there");
}

/// What is looked at before it is written, by two servers at the same moment.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_counts_once_counts_once_among_all_servers() {
    let servers = Servers::start(2);
    let [one, other] = &servers.stores[..] else { unreachable!() };
    for n in 1..=20_u8 {
        let kind = CredentialKind::Invitation { role: Role::Member, by: "ada".into() };
        let invitation = credential(&format!("i{n}"), n, kind);
        one.change_people(PeopleChange::Add(invitation)).await.unwrap();
        let come = async |store: &Store, name: &str, hash: u8| {
            enter(store, Some([n; 32]), person(&format!("{name}{n}"), Role::Member), hash, None).await
        };
        let came = tokio::join!(come(one, "bo", 100 + n), come(other, "cy", 150 + n));
        let done = [&came.0, &came.1].iter().filter(|outcome| ***outcome == PeopleOutcome::Done).count();
        assert_eq!(done, 1, "{came:?}");

        let key = Remembered {
            key: format!("create-{n}"),
            fingerprint: "abc".into(),
            response: "made".into(),
            at: NOON,
        };
        let begin = async |store: &Store, id: u64| {
            let mut new = append(&session(id), 0, 1);
            new.once = Some(key.clone());
            store.append(new).await
        };
        let begun = tokio::join!(begin(one, 1000 + u64::from(n)), begin(other, 2000 + u64::from(n)));
        let repeated = Err(AppendError::Repeated(key.clone()));
        let times = [&begun.0, &begun.1].iter().filter(|answer| ***answer == repeated).count();
        assert!(times == 1 && (begun.0.is_ok() || begun.1.is_ok()), "{begun:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_newer_version_has_had_is_left_to_that() {
    let servers = Servers::start(2);
    let [one, other] = &servers.stores[..] else { unreachable!() };
    servers.keep();
    let (newer, same) = (session(1), session(2));
    for s in [&newer, &same] {
        one.append(full_append(s, 0, 1)).await.unwrap();
    }
    // As a server would that knows an event more.
    let of = |s: &SessionId, format: &str| {
        servers.sql(&format!(
            "UPDATE logs SET format = {format} WHERE session = '{}' RETURNING format",
            s.as_str()
        ))
    };
    of(&newer, "format + 1");
    assert!(matches!(other.owner(&newer).await, Ok(Owner::Other(_))), "while that server is there");
    // It hands its sessions back, as at the end of an upgrade that is undone.
    servers.sql(&format!("UPDATE servers SET expires_at = 0 WHERE number = {}", one.server()));
    for whose in [Whose::Left, Whose::Gone] {
        assert!(!other.claim_open(whose, 10).await.unwrap().contains(&newer), "{whose:?}");
    }
    assert_eq!(other.claim(&same).await, Ok(Owner::Ours));
    assert_eq!(other.claim(&newer).await, Ok(Owner::Newer));
    assert!(matches!(other.append(append(&newer, 1, 1)).await, Err(AppendError::Fenced)));
    // What is older is read by whoever is newer, and from then on is not left to the older one.
    of(&newer, "0");
    assert_eq!(other.claim(&newer).await, Ok(Owner::Ours));
    let formats = servers.sql("SELECT DISTINCT format FROM logs");
    assert_eq!(formats, lamplight_domain::event::FORMAT.to_string());
}

/// A database to which the way is open, or not: then nobody hears what was written.
struct Way(watch::Sender<bool>);

impl Disk for Way {
    fn write(&self) -> BoxFuture<'_, Result<(), Unwritten>> {
        async { Ok(()) }.boxed()
    }

    fn written(&self) -> BoxFuture<'_, ()> {
        async { drop(self.0.subscribe().wait_for(|is_open| *is_open).await.unwrap()) }.boxed()
    }

    fn read(&self) -> BoxFuture<'_, Result<(), Away>> {
        async { Ok(()) }.boxed()
    }
}

/// Another server may have the session when this one hears that it had it.
#[tokio::test]
async fn what_is_answered_after_all_was_let_go_is_not_held() {
    let [shared, own] = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let database = Together::open(shared.path(), Arc::new(|| NOON.0)).unwrap();
    let way = Arc::new(Way(watch::Sender::new(true)));
    let store = Store::open_together(own.path(), &database, 1, way.clone()).unwrap();
    let s = session(1);
    let late = async |asked: &mut (dyn Future<Output = ()> + Unpin)| {
        way.0.send_replace(false);
        assert!((&mut *asked).now_or_never().is_none(), "it waits for its answer");
        store.let_all_go();
        way.0.send_replace(true);
        asked.await;
        assert!(!store.is_held(&s));
    };
    late(&mut store.append(full_append(&s, 0, 1)).map(|written| assert!(written.is_ok())).boxed()).await;
    late(&mut store.claim(&s).map(|owner| assert_eq!(owner, Ok(Owner::Ours))).boxed()).await;
    late(&mut store.claim_open(Whose::Ours, 1).map(|claimed| assert_eq!(claimed.unwrap().len(), 1)).boxed())
        .await;
    assert_eq!(store.claim(&s).await, Ok(Owner::Ours));
    assert!(store.is_held(&s));
}

#[tokio::test]
async fn on_sqlite_every_session_is_ours_and_nothing_is_asked() {
    let place = Place::sqlite();
    let store = place.open();
    let s = session(1);
    assert!(!store.is_shared() && store.is_held(&s));
    assert_eq!(store.claim(&s).await, Ok(Owner::Ours));
    store.append(full_append(&s, 0, 1)).await.unwrap();
    store.let_all_go();
    store.append(full_append(&s, 1, 1)).await.unwrap();
    assert_eq!(store.claim_open(Whose::Ours, 10).await, Ok(vec![s]));
    assert_eq!(store.servers().await, Ok(vec![]));
    assert!(store.renew().await.unwrap().is_first);
}
