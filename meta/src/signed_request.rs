//! `signed_request`: the form field of the deauthorize and data-deletion callbacks (fact sheet §9).
//! The signature is over the encoded payload, so it is checked before anything inside is believed.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use thiserror::Error;

use crate::json::Fields;
use crate::signature::AppSecrets;

/// Longer requests are refused unread; real ones are a few hundred bytes.
const MAX_BYTES: usize = 16 * 1024;

/// What Meta said, proven to come from Meta.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedRequest {
    /// App-scoped id of the person: not the id that webhooks carry. The dashboard's test sends `"0"`.
    pub user_id: String,
    /// Unix seconds.
    pub issued_at: Option<i64>,
    /// Unix seconds; only seen in data-deletion requests.
    pub expires: Option<i64>,
}

/// Why a signed request was refused. The callback answers 400 to each of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SignedRequestError {
    /// Not `base64url "." base64url`, or the payload is not a JSON object.
    #[error("the signed request is malformed")]
    Malformed,
    /// None of the configured secrets made this signature.
    #[error("the signature of the signed request does not match")]
    Mismatch,
    /// No secret is configured, so nothing can be trusted.
    #[error("no app secret is configured")]
    NoSecret,
    /// The payload names another algorithm than HMAC-SHA256, or none.
    #[error("the signed request names an unknown algorithm")]
    Algorithm,
    /// The payload has no `user_id`.
    #[error("the signed request names no user")]
    NoUser,
}

/// Verifies the signature against every secret of the set, then reads the payload.
///
/// # Errors
/// See [`SignedRequestError`].
pub fn parse_and_verify(text: &str, secrets: &AppSecrets) -> Result<SignedRequest, SignedRequestError> {
    if secrets.is_empty() {
        return Err(SignedRequestError::NoSecret);
    }
    if text.len() > MAX_BYTES {
        return Err(SignedRequestError::Malformed);
    }
    let (signature, payload) = text.split_once('.').ok_or(SignedRequestError::Malformed)?;
    let claimed = URL_SAFE_NO_PAD.decode(signature).map_err(|_| SignedRequestError::Malformed)?;
    if !secrets.matches(payload.as_bytes(), &claimed) {
        return Err(SignedRequestError::Mismatch);
    }
    let json = URL_SAFE_NO_PAD.decode(payload).map_err(|_| SignedRequestError::Malformed)?;
    let json = std::str::from_utf8(&json).map_err(|_| SignedRequestError::Malformed)?;
    let fields = Fields::parse(json).ok_or(SignedRequestError::Malformed)?;
    let algorithm = fields.text("algorithm").unwrap_or_default();
    if !algorithm.eq_ignore_ascii_case("HMAC-SHA256") {
        return Err(SignedRequestError::Algorithm);
    }
    Ok(SignedRequest {
        user_id: fields.id("user_id").ok_or(SignedRequestError::NoUser)?,
        issued_at: fields.integer("issued_at"),
        expires: fields.integer("expires"),
    })
}

#[cfg(test)]
mod tests {
    use hmac::{Hmac, KeyInit, Mac};
    use proptest::prelude::*;
    use secrecy::SecretString;
    use sha2::Sha256;

    use super::*;

    const SECRET: &str = "sandbox_app_secret_0123456789abcdef";
    const VECTOR: &str = "dlMVyXgW1mp3wCeHw2Zbr_FtYztAnf7eF0O3li8QNJk.eyJ1c2VyX2lkIjoiMjE4NDcxIiwiYWxnb3JpdGhtIjoiSE1BQy1TSEEyNTYiLCJpc3N1ZWRfYXQiOjE3OTAwMDAwMDB9";

    fn secrets() -> AppSecrets {
        AppSecrets::new(vec![SecretString::from("other"), SecretString::from(SECRET)])
    }

    fn sign(payload: &str) -> String {
        let payload = URL_SAFE_NO_PAD.encode(payload);
        let mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap().chain_update(&payload);
        format!("{}.{payload}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
    }

    #[test]
    fn the_published_vector() {
        let expected = SignedRequest { user_id: "218471".into(), issued_at: Some(1_790_000_000), expires: None };
        assert_eq!(parse_and_verify(VECTOR, &secrets()), Ok(expected));
    }

    #[test]
    fn spellings_that_pass() {
        let deletion =
            sign(r#"{"user_id":218471,"algorithm":"hmac-sha256","issued_at":1291836800,"expires":1291840400}"#);
        let read = parse_and_verify(&deletion, &secrets()).unwrap();
        assert_eq!((read.user_id.as_str(), read.expires), ("218471", Some(1_291_840_400)));
        let test_button = sign(r#"{"user_id":"0","algorithm":"HMAC-SHA256"}"#);
        assert_eq!(parse_and_verify(&test_button, &secrets()).unwrap().user_id, "0");
    }

    #[test]
    fn each_refusal() {
        use SignedRequestError::*;
        let cases = [
            (sign(r#"{"user_id":"1","algorithm":"none"}"#), Algorithm),
            (sign(r#"{"user_id":"1"}"#), Algorithm),
            (sign(r#"{"algorithm":"HMAC-SHA256"}"#), NoUser),
            (sign("[]"), Malformed),
            (sign("not json"), Malformed),
            (String::new(), Malformed),
            ("a.b.c".into(), Malformed),
            ("!!!.e30".into(), Malformed),
            (format!("AAAA{VECTOR}"), Mismatch),
            (format!(".{}", &VECTOR[44..]), Mismatch),
            ("x".repeat(MAX_BYTES + 1), Malformed),
        ];
        for (text, error) in cases {
            assert_eq!(parse_and_verify(&text, &secrets()), Err(error), "{text}");
        }
        assert_eq!(parse_and_verify(VECTOR, &AppSecrets::default()), Err(NoSecret));
        let wrong = AppSecrets::new(vec![SecretString::from("other")]);
        assert_eq!(parse_and_verify(VECTOR, &wrong), Err(Mismatch));
    }

    proptest! {
        #[test]
        fn every_flipped_bit_is_refused(at in 0..VECTOR.len(), bit in 0..7u8) {
            let mut bytes = VECTOR.as_bytes().to_vec();
            bytes[at] ^= 1 << bit;
            let text = String::from_utf8(bytes).unwrap();
            prop_assert!(parse_and_verify(&text, &secrets()).is_err());
        }
    }
}
