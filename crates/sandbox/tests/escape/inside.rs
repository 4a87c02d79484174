//! The attempts that are made from inside: most in one sandbox, those that use it up in one each.

use crate::place::Place;
use crate::report::{Made, Row, Verdict, lines};
use lamplight_sandbox::link::LinkError;

pub(crate) async fn run(place: &Place) -> Vec<Made> {
    let sandbox = place.sandbox().await;
    let listed: Vec<Row> = lines(&sandbox.escape(&["list"]).await.stdout);
    let together = sandbox.escape(&["inside"]).await;
    let mut made = lines(&together.stdout);
    place.remove(&sandbox).await;
    for row in listed.iter().filter(|row| row.alone) {
        made.push(alone(place, &row.name).await);
    }
    made
}

/// A sandbox that is ended as a whole for what is tried in it has stopped it too.
async fn alone(place: &Place, name: &str) -> Made {
    let sandbox = place.small_sandbox().await;
    let words = ["inside", name];
    let output = match sandbox.try_escape(&words).await {
        Err(LinkError::Closed) => None,
        output => Some(output.unwrap()),
    };
    place.remove(&sandbox).await;
    let ended = || Made {
        name: name.to_owned(),
        verdict: Verdict::Limited,
        detail: "the whole sandbox was ended".to_owned(),
    };
    output.map_or_else(ended, |output| lines(&output.stdout).pop().unwrap())
}
