//! What tells that the database is well: that it takes a write, and that its schema is the one this program was built for.
//! Readiness asks it all the time, so nothing here is more than one statement.

use domain::clock::Millis;
use domain::db::Db;
use entities::write_probe::{Column, Entity};
use migration::{Migrator, MigratorTrait as _};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, QueryFilter as _, Statement};

/// The schema that is there, beside the one this program knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schema {
    /// Changes that this program knows and the database has not seen.
    pub pending: u64,
    /// Changes that the database has seen and this program does not know: a newer version was here.
    pub unknown: u64,
}

/// Only reads, unlike the migrator's own question, for it is asked on a connection that cannot write.
pub async fn schema(db: &impl ConnectionTrait) -> Result<Schema, DbErr> {
    const APPLIED: &str = "SELECT COUNT(*) AS applied FROM seaql_migrations";
    let row = db.query_one_raw(Statement::from_string(db.get_database_backend(), APPLIED)).await?;
    let applied = row.map(|row| row.try_get::<i64>("", "applied")).transpose()?.unwrap_or(0);
    let known = u64::try_from(Migrator::migrations().len()).unwrap_or(u64::MAX);
    let applied = u64::try_from(applied).unwrap_or(0);
    Ok(Schema { pending: known.saturating_sub(applied), unknown: applied.saturating_sub(known) })
}

/// A real write: reading works on a full disk too.
pub async fn write(db: &Db, now: Millis) -> Result<(), DbErr> {
    let at = Entity::update_many().col_expr(Column::At, Expr::value(now)).filter(Column::Id.eq(1));
    at.exec(db.write()).await?;
    Ok(())
}
