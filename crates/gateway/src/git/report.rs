//! What git reads as an answer of git: packets, and the report that a push was refused.
//! Source: gitprotocol-common(5), "pkt-line Format"; gitprotocol-pack(5), "Report Status".

use super::commands::Capabilities;
use super::rules::Refused;
use bytes::Bytes;

const FLUSH: &[u8] = b"0000";
/// Band of the report itself. Source: gitprotocol-pack(5), "Packfile Data".
const BAND_DATA: u8 = 1;
/// The longest packet is 65520 bytes, of which four are its length and one is the band.
const MAX_BAND_BYTES: usize = 65515;

/// What precedes the list of refs: which service lists them.
pub(super) fn heading(service: &str) -> Bytes {
    let mut heading = packet(format!("# service={service}\n").as_bytes());
    heading.extend_from_slice(FLUSH);
    heading.into()
}

/// The report of a push of which nothing was taken; `None` if the other side did not ask for reports.
pub(super) fn rejected(capabilities: &Capabilities, refusals: &[Refused]) -> Option<Vec<u8>> {
    if !capabilities.report_status {
        return None;
    }
    let mut report = packet(b"unpack ok\n");
    for refused in refusals {
        let line = [b"ng ", refused.name.as_slice(), b" ", refused.reason.as_bytes(), b"\n"].concat();
        report.extend(packet(&line));
    }
    report.extend_from_slice(FLUSH);
    if !capabilities.side_band_64k {
        return Some(report);
    }
    let mut banded = Vec::with_capacity(report.len() + 16);
    for part in report.chunks(MAX_BAND_BYTES) {
        banded.extend(packet(&[&[BAND_DATA], part].concat()));
    }
    banded.extend_from_slice(FLUSH);
    Some(banded)
}

fn packet(payload: &[u8]) -> Vec<u8> {
    let mut packet = format!("{:04x}", payload.len() + 4).into_bytes();
    packet.extend_from_slice(payload);
    packet
}
