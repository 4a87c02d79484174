//! How a notice is signed. Source: the Standard Webhooks specification 1.0.0, "Signature scheme" (symmetric).

use crate::ids;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use lamplight_domain::Timestamp;
use lamplight_gateway::Secret;
use sha2::Sha256;

/// What secrets begin with.
const PREFIX: &str = "whsec_";
/// Of a secret; the specification wants 24 to 64.
const SECRET_BYTES: usize = 32;

/// A fresh secret, as both sides write it down.
pub(super) fn draw() -> std::io::Result<Secret> {
    let bytes = ids::random::<SECRET_BYTES>()?;
    Ok(Secret::new(format!("{PREFIX}{}", STANDARD.encode(bytes))))
}

/// The headers of one try. `None` where the secret is none.
pub(super) fn headers(
    secret: &Secret,
    id: &str,
    now: Timestamp,
    body: &str,
) -> Option<[(&'static str, String); 3]> {
    let key = STANDARD.decode(secret.expose().strip_prefix(PREFIX)?).ok()?;
    let seconds = now.0.div_euclid(1000);
    let mut code = Hmac::<Sha256>::new_from_slice(&key).ok()?;
    code.update(format!("{id}.{seconds}.{body}").as_bytes());
    let signature = format!("v1,{}", STANDARD.encode(code.finalize().into_bytes()));
    Some([
        ("webhook-id", id.to_owned()),
        ("webhook-timestamp", seconds.to_string()),
        ("webhook-signature", signature),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification's reference libraries.
    #[test]
    fn it_signs_as_the_specification_does() {
        let secret = Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let body = r#"{"test": 2432232314}"#;
        let headers = headers(&secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", Timestamp(1_614_265_330_999), body);
        assert_eq!(headers.unwrap()[2].1, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_secret_has_its_length_and_is_another_each_time() {
        let (one, other) = (draw().unwrap(), draw().unwrap());
        assert!(one != other);
        let bytes = STANDARD.decode(one.expose().strip_prefix("whsec_").unwrap()).unwrap();
        assert_eq!(bytes.len(), 32);
        assert!(headers(&Secret::new("another"), "a", Timestamp(0), "").is_none());
    }
}
