//! What Meta calls when a person removes the app or wants data deleted. Both carry a signature of their own, and the id of
//! the person that only this app knows.

use super::super::Tag;
use super::signed::Signed;
use crate::app::App;
use crate::problem::{Code, Problem};
use domain::clock::rfc3339;
use domain::removal::{self, Request, Taken};
use jobs::jobs::{data_delete, meta_answer};
use meta::signed_request::parse_and_verify;
use poem::web::Data;
use poem_openapi::param::Path;
use poem_openapi::payload::{Html, Json, PlainText};
use poem_openapi::{ApiResponse, Object, OpenApi};
use std::sync::Arc;

/// The routes of this file.
#[derive(Clone, Copy, Debug)]
pub struct RemovalRoutes;

/// Where the person can ask, and with which code.
#[derive(Object)]
struct Receipt {
    /// The status page.
    url: String,
    confirmation_code: String,
}

#[derive(ApiResponse)]
enum StatusPage {
    /// How far the deletion is, for a person.
    #[oai(status = 200)]
    Ok(Html<String>),
    /// There is no such request.
    #[oai(status = 404)]
    NotFound(Html<String>),
}

#[OpenApi(prefix_path = "/api/meta", tag = "Tag::Webhooks")]
impl RemovalRoutes {
    /// A person has removed the app: its tokens are used no more, and the owner is told.
    #[oai(path = "/deauthorize", method = "post", operation_id = "deauthorize")]
    async fn deauthorize(&self, app: Data<&Arc<App>>, body: Signed) -> Result<PlainText<&'static str>, Problem> {
        take(&app, Request::Deauthorize, &body).await?;
        Ok(PlainText("OK"))
    }

    /// A person wants data deleted.
    #[oai(path = "/data-deletion", method = "post", operation_id = "requestDataDeletion")]
    async fn delete(&self, app: Data<&Arc<App>>, body: Signed) -> Result<Json<Receipt>, Problem> {
        let confirmation_code = take(&app, Request::DataDeletion, &body).await?;
        let url = format!("{}/api/meta/data-deletion/{confirmation_code}", app.ctx.settings.public_url);
        Ok(Json(Receipt { url, confirmation_code }))
    }

    /// How far a deletion is: a page for the person who asked for it.
    #[oai(path = "/data-deletion/:code", method = "get", operation_id = "getDataDeletion")]
    async fn status(&self, app: Data<&Arc<App>>, code: Path<String>) -> Result<StatusPage, Problem> {
        let fits =
            (1..=64).contains(&code.len()) && code.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b));
        let found = if fits { removal::by_code(app.ctx.db.read(), &code).await? } else { None };
        let Some(request) = found else {
            let text = "There is no deletion request with this code. Please check the address.";
            return Ok(StatusPage::NotFound(page("Not found", text)));
        };
        let received = rfc3339(request.created_at);
        let text = match request.finished_at {
            Some(at) => {
                format!("Your request of {received} was carried out on {}: your data has been deleted.", rfc3339(at))
            }
            None => format!("Your request of {received} is being carried out. Please look again in a few minutes."),
        };
        Ok(StatusPage::Ok(page("Deletion of your data", &text)))
    }
}

/// Only texts of ours and times go in, so nothing needs escaping.
fn page(title: &str, text: &str) -> Html<String> {
    Html(format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><title>{title}</title></head><body><h1>{title}</h1><p>{text}</p></body></html>"
    ))
}

async fn take(app: &App, request: Request, signed: &Signed) -> Result<String, Problem> {
    // Either product's app may be the one: a person of Instagram Login is removed with the Instagram app's secret.
    let secrets = &app.ctx.settings.instagram_webhook_secrets;
    let said = parse_and_verify(&signed.0, secrets).map_err(|why| {
        tracing::warn!(request = request.as_str(), %why, "a signed request was refused");
        metrics::counter!("retail_assist_refused_total", "why" => "signed_request").increment(1);
        Problem::new(Code::InvalidSignedRequest)
    })?;
    let mut tx = app.ctx.db.begin().await?;
    let taken = removal::take(&tx, &app.ctx, request, &said.user_id, said.issued_at).await;
    let taken: Taken = taken.map_err(|error| match error {
        removal::RemovalError::Db(error) => Problem::from(error),
        other @ removal::RemovalError::Randomness => Problem::internal(&other),
    })?;
    meta_answer::tell(&app.ledger, &mut tx, taken.told.iter().copied()).await?;
    if request == Request::DataDeletion && taken.fresh && !taken.connections.is_empty() {
        app.ledger.enqueue(&mut tx, vec![data_delete::job(&taken)]).await?;
    }
    let (fresh, connections) = (taken.fresh, taken.connections.len());
    tx.commit().await?;
    tracing::info!(request = request.as_str(), fresh, connections, "Meta asked for a removal");
    Ok(taken.callback.confirmation_code)
}
