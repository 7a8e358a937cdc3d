//! Requests that name themselves (`Idempotency-Key`): the same one again finds what it led to, and makes nothing new.

use crate::clock::Millis;
use crate::db::Tx;
use crate::id::OrganizationId;
use entities::idempotency_key::{ActiveModel, Column, Entity};
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue::Set, ColumnTrait, DbErr, EntityTrait, QueryFilter};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// The most bytes of a key.
pub const MAX_KEY: usize = 255;

/// Whether a request has been made before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begun {
    /// It has not; what it makes has the id given.
    Fresh,
    /// It has, and made this.
    Same(Uuid),
    /// The key has been used for something else.
    Other,
}

/// Takes the key for a request that is about to make `subject`, in the transaction that makes it: another one with the same
/// key waits for the end of this one.
pub async fn begin(
    tx: &Tx,
    organization: OrganizationId,
    key: &str,
    request: &str,
    subject: Uuid,
    now: Millis,
) -> Result<Begun, DbErr> {
    let (key_hash, request_hash) = (hash(key), hash(request));
    let row = ActiveModel {
        organization_id: Set(organization.0),
        key_hash: Set(key_hash.clone()),
        request_hash: Set(request_hash.clone()),
        subject_id: Set(subject),
        created_at: Set(now),
    };
    let taken = OnConflict::columns([Column::OrganizationId, Column::KeyHash]).do_nothing().to_owned();
    if Entity::insert(row).on_conflict(taken).exec_without_returning(tx.conn()).await? == 1 {
        return Ok(Begun::Fresh);
    }
    let found = Entity::find()
        .filter(Column::OrganizationId.eq(organization.0))
        .filter(Column::KeyHash.eq(key_hash))
        .one(tx.conn())
        .await?;
    Ok(match found {
        Some(row) if row.request_hash == request_hash => Begun::Same(row.subject_id),
        _ => Begun::Other,
    })
}

fn hash(text: &str) -> Vec<u8> {
    Sha256::digest(text.as_bytes()).to_vec()
}
