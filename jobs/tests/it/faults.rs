//! What a test does to the database behind the service's back. Each kind of database has its own words for it, so that the
//! scenarios need none.

use sea_orm::{
    ConnectOptions, ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, SqliteTransactionMode,
    TransactionOptions, TransactionTrait,
};
use std::time::{Duration, Instant};
use testbed::Database;

/// Somebody else who holds the whole database: all can read, and nobody else can write.
pub struct Stranger {
    holds: DatabaseTransaction,
    _connection: DatabaseConnection,
}

impl Stranger {
    pub async fn holds(database: &Database) -> Self {
        let options = ConnectOptions::new(database.url()).max_connections(1).to_owned();
        let connection = sea_orm::Database::connect(options).await.unwrap();
        let deadline = Instant::now() + Duration::from_secs(5);
        loop {
            let immediate = Some(SqliteTransactionMode::Immediate);
            let options = TransactionOptions { sqlite_transaction_mode: immediate, ..TransactionOptions::default() };
            let holds = connection.begin_with_options(options).await.unwrap();
            match lock_tables(&holds).await {
                Ok(()) => return Self { holds, _connection: connection },
                Err(error) if Instant::now() > deadline => panic!("the tables stay in use: {error}"),
                Err(_in_use) => holds.rollback().await.unwrap(),
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    pub async fn lets_go(self) {
        self.holds.rollback().await.unwrap();
    }
}

/// One after the other and without waiting, for who waits while holding can be part of a deadlock. SQLite has locked all by now.
async fn lock_tables(tx: &DatabaseTransaction) -> Result<(), sea_orm::DbErr> {
    const EACH: &str = "DO $$ DECLARE t text; BEGIN \
                        FOR t IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' LOOP \
                        EXECUTE format('LOCK TABLE %I IN EXCLUSIVE MODE NOWAIT', t); END LOOP; END $$";
    if tx.get_database_backend() == DbBackend::Postgres {
        tx.execute_unprepared(EACH).await?;
    }
    Ok(())
}

/// From now on the database refuses messages with this text.
pub async fn refuse_messages(db: &DatabaseConnection, text: &str) {
    let statement = match db.get_database_backend() {
        DbBackend::Postgres => {
            format!("ALTER TABLE messages ADD CONSTRAINT refuse CHECK (text IS DISTINCT FROM '{text}')")
        }
        _ => format!(
            "CREATE TRIGGER refuse BEFORE INSERT ON messages WHEN new.text = '{text}' \
             BEGIN SELECT RAISE(ABORT, 'refused by a test'); END"
        ),
    };
    db.execute_unprepared(&statement).await.unwrap();
}
