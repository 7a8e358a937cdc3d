//! HMACs as Meta writes them: lower-case hex, keyed with the app secret.
//! The same function proves a token (`appsecret_proof`), so both stand here.

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::Sha256;

/// Lower-case hex HMAC-SHA256.
pub(crate) fn sha256(secret: &str, message: &[u8]) -> String {
    hex::encode(sha256_bytes(secret, message))
}

/// The same as it is, for a `signed_request`.
pub(crate) fn sha256_bytes(secret: &str, message: &[u8]) -> Vec<u8> {
    // An HMAC takes a key of any length, so the error cannot happen; an empty text would verify nowhere.
    Hmac::<Sha256>::new_from_slice(secret.as_bytes()).map_or_else(
        |_| Vec::new(),
        |mut mac| {
            mac.update(message);
            mac.finalize().into_bytes().to_vec()
        },
    )
}

/// Lower-case hex HMAC-SHA1, the legacy header.
pub(crate) fn sha1(secret: &str, message: &[u8]) -> String {
    Hmac::<Sha1>::new_from_slice(secret.as_bytes()).map_or_else(
        |_| String::new(),
        |mut mac| {
            mac.update(message);
            hex::encode(mac.finalize().into_bytes())
        },
    )
}

#[cfg(test)]
mod tests {
    #[test]
    fn proof_of_the_fact_sheet() {
        let proof = super::sha256("sandbox_app_secret_0123456789abcdef", b"EAAsandboxToken");
        assert_eq!(proof, "6aa068f36ff8f29a60c2a4d1c05d5c2195456fe94c872fb905534501eed8f76c");
    }
}
