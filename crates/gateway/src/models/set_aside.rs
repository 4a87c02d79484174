//! Money that is set aside before a request is passed on, where anything bounds what may be spent.

use super::estimate::{Estimate, estimate};
use super::price::price;
use super::usage::Spent;
use super::{Vendor, refusal};
use crate::Reservation;
use crate::serve::Link;
use axum::response::Response;

/// Given back when this is dropped: once the answer is accounted for, or when there is none.
pub(super) struct SetAside {
    /// As it was asked for. Its price counts where the answer names a model that has none.
    model: String,
    _reservation: Reservation,
}

impl SetAside {
    /// The error is the answer to the request, which must not be passed on.
    pub(super) async fn of(
        vendor: Vendor,
        link: &Link,
        base: &str,
        rest: &str,
        body: &[u8],
    ) -> Result<Self, Box<Response>> {
        link.door.price_lists().await;
        let Estimate { model, micros } = estimate(vendor, base, rest, body, &link.door.prices);
        let Some(micros) = micros else {
            let name: String = model.chars().filter(|c| !c.is_control()).take(80).collect();
            let what = format!(
                "There is a budget, and nobody knows what the model {name:?} costs: add it to [[models.prices]] in the configuration of the Lamplight server, or choose another model."
            );
            link.ledger.refused(&what).await;
            return Err(Box::new(refusal::unpriced(vendor, &what)));
        };
        match link.ledger.reserve(micros).await {
            Ok(reservation) => Ok(Self { model, _reservation: reservation }),
            Err(why) => Err(Box::new(refusal::not_reserved(vendor, &why))),
        }
    }

    /// What was used, by the price of what was asked for.
    pub(super) fn price(&self, link: &Link, base: &str, spent: &Spent) -> Option<u64> {
        price(&link.door.prices, base, &Spent { model: self.model.clone(), ..spent.clone() })
    }
}
