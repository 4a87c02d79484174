//! How long it takes from asking for a sandbox to a guest that answers.

use super::Subject;
use super::stage::Stage;
use crate::link::Link;
use crate::provider::{Files, SandboxSpec};
use std::time::{Duration, Instant};

/// What a series of measurements says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spread {
    pub p50: Duration,
    pub p90: Duration,
}

/// Creates `count` sandboxes, one after the other with `pause` between them: from the call to the guest's first answer, and
/// the destruction of each. `count` is at least 1.
pub async fn create_to_answer(
    subject: &dyn Subject,
    count: usize,
    pause: Duration,
) -> anyhow::Result<(Spread, Spread)> {
    let (mut created, mut destroyed) = (Vec::new(), Vec::new());
    for _ in 0..count {
        tokio::time::sleep(pause).await;
        let stage = Stage::new(subject);
        let started = now();
        let spec = SandboxSpec { egress: true, ..stage.spec(1) };
        let handle = stage.provider.create(&spec).await?;
        let (link, _gateway) = Link::open(stage.provider.dial(&handle).await?).await?;
        created.push(started.elapsed());
        drop(link);
        let started = now();
        stage.provider.destroy(&handle, Files::Remove).await?;
        destroyed.push(started.elapsed());
    }
    Ok((spread(created), spread(destroyed)))
}

#[expect(clippy::disallowed_methods, reason = "this measures")]
fn now() -> Instant {
    Instant::now()
}

fn spread(mut times: Vec<Duration>) -> Spread {
    times.sort();
    let at = |percent: usize| times[(times.len() - 1) * percent / 100];
    Spread { p50: at(50), p90: at(90) }
}
