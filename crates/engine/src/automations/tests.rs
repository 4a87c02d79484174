//! The clock advanced by hand, over a store of its own.

use super::firing::fire_due;
use super::*;
use lamplight_integrations::github::Author;
use lamplight_store::{AutomationChange, Store};

const HOUR_MS: u64 = 60 * 60 * 1000;

fn at(text: &str) -> Timestamp {
    Timestamp(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
}

fn cron(expression: &str, timezone: &str) -> Trigger {
    Trigger::Cron { expression: expression.to_owned(), timezone: timezone.to_owned() }
}

fn automation(name: &str, trigger: Trigger, next_at: Option<Timestamp>) -> Automation {
    let task = Task {
        text: "Look after it".to_owned(),
        base: None,
        agent: None,
        model: None,
        network: Some(Network::None),
        budget_micros: Some(1_000_000),
    };
    Automation {
        id: format!("id of {name}"),
        name: name.to_owned(),
        owner: Owner { id: None, name: "Ada".to_owned() },
        repository: "/repository".to_owned(),
        forge: None,
        task,
        trigger,
        created_at: Timestamp(0),
        next_at,
        paused: None,
        failures: 0,
    }
}

struct Stage {
    store: Store,
    _dir: tempfile::TempDir,
}

impl Stage {
    async fn with(automation: &Automation) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        assert_eq!(store.change_automation(AutomationChange::Add(automation.row())).await.unwrap(), 1);
        Self { store, _dir: dir }
    }

    async fn now(&self) -> Automation {
        Automation::read(self.store.automations().await.unwrap().remove(0)).unwrap()
    }

    /// When the runs were due, the newest first.
    async fn runs(&self) -> Vec<Timestamp> {
        let rows = self.store.runs(&self.now().await.id, 100).await.unwrap();
        rows.into_iter().map(|row| Run::read(row).unwrap().at).collect()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_kept_of_an_automation_is_all_of_it() {
    let mut whole =
        automation("whole", Trigger::IssueLabelled { label: "bug".to_owned() }, Some(Timestamp(7)));
    whole.paused = Some(Paused { why: "Ada paused it".to_owned(), at: Timestamp(8) });
    (whole.forge, whole.failures) = (Some("acme/api".to_owned()), 2);
    let stage = Stage::with(&whole).await;
    assert_eq!(stage.now().await, whole);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_moment_has_one_run_whoever_notices_it() {
    let due = at("2026-03-27T08:00:00Z");
    let stage = Stage::with(&automation("daily", cron("0 9 * * *", "Europe/Berlin"), Some(due))).await;
    let before = Timestamp(due.0 - 1);
    assert_eq!((fire_due(&stage.store, before).await.unwrap(), stage.runs().await), (0, vec![]));
    let noticed = futures::future::join_all((0..8).map(|_| fire_due(&stage.store, due))).await;
    assert_eq!(noticed.into_iter().map(Result::unwrap).sum::<usize>(), 1);
    assert_eq!(stage.runs().await, [due]);
    assert_eq!(stage.now().await.next_at, Some(at("2026-03-28T08:00:00Z")));
    // Across the night in which the clocks are put forward.
    for moment in ["2026-03-28T08:00:00Z", "2026-03-29T07:00:00Z", "2026-03-30T07:00:00Z"] {
        assert_eq!(fire_due(&stage.store, Timestamp(at(moment).0 - 1)).await.unwrap(), 0, "{moment}");
        assert_eq!(fire_due(&stage.store, at(moment)).await.unwrap(), 1, "{moment}");
        assert_eq!(stage.runs().await[0], at(moment));
    }
    // A clock that goes back has nothing to do again.
    assert_eq!(fire_due(&stage.store, due).await.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_times_that_were_missed_the_last_one_runs() {
    let due = at("2026-01-01T00:00:00Z");
    let stage = Stage::with(&automation("hourly", cron("0 * * * *", "UTC"), Some(due))).await;
    let now = due.plus_ms(50 * HOUR_MS + 1);
    assert_eq!(fire_due(&stage.store, now).await.unwrap(), 1);
    assert_eq!(stage.runs().await, [due.plus_ms(50 * HOUR_MS)]);
    assert_eq!(stage.now().await.next_at, Some(due.plus_ms(51 * HOUR_MS)));
    assert_eq!(fire_due(&stage.store, now).await.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_was_ahead_puts_nothing_off() {
    let due = at("2026-03-25T08:00:00Z");
    let stage = Stage::with(&automation("daily", cron("0 9 * * *", "Europe/Berlin"), Some(due))).await;
    let years_ahead = at("2030-05-01T12:00:00Z");
    assert_eq!(fire_due(&stage.store, years_ahead).await.unwrap(), 1);
    assert_eq!(stage.now().await.next_at, Some(at("2030-05-02T07:00:00Z")));
    assert_eq!(fire_due(&stage.store, due).await.unwrap(), 0);
    let next = at("2026-03-26T08:00:00Z");
    assert_eq!(stage.now().await.next_at, Some(next));
    assert_eq!(fire_due(&stage.store, next).await.unwrap(), 1);
    assert_eq!(stage.runs().await, [next, at("2030-05-01T07:00:00Z")]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_become_impossible_is_paused_and_says_why() {
    let stage =
        Stage::with(&automation("gone", cron("0 9 * * *", "Atlantis/Capital"), Some(Timestamp(5)))).await;
    fire_due(&stage.store, Timestamp(9)).await.unwrap();
    let now = stage.now().await;
    let why = now.paused.unwrap().why;
    assert!(why.contains("Atlantis/Capital"), "{why}");
    assert_eq!((now.next_at, stage.runs().await), (None, vec![]));
}

#[test]
fn each_waits_for_its_own() {
    let number = 1;
    let all: [(Trigger, Happened); 5] = [
        (
            Trigger::Pushed { branch: "main".to_owned() },
            Happened::Pushed { branch: "main".to_owned(), before: "0".to_owned(), commit: "1".to_owned() },
        ),
        (Trigger::IssueOpened, Happened::IssueOpened { number }),
        (
            Trigger::IssueLabelled { label: "Bug".to_owned() },
            Happened::IssueLabelled { number, label: "bug".to_owned(), at: 1 },
        ),
        (Trigger::PullRequestOpened, Happened::PullRequestOpened { number }),
        (
            Trigger::ChecksFailed { branch: "main".to_owned() },
            Happened::ChecksFailed { branch: "main".to_owned(), commit: "1".to_owned() },
        ),
    ];
    for (n, (trigger, _)) in all.iter().enumerate() {
        for (m, (_, happened)) in all.iter().enumerate() {
            assert_eq!(trigger.waits_for(happened), n == m, "{trigger:?} {happened:?}");
        }
    }
    let elsewhere = Happened::ChecksFailed { branch: "other".to_owned(), commit: "1".to_owned() };
    assert!(!all[4].0.waits_for(&elsewhere));
    assert!(all.iter().all(|(_, happened)| !cron("* * * * *", "UTC").waits_for(happened)));
}

#[test]
fn a_cause_is_said_in_words_and_kept_as_it_was() {
    let by = Some(Author { login: "ada".to_owned(), id: 1, is_bot: false });
    let what = Happened::IssueLabelled { number: 7, label: "bug".to_owned(), at: 5 };
    let cause = Cause::Happened { happening: Happening { repository: "acme/api".to_owned(), by, what } };
    assert_eq!(cause.to_string(), "ada put the label bug on issue #7");
    for cause in [cause, Cause::Due, Cause::Asked { by: "Ada".to_owned() }] {
        let kept = serde_json::to_string(&cause).unwrap();
        assert_eq!(serde_json::from_str::<Cause>(&kept).unwrap(), cause);
    }
}
