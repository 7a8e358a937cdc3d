//! Signing in with e-mail address and password, and the limits that make guessing hopeless.
//! A try is counted before its password is hashed, so parallel guesses cannot slip under the limit; a success gives it back.

use crate::clock::{MINUTE, Millis, SECOND};
use crate::context::Context;
use crate::db::Tx;
use crate::password::{PasswordError, Passwords};
use crate::users;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use entities::sign_in_failure::{ActiveModel, Column, Entity, Model};
use entities::user;
use sea_orm::sea_query::{Expr, ExprTrait, LockType, OnConflict};
use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter, QuerySelect as _};
use secrecy::SecretString;
use sha2::{Digest, Sha256};
use std::net::IpAddr;

/// Failures are counted within this long.
pub const WINDOW: Millis = 15 * MINUTE;
/// So many for one account.
pub const PER_ACCOUNT: i32 = 5;
/// So many from one address.
pub const PER_ADDRESS: i32 = 20;

/// Why somebody was not signed in.
#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    /// Wrong address or wrong password: the same answer for both.
    #[error("E-mail address or password is wrong.")]
    Invalid,
    /// Too many failures; nothing was compared.
    #[error("Too many failed tries; please wait before trying again.")]
    TooMany {
        /// When the next try is looked at.
        retry_after_seconds: i64,
    },
    /// The hashing pool refused.
    #[error(transparent)]
    Password(#[from] PasswordError),
    /// The database answered with an error.
    #[error(transparent)]
    Db(#[from] DbErr),
}

/// Compares a password, within the limits.
pub async fn sign_in(
    ctx: &Context,
    passwords: &Passwords,
    email: &str,
    password: &SecretString,
    from: IpAddr,
) -> Result<user::Model, SignInError> {
    // A text that is no address still runs the whole course: the answer and its time tell nothing.
    // Postgres does not even look for a text with a NUL.
    let unfit = |_| email.trim().to_lowercase().replace('\0', "\u{fffd}");
    let email = users::checked_email(email).unwrap_or_else(unfit);
    let (account, address) = (account_subject(&email), address_subject(from));
    let tx = ctx.db.begin().await?;
    // In one order for everybody, so that two tries never wait for each other.
    count(&tx, ctx.now(), &account, PER_ACCOUNT).await?;
    count(&tx, ctx.now(), &address, PER_ADDRESS).await?;
    tx.commit().await?;

    let found = users::by_email(ctx.db.read(), &email).await?;
    let fits = passwords.verify(password, found.as_ref().map(|user| user.password_hash.as_str())).await?;
    let Some(user) = found.filter(|_| fits) else { return Err(SignInError::Invalid) };

    let tx = ctx.db.begin().await?;
    Entity::delete_by_id(account).exec(tx.conn()).await?;
    give_back(&tx, &address).await?;
    tx.commit().await?;
    Ok(user)
}

/// Counts a try from an address that is not for one account, such as registering with an address already taken.
pub async fn count_address(ctx: &Context, from: IpAddr) -> Result<(), SignInError> {
    let tx = ctx.db.begin().await?;
    count(&tx, ctx.now(), &address_subject(from), PER_ADDRESS).await?;
    tx.commit().await?;
    Ok(())
}

async fn count(tx: &Tx, now: Millis, subject: &str, limit: i32) -> Result<(), SignInError> {
    // There must be a row to lock, or two first tries of the same moment would count as one.
    let none = Model { subject: subject.to_owned(), failures: 0, window_started_at: now };
    let keep = OnConflict::column(Column::Subject).do_nothing().to_owned();
    Entity::insert(ActiveModel::from(none)).on_conflict(keep).exec_without_returning(tx.conn()).await?;
    let found = Entity::find_by_id(subject.to_owned()).lock(LockType::Update).one(tx.conn()).await?;
    let current = found.filter(|row| now - row.window_started_at < WINDOW);
    if let Some(row) = current.as_ref().filter(|row| row.failures >= limit) {
        let left = row.window_started_at + WINDOW - now;
        return Err(SignInError::TooMany { retry_after_seconds: (left + SECOND - 1) / SECOND });
    }
    let row = Model {
        subject: subject.to_owned(),
        failures: current.as_ref().map_or(1, |row| row.failures + 1),
        window_started_at: current.map_or(now, |row| row.window_started_at),
    };
    let replace =
        OnConflict::column(Column::Subject).update_columns([Column::Failures, Column::WindowStartedAt]).to_owned();
    Entity::insert(ActiveModel::from(row)).on_conflict(replace).exec_without_returning(tx.conn()).await?;
    Ok(())
}

async fn give_back(tx: &Tx, subject: &str) -> Result<(), DbErr> {
    Entity::update_many()
        .col_expr(Column::Failures, Expr::col(Column::Failures).sub(1))
        .filter(Column::Subject.eq(subject))
        .filter(Column::Failures.gt(0))
        .exec(tx.conn())
        .await?;
    Ok(())
}

fn account_subject(email: &str) -> String {
    format!("account:{}", URL_SAFE_NO_PAD.encode(Sha256::digest(email.as_bytes())))
}

/// One household or server has a whole /64 of IPv6, so that is what is counted.
fn address_subject(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(v4) => format!("address:{v4}"),
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            format!("address:{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_on_ipv6_are_counted_together() {
        let subject = |text: &str| address_subject(text.parse().unwrap());
        assert_eq!(subject("2001:db8:1:2::1"), subject("2001:db8:1:2:ffff::9"));
        assert_ne!(subject("2001:db8:1:2::1"), subject("2001:db8:1:3::1"));
        assert_eq!(subject("::ffff:192.0.2.1"), subject("192.0.2.1"));
    }
}
