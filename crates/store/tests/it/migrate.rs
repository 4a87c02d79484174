//! Every table comes through as it was, or nothing does.

use crate::support::*;
use bytes::Bytes;
use lamplight_domain::{Role, Scope, Seq};
use lamplight_store::{
    Announced, Append, AuditEntry, AuditQuery, AutomationChange, ChoiceChange, Credential, CredentialKind,
    Delivery, DeliveryQuery, ForgeChange, Identity, LentChange, LentRow, Mark, Migrated, Owner, PeopleChange,
    PersonRow, PostgresAddress, Remark, Remembered, ReplyOwed, ReviewChange, Reviewed, SealedSecret, Store,
    Thread,
};

fn remembered(n: i64) -> Remembered {
    let (key, fingerprint, response) = (format!("key {n}"), "f".into(), "an answer\0".into());
    Remembered { key, fingerprint, response, at: NOON }
}

/// Something in every table.
async fn fill(store: &Store) {
    for n in 1..=3 {
        // A session that hooks are told of.
        if n == 1 {
            crate::hooks::add(store, crate::hooks::hook("a", &["turn.ended"])).await;
        }
        for last in 0..n * 20 {
            let mut append = full_append(&session(n), last * 2, 2);
            append.usage = vec![crate::usage::used(last * 2 + 1, 0, "Ada", "big", 7, (n == 1).then_some(3))];
            if last == 0 {
                append.notices = crate::hooks::telling(n, 0, &["turn.ended"]).notices;
            }
            store.append(append).await.unwrap();
        }
    }
    crate::packs::pack_all(store, &session(1)).await;
    store.remember(remembered(1)).await.unwrap();
    store.touch_repository("/r", NOON).await.unwrap();
    let (name, nonce, ciphertext) = ("openai".into(), vec![7; 24], vec![0, 255, 1]);
    store.set_secret(SealedSecret { name, nonce, ciphertext, set_at: NOON }).await.unwrap();
    for n in 0..3 {
        store
            .audit(AuditEntry { at: NOON.plus_ms(n), person: "Ada".into(), ..Default::default() })
            .await
            .unwrap();
    }
    let delivery = Delivery { id: "d".into(), identity: None, body: "{}".into(), at: NOON };
    let mark = Some(Mark { name: "list".into(), at: "7".into() });
    let thread = Thread {
        repository: "acme/api".into(),
        number: 5,
        session: session(1),
        begun_at: NOON,
        comment: None,
        told: String::new(),
        branch: None,
        pull_request: None,
        problem: None,
        problem_at: None,
    };
    let prompt = |n: u64| format!("01K{n:023}").parse().unwrap();
    let read = |n: u64| ReviewChange::Read {
        session: session(1),
        reviewed: Some(Reviewed { review: n, ..Reviewed::default() }),
        remark: Some(Remark { prompt: prompt(9 - n), text: format!("remark {n}"), by: "Bo".into() }),
        replies: vec![ReplyOwed { about: n, thread: 0, prompt: prompt(9 - n), number: 1 }],
    };
    for change in [
        ForgeChange::Deliver { deliveries: vec![delivery], mark },
        ForgeChange::BeginThread { thread, instead_of: Vec::new() },
        ForgeChange::Review(Box::new(read(1))),
        ForgeChange::Review(Box::new(read(2))),
    ] {
        assert!(store.forge(change).await.unwrap() > 0);
    }
    let ada = PersonRow {
        id: "ADA".into(),
        name: "Ada".into(),
        email: "ada@example.org".into(),
        role: Role::Owner,
        created_at: NOON,
        removed_at: None,
    };
    let identity =
        Identity { issuer: "i".into(), subject: "7".into(), person: "ADA".into(), login: "ada".into() };
    let kind = CredentialKind::Token { person: "ADA".into(), name: "ci".into(), scope: Scope::Read };
    let credential =
        Credential { id: "c".into(), hash: [9; 32], kind, created_at: NOON, expires_at: None, used_at: None };
    let enter = PeopleChange::Enter {
        once: None,
        now: NOON,
        person: Some(Box::new(ada)),
        identity: Some(Box::new(identity)),
        credential,
        token: None,
    };
    store.change_people(enter).await.unwrap();
    let lent = LentRow { id: session(7), person: "Ada".into(), body: vec![1, 2] };
    store.change_lent(LentChange::Keep(lent)).await.unwrap();
    let choice = crate::attempts::choice(1, 2);
    assert_eq!(store.change_choice(ChoiceChange::Make(choice)).await.unwrap(), 1);
    let run = crate::automations::run("nightly", "due/1", 5);
    for change in [
        AutomationChange::Add(crate::automations::row("nightly", Some(NOON))),
        AutomationChange::Begin(vec![run]),
    ] {
        assert_eq!(store.change_automation(change).await.unwrap(), 1);
    }
}

/// What a store says of all of that.
async fn told(store: &Store) -> String {
    let mut told = Vec::new();
    for n in 1..=3 {
        let log: Vec<(Seq, Bytes)> = read_all(store, &session(n)).await.unwrap();
        told.push(format!("{log:?} {:?}", store.summary(&session(n)).await.unwrap()));
    }
    let query = lamplight_store::UsageQuery::all(lamplight_store::UsageBy::Session);
    told.push(format!("{:?}", store.usage(query).await.unwrap()));
    told.push(format!("{:?}", store.search("entry follows", None, 500).await.unwrap()));
    told.push(format!("{:?}", store.recall("key 1", NOON).await.unwrap()).replace("\\u{fffd}", "\\0"));
    told.push(format!("{:?} {:?}", store.repositories(9).await.unwrap(), store.secrets().await.unwrap()));
    let audited = store.audited(AuditQuery { limit: 9, ..AuditQuery::default() }).await.unwrap();
    told.push(format!("{audited:?} {:?}", store.waiting_deliveries(NOON, 9).await.unwrap()));
    told.push(format!("{:?} {:?}", store.mark("list").await.unwrap(), store.threads(9).await.unwrap()));
    let s = session(1);
    told.push(format!("{:?} {:?}", store.reviewed(&s).await.unwrap(), store.remarks(&s).await.unwrap()));
    told.push(format!("{:?} {:?}", store.replies_owed(&s).await.unwrap(), store.people().await.unwrap()));
    let credential = store.credential([9; 32], NOON).await.unwrap();
    told.push(format!("{:?} {credential:?}", store.identities("ADA").await.unwrap()));
    told.push(format!("{:?}", store.lent().await.unwrap()));
    let query = DeliveryQuery { limit: 9, ..DeliveryQuery::default() };
    let deliveries = store.hook_deliveries("a", query).await.unwrap();
    told.push(format!("{:?} {deliveries:?}", store.hooks().await.unwrap()));
    told.push(format!("{:?}", store.unsettled_choices(9).await.unwrap()));
    told.push(format!("{:?} {:?}", store.automations().await.unwrap(), store.open_runs().await.unwrap()));
    told.join("\n").replace('\u{fffd}', "\\0")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_table_comes_through_as_it_was_and_goes_on() {
    let (from, to) = (Place::sqlite(), Place::postgres());
    let store = from.open();
    fill(&store).await;
    let before = told(&store).await;
    let address = PostgresAddress::new(&to.cluster.as_ref().unwrap().url(), None).unwrap();
    let used = Migrated::run(from.path(), &address).unwrap_err();
    assert!(used.to_string().contains("another Lamplight server"), "{used}");
    store.close().await;
    let moved = Migrated::run(from.path(), &address).unwrap();
    assert_eq!((moved.sessions, moved.entries), (3, 40 + 80 + 120));
    // What a server goes on with is in the same data directory.
    std::fs::rename(from.path().join("blobs"), to.path().join("blobs")).unwrap();
    let store = to.open();
    assert_eq!(store.announce(Announced::default()).await, Ok(None));
    assert_eq!(told(&store).await, before);
    // New rows get numbers behind those that came.
    let notices = crate::hooks::telling(9, 0, &["turn.ended"]).notices;
    store.append(Append { notices, ..full_append(&session(9), 0, 1) }).await.unwrap();
    assert_eq!(store.claim(&session(1)).await, Ok(Owner::Ours));
    store.append(full_append(&session(1), 40, 1)).await.unwrap();
    let served = Migrated::run(from.path(), &address).unwrap_err();
    assert!(served.to_string().contains("a Lamplight server is using"), "{served}");
    store.audit(AuditEntry::default()).await.unwrap();
    let delivery = Delivery { id: "e".into(), identity: None, body: "{}".into(), at: NOON };
    store.forge(ForgeChange::Deliver { deliveries: vec![delivery], mark: None }).await.unwrap();
    check_log(&store, &session(1), 41).await;
    store.close().await;
    std::fs::rename(to.path().join("blobs"), from.path().join("blobs")).unwrap();
    let full = Migrated::run(from.path(), &address).unwrap_err();
    assert!(full.to_string().contains("not empty: there is something in"), "{full}");
    assert_eq!(told(&from.open()).await, before, "the source is as it was");
}

/// A value that should not be there stops all of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_come_through_leaves_the_database_empty() {
    let (from, to) = (Place::sqlite(), Place::postgres());
    let store = from.open();
    fill(&store).await;
    store.close().await;
    from.sql("UPDATE people SET created_at = 'yesterday'", "");
    let cluster = to.cluster.as_ref().unwrap();
    let address = PostgresAddress::new(&cluster.url(), None).unwrap();
    let refused = format!("{:#}", Migrated::run(from.path(), &address).unwrap_err());
    assert!(refused.contains("copy people: created_at is Text and should be bigint"), "{refused}");
    assert_eq!(cluster.sql("SELECT count(*) FROM logs"), Ok("0".into()));
    from.sql("UPDATE people SET created_at = 1", "");
    Migrated::run(from.path(), &address).unwrap();
}
