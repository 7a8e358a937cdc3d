//! The connect handle: 32 random bytes and nothing inside, shown to one page once. The database keeps its hash.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// What stands for an attempt in the address of the page (`ig_token`, `fb_token`).
#[derive(Clone, Debug)]
pub struct Handle(SecretString);

impl Handle {
    /// A fresh one; `None` when the operating system gives no randomness.
    pub fn random() -> Option<Self> {
        let mut bytes = Zeroizing::new([0_u8; 32]);
        getrandom::fill(bytes.as_mut()).ok()?;
        Some(Self(URL_SAFE_NO_PAD.encode(bytes.as_ref()).into()))
    }

    /// Reads one back; anything but 32 bytes in base64url is `None`.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(text).ok()?);
        (bytes.len() == 32).then(|| Self(text.to_owned().into()))
    }

    /// For the one redirect that carries it.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// What the database keeps, and is asked for.
    pub fn hash(&self) -> Vec<u8> {
        Sha256::digest(self.0.expose_secret().as_bytes()).to_vec()
    }
}
