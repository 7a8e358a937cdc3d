//! The locks of conversations: whoever changes the messages of one, or what is said of them, holds its row first. A mark and
//! its message, an echo and its send, may come to two processes in the same moment; one of them then sees what the other did.

use entities::conversation;
use sea_orm::sea_query::LockType;
use sea_orm::{ColumnTrait, ConnectionTrait, DbBackend, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use std::collections::BTreeSet;
use uuid::Uuid;

const CHUNK: usize = 500;

/// Locks these conversations until the end of the transaction, in one order for everybody.
pub(crate) async fn conversations(db: &impl ConnectionTrait, ids: &BTreeSet<Uuid>) -> Result<(), DbErr> {
    if db.get_database_backend() == DbBackend::Sqlite {
        // A transaction that writes is the only one there.
        return Ok(());
    }
    let ids: Vec<Uuid> = ids.iter().copied().collect();
    for chunk in ids.chunks(CHUNK) {
        conversation::Entity::find()
            .select_only()
            .column(conversation::Column::Id)
            .filter(conversation::Column::Id.is_in(chunk.iter().copied()))
            .order_by_asc(conversation::Column::Id)
            .lock(LockType::NoKeyUpdate)
            .into_tuple::<Uuid>()
            .all(db)
            .await?;
    }
    Ok(())
}

/// Locks one conversation.
pub async fn conversation(db: &impl ConnectionTrait, id: Uuid) -> Result<(), DbErr> {
    conversations(db, &BTreeSet::from([id])).await
}
