//! The arithmetic under a million random steps, and a real gateway before a model that takes its time.

use super::accounts::{Account, Accounts, Full, Scope};
use super::month::Month;
use super::{Budgets, Money};
use crate::children::Relative;
use lamplight_domain::event::Contact;
use lamplight_domain::{Network, SessionId, Timestamp};
use lamplight_gateway::{
    Gateway, Grant, Ledger, ModelPrice, NotReserved, Outside, Reservation, Secret, Tariff, Upstream,
    Upstreams, Used,
};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// 2026-11-25T12:00:00Z
const NOW: Timestamp = Timestamp(1_795_608_000_000);

fn session(n: u64) -> SessionId {
    format!("01K{n:023}").parse().unwrap()
}

fn account(budget: u64) -> Account {
    Account { budget, ..Account::default() }
}

/// Sessions of two people on two repositories, some of which nothing bounds. Two are children of the first.
fn scopes(random: &mut fastrand::Rng) -> Vec<Scope> {
    let n = random.u64(0..4);
    let name = if n.is_multiple_of(2) { "Ada" } else { "Grace" };
    let path = if n < 2 { "/one" } else { "/two" };
    let shared = [Scope::Deployment, Scope::Person(name.into()), Scope::Repository(path.into())];
    let above = (n == 1 || n == 2).then_some(0);
    shared.into_iter().chain(above.into_iter().chain([n]).map(|n| Scope::Session(session(n)))).collect()
}

#[test]
fn whatever_happens_no_budget_is_passed_by_more_than_one_request() {
    for seed in 0..500 {
        let random = &mut fastrand::Rng::with_seed(seed);
        let mut accounts = Accounts::new(Month::of(NOW));
        accounts.open(Scope::Deployment, account(random.u64(0..5_000)));
        accounts.open(Scope::Person("Ada".into()), account(random.u64(1..2_000)));
        accounts.open(Scope::Repository("/two".into()), account(random.u64(1..1_000)));
        (0..3).for_each(|n| accounts.session_is(session(n), random.u64(0..800), 0));
        let mut under_way: Vec<(Vec<Scope>, u64)> = Vec::new();
        let (mut spent, mut refused) = (HashMap::<Scope, u64>::new(), 0);
        for _ in 0..2_000 {
            match random.u32(0..10) {
                0..5 => {
                    let (scopes, micros) = (scopes(random), random.u64(0..300));
                    let before = accounts.look(&scopes);
                    match accounts.reserve(&scopes, micros) {
                        Ok(()) => {
                            let full = |account: &Account| {
                                account.budget > 0 && account.spent + account.reserved >= account.budget
                            };
                            assert!(!before.iter().any(|(_, account)| full(account)), "{seed}: {before:?}");
                            under_way.push((scopes, micros));
                        }
                        Err(Full::Spent(scope, budget) | Full::Reserved(scope, budget)) => {
                            refused += 1;
                            let account = before.iter().find(|(of, _)| *of == scope).unwrap().1;
                            assert!(account.budget == budget && account.spent + account.reserved >= budget);
                            assert_eq!(
                                accounts.look(&scopes),
                                before,
                                "{seed}: what is refused changes nothing"
                            );
                        }
                    }
                }
                5..9 if !under_way.is_empty() => {
                    let (scopes, micros) = under_way.swap_remove(random.usize(..under_way.len()));
                    if random.u32(0..4) > 0 {
                        // Never more than was thought.
                        let used = random.u64(..=micros);
                        accounts.spend(&scopes, used);
                        scopes.iter().for_each(|scope| *spent.entry(scope.clone()).or_default() += used);
                    }
                    accounts.release(&scopes, micros);
                }
                _ => (0..3).for_each(|n| {
                    // A log that is behind.
                    let known = spent.get(&Scope::Session(session(n))).copied().unwrap_or(0);
                    let budget = accounts.look(&[Scope::Session(session(n))])[0].1.budget;
                    accounts.session_is(session(n), budget, known / 2);
                }),
            }
            for (scope, account) in accounts.look_at_all() {
                assert!(
                    account.budget == 0 || account.spent < account.budget + 300,
                    "{seed}: {scope:?} {account:?}"
                );
                assert_eq!(account.spent, spent.get(&scope).copied().unwrap_or(0), "{seed}: {scope:?}");
                let set_aside = under_way.iter().filter(|(scopes, _)| scopes.contains(&scope));
                assert_eq!(
                    account.reserved,
                    set_aside.map(|(_, micros)| micros).sum::<u64>(),
                    "{seed}: {scope:?}"
                );
            }
        }
        assert!(refused > 0, "{seed}: a budget was reached");
    }
}

#[test]
fn a_new_month_begins_with_nothing_spent_and_a_clock_that_goes_back_changes_nothing() {
    let month = Month::of(NOW);
    let mut accounts = Accounts::new(month);
    let scopes = [Scope::Deployment, Scope::Session(session(1))];
    accounts.open(Scope::Deployment, account(10));
    accounts.session_is(session(1), 100, 0);
    accounts.reserve(&scopes, 5).unwrap();
    accounts.spend(&scopes, 10);
    for now in [NOW, Timestamp(month.start.0 - 1), Timestamp(month.end.0 - 1)] {
        accounts.turn_to(now);
        assert_eq!(accounts.reserve(&scopes, 1), Err(Full::Spent(Scope::Deployment, 10)));
    }
    accounts.turn_to(month.end);
    let of = |budget, spent| Account { budget, spent, reserved: 5 };
    let found: Vec<_> = accounts.look(&scopes).into_iter().map(|(_, account)| account).collect();
    assert_eq!(
        found,
        [of(10, 0), of(100, 10)],
        "what is being answered goes on, and a session's is for its life"
    );
    accounts.turn_to(NOW);
    assert_eq!(accounts.standings(&scopes)[0].month.until, Month::of(month.end).end);
}

#[test]
fn a_family_whose_account_was_closed_is_bounded_all_the_same() {
    let accounts = Mutex::new(Accounts::new(Month::of(NOW)));
    let budgets = Arc::new(Budgets { accounts, clock: || NOW });
    let scopes = vec![Scope::Session(session(0)), Scope::Session(session(1))];
    let money = Money::new(budgets.clone(), scopes);
    let ask = |spent_micros: u64| {
        let parent = Relative { session: session(0), budget_micros: 100, spent_micros, ended_by: None };
        budgets.session_sleeps(&session(0));
        money.reserve(&[parent], 50)
    };
    let (first, second) = (ask(10).unwrap(), ask(10).unwrap());
    assert!(matches!(ask(10), Err(NotReserved::Busy(_))), "what is set aside stays in it");
    money.spend(50);
    money.spend(50);
    drop((first, second));
    assert!(matches!(ask(110), Err(NotReserved::Spent(_))));
}

/// What each answer costs, and what is set aside for it, in millionths of a dollar: by the prices below.
const COST: u64 = 1_000;
const SET_ASIDE: u64 = 5_000 + BODY.len() as u64;
const BUDGET: u64 = 50_500;
const REQUESTS: usize = 200;
const BODY: &str = r#"{"model":"ours","max_tokens":5000,"messages":[]}"#;

/// A model that counts how often it was asked, and how often at a time.
async fn model() -> (String, Arc<AtomicU64>, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}/v1", listener.local_addr().unwrap());
    let asked = Arc::new(AtomicU64::new(0));
    let (count, mut serving) = (asked.clone(), JoinSet::new());
    serving.spawn(async move {
        let mut answering = JoinSet::new();
        while let Ok((socket, _)) = listener.accept().await {
            answering.spawn(answer(socket, count.clone()));
        }
    });
    (base, asked, serving)
}

async fn answer(mut socket: TcpStream, asked: Arc<AtomicU64>) {
    let mut request = Vec::new();
    while !request.ends_with(b"}") {
        assert!(socket.read_buf(&mut request).await.unwrap() > 0, "a whole request");
    }
    let n = asked.fetch_add(1, Ordering::SeqCst) + 1;
    // Others are asked meanwhile.
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
    let usage = r#"{"model":"ours","choices":[],"usage":{"prompt_tokens":500,"completion_tokens":500}}"#;
    let length = usage.len();
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
    );
    // Every seventh breaks off before it says what it used.
    let said = if n.is_multiple_of(7) { &usage[..10] } else { usage };
    let _reset = socket.write_all(format!("{head}{said}").as_bytes()).await;
}

/// Adds up what it is told.
struct Adding {
    money: Money,
    told: Mutex<Vec<u64>>,
}

#[async_trait::async_trait]
impl Ledger for Adding {
    fn is_bounded(&self) -> bool {
        self.money.is_bounded()
    }
    async fn reserve(&self, micros: u64) -> Result<Reservation, NotReserved> {
        assert_eq!(micros, SET_ASIDE);
        self.money.reserve(&[], micros)
    }
    async fn used(&self, used: Used) {
        self.money.spend(used.cost_micros.unwrap());
        self.told.lock().unwrap().push(used.cost_micros.unwrap());
    }
    fn may_push(&self) -> bool {
        true
    }
    async fn pushed(&self, _: &str) {}
    async fn contacted(&self, _: Contact) {}
    async fn refused(&self, what: &str) {
        panic!("{what}");
    }
}

/// Asks as a program in a sandbox does; the status.
async fn ask(gateway: &Gateway, ledger: Arc<Adding>) -> u16 {
    let (mut inside, outside) = tokio::io::duplex(64 * 1024);
    let grant = Grant {
        session: session(1),
        repository: PathBuf::from("/nowhere"),
        branch: "lamplight/x".into(),
        base: "main".into(),
        rewrite: false,
        elsewhere: None,
        children: None,
        models: true,
        network: Network::None,
    };
    let head = format!(
        "POST /openai/v1/chat/completions HTTP/1.1\r\nhost: gateway\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{BODY}",
        BODY.len()
    );
    let asking = async {
        inside.write_all(head.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let _reset = inside.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).split(' ').nth(1).unwrap().parse().unwrap()
    };
    let (_, status) = tokio::join!(gateway.serve(Arc::new(grant), ledger, outside), asking);
    status
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_requests_at_once_pass_a_budget_by_no_more_than_one() {
    let (base, asked, _serving) = model().await;
    let prices = vec![ModelPrice {
        upstream: None,
        model: "ours".into(),
        tier: None,
        input: 1.0,
        cached: None,
        cache_written: None,
        output: 1.0,
    }];
    let openai = Some(Upstream { base, key: Secret::new("key"), tariff: Tariff::Listed });
    let upstreams = Upstreams { openai, prices, ..Upstreams::default() };
    let gateway = Arc::new(Gateway::new(upstreams, Outside::default()).unwrap());
    let mut accounts = Accounts::new(Month::of(NOW));
    accounts.open(Scope::Person("Ada".into()), account(BUDGET));
    let budgets = Arc::new(Budgets { accounts: Mutex::new(accounts), clock: || NOW });
    let money = Money::new(budgets.clone(), vec![Scope::Deployment, Scope::Person("Ada".into())]);
    let ledger = Arc::new(Adding { money, told: Mutex::default() });
    let mut asking = JoinSet::new();
    for _ in 0..REQUESTS {
        let (gateway, ledger) = (gateway.clone(), ledger.clone());
        asking.spawn(async move {
            loop {
                match ask(&gateway, ledger.clone()).await {
                    429 => tokio::task::yield_now().await,
                    other => return other,
                }
            }
        });
    }
    let statuses = asking.join_all().await;
    gateway.settled().await;
    let standing = budgets.standings().remove(0);
    let spent = standing.month.spent_micros;
    assert_eq!((standing.reserved_micros, spent), (0, ledger.told.lock().unwrap().iter().sum()));
    assert!((BUDGET..BUDGET + SET_ASIDE).contains(&spent), "{spent} of {BUDGET}");
    let count = |wanted: u16| statuses.iter().filter(|status| **status == wanted).count() as u64;
    assert_eq!((count(200) + count(403), count(200)), (REQUESTS as u64, asked.load(Ordering::SeqCst)));
    assert!(count(200) > spent / COST, "of what breaks off only what was seen costs something");
}
