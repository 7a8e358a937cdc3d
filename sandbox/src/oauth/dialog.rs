//! The dialogs in a browser: a page with a form, and what the form leads to.
//! No script and no cookie: everything the form needs is in it, so a bare HTTP client can click it too.

use std::sync::Arc;

use poem::{
    Response,
    http::{Method, StatusCode},
};

use crate::{
    graph::{call::Call, reply},
    world::{Shared, World, accounts::Login},
};

use super::{
    decide::{self, Decision, Impossible},
    pages,
    request::{self, Wrong},
    scopes,
};

/// `GET` and `POST` of a dialog.
pub(crate) fn answer(shared: &Arc<Shared>, call: &Call, product: Login) -> Response {
    shared.with(|world| {
        let result = match call.method {
            Method::GET => show(world, call, product),
            Method::POST => decided(world, call, product),
            _ => Err(Wrong("This method is not allowed here.".to_owned())),
        };
        result.unwrap_or_else(|wrong| refuse(product, &wrong))
    })
}

/// Meta's side of an error: a page at Facebook, JSON at Instagram.
fn refuse(product: Login, wrong: &Wrong) -> Response {
    match product {
        Login::Instagram => reply::plain(
            400,
            &serde_json::json!({"error_type": "OAuthException", "code": 400, "error_message": wrong.0}),
        ),
        Login::Facebook => html(StatusCode::BAD_REQUEST, pages::error(&wrong.0)),
    }
}

fn html(status: StatusCode, page: String) -> Response {
    Response::builder()
        .status(status)
        .content_type("text/html; charset=utf-8")
        .header("cache-control", "no-store")
        .header("content-security-policy", "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'")
        .header("referrer-policy", "no-referrer")
        .body(page)
}

fn show(world: &mut World, call: &Call, product: Login) -> Result<Response, Wrong> {
    let asked = request::check(world, call, product)?;
    world.counters.oauth.dialogs += 1;
    world.ensure_manager();
    Ok(html(StatusCode::OK, pages::consent(world, call, &asked)))
}

fn decided(world: &mut World, call: &Call, product: Login) -> Result<Response, Wrong> {
    let asked = request::check(world, call, product)?;
    world.ensure_manager();
    let allow = match call.text("decision").as_deref() {
        Some("allow") => true,
        Some("deny") => false,
        // Another person has other Pages, and without a script they come with a new page.
        Some("switch") => return Ok(html(StatusCode::OK, pages::consent(world, call, &asked))),
        _ => return Err(Wrong("The form says neither allow nor deny.".to_owned())),
    };
    let person = call.text("person").filter(|_| product == Login::Facebook);
    // The boxes belong to whoever was shown: for anyone else they are as on a fresh page.
    let same = person.is_none() || call.text("shown").is_none() || call.text("shown") == person;
    let mut chosen = call.all("scopes");
    if product == Login::Instagram {
        // Its box cannot be unticked, and a box that cannot be changed is not sent.
        chosen.push(scopes::INSTAGRAM_BASIC.to_owned());
    }
    let decision = Decision {
        allow,
        person,
        account: call.text("account"),
        accounts: same.then(|| call.all("accounts")),
        scopes: (!asked.all_or_nothing).then_some(chosen),
    };
    let done = decide::decide(world, &asked, &decision).map_err(|why| match why {
        Impossible::UnknownPerson(id) => Wrong(format!("There is no person {id}.")),
        Impossible::UnknownAccount(id) => Wrong(format!("There is no account {id}.")),
        Impossible::Invalid(why) => Wrong(why.to_owned()),
    })?;
    Ok(Response::builder()
        .status(StatusCode::FOUND)
        .header("location", done.redirect_to)
        .header("cache-control", "no-store")
        .finish())
}
