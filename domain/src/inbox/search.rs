//! Finding conversations: by the contact's name, by words of a message, and by what they are.

use super::threads::Wanted;
use crate::id::OrganizationId;
use entities::{connection, contact, conversation, lead, message};
use sea_orm::sea_query::extension::postgres::PgExpr as _;
use sea_orm::sea_query::{Expr, ExprTrait as _, LikeExpr, Query, SelectStatement};
use sea_orm::{ColumnTrait, Condition, DbBackend, IntoSimpleExpr as _};

/// The condition on conversations of this organization.
pub(super) fn matching(backend: DbBackend, organization: OrganizationId, wanted: &Wanted) -> Condition {
    use conversation::Column;
    let mut all = Condition::all();
    if let Some(words) = wanted.words.as_deref().filter(|words| !words.is_empty()) {
        let people = Query::select()
            .column(contact::Column::Id)
            .from(contact::Entity)
            .and_where(contact::Column::OrganizationId.eq(organization.0))
            .cond_where(
                Condition::any()
                    .add(like(backend, contact::Column::Name, words))
                    .add(like(backend, contact::Column::Username, words))
                    .add(contact::Column::ExternalId.eq(words)),
            )
            .to_owned();
        let said = Query::select()
            .expr(Expr::value(1))
            .from(message::Entity)
            .and_where(
                Expr::col((message::Entity, message::Column::ConversationId))
                    .equals((conversation::Entity, Column::Id)),
            )
            .cond_where(like(backend, message::Column::Text, words))
            .to_owned();
        all = all.add(Condition::any().add(Column::ContactId.in_subquery(people)).add(Expr::exists(said)));
    }
    if wanted.unread {
        all = all.add(Column::UnreadCount.gt(0));
    }
    if let Some(connection) = wanted.connection {
        all = all.add(Column::ConnectionId.eq(connection));
    }
    if let Some(platform) = wanted.platform {
        let accounts = Query::select()
            .column(connection::Column::Id)
            .from(connection::Entity)
            .and_where(connection::Column::OrganizationId.eq(organization.0))
            .and_where(connection::Column::Platform.eq(platform))
            .to_owned();
        all = all.add(Column::ConnectionId.in_subquery(accounts));
    }
    match wanted.lead {
        Some(true) => all.add(Column::Id.in_subquery(leads(organization))),
        Some(false) => all.add(Column::Id.not_in_subquery(leads(organization))),
        None => all,
    }
}

fn leads(organization: OrganizationId) -> SelectStatement {
    Query::select()
        .column(lead::Column::ConversationId)
        .from(lead::Entity)
        .and_where(lead::Column::OrganizationId.eq(organization.0))
        .to_owned()
}

/// The words anywhere in a column, in either case. SQLite knows the two cases of ASCII only, so it is asked for the words as
/// they were typed, in small letters, in capitals, and with the first one large.
fn like(backend: DbBackend, column: impl ColumnTrait, words: &str) -> Condition {
    if backend == DbBackend::Postgres {
        // Its own sign: the statement builder puts a named one where Postgres does not take it.
        return Condition::all().add(column.into_simple_expr().ilike(LikeExpr::new(anywhere(words, '\\'))));
    }
    let pattern = |words: &str| LikeExpr::new(anywhere(words, '!')).escape('!');
    let small = words.to_lowercase();
    let mut letters = small.chars();
    let first: String = letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect();
    let mut ways = vec![words.to_owned(), words.to_uppercase(), first, small];
    ways.sort_unstable();
    ways.dedup();
    ways.iter().fold(Condition::any(), |any, way| any.add(column.into_simple_expr().like(pattern(way))))
}

/// The pattern of words that stand anywhere; what LIKE would take for a wildcard has the sign before it.
fn anywhere(words: &str, sign: char) -> String {
    let before = |c: char| (matches!(c, '%' | '_') || c == sign).then_some(sign);
    let plain: String = words.chars().flat_map(|c| before(c).into_iter().chain([c])).collect();
    format!("%{plain}%")
}
