//! Who calls: a signed-in person, a program of an organization, or an operator. Three schemes, and none opens another's
//! doors; each is an extractor, so a route that forgot to ask does not get a caller to work with.

pub mod browser;
pub mod cookie;
pub mod operator;
pub mod origin;
pub mod session;
pub mod shop;

pub use operator::Operator;
pub use session::Session;
pub use shop::Shop;

use crate::app::App;
use crate::problem::{Code, Problem};
use domain::api_keys::{Authenticated, Scope, authenticate};
use http::header::AUTHORIZATION;
use poem::Request;
use std::sync::Arc;

fn app(request: &Request) -> Result<&Arc<App>, Problem> {
    request.data::<Arc<App>>().ok_or_else(|| Problem::internal(&"a route was reached without its application"))
}

/// The key a request carries, when it carries an `Authorization` header at all.
async fn key(request: &Request, app: &App) -> Result<Option<Authenticated>, Problem> {
    let Some(header) = request.headers().get(AUTHORIZATION) else { return Ok(None) };
    let bearer = header.to_str().ok().and_then(|text| {
        let (scheme, key) = text.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(key.trim())
    });
    let found = match bearer.filter(|key| key.starts_with("ra_") && key.len() < 128) {
        Some(key) => authenticate(&app.ctx, key).await?,
        None => None,
    };
    found.map(Some).ok_or_else(|| refused("key"))
}

fn require(key: &Authenticated, scope: Scope) -> Result<(), Problem> {
    if key.scopes.contains(&scope) {
        return Ok(());
    }
    metrics::counter!("retail_assist_refused_total", "why" => "scope").increment(1);
    Err(Problem::with(Code::ScopeRequired, format!("This key needs the scope {}.", scope.name())))
}

fn refused(why: &'static str) -> Problem {
    metrics::counter!("retail_assist_refused_total", "why" => why).increment(1);
    Problem::new(Code::Unauthenticated)
}
