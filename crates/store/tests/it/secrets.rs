//! Secrets as the store keeps them.

use crate::support::{NOON, Place, append, on_both, open, session};
use lamplight_domain::{Seq, Timestamp};
use lamplight_store::SealedSecret;

on_both!(a_secret_is_kept_replaced_and_removed,);

fn sealed(name: &str, ciphertext: &[u8], set_at: Timestamp) -> SealedSecret {
    SealedSecret { name: name.into(), nonce: vec![7; 24], ciphertext: ciphertext.into(), set_at }
}

async fn a_secret_is_kept_replaced_and_removed(place: Place) {
    let store = place.open();
    assert_eq!(store.secrets().await.unwrap(), []);
    store.set_secret(sealed("openai", b"first", NOON)).await.unwrap();
    store.set_secret(sealed("anthropic", b"other", NOON)).await.unwrap();
    let second = sealed("openai", b"second", NOON.plus_ms(1));
    store.set_secret(second.clone()).await.unwrap();
    let expected = vec![sealed("anthropic", b"other", NOON), second.clone()];
    assert_eq!(store.secrets().await.unwrap(), expected);
    store.close().await;

    let store = place.open();
    assert_eq!(store.secrets().await.unwrap(), expected);
    assert!(store.remove_secret("anthropic").await.unwrap());
    assert!(!store.remove_secret("anthropic").await.unwrap());
    assert_eq!(store.secrets().await.unwrap(), [second]);
}

/// What a server of the first schema has written stays what it is, and can be written on.
#[tokio::test]
async fn a_store_of_the_first_schema_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    store.append(append(&session(1), 0, 3)).await.unwrap();
    store.close().await;
    let connection = rusqlite::Connection::open(dir.path().join("lamplight.db")).unwrap();
    let later = "DROP INDEX summaries_listed; DROP INDEX summaries_dead; ALTER TABLE summaries DROP COLUMN person;
        ALTER TABLE summaries DROP COLUMN archived; ALTER TABLE summaries DROP COLUMN dead; DROP TABLE secrets; DROP TABLE usage;
        DROP TABLE people; DROP TABLE identities; DROP TABLE credentials;
        DROP TABLE audit; DROP TABLE deliveries; DROP TABLE marks; DROP TABLE threads; DROP TABLE reviewed;
        DROP TABLE remarks; DROP TABLE replies; DROP TABLE lent; DROP TABLE hooks; DROP TABLE hook_deliveries;
        DROP TABLE automation_runs; DROP TABLE automations; DROP TABLE attempts_taken; DROP TABLE log_packs;
        ALTER TABLE logs DROP COLUMN format;";
    connection.execute_batch(&format!("{later} PRAGMA user_version = 1")).unwrap();
    drop(connection);

    let store = open(&dir);
    assert_eq!(store.last_seq(&session(1)).await.unwrap(), Seq(3));
    store.append(append(&session(1), 3, 1)).await.unwrap();
    store.set_secret(sealed("openai", b"sealed", NOON)).await.unwrap();
    assert_eq!(store.secrets().await.unwrap().len(), 1);
}
