//! Sessions of signed-in browsers: a random token in a cookie, its hash in the database.
//! A session ends 12 hours after it was last used, 7 days after it began, or when its owner signs out.

use crate::clock::{DAY, HOUR, MINUTE, Millis};
use crate::context::Context;
use crate::db::Tx;
use crate::id::new_id;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use entities::session::{ActiveModel, Column, Entity, Model};
use entities::user;
use hmac::{Hmac, KeyInit, Mac};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, Condition, DbErr, EntityTrait, QueryFilter};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use uuid::Uuid;
use zeroize::Zeroizing;

/// A session unused for this long is over.
pub const IDLE: i64 = 12 * HOUR;
/// A session is over this long after it began.
pub const ABSOLUTE: i64 = 7 * DAY;

/// The cookie's value.
#[derive(Clone, Debug)]
pub struct SessionToken(SecretString);

/// Why a session could not be made.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The operating system gave no randomness.
    #[error("no randomness from the operating system")]
    Randomness,
    /// The database answered with an error.
    #[error(transparent)]
    Db(#[from] DbErr),
}

/// A session that holds, and who it is.
#[derive(Clone, Debug)]
pub struct SignedIn {
    /// The session.
    pub session: Model,
    /// The person.
    pub user: user::Model,
}

impl SessionToken {
    fn random() -> Result<Self, SessionError> {
        let mut bytes = Zeroizing::new([0_u8; 32]);
        getrandom::fill(bytes.as_mut()).map_err(|_| SessionError::Randomness)?;
        Ok(Self(URL_SAFE_NO_PAD.encode(bytes.as_ref()).into()))
    }

    /// Reads a cookie's value; anything but 32 bytes in base64url is `None`.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(text).ok()?);
        (bytes.len() == 32).then(|| Self(text.to_owned().into()))
    }

    /// The cookie's value, to be sent to its owner and nobody else.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// What the database keeps.
    fn hash(&self) -> Vec<u8> {
        Sha256::digest(self.0.expose_secret().as_bytes()).to_vec()
    }

    /// The token a page of ours sends with every change; a foreign page can send the cookie but cannot know this.
    pub fn csrf_token(&self) -> String {
        // A key of any length is accepted, so this branch is never taken; an empty token matches nothing.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(self.0.expose_secret().as_bytes()) else {
            return String::new();
        };
        mac.update(b"retail-assist csrf 1");
        URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
    }

    /// Compares in constant time.
    pub fn csrf_token_is(&self, given: &str) -> bool {
        let expected = self.csrf_token();
        !expected.is_empty() && bool::from(expected.as_bytes().ct_eq(given.as_bytes()))
    }
}

/// Begins a session.
pub async fn create(tx: &Tx, ctx: &Context, user: Uuid) -> Result<SessionToken, SessionError> {
    let token = SessionToken::random()?;
    let now = ctx.now();
    let row = Model {
        id: new_id(now),
        token_hash: token.hash(),
        user_id: user,
        created_at: now,
        last_seen_at: now,
        expires_at: now + ABSOLUTE,
    };
    Entity::insert(ActiveModel::from(row)).exec_without_returning(tx.conn()).await?;
    Ok(token)
}

/// Who a token signs in, if its session still holds.
pub async fn find(ctx: &Context, token: &SessionToken) -> Result<Option<SignedIn>, DbErr> {
    let now = ctx.now();
    let found = Entity::find().filter(Column::TokenHash.eq(token.hash())).one(ctx.db.read()).await?;
    let Some(session) = found.filter(|s| now < s.expires_at && now - s.last_seen_at < IDLE) else {
        return Ok(None);
    };
    let Some(user) = user::Entity::find_by_id(session.user_id).one(ctx.db.read()).await? else {
        return Ok(None);
    };
    if now - session.last_seen_at >= MINUTE
        && let Err(error) = touch(ctx, session.id, now).await
    {
        // A database that only reads still shows the inbox; the session merely ends a little early.
        tracing::warn!(%error, "a session's last use could not be noted");
    }
    Ok(Some(SignedIn { session, user }))
}

/// Whether a session still holds; that it was asked does not count as a use.
pub async fn holds(ctx: &Context, session: Uuid) -> Result<bool, DbErr> {
    let (now, found) = (ctx.now(), Entity::find_by_id(session).one(ctx.db.read()).await?);
    Ok(found.is_some_and(|s| now < s.expires_at && now - s.last_seen_at < IDLE))
}

/// Moved at most once a minute, so that reading a page does not write to the database each time.
async fn touch(ctx: &Context, session: Uuid, now: Millis) -> Result<(), DbErr> {
    Entity::update_many()
        .col_expr(Column::LastSeenAt, Expr::value(now))
        .filter(Column::Id.eq(session))
        .filter(Column::LastSeenAt.lt(now))
        .exec(ctx.db.write())
        .await?;
    Ok(())
}

/// Ends a session.
pub async fn end(ctx: &Context, session: Uuid) -> Result<(), DbErr> {
    Entity::delete_by_id(session).exec(ctx.db.write()).await?;
    Ok(())
}

/// Removes sessions that are over; at most `limit` in one call.
pub async fn sweep(ctx: &Context, limit: u64) -> Result<u64, DbErr> {
    use sea_orm::QuerySelect as _;
    let now = ctx.now();
    let over: Vec<Uuid> = Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(Condition::any().add(Column::ExpiresAt.lte(now)).add(Column::LastSeenAt.lte(now - IDLE)))
        .limit(limit)
        .into_tuple()
        .all(ctx.db.read())
        .await?;
    let removed = Entity::delete_many().filter(Column::Id.is_in(over)).exec(ctx.db.write()).await?;
    Ok(removed.rows_affected)
}
