//! Every change can be applied, taken back and applied again, and leaves the same schema both times.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use migration::{Migrator, MigratorTrait};
use sea_orm_migration::sea_orm::{ConnectionTrait, Database, DatabaseConnection};

async fn schema(db: &DatabaseConnection) -> Vec<String> {
    db.query_all_raw(sea_orm_migration::sea_orm::Statement::from_string(
        db.get_database_backend(),
        "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name <> 'seaql_migrations' ORDER BY name",
    ))
    .await
    .unwrap()
    .into_iter()
    .map(|row| row.try_get_by_index::<String>(0).unwrap())
    .collect()
}

#[tokio::test]
async fn up_down_up_on_sqlite() {
    let db = Database::connect("sqlite::memory:").await.unwrap();
    assert!(schema(&db).await.is_empty());
    Migrator::up(&db, None).await.unwrap();
    let first = schema(&db).await;
    assert!(first.iter().any(|sql| sql.contains("\"jobs\"")), "{first:?}");
    Migrator::down(&db, None).await.unwrap();
    assert_eq!(schema(&db).await, Vec::<String>::new());
    Migrator::up(&db, None).await.unwrap();
    assert_eq!(schema(&db).await, first);
}

#[tokio::test]
async fn the_keys_that_hold_the_rules_are_partial_and_unique() {
    let db = Database::connect("sqlite::memory:").await.unwrap();
    Migrator::up(&db, None).await.unwrap();
    let schema = schema(&db).await.join("\n");
    for name in ["connections_one_active_owner", "messages_one_automatic_reply", "jobs_dedupe"] {
        let line = schema.lines().find(|l| l.contains(name)).unwrap_or_else(|| panic!("{name} is missing"));
        assert!(line.contains("UNIQUE") && line.contains("WHERE"), "{line}");
    }
}
