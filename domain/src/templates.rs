//! Templates: words that a shop uses again, by hand, at a later time or as an automatic reply.

use crate::connections::too_long;
use crate::context::Context;
use crate::db::{Tx, is_unique_violation};
use crate::id::{OrganizationId, new_id};
use crate::page::{self, Position};
use crate::variables;
use entities::template::{Column, Entity, Model};
use entities::{connection, scheduled_message};
use sea_orm::sea_query::LockType;
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait, ConnectionTrait, DbBackend, DbErr, EntityTrait, IntoActiveModel as _,
    PaginatorTrait, QueryFilter, QueryOrder, QuerySelect,
};
use serde_json::json;
use uuid::Uuid;

/// The most templates of an organization.
pub const MOST: u64 = 500;
const NAME: usize = 80;
const TEXT: usize = 5_000;
const KEYWORDS: usize = 20;
const KEYWORD: usize = 40;

/// A template as it is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Unique within the organization.
    pub name: String,
    /// With variables.
    pub text: String,
    /// Words of a customer that it answers.
    pub keywords: Vec<String>,
}

/// Why a template is not taken.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// No such template, or somebody else's.
    #[error("There is no such template.")]
    NotFound,
    /// Another one has the name.
    #[error("Another template has this name.")]
    NameTaken,
    /// Something about it does not fit.
    #[error("{0}")]
    Invalid(String),
    /// There are enough.
    #[error("There are {MOST} templates already; delete one that is not needed.")]
    TooMany,
    /// An account answers with it.
    #[error("The automatic reply of {0} uses this template; choose another one there first.")]
    InUse(String),
    /// Messages for later are made of it.
    #[error("{0} scheduled messages use this template; cancel or change them first.")]
    Waiting(u64),
    /// The database answered with an error.
    #[error(transparent)]
    Db(#[from] DbErr),
}

impl Wanted {
    /// Trimmed, its keywords in lower case and each once.
    fn checked(&self) -> Result<Self, TemplateError> {
        let invalid = |why: String| Err(TemplateError::Invalid(why));
        let name = self.name.trim();
        if name.is_empty() || name.chars().count() > NAME {
            return invalid(format!("The name must have 1 to {NAME} characters."));
        }
        if self.text.trim().is_empty() || self.text.chars().count() > TEXT {
            return invalid(format!("The text must have 1 to {TEXT} characters."));
        }
        if [name, &self.text].iter().any(|text| text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\t'))) {
            return invalid("A character of it cannot be sent.".to_owned());
        }
        if let Some(unknown) = variables::unknown(&self.text) {
            let shown: String = unknown.chars().take(40).collect();
            let known = variables::VARIABLES.join(", ");
            return invalid(format!("{{{{{shown}}}}} is not a variable; there are {known}."));
        }
        let mut keywords: Vec<String> = self.keywords.iter().map(|word| fold(word)).collect();
        keywords.sort_unstable();
        keywords.dedup();
        let fits = |word: &String| !word.is_empty() && word.chars().count() <= KEYWORD;
        if keywords.len() > KEYWORDS || !keywords.iter().all(fits) {
            return invalid(format!("There may be {KEYWORDS} keywords of 1 to {KEYWORD} characters."));
        }
        Ok(Self { name: name.to_owned(), text: self.text.clone(), keywords })
    }
}

/// One of an organization; a foreign one is `None`, like a missing one.
pub async fn find(db: &impl ConnectionTrait, organization: OrganizationId, id: Uuid) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id(id).filter(Column::OrganizationId.eq(organization.0)).one(db).await
}

/// The same, held until the end of the transaction: whoever begins to use it and whoever changes or deletes it come one after
/// the other.
pub async fn held(tx: &Tx, organization: OrganizationId, id: Uuid) -> Result<Option<Model>, DbErr> {
    let mut query = Entity::find_by_id(id).filter(Column::OrganizationId.eq(organization.0));
    if tx.conn().get_database_backend() != DbBackend::Sqlite {
        query = query.lock(LockType::NoKeyUpdate);
    }
    query.one(tx.conn()).await
}

/// Those of an organization after a position, the newest first.
pub async fn list(
    db: &impl ConnectionTrait,
    organization: OrganizationId,
    after: Option<Position>,
    limit: u64,
) -> Result<Vec<Model>, DbErr> {
    Entity::find()
        .filter(Column::OrganizationId.eq(organization.0))
        .filter(page::after(Column::CreatedAt, Column::Id, after))
        .order_by_desc(Column::CreatedAt)
        .order_by_desc(Column::Id)
        .limit(limit)
        .all(db)
        .await
}

/// Makes one.
pub async fn create(
    tx: &Tx,
    ctx: &Context,
    organization: OrganizationId,
    wanted: &Wanted,
) -> Result<Model, TemplateError> {
    let Wanted { name, text, keywords } = wanted.checked()?;
    answers_in_one(tx, organization, &text, &keywords).await?;
    if Entity::find().filter(Column::OrganizationId.eq(organization.0)).count(tx.conn()).await? >= MOST {
        return Err(TemplateError::TooMany);
    }
    let now = ctx.now();
    let keywords = json!(keywords).to_string();
    let (id, organization_id) = (new_id(now), organization.0);
    let row = Model { id, organization_id, name, text, keywords, created_at: now, updated_at: now };
    Entity::insert(row.clone().into_active_model()).exec_without_returning(tx.conn()).await.map_err(taken)?;
    Ok(row)
}

/// Changes one as a whole.
pub async fn change(
    tx: &Tx,
    ctx: &Context,
    organization: OrganizationId,
    id: Uuid,
    wanted: &Wanted,
) -> Result<Model, TemplateError> {
    let before = held(tx, organization, id).await?.ok_or(TemplateError::NotFound)?;
    let Wanted { name, text, keywords } = wanted.checked()?;
    answers_in_one(tx, organization, &text, &keywords).await?;
    for account in users(tx, organization, id).await? {
        if let Some(why) = too_long(&account, &text) {
            let sentence = format!(
                "The automatic reply of {} uses this template, and the text is too long for it: {why}.",
                account.name
            );
            return Err(TemplateError::Invalid(sentence));
        }
    }
    let row = Model { name, text, keywords: json!(keywords).to_string(), updated_at: ctx.now(), ..before };
    let whole = row.clone().into_active_model().reset_all();
    Entity::update(whole).exec_without_returning(tx.conn()).await.map_err(taken)?;
    Ok(row)
}

/// Deletes one, unless an account answers with it.
pub async fn delete(tx: &Tx, organization: OrganizationId, id: Uuid) -> Result<(), TemplateError> {
    held(tx, organization, id).await?.ok_or(TemplateError::NotFound)?;
    if let Some(user) = users(tx, organization, id).await?.into_iter().next() {
        return Err(TemplateError::InUse(user.name));
    }
    let waiting = scheduled_message::Entity::find()
        .filter(scheduled_message::Column::OrganizationId.eq(organization.0))
        .filter(scheduled_message::Column::Status.eq("scheduled"))
        .filter(scheduled_message::Column::TemplateId.eq(id))
        .count(tx.conn())
        .await?;
    if waiting > 0 {
        return Err(TemplateError::Waiting(waiting));
    }
    Entity::delete_by_id(id).exec(tx.conn()).await?;
    Ok(())
}

/// With keywords it answers for every account by itself, and an automatic reply is one message.
async fn answers_in_one(
    tx: &Tx,
    organization: OrganizationId,
    text: &str,
    keywords: &[String],
) -> Result<(), TemplateError> {
    if keywords.is_empty() {
        return Ok(());
    }
    let accounts = connection::Entity::find()
        .filter(connection::Column::OrganizationId.eq(organization.0))
        .filter(connection::Column::Status.ne("disconnected"))
        .all(tx.conn())
        .await?;
    match accounts.iter().find_map(|account| too_long(account, text)) {
        Some(why) => Err(TemplateError::Invalid(format!("The text is too long to answer a keyword: {why}."))),
        None => Ok(()),
    }
}

/// The accounts whose automatic reply it is.
async fn users(tx: &Tx, organization: OrganizationId, id: Uuid) -> Result<Vec<connection::Model>, DbErr> {
    connection::Entity::find()
        .filter(connection::Column::OrganizationId.eq(organization.0))
        .filter(connection::Column::AutoReplyTemplateId.eq(id))
        .all(tx.conn())
        .await
}

/// The keywords of one.
pub fn keywords(template: &Model) -> Vec<String> {
    serde_json::from_str(&template.keywords).unwrap_or_default()
}

/// The template whose keyword a text has as words of its own: the longest keyword wins, then the older template.
pub fn by_keyword<'a>(templates: &'a [Model], text: &str) -> Option<&'a Model> {
    let text = format!(" {} ", fold(text));
    let mut found: Vec<(usize, &Model)> = templates
        .iter()
        .filter_map(|template| {
            let longest = keywords(template).into_iter().filter(|word| text.contains(&format!(" {word} ")));
            longest.map(|word| word.chars().count()).max().map(|length| (length, template))
        })
        .collect();
    found.sort_by_key(|(length, template)| (std::cmp::Reverse(*length), template.created_at, template.id));
    found.first().map(|(_, template)| *template)
}

/// Words in lower case with one space between them, and nothing else.
fn fold(text: &str) -> String {
    let letters: String = text.to_lowercase().chars().map(|c| if c.is_alphanumeric() { c } else { ' ' }).collect();
    letters.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn taken(error: DbErr) -> TemplateError {
    if is_unique_violation(&error) { TemplateError::NameTaken } else { error.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(name: &str, keywords: &[&str], created_at: i64) -> Model {
        let id = Uuid::from_u128(u128::try_from(created_at).unwrap());
        let keywords = json!(keywords).to_string();
        let text = String::new();
        Model { id, organization_id: Uuid::nil(), name: name.to_owned(), text, keywords, created_at, updated_at: 0 }
    }

    #[test]
    fn keywords_are_whole_words() {
        let all = [template("hours", &["open", "opening hours"], 1), template("price", &["price", "how much"], 2)];
        let name = |text: &str| by_keyword(&all, text).map(|template| template.name.as_str());
        for (text, expected) in [
            ("What is the PRICE?", Some("price")),
            ("how  much?!", Some("price")),
            ("Your opening-hours and the price please", Some("hours")),
            ("reopened", None),
            ("", None),
            ("¿Precio?", None),
        ] {
            assert_eq!(name(text), expected, "{text}");
        }
        let same = [template("b", &["x"], 2), template("a", &["x"], 1)];
        assert_eq!(by_keyword(&same, "x").unwrap().name, "a", "the older one");
    }

    #[test]
    fn what_a_template_must_be() {
        let good = Wanted { name: " Hi ".to_owned(), text: "Hi {{contact.name}}".to_owned(), keywords: vec![] };
        assert_eq!(good.checked().unwrap().name, "Hi");
        let words = Wanted { keywords: vec!["Open!".to_owned(), "open".to_owned()], ..good.clone() };
        assert_eq!(words.checked().unwrap().keywords, ["open"]);
        for bad in [
            Wanted { name: " ".to_owned(), ..good.clone() },
            Wanted { name: "x".repeat(81), ..good.clone() },
            Wanted { text: String::new(), ..good.clone() },
            Wanted { text: "{{contact.nmae}}".to_owned(), ..good.clone() },
            Wanted { keywords: vec!["?!".to_owned()], ..good.clone() },
            Wanted { keywords: (0..21).map(|n| n.to_string()).collect(), ..good.clone() },
        ] {
            assert!(matches!(bad.checked(), Err(TemplateError::Invalid(_))), "{bad:?}");
        }
    }
}
