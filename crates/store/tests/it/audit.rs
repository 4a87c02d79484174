//! The audit log: added to and read, and nothing else, whoever tries.

use crate::support::{NOON, Place, append, on_both, open, session};
use lamplight_domain::Seq;
use lamplight_store::{Append, AppendError, AuditEntry, AuditQuery};

on_both!(
    entries_are_found_by_all_that_is_known_of_them_a_page_at_a_time,
    what_is_audited_is_written_whatever_becomes_of_the_appends_beside_it,
    what_is_audited_with_an_append_is_written_if_that_is,
);

fn asked(n: u64, person: &str, action: &str, outcome: &str) -> AuditEntry {
    AuditEntry {
        at: NOON.plus_ms(n),
        person: person.into(),
        action: action.into(),
        subject: format!("session {}", n % 2),
        detail: String::new(),
        address: "127.0.0.1".into(),
        outcome: outcome.into(),
        code: String::new(),
    }
}

async fn entries_are_found_by_all_that_is_known_of_them_a_page_at_a_time(place: Place) {
    let store = place.open();
    let entries = [
        asked(1, "Ada", "stop_session", "done"),
        asked(2, "Ada", "set_key", "refused"),
        asked(3, "Ben", "stop_session", "done"),
    ];
    for entry in &entries {
        store.audit(entry.clone()).await.unwrap();
    }
    let found = async |query: AuditQuery| -> Vec<AuditEntry> {
        let page = store.audited(AuditQuery { limit: 10, ..query }).await.unwrap();
        assert!(page.is_last);
        page.items.into_iter().map(|row| row.entry).collect()
    };
    let of = |ns: &[usize]| ns.iter().map(|n| entries[*n].clone()).collect::<Vec<_>>();
    let text = |text: &str| Some(text.to_owned());
    let all = AuditQuery::default;
    assert_eq!(found(all()).await, of(&[2, 1, 0]));
    assert_eq!(found(AuditQuery { person: text("Ada"), ..all() }).await, of(&[1, 0]));
    assert_eq!(found(AuditQuery { action: text("stop_session"), ..all() }).await, of(&[2, 0]));
    assert_eq!(found(AuditQuery { subject: text("session 0"), ..all() }).await, of(&[1]));
    assert_eq!(found(AuditQuery { outcome: text("refused"), ..all() }).await, of(&[1]));
    assert_eq!(found(AuditQuery { since: Some(NOON.plus_ms(3)), ..all() }).await, of(&[2]));
    let both = AuditQuery { person: text("Ben"), action: text("set_key"), ..all() };
    assert_eq!(found(both).await, of(&[]));

    let first = store.audited(AuditQuery { limit: 2, ..all() }).await.unwrap();
    assert!(!first.is_last && first.items.len() == 2);
    let before = Some(first.items[1].id);
    assert_eq!(found(AuditQuery { before, ..all() }).await, of(&[0]));
}

async fn what_is_audited_is_written_whatever_becomes_of_the_appends_beside_it(place: Place) {
    let store = place.open();
    for n in 1..3 {
        store.append(append(&session(n), 0, 1)).await.unwrap();
    }
    let audits = (0..20).map(|n| store.audit(asked(n, "\0Ada", "edit_prompt", "done")));
    let appends = [append(&session(1), 1, 2), append(&session(2), 7, 2)].map(|append| store.append(append));
    let (audited, appended) =
        tokio::join!(futures::future::join_all(audits), futures::future::join_all(appends));
    audited.into_iter().for_each(|audited| audited.unwrap());
    assert_eq!(appended[0].as_ref().unwrap().last, Seq(3));
    assert_eq!(appended[1], Err(AppendError::Conflict { actual: Seq(1) }));
    let page = store.audited(AuditQuery { limit: 30, ..AuditQuery::default() }).await.unwrap();
    let moments = page.items.iter().map(|row| row.entry.at).collect::<Vec<_>>();
    assert_eq!(moments, (0..20).rev().map(|n| NOON.plus_ms(n)).collect::<Vec<_>>());
    let last =
        AuditEntry { person: page.items[0].entry.person.clone(), ..asked(19, "", "edit_prompt", "done") };
    assert_eq!(page.items[0].entry, last);
    assert!(last.person.ends_with("Ada"), "{last:?}");
}

async fn what_is_audited_with_an_append_is_written_if_that_is(place: Place) {
    let store = place.open();
    store.append(append(&session(2), 0, 1)).await.unwrap();
    let asking = |n: u64, last: u64, audited: &[u64]| {
        let audited = audited.iter().map(|n| asked(*n, "Ada", "edit_prompt", "done")).collect();
        store.append(Append { audited, ..append(&session(n), last, 2) })
    };
    // Of a new log, of one that is there, and of one that ends elsewhere; and one that stands for itself.
    let (new, there, elsewhere, alone) = tokio::join!(
        asking(1, 0, &[1]),
        asking(2, 1, &[2, 3]),
        asking(3, 7, &[4]),
        store.audit(asked(5, "Ada", "stop_session", "done")),
    );
    new.unwrap();
    there.unwrap();
    alone.unwrap();
    assert_eq!(elsewhere, Err(AppendError::Conflict { actual: Seq(0) }));
    // Once more, in a group that is nothing else.
    let (there, elsewhere) = tokio::join!(asking(2, 3, &[6]), asking(1, 1, &[7]));
    there.unwrap();
    assert_eq!(elsewhere, Err(AppendError::Conflict { actual: Seq(2) }));
    let page = store.audited(AuditQuery { limit: 30, ..AuditQuery::default() }).await.unwrap();
    let mut moments: Vec<_> = page.items.iter().map(|row| row.entry.at).collect();
    moments.sort();
    assert_eq!(moments, [1, 2, 3, 5, 6].map(|n| NOON.plus_ms(n)));
}

#[tokio::test]
async fn nobody_changes_or_removes_an_entry() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    store.audit(asked(1, "Ada", "stop_session", "done")).await.unwrap();
    store.close().await;
    let database = rusqlite::Connection::open(dir.path().join("lamplight.db")).unwrap();
    for attempt in [
        "UPDATE audit SET person = 'Ben'",
        "DELETE FROM audit",
        "REPLACE INTO audit SELECT id, at, 'Ben', action, subject, detail, address, outcome, code FROM audit",
        "INSERT OR REPLACE INTO audit SELECT id, at, 'Ben', action, subject, detail, address, outcome, code FROM audit",
        "INSERT INTO audit SELECT id, at, 'Ben', action, subject, detail, address, outcome, code FROM audit WHERE true
         ON CONFLICT (id) DO UPDATE SET person = 'Ben'",
    ] {
        let refused = database.execute(attempt, []).unwrap_err().to_string();
        assert!(refused.contains("only added to"), "{attempt}: {refused}");
    }
    drop(database);
    let store = open(&dir);
    let page = store.audited(AuditQuery { limit: 10, ..AuditQuery::default() }).await.unwrap();
    let kept: Vec<_> = page.items.into_iter().map(|row| row.entry).collect();
    assert_eq!(kept, [asked(1, "Ada", "stop_session", "done")]);
}
