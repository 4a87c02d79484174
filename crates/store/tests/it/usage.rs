//! What models were asked for: stored with the log, summed up, and made again from it.

use crate::support::*;
use bytes::Bytes;
use lamplight_domain::transcript::Tokens;
use lamplight_domain::{Seq, SessionId, Timestamp};
use lamplight_store::{
    AppendError, Project, Projected, Spent, Store, SummaryRow, USAGE_SUMS, Usage, UsageBy, UsageQuery,
    UsageRow, UsageSum,
};

on_both!(
    what_was_used_is_summed_up_by_whatever_is_asked,
    a_count_is_stored_with_its_entries_or_not_at_all,
    more_than_an_answer_holds_is_told,
    counts_are_made_again_from_the_logs_but_for_what_is_damaged,
);

const DAY_MS: i64 = 24 * 60 * 60_000;

pub(crate) fn used(
    seq: u64,
    day: i64,
    person: &str,
    model: &str,
    input: u64,
    cost_micros: Option<u64>,
) -> UsageRow {
    UsageRow {
        seq: Seq(seq),
        at: Timestamp(NOON.0 + day * DAY_MS),
        person: person.into(),
        repository: format!("/home/{}/sample", person.to_lowercase()),
        model: model.into(),
        tokens: Tokens { input, output: 2, cached: 1, cache_written: 1, reasoning: 1 },
        cost_micros,
        priced_by: cost_micros.map(|_| "list 1".into()),
        is_estimated: model == "own",
    }
}

async fn append_used(store: &Store, n: u64, last: u64, usage: Vec<UsageRow>) -> Result<(), AppendError> {
    let mut append = full_append(&session(n), last, 2);
    append.usage = usage;
    store.append(append).await.map(drop)
}

/// Ada's session asks three times, twice of them on the next day and once without a price; Grace's asks once.
async fn four(store: &Store) {
    append_used(store, 1, 0, vec![used(1, 0, "Ada", "big", 100, Some(500))]).await.unwrap();
    let next = vec![used(3, 1, "Ada", "big", 10, Some(50)), used(4, 1, "Ada", "own", 1, None)];
    append_used(store, 1, 2, next).await.unwrap();
    append_used(store, 2, 0, vec![used(2, 1, "Grace", "big", 1000, Some(5000))]).await.unwrap();
}

async fn sums(store: &Store, by: UsageBy) -> Usage {
    store.usage(UsageQuery::all(by)).await.unwrap()
}

/// Key, requests, input, cost and requests without a price.
fn short(sum: &UsageSum) -> (&str, u64, u64, u64, u64) {
    (&sum.key, sum.requests, sum.tokens.input, sum.cost_micros, sum.unpriced)
}

async fn check(store: &Store, by: UsageBy, expected: &[(&str, u64, u64, u64, u64)]) {
    let usage = sums(store, by).await;
    assert_eq!(usage.sums.iter().map(short).collect::<Vec<_>>(), expected, "{by:?}");
    assert_eq!((short(&usage.total), usage.is_cut), (("", 4, 1111, 5550, 1), false));
}

async fn what_was_used_is_summed_up_by_whatever_is_asked(place: Place) {
    let store = place.open();
    four(&store).await;
    let ada = ("Ada", 3, 111, 550, 1);
    check(&store, UsageBy::Person, &[("Grace", 1, 1000, 5000, 0), ada]).await;
    let of = |name, sum: (&str, u64, u64, u64, u64)| (name, sum.1, sum.2, sum.3, sum.4);
    let grace = of("/home/grace/sample", ("", 1, 1000, 5000, 0));
    check(&store, UsageBy::Repository, &[grace, of("/home/ada/sample", ada)]).await;
    check(&store, UsageBy::Model, &[("big", 3, 1110, 5550, 0), ("own", 1, 1, 0, 1)]).await;
    check(&store, UsageBy::Day, &[("2025-11-22", 3, 1011, 5050, 1), ("2025-11-21", 1, 100, 500, 0)]).await;
    let (one, two) = (session(1).to_string(), session(2).to_string());
    check(&store, UsageBy::Session, &[of(two.as_str(), grace), of(one.as_str(), ada)]).await;
    check(&store, UsageBy::Prices, &[("list 1", 3, 1110, 5550, 0), ("", 1, 1, 0, 1)]).await;
    assert_eq!(sums(&store, UsageBy::Prices).await.sums[1].estimated, 1);
    assert_eq!(sums(&store, UsageBy::Session).await.sums[0].title.as_deref(), Some("Mend the sum"));
    let tokens = sums(&store, UsageBy::Day).await.total.tokens;
    assert_eq!(tokens, Tokens { input: 1111, output: 8, cached: 4, cache_written: 4, reasoning: 4 });
    let stretch = |since: i64, until: i64| UsageQuery {
        since: Some(Timestamp(NOON.0 + since)),
        until: Some(Timestamp(NOON.0 + until)),
        ..UsageQuery::all(UsageBy::Person)
    };
    assert_eq!(store.usage(stretch(0, DAY_MS)).await.unwrap().total.cost_micros, 500, "until is not in it");
    assert_eq!(store.usage(stretch(DAY_MS, DAY_MS + 1)).await.unwrap().total.cost_micros, 5050);
    let spent = store.spent(Timestamp(NOON.0 + 1), Timestamp(i64::MAX)).await.unwrap();
    let of = |sums: [(&str, u64); 2]| sums.map(|(name, micros)| (name.to_owned(), micros)).into();
    let expected = Spent {
        total_micros: 5050,
        people: of([("Ada", 50), ("Grace", 5000)]),
        repositories: of([("/home/ada/sample", 50), ("/home/grace/sample", 5000)]),
    };
    assert_eq!(spent, expected, "what has no price counts for nothing");
    assert_eq!(store.usage(stretch(2 * DAY_MS, 3 * DAY_MS)).await.unwrap().total, UsageSum::default());
}

async fn a_count_is_stored_with_its_entries_or_not_at_all(place: Place) {
    let store = place.open();
    let row = || vec![used(1, 0, "Ada", "big", u64::MAX, Some(u64::MAX))];
    append_used(&store, 1, 0, row()).await.unwrap();
    assert!(matches!(append_used(&store, 1, 0, row()).await, Err(AppendError::Conflict { .. })));
    assert!(
        matches!(append_used(&store, 1, 2, row()).await, Err(AppendError::Refused(_))),
        "an entry of before"
    );
    for n in 2..=20 {
        append_used(&store, n, 0, row()).await.unwrap();
    }
    let total = sums(&store, UsageBy::Model).await.total;
    assert_eq!((total.requests, total.cost_micros), (20, 20_000_000_000_000), "no sum is too large");
    drop(store);
    assert_eq!(sums(&place.open(), UsageBy::Model).await.total, total);
}

async fn more_than_an_answer_holds_is_told(place: Place) {
    let store = place.open();
    let count = USAGE_SUMS as u64 + 1;
    let mut append = append(&session(1), 0, count);
    append.usage = (1..=count).map(|n| used(n, 0, "Ada", &format!("m{n}"), 1, Some(n))).collect();
    store.append(append).await.unwrap();
    let usage = sums(&store, UsageBy::Model).await;
    assert_eq!((usage.sums.len(), usage.is_cut, usage.total.requests), (USAGE_SUMS, true, count));
    assert_eq!(usage.sums[0].key, format!("m{count}"), "the most expensive first");
}

/// Every second entry asked a model.
struct EverySecond(SessionId, u64);

impl Project for EverySecond {
    fn take(&mut self, entries: &[(Seq, Bytes)]) -> Projected {
        self.1 += entries.len() as u64;
        let seqs = entries.iter().map(|(seq, _)| seq.0).filter(|seq| seq.is_multiple_of(2));
        Projected {
            usage: seqs.map(|seq| used(seq, 0, "Ada", "big", 1, Some(1))).collect(),
            ..Projected::default()
        }
    }

    fn summary(self: Box<Self>) -> SummaryRow {
        summary(&self.0, self.1)
    }
}

async fn counts_are_made_again_from_the_logs_but_for_what_is_damaged(place: Place) {
    let store = place.open();
    four(&store).await;
    store.append(append(&session(3), 0, 1500)).await.unwrap();
    store.close().await;
    let number = format!("SELECT number FROM logs WHERE session = '{}'", session(2));
    let spoil = format!("UPDATE log_batches SET crc = crc + 1 WHERE log = ({number})");
    place.sql(&spoil, &spoil);
    let store = place.open();
    assert_eq!(store.rebuild_projections(|id| Box::new(EverySecond(id.clone(), 0))).await.unwrap(), 2);
    let found: Vec<_> =
        sums(&store, UsageBy::Person).await.sums.iter().map(|sum| (sum.key.clone(), sum.requests)).collect();
    assert_eq!(
        found,
        [("Grace".to_owned(), 1), ("Ada".to_owned(), 2 + 750)],
        "the damaged log keeps its count"
    );
}

/// The data fixture of the migration: what was asked before there was a table for it.
#[tokio::test]
async fn logs_of_before_are_counted_when_the_table_is_made() {
    let dir = tempfile::tempdir().unwrap();
    let database = rusqlite::Connection::open(dir.path().join("lamplight.db")).unwrap();
    database.execute_batch(include_str!("../../migrations/0001_log.sql")).unwrap();
    database.execute_batch(include_str!("../fixtures/version_1.sql")).unwrap();
    database.pragma_update(None, "user_version", 1).unwrap();
    drop(database);
    let usage = sums(&open(&dir), UsageBy::Person).await;
    let found: Vec<_> = usage.sums.iter().map(short).collect();
    assert_eq!(found, [("Ada", 2, 1010, 250, 1), ("Grace", 1, 1_000_000_000_000, 7, 0)]);
    let tokens = usage.sums[0].tokens;
    assert_eq!(tokens, Tokens { input: 1010, output: 22, cached: 900, cache_written: 3, reasoning: 1 });
    assert_eq!(sums(&open(&dir), UsageBy::Repository).await.sums[0].key, "/home/ada/sample");
}

/// Rows of before are there as they were, and the server of before, which may still run, can add more.
#[tokio::test]
async fn rows_that_do_not_say_how_they_were_priced_stay() {
    let dir = tempfile::tempdir().unwrap();
    let database = rusqlite::Connection::open(dir.path().join("lamplight.db")).unwrap();
    database.execute_batch(include_str!("../../migrations/0001_log.sql")).unwrap();
    database.execute_batch(include_str!("../fixtures/version_1.sql")).unwrap();
    for migration in
        [include_str!("../../migrations/0002_secrets.sql"), include_str!("../../migrations/0003_usage.sql")]
    {
        database.execute_batch(migration).unwrap();
    }
    database.pragma_update(None, "user_version", 3).unwrap();
    drop(database);
    let before = sums(&open(&dir), UsageBy::Person).await;
    let database = rusqlite::Connection::open(dir.path().join("lamplight.db")).unwrap();
    let insert =
        "INSERT INTO usage (log, seq, at, person, repository, model, input, output, cached, cache_written,
        reasoning, cost_micros) VALUES (99, 1, 0, 'Ada', '/r', 'm', 1, 1, 0, 0, 0, 5)";
    assert_eq!(database.execute(insert, []).unwrap(), 1);
    drop(database);
    let usage = sums(&open(&dir), UsageBy::Prices).await;
    let found: Vec<_> =
        usage.sums.iter().map(|sum| (sum.key.as_str(), sum.requests, sum.estimated)).collect();
    assert_eq!(found, [("", before.total.requests + 1, 0)]);
    assert_eq!(usage.total.cost_micros, before.total.cost_micros + 5);
}
