//! Passwords: Argon2id in a pool of its own, so that a flood of sign-ins cannot take every thread or all memory.
//! An unknown user costs the same work as a known one, against a hash that fits no password.

use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret, SecretString};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use zeroize::Zeroizing;

/// Shortest password, in characters.
pub const PASSWORD_MIN: usize = 8;
/// Longest password, in bytes; hashing has no need of more.
pub const PASSWORD_MAX: usize = 1_024;
/// How long a request waits for its turn in the pool.
const TURN: Duration = Duration::from_secs(5);

/// Why a password was not hashed or compared.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum PasswordError {
    /// Too short or too long.
    #[error("A password has at least 8 characters and at most 1024 bytes.")]
    Length,
    /// The pool is full.
    #[error("Too many people are signing in at this moment; please try again.")]
    Busy,
    /// The algorithm refused, or its thread died.
    #[error("The password could not be processed.")]
    Internal,
}

/// The hashing pool. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Passwords {
    turns: Arc<Semaphore>,
    nobody: Arc<str>,
}

impl Passwords {
    /// A pool that hashes `at_once` passwords at a time, 19 MiB each.
    pub fn new(at_once: usize) -> Result<Self, PasswordError> {
        let mut bytes = Zeroizing::new([0_u8; 32]);
        getrandom::fill(bytes.as_mut()).map_err(|_| PasswordError::Internal)?;
        let nobody = hash_now(URL_SAFE_NO_PAD.encode(bytes.as_ref()).as_bytes())?;
        Ok(Self { turns: Arc::new(Semaphore::new(at_once.max(1))), nobody: nobody.into() })
    }

    /// Hashes a new password.
    pub async fn hash(&self, password: &SecretString) -> Result<String, PasswordError> {
        check_length(password)?;
        let (turn, password) = (self.turn().await?, password.clone());
        tokio::task::spawn_blocking(move || {
            let hash = hash_now(password.expose_secret().as_bytes());
            drop(turn);
            hash
        })
        .await
        .map_err(|_| PasswordError::Internal)?
    }

    /// Compares with a stored hash, or with nobody's when there is none.
    pub async fn verify(&self, password: &SecretString, stored: Option<&str>) -> Result<bool, PasswordError> {
        // Overlong input is refused by its length alone, alike for everybody.
        if password.expose_secret().len() > PASSWORD_MAX {
            return Ok(false);
        }
        let known = stored.is_some();
        let hash = stored.unwrap_or(&self.nobody).to_owned();
        let (turn, password) = (self.turn().await?, password.clone());
        tokio::task::spawn_blocking(move || {
            let fits = hasher().map(|argon2| {
                let compared: Result<(), _> =
                    argon2.verify_password(password.expose_secret().as_bytes(), hash.as_str());
                compared.is_ok()
            });
            drop(turn);
            fits.map(|fits| fits && known)
        })
        .await
        .map_err(|_| PasswordError::Internal)?
    }

    async fn turn(&self) -> Result<OwnedSemaphorePermit, PasswordError> {
        let turn = tokio::time::timeout(TURN, self.turns.clone().acquire_owned()).await;
        turn.map_err(|_| PasswordError::Busy)?.map_err(|_| PasswordError::Internal)
    }
}

/// Refuses passwords too short to be one or too long to be meant.
pub fn check_length(password: &SecretString) -> Result<(), PasswordError> {
    let password = password.expose_secret();
    if password.chars().count() < PASSWORD_MIN || password.len() > PASSWORD_MAX {
        return Err(PasswordError::Length);
    }
    Ok(())
}

/// A password for somebody who did not choose one: 18 random bytes, 24 characters.
pub fn generate() -> Result<SecretString, PasswordError> {
    let mut bytes = Zeroizing::new([0_u8; 18]);
    getrandom::fill(bytes.as_mut()).map_err(|_| PasswordError::Internal)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes.as_ref()).into())
}

fn hasher() -> Result<Argon2<'static>, PasswordError> {
    let params = Params::new(19_456, 2, 1, None).map_err(|_| PasswordError::Internal)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn hash_now(password: &[u8]) -> Result<String, PasswordError> {
    let hash = hasher()?.hash_password(password).map_err(|_| PasswordError::Internal)?;
    Ok(hash.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_fits_its_own_hash_only() {
        let pool = Passwords::new(1).unwrap();
        let hash = pool.hash(&"correct horse".into()).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(pool.verify(&"correct horse".into(), Some(&hash)).await.unwrap());
        assert!(!pool.verify(&"wrong horse".into(), Some(&hash)).await.unwrap());
        assert!(!pool.verify(&"correct horse".into(), None).await.unwrap());
        assert!(!pool.verify(&"x".repeat(2_000).into(), Some(&hash)).await.unwrap());
    }

    #[tokio::test]
    async fn lengths_are_checked_before_any_work() {
        let pool = Passwords::new(1).unwrap();
        assert_eq!(pool.hash(&"short".into()).await.unwrap_err(), PasswordError::Length);
        assert_eq!(pool.hash(&"x".repeat(1_025).into()).await.unwrap_err(), PasswordError::Length);
        assert_ne!(generate().unwrap().expose_secret(), generate().unwrap().expose_secret());
    }
}
