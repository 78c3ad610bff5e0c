//! Signatures of webhooks, as the [Standard Webhooks](https://www.standardwebhooks.com) specification 1.0 has them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use odin_model::SecretValue;
use sha2::Sha256;
use zeroize::Zeroizing;

/// What the keys of the specification begin with; the rest is base64.
const PREFIX: &[u8] = b"whsec_";

/// The value of the header `webhook-signature`: `v1,` and the base64 of HMAC-SHA256 over `id.timestamp.body`.
/// `timestamp` is in whole seconds since 1970. A key that begins with `whsec_` is base64 after that, any other is
/// taken byte by byte, white space around it left out.
#[must_use]
pub fn sign(key: &SecretValue, id: &str, timestamp: i64, body: &[u8]) -> String {
    let key = bytes_of(key);
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("HMAC takes keys of any length");
    for part in [
        id.as_bytes(),
        b".",
        timestamp.to_string().as_bytes(),
        b".",
        body,
    ] {
        mac.update(part);
    }
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

fn bytes_of(key: &SecretValue) -> Zeroizing<Vec<u8>> {
    let text = key.expose().trim_ascii();
    let decoded = text
        .strip_prefix(PREFIX)
        .and_then(|text| STANDARD.decode(text).ok());
    Zeroizing::new(decoded.unwrap_or_else(|| text.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signed(key: &str, body: &str) -> String {
        let key = SecretValue::new(key.as_bytes().to_vec()).unwrap();
        sign(
            &key,
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            body.as_bytes(),
        )
    }

    #[test]
    fn the_specifications_example_has_its_signature() {
        let body = r#"{"test": 2432232314}"#;
        let expected = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        assert_eq!(
            signed("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", body),
            expected
        );
        assert_ne!(
            signed("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "{}"),
            expected
        );
        // Not base64: taken as it is.
        assert_ne!(signed("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", body), expected);
        assert_eq!(signed("pass\n", body), signed("pass", body));
    }
}
