//! Every change can be applied, taken back and applied again, and leaves the same schema both times.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use migration::{Migrator, MigratorTrait};
use sea_orm_migration::sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend, Statement};

const ON_SQLITE: &str =
    "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name <> 'seaql_migrations' ORDER BY name";

/// Columns, keys and rules, each as one line.
const ON_POSTGRES: &str = r#"
    SELECT format('"%s" "%s" %s %s %s', table_name, column_name, data_type, is_nullable, column_default) AS line
        FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> 'seaql_migrations'
    UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename <> 'seaql_migrations'
    UNION ALL SELECT format('%s %s %s', conrelid::regclass, conname, pg_get_constraintdef(oid)) FROM pg_constraint
        WHERE connamespace = 'public'::regnamespace AND conrelid::regclass::text <> 'seaql_migrations'
    ORDER BY line"#;

async fn connect(database: &testbed::Database) -> DatabaseConnection {
    let mut options = ConnectOptions::new(database.url());
    Database::connect(options.max_connections(1).to_owned()).await.unwrap()
}

async fn schema(db: &DatabaseConnection) -> Vec<String> {
    let statement = match db.get_database_backend() {
        DbBackend::Postgres => ON_POSTGRES,
        _ => ON_SQLITE,
    };
    let rows = db.query_all_raw(Statement::from_string(db.get_database_backend(), statement)).await.unwrap();
    rows.into_iter().map(|row| row.try_get_by_index::<String>(0).unwrap()).collect()
}

#[tokio::test]
async fn up_down_up() {
    let database = testbed::Database::new();
    let db = connect(&database).await;
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
    let database = testbed::Database::new();
    let db = connect(&database).await;
    Migrator::up(&db, None).await.unwrap();
    let schema = schema(&db).await.join("\n");
    for name in ["connections_one_active_owner", "messages_one_automatic_reply", "jobs_dedupe", "jobs_lane_running"] {
        let line = schema.lines().find(|l| l.contains(name)).unwrap_or_else(|| panic!("{name} is missing"));
        assert!(line.contains("UNIQUE") && line.contains("WHERE"), "{line}");
    }
}
