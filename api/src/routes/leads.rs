//! Leads: conversations that a shop wants to sell in, with where each came from, and all of them as a table.

use super::body::Sent;
use super::sending::author;
use super::{Tag, conversations};
use crate::app::App;
use crate::auth::Shop;
use crate::cursor::{cut, limit};
use crate::problem::{Code, Problem};
use domain::api_keys::Scope;
use domain::clock::rfc3339;
use domain::id::{IdKind, OrganizationId};
use domain::leads::{self, Details, Shown};
use futures::stream::{self, Stream};
use poem::Body;
use poem::web::Data;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::{Binary, Json};
use poem_openapi::types::Any;
use poem_openapi::{ApiResponse, Enum, Object, OpenApi};
use serde_json::Value;
use std::io;
use std::sync::Arc;
use uuid::Uuid;

/// The routes of this file.
#[derive(Clone, Copy, Debug)]
pub struct LeadRoutes;

/// Leads read at once for the table.
const CHUNK: u64 = 1_000;

/// Where a lead stands.
#[derive(Clone, Copy, Debug, Enum)]
#[oai(rename_all = "lowercase")]
enum LeadStage {
    New,
    Contacted,
    Won,
    Lost,
}

impl LeadStage {
    fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Contacted => "contacted",
            Self::Won => "won",
            Self::Lost => "lost",
        }
    }
}

/// A lead.
#[derive(Object)]
#[oai(rename_all = "camelCase")]
struct Lead {
    /// `led_…`
    id: String,
    /// `cnv_…`
    conversation_id: String,
    /// `con_…`
    connection_id: String,
    name: String,
    email: Option<String>,
    phone: Option<String>,
    note: Option<String>,
    /// `new`, `contacted`, `won` or `lost`.
    stage: String,
    /// Where the customer came from: the first touch's `type`, `ref`, `adId`, …, with both touches as `first` and `last`.
    lead_source: Option<Any<Value>>,
    created_at: String,
    updated_at: String,
}

#[derive(Object)]
#[oai(rename_all = "camelCase")]
struct LeadList {
    items: Vec<Lead>,
    next_cursor: Option<String>,
}

/// A lead to be made of a conversation.
#[derive(Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields)]
struct NewLead {
    /// `cnv_…`
    conversation_id: String,
    /// Up to 200 characters; without one it has the contact's.
    name: Option<String>,
    email: Option<String>,
    phone: Option<String>,
    /// Up to 5000 characters.
    note: Option<String>,
    stage: Option<LeadStage>,
}

/// What is to change; what is not given stays, and an empty text takes away.
#[derive(Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields)]
struct LeadChange {
    name: Option<String>,
    email: Option<String>,
    phone: Option<String>,
    note: Option<String>,
    stage: Option<LeadStage>,
}

#[derive(ApiResponse)]
enum Made {
    /// The lead.
    #[oai(status = 201)]
    Created(Json<Lead>),
}

#[derive(ApiResponse)]
enum Gone {
    /// It is no lead any more; the conversation stays.
    #[oai(status = 204)]
    NoContent,
}

#[derive(ApiResponse)]
enum Table {
    /// Every lead, one a line, with a first line of names.
    #[oai(status = 200, content_type = "text/csv; charset=utf-8")]
    Csv(Binary<Body>, #[oai(header = "Content-Disposition")] String),
}

#[OpenApi(prefix_path = "/api/leads", tag = "Tag::Inbox")]
impl LeadRoutes {
    /// Leads, newest first. A key needs the scope `inbox:read`.
    #[oai(path = "/", method = "get", operation_id = "listLeads")]
    async fn list(
        &self,
        app: Data<&Arc<App>>,
        shop: Shop,
        stage: Query<Option<LeadStage>>,
        /// From 1; a page has 100 at most.
        #[oai(name = "limit", validator(minimum(value = "1")))]
        page: Query<Option<u64>>,
        cursor: Query<Option<String>>,
    ) -> Result<Json<LeadList>, Problem> {
        shop.require(Scope::InboxRead)?;
        let (limit, organization) = (limit(page.0)?, shop.organization());
        let stage = stage.0.map(LeadStage::name);
        let list = format!("leads {stage:?}");
        let before = app.cursors.read(&list, organization.0, cursor.as_deref())?;
        let rows = leads::list(app.ctx.db.read(), organization, stage, before, limit + 1).await?;
        let make = |position| app.cursors.make(&list, organization.0, position);
        let (rows, next_cursor) = cut(rows, limit, |(row, _)| (row.created_at, row.id), make);
        Ok(Json(LeadList { items: rows.into_iter().map(shown).collect(), next_cursor }))
    }

    /// All leads as a table (CSV), newest first. A key needs the scope `inbox:read`.
    #[oai(path = "/export", method = "get", operation_id = "exportLeads")]
    async fn export(&self, app: Data<&Arc<App>>, shop: Shop) -> Result<Table, Problem> {
        shop.require(Scope::InboxRead)?;
        let organization = shop.organization();
        // The first read may still be refused as any other; what breaks later breaks the table off.
        let first = leads::list(app.ctx.db.read(), organization, None, None, CHUNK).await?;
        let body = Body::from_bytes_stream(table(Arc::clone(&app), organization, first));
        Ok(Table::Csv(Binary(body), "attachment; filename=\"leads.csv\"".to_owned()))
    }

    /// One lead. A key needs the scope `inbox:read`.
    #[oai(path = "/:id", method = "get", operation_id = "getLead")]
    async fn get(&self, app: Data<&Arc<App>>, shop: Shop, id: Path<String>) -> Result<Json<Lead>, Problem> {
        shop.require(Scope::InboxRead)?;
        let found = leads::find(app.ctx.db.read(), shop.organization(), parse(&id)?).await?;
        found.map(|row| Json(shown(row))).ok_or(Problem::new(Code::NotFound))
    }

    /// Make a lead of a conversation. A key needs the scope `inbox:write`.
    #[oai(path = "/", method = "post", operation_id = "createLead")]
    async fn create(&self, app: Data<&Arc<App>>, shop: Shop, body: Sent<NewLead>) -> Result<Made, Problem> {
        shop.require(Scope::InboxWrite)?;
        let NewLead { conversation_id, name, email, phone, note, stage } = body.0;
        let conversation = conversations::parse(&conversation_id)?;
        let details = Details { name, email, phone, note, stage: stage.map(LeadStage::name) };
        let user = author(&shop).user;
        let tx = app.ctx.db.begin().await?;
        let made = leads::create(&tx, &app.ctx, shop.organization(), conversation, details, user).await?;
        tx.commit().await?;
        Ok(Made::Created(Json(shown(made))))
    }

    /// Change what is written down of a lead. A key needs the scope `inbox:write`.
    #[oai(path = "/:id", method = "patch", operation_id = "changeLead")]
    async fn change(
        &self,
        app: Data<&Arc<App>>,
        shop: Shop,
        id: Path<String>,
        body: Sent<LeadChange>,
    ) -> Result<Json<Lead>, Problem> {
        shop.require(Scope::InboxWrite)?;
        let id = parse(&id)?;
        let LeadChange { name, email, phone, note, stage } = body.0;
        let details = Details { name, email, phone, note, stage: stage.map(LeadStage::name) };
        let tx = app.ctx.db.begin().await?;
        let changed = leads::change(&tx, &app.ctx, shop.organization(), id, details).await?;
        tx.commit().await?;
        Ok(Json(shown(changed)))
    }

    /// Make it no lead any more. A key needs the scope `inbox:write`.
    #[oai(path = "/:id", method = "delete", operation_id = "deleteLead")]
    async fn delete(&self, app: Data<&Arc<App>>, shop: Shop, id: Path<String>) -> Result<Gone, Problem> {
        shop.require(Scope::InboxWrite)?;
        let id = parse(&id)?;
        let tx = app.ctx.db.begin().await?;
        leads::delete(&tx, shop.organization(), id).await?;
        tx.commit().await?;
        Ok(Gone::NoContent)
    }
}

fn parse(id: &str) -> Result<Uuid, Problem> {
    IdKind::Lead.parse(id).ok_or(Problem::new(Code::NotFound))
}

fn shown((row, conversation): Shown) -> Lead {
    Lead {
        id: IdKind::Lead.show(row.id),
        conversation_id: IdKind::Conversation.show(row.conversation_id),
        connection_id: IdKind::Connection.show(row.connection_id),
        name: row.name,
        email: row.email,
        phone: row.phone,
        note: row.note,
        stage: row.stage,
        lead_source: conversation.as_ref().and_then(conversations::lead_source).map(Any),
        created_at: rfc3339(row.created_at),
        updated_at: rfc3339(row.updated_at),
    }
}

/// The names of the table's columns.
const COLUMNS: [&str; 15] = [
    "id",
    "name",
    "email",
    "phone",
    "stage",
    "note",
    "conversationId",
    "connectionId",
    "firstSource",
    "firstRef",
    "firstAdId",
    "lastSource",
    "lastRef",
    "lastAdId",
    "createdAt",
];

/// The table in pieces: however long it is, little of it is in memory at once.
fn table(app: Arc<App>, organization: OrganizationId, first: Vec<Shown>) -> impl Stream<Item = io::Result<Vec<u8>>> {
    stream::try_unfold(Some((true, first)), move |piece: Option<(bool, Vec<Shown>)>| {
        let app = Arc::clone(&app);
        async move {
            let Some((begins, rows)) = piece.filter(|(begins, rows)| *begins || !rows.is_empty()) else {
                return Ok(None);
            };
            let mut table = csv::Writer::from_writer(Vec::new());
            if begins {
                table.write_record(COLUMNS)?;
            }
            let last = rows.last().map(|(last, _)| (last.created_at, last.id));
            for row in rows {
                table.write_record(line(shown(row)))?;
            }
            let bytes = table.into_inner().map_err(|error| io::Error::other(error.to_string()))?;
            let Some(last) = last else { return Ok(Some((bytes, None))) };
            let rows = leads::list(app.ctx.db.read(), organization, None, Some(last), CHUNK).await;
            Ok(Some((bytes, Some((false, rows.map_err(io::Error::other)?)))))
        }
    })
}

/// A line of the table.
fn line(lead: Lead) -> Vec<String> {
    let source = lead.lead_source.map(|any| any.0).unwrap_or_default();
    let of = |touch: &str, name: &str| {
        source.get(touch).and_then(|touch| touch.get(name)).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let cells = [
        lead.id,
        lead.name,
        lead.email.unwrap_or_default(),
        lead.phone.unwrap_or_default(),
        lead.stage,
        lead.note.unwrap_or_default(),
        lead.conversation_id,
        lead.connection_id,
        of("first", "type"),
        of("first", "ref"),
        of("first", "adId"),
        of("last", "type"),
        of("last", "ref"),
        of("last", "adId"),
        lead.created_at,
    ];
    cells.into_iter().map(plain).collect()
}

/// Customers name themselves as they like, and programs that open such tables run what begins like a formula.
fn plain(cell: String) -> String {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) { format!("'{cell}") } else { cell }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula() {
        for (cell, expected) in [
            ("=1+1", "'=1+1"),
            ("@a", "'@a"),
            ("+49 1", "'+49 1"),
            ("-1", "'-1"),
            ("\tx", "'\tx"),
            ("a=b", "a=b"),
            ("", ""),
        ] {
            assert_eq!(plain(cell.to_owned()), expected);
        }
    }
}
