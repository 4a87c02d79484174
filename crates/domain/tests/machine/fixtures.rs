//! Every kind of event that was ever written can be read: a frozen file for each, and none without. An event that has grown since
//! has one more for each later form, such as `session_created.3.json`; the last is what is written now.

use lamplight_domain::event::FORMAT;
use lamplight_domain::{Entry, Event};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/events")
}

/// The names of all variants, as serde tells them to whoever asks for one that is not there.
fn variants() -> BTreeSet<String> {
    let error = serde_json::from_str::<Event>(r#"{"type":"no such event"}"#).unwrap_err().to_string();
    let (_, names) = error.split_once("expected one of ").unwrap();
    names.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn every_event_has_a_frozen_fixture_that_reads_and_the_last_form_writes_the_same() {
    let mut found = BTreeMap::<String, BTreeMap<u32, PathBuf>>::new();
    let mut files = 0;
    for file in std::fs::read_dir(folder()).unwrap() {
        let path = file.unwrap().path();
        let file = path.file_name().unwrap().to_string_lossy().into_owned();
        let parts: Vec<&str> = file.split('.').collect();
        let (name, form) = match parts[..] {
            [name, "json"] => (name, 1),
            [name, form, "json"] => (name, form.parse().unwrap()),
            _ => panic!("{file} is not a fixture's name"),
        };
        files += 1;
        found.entry(name.to_owned()).or_default().insert(form, path);
    }
    for (name, forms) in &found {
        let last = *forms.keys().next_back().unwrap();
        for (form, path) in forms {
            let text = std::fs::read_to_string(path).unwrap();
            let entry: Entry =
                serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let frozen: serde_json::Value = serde_json::from_str(&text).unwrap();
            assert_eq!(frozen["event"]["type"], name.as_str(), "a fixture is named after its event");
            if *form == last {
                let again: serde_json::Value = serde_json::to_value(&entry).unwrap();
                assert_eq!(again, frozen, "{}", path.display());
            }
        }
    }
    assert_eq!(
        FORMAT, files,
        "the number of fixtures: servers of the version before leave alone what has more"
    );
    let found: BTreeSet<String> = found.into_keys().collect();
    assert_eq!(found, variants(), "a fixture for each event");
}
