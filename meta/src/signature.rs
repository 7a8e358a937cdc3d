//! Webhook signatures and the `appsecret_proof`: HMAC-SHA256 under an app secret.
//! One Meta app has two secrets (its own and the Instagram product's) and either may sign, so a set is checked.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use subtle::{Choice, ConstantTimeEq};
use thiserror::Error;

const PREFIX: &str = "sha256=";
const DIGEST_BYTES: usize = 32;

/// The app secrets that may sign what Meta sends to us: the Meta app secret, the Instagram app secret, and during a
/// rotation their predecessors (fact sheet §5.1, §12.3).
#[derive(Clone, Default)]
pub struct AppSecrets {
    secrets: Vec<SecretString>,
}

/// Why a delivery was not accepted as Meta's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SignatureError {
    /// The header `X-Hub-Signature-256` is absent. The legacy `X-Hub-Signature` (SHA-1) never stands in for it.
    #[error("the signature header is missing")]
    Missing,
    /// The header is not exactly one `sha256=` followed by 64 lower-case hex digits.
    #[error("the signature header is malformed")]
    Malformed,
    /// None of the configured secrets made this signature over these bytes.
    #[error("the signature does not match the body")]
    Mismatch,
    /// No secret is configured, so nothing can be trusted.
    #[error("no app secret is configured")]
    NoSecret,
}

impl AppSecrets {
    /// A set of secrets. Empty strings are dropped: an HMAC under an empty key can be made by anybody.
    pub fn new(secrets: Vec<SecretString>) -> Self {
        let secrets = secrets.into_iter().filter(|s| !s.expose_secret().is_empty()).collect();
        Self { secrets }
    }

    /// True when nothing can be verified.
    pub fn is_empty(&self) -> bool {
        self.secrets.is_empty()
    }

    /// Checks the value of `X-Hub-Signature-256` against the raw body bytes (§5.1): exactly as received, because a
    /// parsed and re-serialised body has other bytes.
    ///
    /// # Errors
    /// See [`SignatureError`]. An empty set refuses everything.
    pub fn verify(&self, body: &[u8], header: Option<&str>) -> Result<(), SignatureError> {
        if self.is_empty() {
            return Err(SignatureError::NoSecret);
        }
        let claimed = parse_header(header.ok_or(SignatureError::Missing)?)?;
        self.matches(body, &claimed).then_some(()).ok_or(SignatureError::Mismatch)
    }

    /// True when any secret made `claimed` over `message`. All secrets are always tried, and compared in constant time,
    /// so that the time taken tells nothing about which one matched or how far.
    pub(crate) fn matches(&self, message: &[u8], claimed: &[u8]) -> bool {
        let mut found = Choice::from(0);
        for secret in &self.secrets {
            found |= hmac_sha256(secret, message).as_slice().ct_eq(claimed);
        }
        found.into()
    }
}

impl fmt::Debug for AppSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AppSecrets").field("count", &self.secrets.len()).finish()
    }
}

/// `appsecret_proof` of a token (§10): lower-case hex HMAC-SHA256 of the token under the app secret, a parameter of
/// every call to graph.facebook.com. Use the proof of the very token the call carries.
pub fn appsecret_proof(secret: &SecretString, token: &SecretString) -> String {
    hex::encode(hmac_sha256(secret, token.expose_secret().as_bytes()))
}

fn hmac_sha256(secret: &SecretString, message: &[u8]) -> [u8; DIGEST_BYTES] {
    match Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes()) {
        Ok(mac) => mac.chain_update(message).finalize().into_bytes().into(),
        // HMAC takes keys of any length (RFC 2104), so the constructor has no failing case.
        Err(_) => unreachable!("HMAC takes keys of any length"),
    }
}

fn parse_header(header: &str) -> Result<[u8; DIGEST_BYTES], SignatureError> {
    let digits = header.strip_prefix(PREFIX).ok_or(SignatureError::Malformed)?;
    // Lower case only, as documented: one signature then has one spelling, and any changed bit is refused.
    if digits.bytes().any(|b| b.is_ascii_uppercase()) {
        return Err(SignatureError::Malformed);
    }
    let mut digest = [0; DIGEST_BYTES];
    hex::decode_to_slice(digits, &mut digest).map_err(|_| SignatureError::Malformed)?;
    Ok(digest)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECRET: &str = "sandbox_app_secret_0123456789abcdef";
    const BODY: &str = r#"{"object":"instagram","entry":[{"id":"17841400000000001","time":1790000000000,"messaging":[{"sender":{"id":"900000000000001"},"recipient":{"id":"17841400000000001"},"timestamp":1789999999000,"message":{"mid":"m_test_1","text":"\u00e4\u00f6\u00e5 https:\/\/example.test\/a"}}]}]}"#;
    const HEADER: &str = "sha256=f4f3173eca6f0ba6d833ebe35e3e3dfbe94d1119ec82efcf7b8773a8e266959f";

    fn secrets(all: &[&str]) -> AppSecrets {
        AppSecrets::new(all.iter().map(|s| SecretString::from(*s)).collect())
    }

    #[test]
    fn the_published_vector_verifies_whatever_else_is_in_the_set() {
        assert_eq!(BODY.len(), 278);
        for set in [&[SECRET][..], &["other", SECRET], &[SECRET, "other"], &["", SECRET]] {
            assert_eq!(secrets(set).verify(BODY.as_bytes(), Some(HEADER)), Ok(()));
        }
    }

    #[test]
    fn a_reserialised_body_does_not_verify() {
        let value: serde_json::Value = serde_json::from_str(BODY).unwrap();
        let reserialised = serde_json::to_string(&value).unwrap();
        assert_ne!(reserialised, BODY);
        let set = secrets(&[SECRET]);
        assert_eq!(set.verify(reserialised.as_bytes(), Some(HEADER)), Err(SignatureError::Mismatch));
        // The hash of the unescaped text is not the hash of the bytes on the wire.
        let other = "sha256=62f448f1ab80330d6e2fca9769a5e16d3d1d2a09bada1496c8d9f82af945a6da";
        assert_eq!(set.verify(BODY.as_bytes(), Some(other)), Err(SignatureError::Mismatch));
    }

    #[test]
    fn the_sha1_header_never_stands_in() {
        let sha1 = "sha1=f0dfaa047135c153f74f6235f8521a21656e44a8";
        assert_eq!(secrets(&[SECRET]).verify(BODY.as_bytes(), Some(sha1)), Err(SignatureError::Malformed));
        assert_eq!(secrets(&[SECRET]).verify(BODY.as_bytes(), None), Err(SignatureError::Missing));
    }

    #[test]
    fn only_one_spelling_of_the_header_is_read() {
        let set = secrets(&[SECRET]);
        let bare = HEADER.strip_prefix(PREFIX).unwrap();
        let upper = format!("{PREFIX}{}", bare.to_uppercase());
        let bad = [
            String::new(),
            PREFIX.to_owned(),
            bare.to_owned(),
            upper,
            format!("{HEADER}, {HEADER}"),
            format!("{HEADER}00"),
            format!(" {HEADER}"),
            format!("{HEADER} "),
            HEADER[..HEADER.len() - 1].to_owned(),
            HEADER.replace('f', "g"),
            format!("SHA256={bare}"),
        ];
        for header in bad {
            assert_eq!(set.verify(BODY.as_bytes(), Some(&header)), Err(SignatureError::Malformed), "{header:?}");
        }
    }

    #[test]
    fn without_a_secret_nothing_passes() {
        for set in [secrets(&[]), secrets(&[""]), AppSecrets::default()] {
            assert_eq!(set.verify(BODY.as_bytes(), Some(HEADER)), Err(SignatureError::NoSecret));
            assert_eq!(set.verify(BODY.as_bytes(), None), Err(SignatureError::NoSecret));
        }
        assert_eq!(secrets(&["other"]).verify(BODY.as_bytes(), Some(HEADER)), Err(SignatureError::Mismatch));
    }

    #[test]
    fn the_proof_vector_and_no_secret_in_debug() {
        let proof = appsecret_proof(&SecretString::from(SECRET), &SecretString::from("EAAsandboxToken"));
        assert_eq!(proof, "6aa068f36ff8f29a60c2a4d1c05d5c2195456fe94c872fb905534501eed8f76c");
        assert!(!format!("{:?}", secrets(&[SECRET])).contains(SECRET));
    }

    proptest! {
        #[test]
        fn every_flipped_bit_of_the_body_is_refused(at in 0..BODY.len(), bit in 0..8u8) {
            let mut body = BODY.as_bytes().to_vec();
            body[at] ^= 1 << bit;
            prop_assert!(secrets(&[SECRET]).verify(&body, Some(HEADER)).is_err());
        }

        #[test]
        fn every_flipped_bit_of_the_header_is_refused(at in 0..HEADER.len(), bit in 0..7u8) {
            let mut header = HEADER.as_bytes().to_vec();
            header[at] ^= 1 << bit;
            let header = String::from_utf8(header).unwrap();
            prop_assert!(secrets(&[SECRET]).verify(BODY.as_bytes(), Some(&header)).is_err());
        }

        #[test]
        fn any_header_text_is_an_error_not_a_panic(header in ".*") {
            prop_assert!(secrets(&[SECRET]).verify(BODY.as_bytes(), Some(&header)).is_err());
        }
    }
}
