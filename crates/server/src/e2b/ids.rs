//! How sandboxes, templates and builds are called by clients.

use lamplight_domain::SessionId;

/// Of ULIDs (Crockford's base 32), by their value.
const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Ours are in upper case, E2B's in lower.
pub(super) fn id_of(name: &str) -> Option<SessionId> {
    if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return None;
    }
    name.to_ascii_uppercase().parse().ok()
}

pub(super) fn name_of(id: &SessionId) -> String {
    id.as_str().to_ascii_lowercase()
}

/// Of builds: clients take their ids for UUIDs, which are as many bits.
pub(super) fn uuid_of(id: &SessionId) -> String {
    let bits = id.as_str().bytes().fold(0_u128, |bits, digit| {
        let value = DIGITS.iter().position(|one| *one == digit).unwrap_or_default();
        (bits << 5) | value as u128
    });
    let text = format!("{bits:032x}");
    format!("{}-{}-{}-{}-{}", &text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..])
}

pub(super) fn id_of_uuid(text: &str) -> Option<SessionId> {
    let bits = u128::from_str_radix(&text.replace('-', ""), 16).ok()?;
    let digit = |at: u32| DIGITS[(bits >> (5 * at)) as usize & 31] as char;
    (0..26).rev().map(digit).collect::<String>().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "01jd5zk8w3q4r6t7v8x9y0z1a2";

    #[test]
    fn an_id_is_a_uuid_and_back() {
        let id = id_of(ID).unwrap();
        let uuid = uuid_of(&id);
        assert_eq!((uuid.len(), id_of_uuid(&uuid)), (36, Some(id)));
        assert_eq!(
            uuid_of(&"00000000000000000000000001".parse().unwrap()),
            "00000000-0000-0000-0000-000000000001"
        );
        assert_eq!(id_of_uuid("x"), None);
    }

    #[test]
    fn what_is_no_id_is_nobodys() {
        for name in ["", "x", "../../etc", &ID.to_uppercase(), &ID[1..], "01jd5zk8w3q4r6t7v8x9y0z1a\u{e9}"] {
            assert_eq!(id_of(name), None, "{name}");
        }
        assert_eq!(name_of(&id_of(ID).unwrap()), ID);
    }
}
