//! `signed_request`: how Meta tells that a person removed the app, or wants their data gone.
//! The signature is over the encoded payload and raw, unlike that of webhooks.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::{webhook::body::Ordered, webhook::signature};

/// The payload in the order of Meta's samples; `expires` for data deletion alone.
pub(crate) fn payload(user_id: &str, issued_at: i64, expires: Option<i64>) -> String {
    Ordered::new()
        .put("user_id", user_id)
        .put("algorithm", "HMAC-SHA256")
        .put("issued_at", issued_at)
        .put_some("expires", expires)
        .finish()
}

/// Signature and payload, as they stand in the form.
pub(crate) fn sign(secret: &str, payload: &str) -> String {
    let payload = URL_SAFE_NO_PAD.encode(payload);
    let signature = URL_SAFE_NO_PAD.encode(signature::sha256_bytes(secret, payload.as_bytes()));
    format!("{signature}.{payload}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_request_of_the_fact_sheet() {
        let secret = "sandbox_app_secret_0123456789abcdef";
        let signed = sign(secret, &payload("218471", 1_790_000_000, None));
        let expected = "dlMVyXgW1mp3wCeHw2Zbr_FtYztAnf7eF0O3li8QNJk.eyJ1c2VyX2lkIjoiMjE4NDcxIiwiYWxnb3JpdGhtIjoi\
                        SE1BQy1TSEEyNTYiLCJpc3N1ZWRfYXQiOjE3OTAwMDAwMDB9";
        assert_eq!(signed, expected);
    }
}
