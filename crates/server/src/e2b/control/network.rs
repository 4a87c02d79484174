//! `PUT /sandboxes/{id}/network`, and what is asked for of the outside when a sandbox is made.

use super::super::answer::Refused;
use super::{Mine, body};
use crate::http::App;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use lamplight_domain::{HostPattern, Network};
use lamplight_e2b::control::{ALL_TRAFFIC, Network as Asked};
use lamplight_engine::LentState;
use std::net::IpAddr;

/// All rules at once: what is left out is as it is where nobody has asked for anything.
pub(super) async fn handle(
    State(app): State<App>,
    Mine(sandbox): Mine,
    request: Request,
) -> Result<StatusCode, Refused> {
    let asked: Asked = body(request).await?;
    let network = network(asked.allow_internet_access, Some(asked))?;
    if sandbox.state != LentState::Running {
        let name = super::name_of(&sandbox.id);
        return Err(Refused::new(StatusCode::CONFLICT, format!("Sandbox '{name}' is paused; resume it")));
    }
    app.engine.set_lent_network(&sandbox.id, network).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `None` is as the configuration says. What cannot be held is refused, so that nobody relies on it.
pub(super) fn network(internet: Option<bool>, asked: Option<Asked>) -> Result<Option<Network>, Refused> {
    let asked = asked.unwrap_or_default();
    if asked.allow_public_traffic == Some(false) {
        return Err(Refused::unsupported("network.allowPublicTraffic=false"));
    }
    if asked.egress_proxy.is_some_and(|proxy| !proxy.is_null()) {
        return Err(Refused::unsupported("network.egressProxy"));
    }
    if asked.rules.is_some_and(|rules| rules.as_object().is_none_or(|rules| !rules.is_empty())) {
        return Err(Refused::unsupported("network.rules"));
    }
    if asked.mask_request_host.is_some() {
        return Err(Refused::unsupported("network.maskRequestHost"));
    }
    for (name, asked) in [("httpsPorts", asked.https_ports), ("dnsServers", asked.dns_servers)] {
        if asked.is_some_and(|asked| !asked.is_empty()) {
            return Err(Refused::unsupported(&format!("network.{name}")));
        }
    }
    let denied = asked.deny_out.unwrap_or_default();
    if let Some(wrong) = denied.iter().find(|one| !is_range(one)) {
        return Err(Refused::bad_request(format!("invalid denied CIDR {wrong}")));
    }
    let allowed = asked.allow_out.unwrap_or_default();
    let denies_all = internet == Some(false) || denied.iter().any(|one| one == ALL_TRAFFIC);
    if !denies_all {
        return match (denied.is_empty(), allowed.is_empty()) {
            (true, true) => Ok(None),
            (false, _) => Err(Refused::unsupported("network.denyOut other than 0.0.0.0/0")),
            (true, false) => Err(Refused::bad_request(
                "When specifying allowed domains in allow out, you must include 'ALL_TRAFFIC' in deny out to block all other traffic.",
            )),
        };
    }
    if allowed.is_empty() {
        return Ok(Some(Network::None));
    }
    let hosts = allowed.iter().map(|host| {
        HostPattern::try_from(host.clone())
            .map_err(|_| Refused::bad_request(format!("invalid allowed host {host}")))
    });
    Ok(Some(Network::Allowlist { hosts: hosts.collect::<Result<_, _>>()? }))
}

/// An address, or a range of them.
fn is_range(text: &str) -> bool {
    let (address, bits) = text.split_once('/').unwrap_or((text, "0"));
    match (address.parse::<IpAddr>(), bits.parse::<u8>()) {
        (Ok(IpAddr::V4(_)), Ok(bits)) => bits <= 32,
        (Ok(IpAddr::V6(_)), Ok(bits)) => bits <= 128,
        (Err(_), _) | (_, Err(_)) => false,
    }
}
