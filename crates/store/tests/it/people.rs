//! People and what lets them in, as the store keeps them.

use crate::support::{NOON, Place, on_both};
use lamplight_domain::{Role, Scope, Timestamp};
use lamplight_store::{
    Credential, CredentialKind, Identity, PeopleChange, PeopleOutcome, PersonRow, SealedSecret, SecretHash,
    Store, own_secret,
};

on_both!(
    an_invitation_counts_once_and_whoever_comes_is_let_in_from_then_on,
    whoever_is_removed_is_out_and_the_last_owner_stays,
    a_renewed_secret_leaves_the_former_one_a_while,
    what_is_done_elsewhere_in_somebodys_name_ends_with_them,
);

const LATER: Timestamp = Timestamp(NOON.0 + 1_000);

pub(crate) fn person(name: &str, role: Role) -> PersonRow {
    PersonRow {
        id: name.to_uppercase(),
        name: name.to_owned(),
        email: format!("{name}@example.org"),
        role,
        created_at: NOON,
        removed_at: None,
    }
}

pub(crate) fn credential(id: &str, hash: u8, kind: CredentialKind) -> Credential {
    let expires_at = Some(LATER);
    Credential { id: id.to_owned(), hash: [hash; 32], kind, created_at: NOON, expires_at, used_at: None }
}

fn token(id: &str, hash: u8, person: &str) -> Credential {
    let kind = CredentialKind::Token { person: person.to_uppercase(), name: "ci".into(), scope: Scope::Read };
    credential(id, hash, kind)
}

pub(crate) async fn enter(
    store: &Store,
    once: Option<SecretHash>,
    new: PersonRow,
    hash: u8,
    identity: Option<&str>,
) -> PeopleOutcome {
    let identity = identity.map(|subject| {
        Box::new(Identity {
            issuer: "https://id.example".into(),
            subject: subject.into(),
            person: new.id.clone(),
            login: new.name.clone(),
        })
    });
    let credential = token(&format!("token-{hash}"), hash, &new.name);
    let change = PeopleChange::Enter {
        once,
        now: NOON,
        person: Some(Box::new(new)),
        identity,
        credential,
        token: None,
    };
    store.change_people(change).await.unwrap()
}

async fn an_invitation_counts_once_and_whoever_comes_is_let_in_from_then_on(place: Place) {
    let store = place.open();
    let invitation = credential("i", 1, CredentialKind::Invitation { role: Role::Member, by: "ada".into() });
    store.change_people(PeopleChange::Add(invitation)).await.unwrap();
    assert_eq!(enter(&store, None, person("ada", Role::Owner), 2, None).await, PeopleOutcome::Done);
    let taken = enter(&store, Some([1; 32]), person("ADA", Role::Member), 3, None).await;
    assert_eq!(taken, PeopleOutcome::NameTaken);
    let bo = person("bo", Role::Member);
    assert_eq!(enter(&store, Some([1; 32]), bo.clone(), 3, Some("7")).await, PeopleOutcome::Done);
    let again = enter(&store, Some([1; 32]), person("cy", Role::Member), 4, None).await;
    assert_eq!(again, PeopleOutcome::NotFound);
    store.close().await;

    let store = place.open();
    let (found, whose) = store.credential([3; 32], NOON).await.unwrap().unwrap();
    assert_eq!((found, whose), (token("token-3", 3, "bo"), Some(bo.clone())));
    assert_eq!(store.credential([3; 32], LATER).await.unwrap(), None, "its time is over");
    assert_eq!(store.known("token-3", LATER).await.unwrap(), None);
    assert_eq!(store.credential([4; 32], NOON).await.unwrap(), None, "nothing of what was refused is there");
    assert_eq!(store.people().await.unwrap(), [person("ada", Role::Owner), bo]);
    assert_eq!(store.identity("https://id.example", "7").await.unwrap().unwrap().person, "BO");
    assert_eq!(store.identity("https://other.example", "7").await.unwrap(), None);
}

async fn whoever_is_removed_is_out_and_the_last_owner_stays(place: Place) {
    let store = place.open();
    enter(&store, None, person("ada", Role::Owner), 1, None).await;
    enter(&store, None, person("bo", Role::Member), 2, Some("7")).await;
    let remove = |who: &str| PeopleChange::Remove { person: who.to_owned(), at: NOON };
    let role = |who: &str, role| PeopleChange::SetRole { person: who.to_owned(), role };
    let change = async |change| store.change_people(change).await.unwrap();
    assert_eq!(change(remove("ADA")).await, PeopleOutcome::LastOwner);
    assert_eq!(change(role("ADA", Role::Admin)).await, PeopleOutcome::LastOwner);
    assert_eq!(change(role("BO", Role::Owner)).await, PeopleOutcome::Done);
    assert_eq!(change(role("ADA", Role::Admin)).await, PeopleOutcome::Done);
    assert_eq!(change(remove("ADA")).await, PeopleOutcome::Done);
    assert_eq!(change(remove("ADA")).await, PeopleOutcome::NotFound);
    assert_eq!(store.credential([1; 32], NOON).await.unwrap(), None);
    let taken = enter(&store, None, person("ada", Role::Viewer), 5, None).await;
    assert_eq!(taken, PeopleOutcome::NameTaken, "what is in logs stays hers");
    assert_eq!(
        change(PeopleChange::Forget { id: "token-2".into(), person: Some("ADA".into()) }).await,
        PeopleOutcome::NotFound
    );
    assert_eq!(
        change(PeopleChange::Forget { id: "token-2".into(), person: Some("BO".into()) }).await,
        PeopleOutcome::Done
    );
}

async fn a_renewed_secret_leaves_the_former_one_a_while(place: Place) {
    let store = place.open();
    enter(&store, None, person("ada", Role::Owner), 1, None).await;
    let browser = CredentialKind::Browser { person: "ADA".into(), since: NOON };
    store.change_people(PeopleChange::Add(credential("b", 2, browser.clone()))).await.unwrap();
    let renew = |former: u8, hash: u8| PeopleChange::Renew {
        id: "b".into(),
        former: [former; 32],
        hash: [hash; 32],
        kind: browser.clone(),
        former_until: NOON.plus_ms(10),
    };
    assert_eq!(store.change_people(renew(2, 3)).await.unwrap(), PeopleOutcome::Done);
    assert_eq!(
        store.change_people(renew(2, 4)).await.unwrap(),
        PeopleOutcome::NotFound,
        "somebody was faster"
    );
    let counts = async |hash: u8, at| store.credential([hash; 32], at).await.unwrap().is_some();
    assert!(counts(2, NOON.plus_ms(9)).await && counts(3, NOON.plus_ms(9)).await);
    assert!(!counts(2, NOON.plus_ms(10)).await && counts(3, NOON.plus_ms(10)).await);
    store.change_people(PeopleChange::ForgetBrowsers { person: "ADA".into() }).await.unwrap();
    assert!(!counts(3, NOON).await && counts(1, NOON).await);
}

async fn what_is_done_elsewhere_in_somebodys_name_ends_with_them(place: Place) {
    let store = place.open();
    let sealed = |who: &str, nonce: u8| SealedSecret {
        name: own_secret(who),
        nonce: vec![nonce; 24],
        ciphertext: vec![nonce],
        set_at: NOON,
    };
    let change = async |change| store.change_people(change).await.unwrap();
    for (hash, name) in [(1, "ada"), (2, "bo")] {
        let enter = PeopleChange::Enter {
            once: None,
            now: NOON,
            person: Some(Box::new(person(name, Role::Owner))),
            identity: None,
            credential: token(name, hash, name),
            token: Some(Box::new(sealed(&name.to_uppercase(), 1))),
        };
        assert_eq!(change(enter).await, PeopleOutcome::Done);
    }
    let keep =
        |former: u8, new: u8| PeopleChange::KeepToken { former: vec![former; 24], token: sealed("ADA", new) };
    assert_eq!(change(keep(1, 2)).await, PeopleOutcome::Done);
    assert_eq!(change(keep(1, 3)).await, PeopleOutcome::NotFound, "somebody was faster");
    let drop = |nonce: u8| PeopleChange::DropToken { name: own_secret("ADA"), nonce: vec![nonce; 24] };
    assert_eq!(change(drop(1)).await, PeopleOutcome::NotFound);
    assert_eq!(store.secret(&own_secret("ADA")).await.unwrap(), Some(sealed("ADA", 2)));
    change(PeopleChange::ForgetBrowsers { person: "ADA".into() }).await;
    assert_eq!(store.secret(&own_secret("ADA")).await.unwrap(), None);
    assert_eq!(change(keep(2, 4)).await, PeopleOutcome::NotFound, "it does not come back");
    assert_eq!(store.secret(&own_secret("BO")).await.unwrap(), Some(sealed("BO", 1)));
    change(PeopleChange::Remove { person: "BO".into(), at: NOON }).await;
    assert_eq!(store.secrets().await.unwrap(), []);
    let named = store.person_named("Bo").await.unwrap().unwrap();
    assert_eq!((named.id.as_str(), named.removed_at), ("BO", Some(NOON)));
}
