//! Who listens in this network, as the kernel lists it. Source: proc_net_tcp(5).

use std::collections::{BTreeSet, HashSet};
use std::fs::{read_dir, read_link, read_to_string};

/// Ports that are told; a machine with more listeners is not looked at by a person.
const MAX_PORTS: usize = 256;

/// The state of a socket that listens.
const LISTENS: &str = "0A";

/// Addresses at which `dial` reaches a listener: any and loopback, of IPv4 and of IPv6, as the kernel writes them.
const REACHED: [&str; 4] =
    ["00000000", "0100007F", "00000000000000000000000000000000", "00000000000000000000000001000000"];

/// Ports that can be reached, in order; not those of the guest itself.
pub(crate) fn ports() -> Vec<u16> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(|path| read_to_string(path).unwrap_or_default());
    let own = own_sockets();
    let found: BTreeSet<u16> = tables.iter().flat_map(|table| listed(table, &own)).collect();
    found.into_iter().take(MAX_PORTS).collect()
}

fn listed(table: &str, own: &HashSet<String>) -> Vec<u16> {
    let listener = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let &[_, local, _, LISTENS, _, _, _, _, _, inode, ..] = fields.as_slice() else { return None };
        let (address, port) = local.split_once(':')?;
        let counts = REACHED.contains(&address) && !own.contains(inode);
        counts.then(|| u16::from_str_radix(port, 16).ok())?
    };
    table.lines().filter_map(listener).collect()
}

/// The numbers of all sockets that this process has open.
fn own_sockets() -> HashSet<String> {
    let Ok(folder) = read_dir("/proc/self/fd") else { return HashSet::new() };
    let numbers = folder.flatten().filter_map(|entry| {
        let target = read_link(entry.path()).ok()?;
        Some(target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned())
    });
    numbers.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listeners_that_can_be_reached_are_listed() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
            0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 100 1 0 100 0\n\
            1: 00000000:0BB8 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 101 1 0 100 0\n\
            2: 3500007F:0035 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 102 1 0 100 0\n\
            3: 0100007F:1CF3 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 103 1 0 100 0\n\
            4: 0100007F:1F91 0100007F:1F90 01 00000000:00000000 00:00000000 00000000  1000        0 104 1 0 100 0\n\
            torn\n";
        assert_eq!(listed(table, &HashSet::from(["103".to_owned()])), [8080, 3000]);
        let table = "0: 00000000000000000000000001000000:1435 0:0000 0A 0:0 00:0 0 1000 0 7 1\n";
        assert_eq!(listed(table, &HashSet::new()), [5173]);
    }

    #[test]
    fn a_socket_of_ones_own_is_left_out() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let table = read_to_string("/proc/net/tcp").unwrap();
        assert!(listed(&table, &HashSet::new()).contains(&port));
        assert!(!ports().contains(&port));
    }
}
