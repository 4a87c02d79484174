//! Automations and their runs: of the same time there is one, and what ended stays as it ended.

use crate::support::{NOON, Place, on_both, open_at, session};
use lamplight_domain::Timestamp;
use lamplight_store::{AutomationChange, AutomationRow, NewRun, Paused, RunState, Settled, Store};
use tokio::task::JoinSet;

on_both!(
    an_automation_is_kept_changed_and_removed_with_its_runs,
    a_time_has_one_run_however_often_it_is_noticed,
    a_run_waits_runs_and_ends_once,
    what_ended_is_forgotten_after_months_and_what_runs_is_not,
);

pub(crate) fn row(name: &str, due_at: Option<Timestamp>) -> AutomationRow {
    AutomationRow {
        id: name.to_lowercase(),
        name: name.to_owned(),
        owner: Some("ADA".to_owned()),
        owner_name: "Ada".to_owned(),
        repository: "/repository".to_owned(),
        forge: Some("acme/api".to_owned()),
        body: "{}".to_owned(),
        created_at: NOON,
        due_at,
        paused: None,
        failures: 0,
    }
}

pub(crate) fn run(automation: &str, key: &str, n: u64) -> NewRun {
    NewRun {
        automation: automation.to_owned(),
        key: key.to_owned(),
        cause: "{}".to_owned(),
        session: session(n),
        at: NOON.plus_ms(n),
    }
}

async fn change(store: &Store, change: AutomationChange) -> usize {
    store.change_automation(change).await.unwrap()
}

async fn states(store: &Store, automation: &str) -> Vec<RunState> {
    store.runs(automation, 100).await.unwrap().into_iter().map(|run| run.state).collect()
}

async fn an_automation_is_kept_changed_and_removed_with_its_runs(place: Place) {
    let store = place.open();
    let (one, other) = (row("Nightly", Some(NOON)), AutomationRow { forge: None, ..row("Weekly", None) });
    for new in [&other, &one] {
        assert_eq!(change(&store, AutomationChange::Add(new.clone())).await, 1);
    }
    let same = AutomationRow { id: "x".to_owned(), ..row("NIGHTLY", None) };
    assert_eq!(change(&store, AutomationChange::Add(same)).await, 0, "the name is taken");
    assert_eq!(store.automations().await.unwrap(), [one.clone(), other.clone()]);
    assert_eq!(store.automations_of("acme/api").await.unwrap(), std::slice::from_ref(&one));
    assert_eq!(store.automations_due(Timestamp(NOON.0 - 1)).await.unwrap(), []);
    assert_eq!(store.automations_due(NOON).await.unwrap(), std::slice::from_ref(&one));

    let paused = |why: &str| Paused { why: why.to_owned(), at: NOON };
    let pause = |why: &str| AutomationChange::Pause { id: one.id.clone(), paused: paused(why) };
    assert_eq!((change(&store, pause("first")).await, change(&store, pause("later")).await), (1, 0));
    let now = store.automation(&one.id).await.unwrap().unwrap();
    assert_eq!((now.paused, now.due_at), (Some(paused("first")), None));
    let resume = || AutomationChange::Resume { id: one.id.clone(), due: Some(NOON.plus_ms(5)) };
    assert_eq!((change(&store, resume()).await, change(&store, resume()).await), (1, 0));
    let now = store.automation(&one.id).await.unwrap().unwrap();
    assert_eq!(now, AutomationRow { due_at: Some(NOON.plus_ms(5)), ..one.clone() });

    let runs = vec![run(&one.id, "a", 1), run(&other.id, "a", 2)];
    assert_eq!(change(&store, AutomationChange::Begin(runs)).await, 2);
    assert_eq!(change(&store, AutomationChange::Remove { id: one.id.clone() }).await, 1);
    drop(store);
    let store = place.open();
    assert_eq!(store.automations().await.unwrap(), std::slice::from_ref(&other));
    assert_eq!((states(&store, &one.id).await.len(), states(&store, &other.id).await.len()), (0, 1));
    assert_eq!(change(&store, AutomationChange::Remove { id: one.id }).await, 0);
}

async fn a_time_has_one_run_however_often_it_is_noticed(place: Place) {
    let store = place.open();
    change(&store, AutomationChange::Add(row("Nightly", Some(NOON)))).await;
    let next = Some(NOON.plus_ms(1_000));
    // On PostgreSQL another server notices it as well.
    let beside = tempfile::tempdir().unwrap();
    let other = place.cluster.as_ref().map(|cluster| open_at(beside.path(), &cluster.url()).unwrap());
    let mut firing = JoinSet::new();
    for n in 0..20 {
        let store = if n % 2 == 0 { &store } else { other.as_ref().unwrap_or(&store) }.clone();
        let fire = AutomationChange::Fire { due: NOON, next, run: run("nightly", "due/1", n) };
        firing.spawn(async move { change(&store, fire).await });
    }
    let fired = firing.join_all().await;
    assert_eq!(fired.iter().sum::<usize>(), 1, "{fired:?}");
    assert_eq!(store.automation("nightly").await.unwrap().unwrap().due_at, next);
    let put_right =
        |due| AutomationChange::PutRight { id: "nightly".to_owned(), was: NOON.plus_ms(1_000), due };
    let to_come = store.automations_to_come(NOON).await.unwrap();
    assert_eq!(to_come.into_iter().map(|row| row.due_at).collect::<Vec<_>>(), [next]);
    assert_eq!(change(&store, put_right(NOON.plus_ms(9))).await, 1);
    assert_eq!(change(&store, put_right(NOON.plus_ms(8))).await, 0, "it was to run at another time");
    assert_eq!(store.automations_to_come(NOON.plus_ms(9)).await.unwrap(), []);
    for n in 30..33 {
        let new = change(&store, AutomationChange::Begin(vec![run("nightly", "issues/1", n)])).await;
        assert_eq!(new, usize::from(n == 30));
    }
    assert_eq!(states(&store, "nightly").await.len(), 2);
    let open = store.open_runs().await.unwrap();
    assert!(open.iter().all(|open| open.automation.name == "Nightly"), "{open:?}");
}

async fn a_run_waits_runs_and_ends_once(place: Place) {
    let store = place.open();
    change(&store, AutomationChange::Add(row("Nightly", None))).await;
    change(&store, AutomationChange::Begin(vec![run("nightly", "a", 1)])).await;
    let begun = store.open_runs().await.unwrap().remove(0).run;
    let (number, due) = (begun.number, NOON.plus_ms(1));
    assert_eq!(begun.state, RunState::Waiting { due, tries: 0, why: String::new() });
    assert_eq!((begun.session, begun.started_at), (session(1), None));
    let later = NOON.plus_ms(900);
    assert_eq!(
        change(&store, AutomationChange::Postpone { number, due: later, why: "busy".into() }).await,
        1
    );
    let put_off = RunState::Waiting { due: later, tries: 1, why: "busy".into() };
    assert_eq!(states(&store, "nightly").await, [put_off]);
    assert_eq!(store.next_automation_due(NOON).await.unwrap(), Some(later));
    assert_eq!(store.next_automation_due(later).await.unwrap(), None);
    let start = || AutomationChange::Start { number, at: later };
    assert_eq!((change(&store, start()).await, change(&store, start()).await), (1, 0));
    assert_eq!(store.runs("nightly", 1).await.unwrap()[0].started_at, Some(later));
    let paused = Some(Paused { why: "three".to_owned(), at: later });
    let failed = Settled::Failed { why: "no".to_owned() };
    let settle = |how, failures, paused| AutomationChange::Settle { number, how, failures, paused };
    assert_eq!(change(&store, settle(failed.clone(), 3, paused.clone())).await, 1);
    let done = Settled::Done { detail: String::new() };
    assert_eq!(change(&store, settle(done, 0, None)).await, 0, "it has ended");
    assert_eq!(states(&store, "nightly").await, [RunState::Settled(failed)]);
    let now = store.automation("nightly").await.unwrap().unwrap();
    assert_eq!((now.failures, now.paused), (3, paused));
    assert_eq!(store.open_runs().await.unwrap(), []);
}

async fn what_ended_is_forgotten_after_months_and_what_runs_is_not(place: Place) {
    let store = place.open();
    change(&store, AutomationChange::Add(row("Nightly", None))).await;
    change(&store, AutomationChange::Begin((1..=3).map(|n| run("nightly", &n.to_string(), n)).collect()))
        .await;
    let open = store.open_runs().await.unwrap();
    change(&store, AutomationChange::Start { number: open[0].run.number, at: NOON }).await;
    let how = Settled::Skipped { why: "no".to_owned() };
    change(&store, AutomationChange::Settle { number: open[1].run.number, how, failures: 0, paused: None })
        .await;
    let months = NewRun { at: NOON.plus_ms(91 * 24 * 60 * 60 * 1000), ..run("nightly", "new", 9) };
    change(&store, AutomationChange::Begin(vec![months])).await;
    let left: Vec<_> = store.runs("nightly", 9).await.unwrap().into_iter().map(|run| run.session).collect();
    assert_eq!(left, [session(9), session(3), session(1)]);
}
