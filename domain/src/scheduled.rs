//! Messages that are to be sent at a later time. Cancelling, changing and releasing are one compare-and-set each on the same
//! row, so that a cancel that was acknowledged is never followed by the message.

use crate::clock::{DAY, Millis};
use crate::compose::{self, Author, ComposeError, Thread, Words};
use crate::context::Context;
use crate::db::Tx;
use crate::feed::What;
use crate::id::{OrganizationId, new_id};
use crate::page::{self, Position};
use crate::templates;
use entities::scheduled_message::{Column, Entity, Model};
use entities::{connection, message};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, IntoActiveModel as _, PaginatorTrait, QueryFilter,
    QueryOrder, QuerySelect,
};
use uuid::Uuid;

/// How far ahead a message may be scheduled.
pub const AHEAD: Millis = 366 * DAY;
/// The most that wait at once in an organization.
pub const MOST: u64 = 100_000;

/// Why something was not scheduled, changed or cancelled.
#[derive(Debug, thiserror::Error)]
pub enum ScheduleError {
    /// What is true of every message a shop writes.
    #[error(transparent)]
    Compose(#[from] ComposeError),
    /// No such scheduled message, or somebody else's.
    #[error("There is no such scheduled message.")]
    NotFound,
    /// A time that cannot be.
    #[error("{0}")]
    Time(&'static str),
    /// It does not wait any more.
    #[error("This message is {0} already.")]
    Over(String),
    /// There are enough.
    #[error("There are {MOST} scheduled messages already.")]
    TooMany,
    /// The database answered with an error.
    #[error(transparent)]
    Db(#[from] DbErr),
}

/// What became of a message that fell due.
#[derive(Debug)]
pub enum Released {
    /// It is written as `queued`: send its parts, in their order.
    Now(Vec<message::Model>),
    /// It may not be sent now, and never will be.
    Refused(&'static str, String),
    /// It was cancelled or changed, or has been released before.
    Before,
    /// It is not due yet: the clock was set back, or somebody was in a hurry.
    Early(Millis),
}

/// One of an organization; a foreign one is `None`, like a missing one.
pub async fn find(db: &impl ConnectionTrait, organization: OrganizationId, id: Uuid) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id(id).filter(Column::OrganizationId.eq(organization.0)).one(db).await
}

/// Those of these that an organization has.
pub async fn some(db: &impl ConnectionTrait, organization: OrganizationId, ids: &[Uuid]) -> Result<Vec<Model>, DbErr> {
    let these = Entity::find().filter(Column::Id.is_in(ids.iter().copied()));
    these.filter(Column::OrganizationId.eq(organization.0)).order_by_asc(Column::Id).all(db).await
}

/// Scheduled messages of an organization, the one due last first, before the position given; of one conversation or status.
pub async fn list(
    db: &impl ConnectionTrait,
    organization: OrganizationId,
    conversation: Option<Uuid>,
    status: Option<&str>,
    before: Option<Position>,
    limit: u64,
) -> Result<Vec<Model>, DbErr> {
    let which = Condition::all()
        .add(Column::OrganizationId.eq(organization.0))
        .add_option(conversation.map(|id| Column::ConversationId.eq(id)))
        .add_option(status.map(|status| Column::Status.eq(status)))
        .add(page::after(Column::DueAt, Column::Id, before));
    Entity::find().filter(which).order_by_desc(Column::DueAt).order_by_desc(Column::Id).limit(limit).all(db).await
}

/// Schedules words for a conversation, under the id given. The window is not asked: it is at the time, and then decides.
#[expect(
    clippy::too_many_arguments,
    reason = "each is another fact of the row, and all but two have types of their own"
)]
pub async fn create(
    tx: &Tx,
    ctx: &Context,
    organization: OrganizationId,
    conversation: Uuid,
    id: Uuid,
    words: Words,
    due_at: Millis,
    user: Option<Uuid>,
) -> Result<Model, ScheduleError> {
    let thread = Thread::read(tx.conn(), organization, conversation).await?.ok_or(ComposeError::NotFound)?;
    thread.may_use(tx.conn()).await?;
    let waiting =
        Entity::find().filter(Column::OrganizationId.eq(organization.0)).filter(Column::Status.eq("scheduled"));
    if waiting.count(tx.conn()).await? >= MOST {
        return Err(ScheduleError::TooMany);
    }
    let now = ctx.now();
    check_time(due_at, now)?;
    let (text, template_id) = check_words(tx, organization, &thread.connection, words).await?;
    let row = Model {
        id,
        organization_id: organization.0,
        connection_id: thread.connection.id,
        conversation_id: conversation,
        text,
        template_id,
        due_at,
        status: "scheduled".to_owned(),
        version: 0,
        message_id: None,
        author_id: user,
        error_class: None,
        error_message: None,
        created_at: now,
        updated_at: now,
    };
    Entity::insert(row.clone().into_active_model()).exec_without_returning(tx.conn()).await?;
    note(tx, &row);
    Ok(row)
}

/// Other words or another time for one that still waits. Its next version has a job of its own.
pub async fn change(
    tx: &Tx,
    ctx: &Context,
    organization: OrganizationId,
    id: Uuid,
    words: Option<Words>,
    due_at: Option<Millis>,
) -> Result<Model, ScheduleError> {
    let before = find(tx.conn(), organization, id).await?.ok_or(ScheduleError::NotFound)?;
    let now = ctx.now();
    if let Some(due_at) = due_at {
        check_time(due_at, now)?;
    }
    let (text, template_id) = match words {
        Some(words) => {
            let thread = Thread::read(tx.conn(), organization, before.conversation_id).await?;
            check_words(tx, organization, &thread.ok_or(ComposeError::NotFound)?.connection, words).await?
        }
        None => (before.text.clone(), before.template_id),
    };
    let next = Model {
        text,
        template_id,
        due_at: due_at.unwrap_or(before.due_at),
        version: before.version + 1,
        updated_at: now,
        ..before.clone()
    };
    let changed = Entity::update_many()
        .col_expr(Column::Text, Expr::value(next.text.clone()))
        .col_expr(Column::TemplateId, Expr::value(next.template_id))
        .col_expr(Column::DueAt, Expr::value(next.due_at))
        .col_expr(Column::Version, Expr::value(next.version))
        .col_expr(Column::UpdatedAt, Expr::value(now))
        .filter(Column::Id.eq(id))
        .filter(Column::Status.eq("scheduled"))
        .filter(Column::Version.eq(before.version))
        .exec(tx.conn())
        .await?;
    if changed.rows_affected != 1 {
        return Err(over(tx, id).await?);
    }
    note(tx, &next);
    Ok(next)
}

/// Cancels one that still waits; one that was cancelled before stays so.
pub async fn cancel(tx: &Tx, ctx: &Context, organization: OrganizationId, id: Uuid) -> Result<(), ScheduleError> {
    let found = find(tx.conn(), organization, id).await?.ok_or(ScheduleError::NotFound)?;
    if found.status == "cancelled" || leave(tx, ctx, &found, None, "cancelled").await? {
        return Ok(());
    }
    match over(tx, id).await? {
        // Somebody else has cancelled it meanwhile.
        ScheduleError::Over(status) if status == "cancelled" => Ok(()),
        over => Err(over),
    }
}

/// Makes the message of one that is due, unless it was cancelled or changed.
pub async fn release(tx: &Tx, ctx: &Context, id: Uuid, version: i32) -> Result<Released, DbErr> {
    let Some(row) = Entity::find_by_id(id).one(tx.conn()).await? else { return Ok(Released::Before) };
    if ctx.now() < row.due_at && row.status == "scheduled" && row.version == version {
        return Ok(Released::Early(row.due_at));
    }
    if !leave(tx, ctx, &row, Some(version), "released").await? {
        return Ok(Released::Before);
    }
    let words = match (row.template_id, row.text) {
        (Some(template), _) => Words::Template(template),
        (None, text) => Words::Text(text.unwrap_or_default()),
    };
    let author = Author { user: row.author_id, by_hand: false };
    let organization = OrganizationId(row.organization_id);
    let message_id = new_id(ctx.now());
    match compose::compose(tx, ctx, organization, row.conversation_id, message_id, &words, author).await {
        Ok(parts) => {
            Entity::update_many()
                .col_expr(Column::MessageId, Expr::value(Some(message_id)))
                .filter(Column::Id.eq(id))
                .exec(tx.conn())
                .await?;
            Ok(Released::Now(parts))
        }
        Err(ComposeError::Db(error)) => Err(error),
        Err(refused) => {
            let (class, sentence) = (class_of(&refused), refused.to_string());
            Entity::update_many()
                .col_expr(Column::Status, Expr::value("failed"))
                .col_expr(Column::ErrorClass, Expr::value(Some(class)))
                .col_expr(Column::ErrorMessage, Expr::value(Some(sentence.clone())))
                .filter(Column::Id.eq(id))
                .exec(tx.conn())
                .await?;
            Ok(Released::Refused(class, sentence))
        }
    }
}

/// Nobody will send this version: shown as failed, where it still waits.
pub async fn give_up(tx: &Tx, ctx: &Context, id: Uuid, version: i32) -> Result<(), DbErr> {
    let Some(row) = Entity::find_by_id(id).one(tx.conn()).await? else { return Ok(()) };
    if leave(tx, ctx, &row, Some(version), "failed").await? {
        Entity::update_many()
            .col_expr(Column::ErrorClass, Expr::value(Some("given_up")))
            .col_expr(Column::ErrorMessage, Expr::value(Some("This message was given up and will not be sent.")))
            .filter(Column::Id.eq(id))
            .exec(tx.conn())
            .await?;
    }
    Ok(())
}

/// The name of a refusal, as the API's problem codes have it.
fn class_of(refused: &ComposeError) -> &'static str {
    use crate::plans::PlanRefusal;
    match refused {
        ComposeError::NotFound => "not_found",
        ComposeError::UnknownTemplate => "unknown_template",
        ComposeError::Plan(PlanRefusal::SubscriptionInactive) => "subscription_inactive",
        ComposeError::Plan(_) => "feature_required",
        ComposeError::Unavailable(_) => "connection_unavailable",
        ComposeError::WindowClosed(_) => "window_closed",
        ComposeError::TooLong => "text_too_long",
        ComposeError::Empty | ComposeError::Characters | ComposeError::Address | ComposeError::NotFailed(_) => {
            "invalid_request"
        }
        ComposeError::Db(_) => "database",
    }
}

/// `scheduled → status`; false when it does not wait any more, or has another version.
async fn leave(tx: &Tx, ctx: &Context, row: &Model, version: Option<i32>, status: &str) -> Result<bool, DbErr> {
    let which = Condition::all()
        .add(Column::Id.eq(row.id))
        .add(Column::Status.eq("scheduled"))
        .add_option(version.map(|version| Column::Version.eq(version)));
    let changed = Entity::update_many()
        .col_expr(Column::Status, Expr::value(status))
        .col_expr(Column::UpdatedAt, Expr::value(ctx.now()))
        .filter(which)
        .exec(tx.conn())
        .await?;
    let left = changed.rows_affected == 1;
    if left {
        note(tx, row);
    }
    Ok(left)
}

fn note(tx: &Tx, row: &Model) {
    tx.note(row.organization_id, What::ScheduledMessage(row.id));
}

async fn over(tx: &Tx, id: Uuid) -> Result<ScheduleError, DbErr> {
    let row = Entity::find_by_id(id).one(tx.conn()).await?;
    Ok(row.map_or(ScheduleError::NotFound, |row| ScheduleError::Over(row.status)))
}

fn check_time(due_at: Millis, now: Millis) -> Result<(), ScheduleError> {
    match due_at {
        past if past <= now => Err(ScheduleError::Time("The time must be in the future.")),
        far if far > now + AHEAD => Err(ScheduleError::Time("The time must be within a year.")),
        _ => Ok(()),
    }
}

async fn check_words(
    tx: &Tx,
    organization: OrganizationId,
    connection: &connection::Model,
    words: Words,
) -> Result<(Option<String>, Option<Uuid>), ScheduleError> {
    match words {
        Words::Text(text) => {
            compose::parts(connection, &text)?;
            Ok((Some(text), None))
        }
        Words::Template(id) => {
            let known = templates::held(tx, organization, id).await?.is_some();
            if known { Ok((None, Some(id))) } else { Err(ComposeError::UnknownTemplate.into()) }
        }
        Words::File { .. } => Err(ComposeError::Empty.into()),
    }
}
