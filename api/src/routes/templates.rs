//! Templates: words that a shop uses again, with variables, and a look at what becomes of them.

use super::Tag;
use super::body::Sent;
use super::conversations;
use crate::app::App;
use crate::auth::Shop;
use crate::cursor::{cut, limit};
use crate::problem::{Code, Problem};
use domain::api_keys::Scope;
use domain::clock::rfc3339;
use domain::compose;
use domain::id::IdKind;
use domain::templates::{self, Wanted};
use entities::template;
use poem::web::Data;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{ApiResponse, Object, OpenApi};
use std::sync::Arc;
use uuid::Uuid;

/// The routes of this file.
#[derive(Clone, Copy, Debug)]
pub struct TemplateRoutes;

/// A template.
#[derive(Object)]
#[oai(rename_all = "camelCase")]
struct Template {
    /// `tpl_…`
    id: String,
    name: String,
    text: String,
    /// A customer's message with one of these is answered with this template, where templates answer.
    keywords: Vec<String>,
    created_at: String,
    updated_at: String,
}

#[derive(Object)]
#[oai(rename_all = "camelCase")]
struct TemplateList {
    items: Vec<Template>,
    next_cursor: Option<String>,
}

/// A template to be made.
#[derive(Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields)]
struct NewTemplate {
    /// Unique, up to 80 characters.
    name: String,
    /// Up to 5000 characters. Variables: `{{contact.name}}`, `{{contact.firstName}}`, `{{contact.username}}`,
    /// `{{account.name}}`, `{{account.username}}`; `{{contact.name|there}}` says what stands where nothing is known.
    text: String,
    /// Up to 20, of up to 40 characters.
    keywords: Option<Vec<String>>,
}

/// What is to change; what is not given stays.
#[derive(Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields)]
struct TemplateChange {
    name: Option<String>,
    text: Option<String>,
    keywords: Option<Vec<String>>,
}

/// Words to be looked at: a template's, or some that are just being written.
#[derive(Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields)]
struct PreviewWanted {
    /// `cnv_…` whose contact and account fill in the variables.
    conversation_id: String,
    template_id: Option<String>,
    text: Option<String>,
}

/// What would be sent.
#[derive(Object)]
#[oai(rename_all = "camelCase")]
struct Preview {
    text: String,
    /// The messages it would be sent as.
    parts: Vec<String>,
}

#[derive(ApiResponse)]
enum Made {
    /// The template.
    #[oai(status = 201)]
    Created(Json<Template>),
}

#[derive(ApiResponse)]
enum Gone {
    /// It is deleted; messages that were sent stay.
    #[oai(status = 204)]
    NoContent,
}

#[OpenApi(prefix_path = "/api/templates", tag = "Tag::Inbox")]
impl TemplateRoutes {
    /// Templates, newest first. A key needs the scope `inbox:read`.
    #[oai(path = "/", method = "get", operation_id = "listTemplates")]
    async fn list(
        &self,
        app: Data<&Arc<App>>,
        shop: Shop,
        /// From 1; a page has 100 at most.
        #[oai(name = "limit", validator(minimum(value = "1")))]
        page: Query<Option<u64>>,
        cursor: Query<Option<String>>,
    ) -> Result<Json<TemplateList>, Problem> {
        shop.require(Scope::InboxRead)?;
        let (limit, organization) = (limit(page.0)?, shop.organization());
        let after = app.cursors.read("templates", organization.0, cursor.as_deref())?;
        let rows = templates::list(app.ctx.db.read(), organization, after, limit + 1).await?;
        let make = |position| app.cursors.make("templates", organization.0, position);
        let (rows, next_cursor) = cut(rows, limit, |row| (row.created_at, row.id), make);
        Ok(Json(TemplateList { items: rows.into_iter().map(shown).collect(), next_cursor }))
    }

    /// One template. A key needs the scope `inbox:read`.
    #[oai(path = "/:id", method = "get", operation_id = "getTemplate")]
    async fn get(&self, app: Data<&Arc<App>>, shop: Shop, id: Path<String>) -> Result<Json<Template>, Problem> {
        shop.require(Scope::InboxRead)?;
        let found = templates::find(app.ctx.db.read(), shop.organization(), parse(&id)?).await?;
        found.map(|row| Json(shown(row))).ok_or(Problem::new(Code::NotFound))
    }

    /// Make a template. A key needs the scope `inbox:write`.
    #[oai(path = "/", method = "post", operation_id = "createTemplate")]
    async fn create(&self, app: Data<&Arc<App>>, shop: Shop, body: Sent<NewTemplate>) -> Result<Made, Problem> {
        shop.require(Scope::InboxWrite)?;
        let NewTemplate { name, text, keywords } = body.0;
        let wanted = Wanted { name, text, keywords: keywords.unwrap_or_default() };
        let tx = app.ctx.db.begin().await?;
        let made = templates::create(&tx, &app.ctx, shop.organization(), &wanted).await?;
        tx.commit().await?;
        Ok(Made::Created(Json(shown(made))))
    }

    /// Change a template. A key needs the scope `inbox:write`.
    #[oai(path = "/:id", method = "patch", operation_id = "changeTemplate")]
    async fn change(
        &self,
        app: Data<&Arc<App>>,
        shop: Shop,
        id: Path<String>,
        body: Sent<TemplateChange>,
    ) -> Result<Json<Template>, Problem> {
        shop.require(Scope::InboxWrite)?;
        let (id, organization) = (parse(&id)?, shop.organization());
        let tx = app.ctx.db.begin().await?;
        let before = templates::held(&tx, organization, id).await?.ok_or(Problem::new(Code::NotFound))?;
        let wanted = Wanted {
            keywords: body.0.keywords.unwrap_or_else(|| templates::keywords(&before)),
            name: body.0.name.unwrap_or(before.name),
            text: body.0.text.unwrap_or(before.text),
        };
        let changed = templates::change(&tx, &app.ctx, organization, id, &wanted).await?;
        tx.commit().await?;
        Ok(Json(shown(changed)))
    }

    /// Delete a template, unless an automatic reply uses it. A key needs the scope `inbox:write`.
    #[oai(path = "/:id", method = "delete", operation_id = "deleteTemplate")]
    async fn delete(&self, app: Data<&Arc<App>>, shop: Shop, id: Path<String>) -> Result<Gone, Problem> {
        shop.require(Scope::InboxWrite)?;
        let id = parse(&id)?;
        let tx = app.ctx.db.begin().await?;
        templates::delete(&tx, shop.organization(), id).await?;
        tx.commit().await?;
        Ok(Gone::NoContent)
    }

    /// What would be sent to the contact of a conversation; nothing is. A key needs the scope `inbox:read`.
    #[oai(path = "/preview", method = "post", operation_id = "previewTemplate")]
    async fn preview(
        &self,
        app: Data<&Arc<App>>,
        shop: Shop,
        body: Sent<PreviewWanted>,
    ) -> Result<Json<Preview>, Problem> {
        shop.require(Scope::InboxRead)?;
        let (db, organization) = (app.ctx.db.read(), shop.organization());
        let conversation = conversations::parse(&body.0.conversation_id)?;
        let text = match (body.0.template_id, body.0.text) {
            (Some(id), None) => {
                let found = templates::find(db, organization, super::sending::template(&id)?).await?;
                found.ok_or(Problem::new(Code::UnknownTemplate))?.text
            }
            (None, Some(text)) => text,
            _ => return Err(Problem::with(Code::InvalidRequest, "Give one of templateId and text.")),
        };
        let (text, parts) = compose::preview(db, organization, conversation, &text).await?;
        Ok(Json(Preview { text, parts }))
    }
}

fn parse(id: &str) -> Result<Uuid, Problem> {
    IdKind::Template.parse(id).ok_or(Problem::new(Code::NotFound))
}

fn shown(row: template::Model) -> Template {
    Template {
        id: IdKind::Template.show(row.id),
        keywords: templates::keywords(&row),
        name: row.name,
        text: row.text,
        created_at: rfc3339(row.created_at),
        updated_at: rfc3339(row.updated_at),
    }
}
