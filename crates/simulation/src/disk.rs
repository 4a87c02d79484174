//! The disk below the store, and the way to it: now and then late, full or cut off for a while.

use crate::fault::Fault;
use crate::outage::{Beginning, Outage};
use crate::sync;
use crate::universe::Universe;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use lamplight_store::{Away, Disk, Unwritten};
use std::sync::Arc;
use std::time::Duration;

/// Before somebody who asks a database that cannot be reached is told so.
const PATIENCE: Duration = Duration::from_secs(2);

pub(crate) struct SimulatedDisk {
    universe: Arc<Universe>,
    full: Outage,
}

impl SimulatedDisk {
    pub(crate) fn new(universe: Arc<Universe>) -> Self {
        Self { universe, full: Outage::default() }
    }

    fn is_full(&self) -> bool {
        let odds = self.universe.weather().full / 10;
        self.full.hinders(&self.universe, &Beginning { fault: Fault::FullDisk, odds, most_ms: 10_000 })
    }

    /// Of several servers the disk is the database's, which is another machine's.
    fn may_fail(&self) {
        if self.universe.is_alone() && self.universe.happens(self.universe.weather().sync / 10) {
            sync::fail_once();
        }
    }

    async fn reach(&self) -> Result<(), Away> {
        self.universe.step().await;
        let there = tokio::time::timeout(PATIENCE, self.universe.database_is_there());
        there.await.map_err(|_| Away)
    }
}

impl Disk for SimulatedDisk {
    fn write(&self) -> BoxFuture<'_, Result<(), Unwritten>> {
        async move {
            self.reach().await.map_err(|Away| Unwritten::Away)?;
            self.may_fail();
            if self.is_full() { Err(Unwritten::Full) } else { Ok(()) }
        }
        .boxed()
    }

    fn written(&self) -> BoxFuture<'_, ()> {
        async move {
            self.universe.step().await;
            // Whoever connects again sees whether it was written.
            self.universe.database_is_there().await;
        }
        .boxed()
    }

    fn read(&self) -> BoxFuture<'_, Result<(), Away>> {
        self.reach().boxed()
    }
}
