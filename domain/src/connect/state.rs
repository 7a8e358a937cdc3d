//! The `state` of a login: signed, bound to user, session, provider and attempt, good for ten minutes.
//! It is checked before anything is read from the database for it, so a forged one costs nothing.

use crate::clock::{MINUTE, Millis};
use crate::connections::Platform;
use crate::vault::{Vault, VaultError};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use uuid::Uuid;
use zeroize::Zeroizing;

/// A state is over this long after it was issued; a handle this long after it was made.
pub const LIFETIME: Millis = 10 * MINUTE;
/// How far ahead of ours the clock of another process of ours may be.
const AHEAD: Millis = MINUTE;
const PURPOSE: &str = "oauth state 1";
const VERSION: u8 = 1;
/// Version, provider, user, time, nonce.
const FIXED: usize = 1 + 1 + 16 + 8 + NONCE;
const NONCE: usize = 16;
const MARK: usize = 32;

/// Why a state is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// Not ours, changed, of another person, session or provider, or used before.
    #[error("the state is not valid here")]
    Invalid,
    /// Ours, and over.
    #[error("the state has expired")]
    Expired,
}

/// Whom a state is for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bearer {
    pub(super) user: Uuid,
    pub(super) session: Uuid,
    pub(super) platform: Platform,
}

/// A fresh state, and what the database keeps of it.
pub(super) fn issue(vault: &Vault, bearer: Bearer, now: Millis) -> Result<(String, Vec<u8>), VaultError> {
    let mut nonce = Zeroizing::new([0_u8; NONCE]);
    getrandom::fill(nonce.as_mut()).map_err(|_| VaultError::Randomness)?;
    let mut bytes = Vec::with_capacity(FIXED + MARK + 32);
    bytes.extend([VERSION, provider(bearer.platform)]);
    bytes.extend(bearer.user.as_bytes());
    bytes.extend(now.to_be_bytes());
    bytes.extend(nonce.as_ref());
    let (key, mark) = vault.sign(PURPOSE, &signed(&bytes, bearer.session))?;
    bytes.extend(mark);
    bytes.extend(key.as_bytes());
    Ok((URL_SAFE_NO_PAD.encode(bytes), nonce_hash(nonce.as_ref())))
}

/// Checks everything that can be checked without the database; returns the hash of the nonce.
pub(super) fn check(vault: &Vault, bearer: Bearer, text: &str, now: Millis) -> Result<Vec<u8>, StateError> {
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| StateError::Invalid)?;
    if bytes.len() <= FIXED + MARK || bytes.len() > FIXED + MARK + 32 {
        return Err(StateError::Invalid);
    }
    let (fixed, rest) = bytes.split_at(FIXED);
    let (mark, key) = rest.split_at(MARK);
    let key = std::str::from_utf8(key).map_err(|_| StateError::Invalid)?;
    let ours = vault.verify(PURPOSE, key, &signed(fixed, bearer.session), mark)
        && fixed[..2] == [VERSION, provider(bearer.platform)]
        && fixed[2..18] == *bearer.user.as_bytes();
    if !ours {
        return Err(StateError::Invalid);
    }
    let issued = fixed[18..26].try_into().map(Millis::from_be_bytes).map_err(|_| StateError::Invalid)?;
    if issued > now + AHEAD {
        return Err(StateError::Invalid);
    }
    if now - issued >= LIFETIME {
        return Err(StateError::Expired);
    }
    Ok(nonce_hash(&fixed[26..]))
}

/// The session is part of what is signed and no part of what is sent.
fn signed(fixed: &[u8], session: Uuid) -> Vec<u8> {
    [fixed, session.as_bytes().as_slice()].concat()
}

fn provider(platform: Platform) -> u8 {
    match platform {
        Platform::Instagram => 1,
        Platform::Facebook => 2,
    }
}

fn nonce_hash(nonce: &[u8]) -> Vec<u8> {
    Sha256::digest(nonce).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vault::VaultKey;

    fn vault() -> Vault {
        let key = |id: &str, byte: u8| VaultKey::new(id, [byte; 32]).unwrap();
        Vault::new(vec![key("k2", 2), key("k1", 1)]).unwrap()
    }

    fn bearer() -> Bearer {
        Bearer { user: Uuid::from_u128(1), session: Uuid::from_u128(2), platform: Platform::Instagram }
    }

    #[test]
    fn a_state_is_good_for_ten_minutes_less_a_moment() {
        let (state, hash) = issue(&vault(), bearer(), 1_000).unwrap();
        assert_eq!(check(&vault(), bearer(), &state, 1_000), Ok(hash.clone()));
        assert_eq!(check(&vault(), bearer(), &state, 1_000 + LIFETIME - 1), Ok(hash));
        assert_eq!(check(&vault(), bearer(), &state, 1_000 + LIFETIME), Err(StateError::Expired));
        assert_eq!(check(&vault(), bearer(), &state, 1_000 - AHEAD - 1), Err(StateError::Invalid));
    }

    #[test]
    fn it_serves_one_user_one_session_and_one_provider() {
        let (state, _) = issue(&vault(), bearer(), 1_000).unwrap();
        let others = [
            Bearer { user: Uuid::from_u128(9), ..bearer() },
            Bearer { session: Uuid::from_u128(9), ..bearer() },
            Bearer { platform: Platform::Facebook, ..bearer() },
        ];
        for other in others {
            assert_eq!(check(&vault(), other, &state, 1_000), Err(StateError::Invalid), "{other:?}");
        }
    }

    #[test]
    fn every_changed_bit_is_seen() {
        let (state, _) = issue(&vault(), bearer(), 1_000).unwrap();
        let bytes = URL_SAFE_NO_PAD.decode(&state).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let changed = URL_SAFE_NO_PAD.encode(changed);
            assert_eq!(check(&vault(), bearer(), &changed, 1_000), Err(StateError::Invalid), "bit {bit}");
        }
        for text in ["", "x", "====", &state[1..], &format!("{state}A"), &"A".repeat(9_000)] {
            assert_eq!(check(&vault(), bearer(), text, 1_000), Err(StateError::Invalid), "{text}");
        }
    }
}
