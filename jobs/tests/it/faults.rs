//! A database that refuses one row, or that somebody else has locked, in the words of each database.

use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend};

/// From now on no message with this text can be inserted.
pub async fn refuse_messages_of(db: &DatabaseConnection, text: &str) {
    let statements = match db.get_database_backend() {
        DbBackend::Postgres => vec![
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'refused by a test'; END $$"
                .to_owned(),
            format!(
                "CREATE TRIGGER refuse BEFORE INSERT ON messages FOR EACH ROW WHEN (new.text = '{text}') \
                 EXECUTE FUNCTION refuse()"
            ),
        ],
        _ => vec![format!(
            "CREATE TRIGGER refuse BEFORE INSERT ON messages WHEN new.text = '{text}' \
             BEGIN SELECT RAISE(ABORT, 'refused by a test'); END"
        )],
    };
    for statement in statements {
        db.execute_unprepared(&statement).await.unwrap();
    }
}

/// Locks everything that a settlement writes, and lets it be read; `ROLLBACK` ends it. The stranger has one connection.
pub async fn lock(stranger: &DatabaseConnection) {
    let statements = match stranger.get_database_backend() {
        DbBackend::Postgres => ["BEGIN", "LOCK TABLE jobs, messages IN EXCLUSIVE MODE"].as_slice(),
        _ => &["BEGIN IMMEDIATE"],
    };
    for statement in statements {
        stranger.execute_unprepared(statement).await.unwrap();
    }
}
