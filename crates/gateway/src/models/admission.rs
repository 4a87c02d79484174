//! Whether a request that may cost something is passed on: only what has a price is, and only while there is money for it.

use super::estimate::Asked;
use super::price::Prices;
use super::usage::Seen;
use super::{Backend, Vendor, refusal};
use crate::serve::Link;
use crate::{Reservation, Tariff, UpstreamName, Used};
use axum::response::Response;
use std::time::Duration;

/// Characters of a name that are told.
const MAX_NAME_CHARS: usize = 80;

/// A request that may be passed on.
pub(super) struct Admission {
    asked: Asked,
    prices: Prices,
    /// What is set aside for it; given back when this is dropped: once the answer is accounted for, or when there is none.
    pub(super) reservation: Option<Reservation>,
}

impl Admission {
    /// The error is the answer to the request, which must not be passed on.
    pub(super) async fn of(
        vendor: Vendor,
        link: &Link,
        backend: &Backend,
        rest: &str,
        body: &[u8],
    ) -> Result<Self, Box<Response>> {
        let Some(asked) = Asked::read(vendor, rest, body) else {
            return Err(Box::new(refusal::unreadable(vendor)));
        };
        let prices = backend.prices(&link.door.prices);
        if prices.need_lists(&asked.model, asked.tier.as_deref()) {
            link.door.price_lists().await;
        }
        let Some(micros) = asked.most_micros(&prices) else {
            let what = unpriced(vendor, backend, &asked);
            link.ledger.refused(&what).await;
            return Err(Box::new(refusal::unpriced(vendor, &what)));
        };
        let reservation = match link.ledger.is_bounded() {
            false => None,
            true => match link.ledger.reserve(micros).await {
                Ok(reservation) => Some(reservation),
                Err(why) => return Err(Box::new(refusal::not_reserved(vendor, &why))),
            },
        };
        Ok(Self { asked, prices, reservation })
    }

    /// What is to be written down of an answer of which this was seen, and which took so long.
    pub(super) fn used(&self, seen: Seen, took: Duration) -> Used {
        let (spent, is_estimated) = self.asked.spent(seen);
        let cost = self.prices.of_answer(&spent, &self.asked.model, self.asked.tier.as_deref());
        let (cost_micros, priced_by) = cost.map(|cost| (cost.micros, cost.priced_by)).unzip();
        let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let model = self.prices.upstream.qualify(spent.model);
        Used { model, tokens: spent.tokens, cost_micros, priced_by, is_estimated, took_ms }
    }
}

/// Says what to write, and where.
fn unpriced(vendor: Vendor, backend: &Backend, asked: &Asked) -> String {
    let clean =
        |name: &str| name.chars().filter(|c| !c.is_control()).take(MAX_NAME_CHARS).collect::<String>();
    let model = clean(&asked.model);
    let (of_tier, row) = match &asked.tier {
        Some(tier) => {
            let tier = clean(tier);
            (format!(" as {tier:?}"), format!("model = {model:?}, tier = {tier:?}"))
        }
        None => (String::new(), format!("model = {model:?}")),
    };
    let (name, section) = (backend.name(), backend.name().section());
    let row = match name {
        UpstreamName::OpenAi | UpstreamName::Anthropic | UpstreamName::Gemini => row,
        UpstreamName::Compatible(_) => format!("upstream = \"{name}\", {row}"),
    };
    let vendor = vendor.as_str();
    // Only at an address of one's own may everything cost the same.
    let at_once = match backend.is_vendors_own() || backend.tariff() != Tariff::Listed {
        true => String::new(),
        false => format!(
            " price = \"free\" into [{section}] if nothing there costs anything, price = \"vendor\" if it costs what {vendor} itself asks, or"
        ),
    };
    format!(
        "In Lamplight, the model {model:?} is not asked{of_tier}, because nobody knows what that costs. Write into the configuration of its server{at_once} [[models.prices]] with {row}, input and output (dollars for a million tokens); or choose another model."
    )
}
