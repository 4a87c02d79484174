//! A signed text of an issuer: RS256 or ES256, by one of its published keys, and nothing else. Sources: RFC 7515, 7517, 7518.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// The keys of an issuer, as it publishes them.
#[derive(Debug, Deserialize)]
pub(super) struct Keys {
    keys: Vec<Key>,
}

/// What is not known of one is not read; a key of another kind is no key of ours.
#[derive(Debug, Deserialize)]
struct Key {
    kty: String,
    #[serde(default)]
    kid: Option<String>,
    #[serde(default, rename = "use")]
    purpose: Option<String>,
    #[serde(default)]
    alg: Option<String>,
    #[serde(default)]
    crv: Option<String>,
    #[serde(default)]
    n: Option<String>,
    #[serde(default)]
    e: Option<String>,
    #[serde(default)]
    x: Option<String>,
    #[serde(default)]
    y: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Header {
    alg: String,
    #[serde(default)]
    kid: Option<String>,
    /// What has to be understood is not.
    #[serde(default)]
    crit: Option<serde_json::Value>,
}

/// The claims, if one of the keys has signed them.
pub(super) fn read<T: DeserializeOwned>(text: &str, keys: &Keys) -> Result<T, &'static str> {
    let mut parts = text.split('.');
    let (Some(head), Some(claims), Some(signature), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err("it is no signed text");
    };
    let header: Header = parse(head).ok_or("its header cannot be read")?;
    if header.crit.is_some() {
        return Err("its header asks for what is not understood");
    }
    let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).map_err(|_| "its signature cannot be read")?;
    let signed = &text.as_bytes()[..head.len() + 1 + claims.len()];
    let fits = |key: &&Key| {
        (header.kid.is_none() || key.kid.is_none() || key.kid == header.kid)
            && key.purpose.as_deref().is_none_or(|purpose| purpose == "sig")
            && key.alg.as_ref().is_none_or(|alg| *alg == header.alg)
    };
    let mut candidates = keys.keys.iter().filter(fits);
    if !candidates.any(|key| key.has_signed(&header.alg, signed, &signature).is_some()) {
        return Err("none of its keys has signed it");
    }
    parse(claims).ok_or("its claims cannot be read")
}

impl Key {
    /// `None` if not, or if the key is of another kind.
    fn has_signed(&self, alg: &str, signed: &[u8], signature: &[u8]) -> Option<()> {
        let bytes = |text: &Option<String>| BASE64_URL_SAFE_NO_PAD.decode(text.as_ref()?).ok();
        match (alg, self.kty.as_str(), self.crv.as_deref()) {
            ("RS256", "RSA", _) => {
                let key = RsaPublicKeyComponents { n: bytes(&self.n)?, e: bytes(&self.e)? };
                key.verify(&RSA_PKCS1_2048_8192_SHA256, signed, signature).ok()
            }
            ("ES256", "EC", Some("P-256")) => {
                let (x, y) = (bytes(&self.x)?, bytes(&self.y)?);
                // A point without compression. Source: SEC 1, section 2.3.3.
                let point = [&[4], x.as_slice(), y.as_slice()].concat();
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(signed, signature).ok()
            }
            _ => None,
        }
    }
}

fn parse<T: DeserializeOwned>(part: &str) -> Option<T> {
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    /// Source: RFC 7515, appendices A.2 and A.3: the same claims, signed with RS256 and with ES256.
    const CLAIMS: &str =
        "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    const RS256: (&str, &str) = (
        "eyJhbGciOiJSUzI1NiJ9",
        "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw",
    );
    const ES256: (&str, &str) = (
        "eyJhbGciOiJFUzI1NiJ9",
        "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
    );

    fn keys() -> Keys {
        let all = json!({ "keys": [
            { "kty": "RSA", "e": "AQAB", "n": "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ" },
            { "kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0" },
            { "kty": "oct", "k": "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow" },
        ]});
        serde_json::from_value(all).unwrap()
    }

    fn verdict(header: &str, claims: &str, signature: &str) -> Result<String, &'static str> {
        let read: Value = read(&format!("{header}.{claims}.{signature}"), &keys())?;
        Ok(read["iss"].as_str().unwrap().to_owned())
    }

    #[test]
    fn only_what_a_key_of_the_issuer_has_signed_is_read() {
        for (header, signature) in [RS256, ES256] {
            assert_eq!(verdict(header, CLAIMS, signature), Ok("joe".to_owned()));
            assert!(verdict(header, &CLAIMS.replace("IjoieyJ", "x"), &signature.replace('A', "B")).is_err());
            let forged = BASE64_URL_SAFE_NO_PAD.encode(br#"{"iss":"eve"}"#);
            assert_eq!(verdict(header, &forged, signature), Err("none of its keys has signed it"));
        }
        assert!(verdict(RS256.0, CLAIMS, ES256.1).is_err() && verdict(ES256.0, CLAIMS, RS256.1).is_err());
        let header = |text: &str| BASE64_URL_SAFE_NO_PAD.encode(text);
        for alg in ["none", "None", "HS256", "RS512", ""] {
            let head = header(&json!({ "alg": alg }).to_string());
            assert!(verdict(&head, CLAIMS, "").is_err() && verdict(&head, CLAIMS, RS256.1).is_err(), "{alg}");
        }
        assert!(verdict(&header(r#"{"alg":"RS256","crit":["b64"]}"#), CLAIMS, RS256.1).is_err());
        for nonsense in ["", "a", "a.b", "a.b.c.d", "é.b.c"] {
            assert!(read::<Value>(nonsense, &keys()).is_err(), "{nonsense}");
        }
    }
}
