//! Seals tokens for storage with AES-256-GCM. The key's id stands in the envelope so that keys can be rotated while serving,
//! and the associated data binds each ciphertext to its row and owner, so that swapping two of them opens neither.

use aes_gcm::aead::{Aead, Key, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use secrecy::{ExposeSecret, SecretBox, SecretString};
use sha2::Sha256;
use std::fmt;
use subtle::ConstantTimeEq;
use uuid::Uuid;
use zeroize::Zeroizing;

/// Envelope version; the format is `v1.<key id>.<nonce>.<ciphertext>`, base64url without padding.
const VERSION: &str = "v1";

/// A key with its id.
pub struct VaultKey {
    id: String,
    key: SecretBox<[u8; 32]>,
}

impl VaultKey {
    /// `id` is 1–32 characters of `A–Z a–z 0–9 _ -`, for it stands in the envelope between dots.
    pub fn new(id: &str, bytes: [u8; 32]) -> Result<Self, VaultError> {
        let fits = (1..=32).contains(&id.len());
        if !fits || !id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-') {
            return Err(VaultError::KeyId);
        }
        Ok(Self { id: id.to_owned(), key: SecretBox::new(Box::new(bytes)) })
    }
}

/// Where a sealed value lives: part of what is authenticated.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// Table name.
    pub table: &'a str,
    /// Row.
    pub row: Uuid,
    /// Owner.
    pub organization: Uuid,
    /// Column.
    pub field: &'a str,
    /// Version of the value, where the row keeps one.
    pub version: i64,
}

impl Place<'_> {
    fn associated_data(&self) -> String {
        format!("{}|{}|{}|{}|{}", self.table, self.row, self.organization, self.field, self.version)
    }
}

/// The keys: the first seals, all open.
pub struct Vault {
    keys: Vec<VaultKey>,
}

/// Why something could not be sealed or opened. Never holds key, plaintext or ciphertext.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum VaultError {
    /// No key was given.
    #[error("no encryption key is configured")]
    NoKey,
    /// A key id that cannot stand in an envelope.
    #[error("a key id is 1 to 32 letters, digits, '_' or '-'")]
    KeyId,
    /// Two keys with one id.
    #[error("two encryption keys have the same id")]
    DuplicateKeyId,
    /// Not an envelope of ours.
    #[error("the sealed value is not in a known format")]
    Format,
    /// Sealed with a key we do not have.
    #[error("the sealed value needs an encryption key that is not configured")]
    UnknownKey,
    /// Wrong key, changed bytes, or a value moved from another row.
    #[error("the sealed value does not belong here or was changed")]
    Refused,
    /// The operating system gave no randomness.
    #[error("no randomness from the operating system")]
    Randomness,
}

impl Vault {
    /// Needs at least one key, each with an id of its own.
    pub fn new(keys: Vec<VaultKey>) -> Result<Self, VaultError> {
        if keys.is_empty() {
            return Err(VaultError::NoKey);
        }
        for (at, key) in keys.iter().enumerate() {
            if keys[..at].iter().any(|other| other.id == key.id) {
                return Err(VaultError::DuplicateKeyId);
            }
        }
        Ok(Self { keys })
    }

    /// Seals with the first key and a fresh random nonce.
    pub fn seal(&self, place: Place<'_>, plaintext: &SecretString) -> Result<String, VaultError> {
        let key = self.keys.first().ok_or(VaultError::NoKey)?;
        let mut nonce = [0_u8; 12];
        getrandom::fill(&mut nonce).map_err(|_| VaultError::Randomness)?;
        let aad = place.associated_data();
        let sealed = cipher(key)
            .encrypt(&Nonce::from(nonce), Payload { msg: plaintext.expose_secret().as_bytes(), aad: aad.as_bytes() })
            .map_err(|_| VaultError::Refused)?;
        let (nonce, sealed) = (URL_SAFE_NO_PAD.encode(nonce), URL_SAFE_NO_PAD.encode(sealed));
        Ok(format!("{VERSION}.{}.{nonce}.{sealed}", key.id))
    }

    /// Opens what was sealed for this place with any of the keys.
    pub fn open(&self, place: Place<'_>, sealed: &str) -> Result<SecretString, VaultError> {
        let mut parts = sealed.split('.');
        let (Some(VERSION), Some(id), Some(nonce), Some(bytes), None) =
            (parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(VaultError::Format);
        };
        let key = self.keys.iter().find(|key| key.id == id).ok_or(VaultError::UnknownKey)?;
        let nonce: [u8; 12] =
            URL_SAFE_NO_PAD.decode(nonce).ok().and_then(|n| n.try_into().ok()).ok_or(VaultError::Format)?;
        let bytes = URL_SAFE_NO_PAD.decode(bytes).map_err(|_| VaultError::Format)?;
        let aad = place.associated_data();
        let plain = cipher(key)
            .decrypt(&Nonce::from(nonce), Payload { msg: &bytes, aad: aad.as_bytes() })
            .map(Zeroizing::new)
            .map_err(|_| VaultError::Refused)?;
        let text = std::str::from_utf8(&plain).map_err(|_| VaultError::Refused)?;
        Ok(SecretString::from(text.to_owned()))
    }

    /// The id of the key that seals.
    pub fn sealing_key(&self) -> &str {
        self.keys.first().map_or("", |key| &key.id)
    }

    /// The ids of all keys, the one that seals first.
    pub fn key_ids(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().map(|key| key.id.as_str())
    }

    /// The id of the key a value is sealed with, if it is an envelope of ours.
    pub fn key_of(sealed: &str) -> Option<&str> {
        let mut parts = sealed.split('.');
        (parts.next() == Some(VERSION)).then(|| parts.next()).flatten()
    }

    /// Signs a message for one purpose with the first key; returns the key's id with the mark.
    pub fn sign(&self, purpose: &str, message: &[u8]) -> Result<(&str, [u8; 32]), VaultError> {
        let key = self.keys.first().ok_or(VaultError::NoKey)?;
        Ok((&key.id, mark(key, purpose, message)))
    }

    /// True when the key of this id made the mark; compared in constant time.
    pub fn verify(&self, purpose: &str, key_id: &str, message: &[u8], claimed: &[u8]) -> bool {
        let key = self.keys.iter().find(|key| key.id == key_id);
        key.is_some_and(|key| bool::from(mark(key, purpose, message).as_slice().ct_eq(claimed)))
    }
}

/// HMAC-SHA256 under a key of its own for each purpose, so that no key both seals and signs.
fn mark(key: &VaultKey, purpose: &str, message: &[u8]) -> [u8; 32] {
    let own = Zeroizing::new(hmac(key.key.expose_secret(), purpose.as_bytes()));
    hmac(own.as_ref(), message)
}

fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    match Hmac::<Sha256>::new_from_slice(key) {
        Ok(mac) => mac.chain_update(message).finalize().into_bytes().into(),
        // HMAC takes keys of any length (RFC 2104), so the constructor has no failing case.
        Err(_) => unreachable!("HMAC takes keys of any length"),
    }
}

fn cipher(key: &VaultKey) -> Aes256Gcm {
    Aes256Gcm::new(&Key::<Aes256Gcm>::from(*key.key.expose_secret()))
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids: Vec<_> = self.keys.iter().map(|key| key.id.as_str()).collect();
        f.debug_struct("Vault").field("key_ids", &ids).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vault(ids: &[(&str, u8)]) -> Vault {
        Vault::new(ids.iter().map(|(id, b)| VaultKey::new(id, [*b; 32]).unwrap()).collect()).unwrap()
    }

    fn place(row: u128) -> Place<'static> {
        let (row, organization) = (Uuid::from_u128(row), Uuid::from_u128(7));
        Place { table: "connections", row, organization, field: "token_sealed", version: 1 }
    }

    #[test]
    fn opens_what_it_sealed_and_only_in_its_place() {
        let vault = vault(&[("k1", 1)]);
        let sealed = vault.seal(place(1), &"IGAA-token".to_owned().into()).unwrap();
        assert!(!sealed.contains("IGAA"));
        assert_eq!(vault.open(place(1), &sealed).unwrap().expose_secret(), "IGAA-token");
        assert_eq!(vault.open(place(2), &sealed).unwrap_err(), VaultError::Refused);
        let other = Place { organization: Uuid::from_u128(8), ..place(1) };
        assert_eq!(vault.open(other, &sealed).unwrap_err(), VaultError::Refused);
        assert_eq!(vault.open(Place { version: 2, ..place(1) }, &sealed).unwrap_err(), VaultError::Refused);
    }

    #[test]
    fn an_older_key_still_opens_and_a_missing_one_is_named() {
        let sealed = vault(&[("old", 1)]).seal(place(1), &"t".to_owned().into()).unwrap();
        assert!(vault(&[("new", 2), ("old", 1)]).open(place(1), &sealed).is_ok());
        assert_eq!(vault(&[("new", 2)]).open(place(1), &sealed).unwrap_err(), VaultError::UnknownKey);
    }

    #[test]
    fn every_changed_character_is_refused() {
        let vault = vault(&[("k1", 1)]);
        let sealed = vault.seal(place(1), &"token".to_owned().into()).unwrap();
        for at in 0..sealed.len() {
            let mut bytes = sealed.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(bytes).unwrap();
            if changed != sealed {
                assert!(vault.open(place(1), &changed).is_err(), "position {at}");
            }
        }
    }

    #[test]
    fn a_mark_is_of_one_key_one_purpose_and_one_message() {
        let vault = vault(&[("new", 2), ("old", 1)]);
        let (id, mark) = vault.sign("state", b"hello").unwrap();
        assert_eq!(id, "new");
        assert!(vault.verify("state", "new", b"hello", &mark));
        for (purpose, id, message) in [("other", "new", "hello"), ("state", "old", "hello"), ("state", "new", "hullo")]
        {
            assert!(!vault.verify(purpose, id, message.as_bytes(), &mark), "{purpose} {id} {message}");
        }
        assert!(
            !vault.verify("state", "none", b"hello", &mark) && !vault.verify("state", "new", b"hello", &mark[..31])
        );
        assert_eq!(Vault::key_of("v1.k1.AA.BB"), Some("k1"));
        assert_eq!(Vault::key_of("v2.k1.AA.BB"), None);
    }

    #[test]
    fn bad_keys_are_refused_and_debug_shows_no_key() {
        assert_eq!(Vault::new(vec![]).unwrap_err(), VaultError::NoKey);
        assert!(matches!(VaultKey::new("a.b", [0; 32]), Err(VaultError::KeyId)));
        let twice = vec![VaultKey::new("k", [1; 32]).unwrap(), VaultKey::new("k", [2; 32]).unwrap()];
        assert_eq!(Vault::new(twice).unwrap_err(), VaultError::DuplicateKeyId);
        assert_eq!(format!("{:?}", vault(&[("k1", 65)])), r#"Vault { key_ids: ["k1"], .. }"#);
    }
}
