//! Names and the addresses that stand for them inside a sandbox. A program asks for a name, gets an address that exists nowhere else, and
//! connects to that; so the host knows for every protocol which name was meant, and the true address never matters inside.

use lamplight_domain::event::Contact;
use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;
use tokio::time::Instant;

/// Set aside for measurements between networks, so that nobody's machine has one (RFC 2544). The first 256 are not given out: the
/// name server is among them.
const FIRST: u32 = Ipv4Addr::new(198, 18, 1, 0).to_bits();
const LAST: u32 = Ipv4Addr::new(198, 19, 255, 255).to_bits();

/// Names that are known at a time; the one that was known longest is forgotten for a further one.
const MAX_NAMES: usize = 4096;

/// How long what a name was resolved to is used again. Every use is judged anew.
const FRESH: Duration = Duration::from_secs(30);

/// The names that one sandbox has asked for.
#[derive(Debug, Default)]
pub(super) struct Names {
    known: BTreeMap<String, Known>,
    by_address: BTreeMap<Ipv4Addr, String>,
    /// Oldest first.
    order: VecDeque<String>,
}

#[derive(Debug)]
struct Known {
    address: Ipv4Addr,
    found: Option<(Instant, Vec<IpAddr>)>,
}

impl Names {
    /// As a sandbox may still remember them from before a restart.
    pub(super) fn remembered<'a>(contacts: impl IntoIterator<Item = &'a Contact>) -> Self {
        let mut names = Self::default();
        for contact in contacts {
            if let Some(address) = contact.known_as
                && is_ours(address)
                && !names.by_address.contains_key(&address)
                && !names.known.contains_key(&contact.host)
            {
                names.insert(contact.host.clone(), address);
            }
        }
        names
    }

    /// The address that stands for a name: mostly the same in every sandbox and after every restart.
    pub(super) fn address_of(&mut self, name: &str) -> Ipv4Addr {
        if let Some(known) = self.known.get(name) {
            return known.address;
        }
        // Far fewer names than addresses, so there is a free one soon.
        let mut bits = FIRST + hash(name) % (LAST - FIRST + 1);
        while self.by_address.contains_key(&Ipv4Addr::from_bits(bits)) {
            bits = if bits == LAST { FIRST } else { bits + 1 };
        }
        self.insert(name.to_owned(), Ipv4Addr::from_bits(bits));
        Ipv4Addr::from_bits(bits)
    }

    /// The name that an address stands for.
    pub(super) fn name_of(&self, address: Ipv4Addr) -> Option<&str> {
        self.by_address.get(&address).map(String::as_str)
    }

    pub(super) fn known_as(&self, name: &str) -> Option<Ipv4Addr> {
        self.known.get(name).map(|known| known.address)
    }

    /// What the name was resolved to a moment ago.
    pub(super) fn found(&self, name: &str, now: Instant) -> Option<&[IpAddr]> {
        let (at, addresses) = self.known.get(name)?.found.as_ref()?;
        (now.duration_since(*at) < FRESH).then_some(addresses.as_slice())
    }

    /// Gives the name an address, and keeps for a while what it was resolved to.
    pub(super) fn keep(&mut self, name: &str, found: &[IpAddr], now: Instant) {
        self.address_of(name);
        if let Some(known) = self.known.get_mut(name)
            && known.found.as_ref().is_none_or(|(at, _)| now.duration_since(*at) >= FRESH)
        {
            known.found = Some((now, found.to_vec()));
        }
    }

    fn insert(&mut self, name: String, address: Ipv4Addr) {
        if self.order.len() == MAX_NAMES
            && let Some(oldest) = self.order.pop_front()
            && let Some(forgotten) = self.known.remove(&oldest)
        {
            self.by_address.remove(&forgotten.address);
        }
        self.by_address.insert(address, name.clone());
        self.order.push_back(name.clone());
        self.known.insert(name, Known { address, found: None });
    }
}

/// Whether an address is one that may stand for a name.
pub(super) fn is_ours(address: Ipv4Addr) -> bool {
    (FIRST..=LAST).contains(&address.to_bits())
}

/// FNV-1a, because it stays the same over releases and machines.
fn hash(name: &str) -> u32 {
    name.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_has_an_address_of_its_own_and_keeps_it() {
        let mut names = Names::default();
        let all: Vec<String> = (0..2_000).map(|number| format!("host-{number}.test")).collect();
        let addresses: Vec<Ipv4Addr> = all.iter().map(|name| names.address_of(name)).collect();
        for (name, address) in all.iter().zip(&addresses) {
            assert!(is_ours(*address), "{address}");
            assert_eq!((names.address_of(name), names.name_of(*address)), (*address, Some(name.as_str())));
        }
        assert_eq!(Names::default().address_of(&all[7]), addresses[7]);
    }

    #[test]
    fn a_restart_takes_what_was_told_over_what_would_be() {
        let known_as = Some(Ipv4Addr::new(198, 18, 7, 7));
        let contact = Contact { host: "a.test".into(), port: 80, known_as, refused: None };
        let elsewhere =
            Contact { host: "b.test".into(), known_as: Some(Ipv4Addr::LOCALHOST), ..contact.clone() };
        let mut names = Names::remembered([&contact, &elsewhere]);
        assert_eq!(Some(names.address_of("a.test")), known_as);
        assert_eq!(names.known_as("b.test"), None);
    }

    #[test]
    fn there_is_a_bound_and_the_oldest_goes() {
        let mut names = Names::default();
        let first = names.address_of("first.test");
        for number in 0..MAX_NAMES {
            names.address_of(&format!("{number}.test"));
        }
        assert_eq!(
            (names.known.len(), names.by_address.len(), names.order.len()),
            (MAX_NAMES, MAX_NAMES, MAX_NAMES)
        );
        assert_eq!(names.name_of(first), None);
    }
}
