//! The control interface under `/sandbox`: playing customers and owners, looking at what happened, faults, clock.
//! One table of paths, so that an unknown one and a wrong method are told apart.

pub(crate) mod accounts;
pub(crate) mod bots;
pub(crate) mod callbacks;
pub(crate) mod clock;
pub(crate) mod consent;
pub(crate) mod deliver;
pub(crate) mod error;
pub(crate) mod faults;
pub(crate) mod input;
pub(crate) mod media;
pub(crate) mod messages;
pub(crate) mod model;
pub(crate) mod people;
pub(crate) mod reading;
pub(crate) mod settings;
pub(crate) mod tokens;

use std::sync::Arc;

use poem::{Request, Response};

use crate::world::Shared;

use self::{error::ControlError, input::Input};

/// The page for a person.
const PAGE: &str = include_str!("page.html");

/// Answers one request.
pub(crate) async fn answer(shared: &Arc<Shared>, request: &Request, body: &[u8]) -> Response {
    let path = request.original_uri().path();
    let input = Input::new(request, body);
    let path = path.strip_prefix("/sandbox").unwrap_or_default().trim_matches('/');
    if path.is_empty() && request.method() == "GET" {
        return Response::builder()
            .content_type("text/html; charset=utf-8")
            .header(
                "content-security-policy",
                "default-src 'self'; style-src 'unsafe-inline'; script-src 'unsafe-inline'",
            )
            .body(PAGE);
    }
    match dispatch(shared, request.method().as_str(), path, &input).await {
        Ok((status, value)) => error::json_response(status, &value),
        Err(error) => error.into_response(),
    }
}

type Answer = Result<(u16, serde_json::Value), ControlError>;

async fn dispatch(shared: &Arc<Shared>, method: &str, path: &str, input: &Input) -> Answer {
    let ok = |value| Ok((200, value));
    match (method, path) {
        ("POST", "deliver") => deliver::deliver(shared, input).await,
        ("POST", "release") => ok(settings::release(shared)),
        ("POST", "accounts") => shared.with(|world| accounts::save_account(world, input)),
        ("GET", "accounts") => shared.read(|world| ok(accounts::list_accounts(world))),
        ("POST", "people") => shared.with(|world| people::save(world, input)),
        ("GET", "people") => shared.with(|world| ok(people::list(world))),
        ("POST", "consent") => shared.with(|world| consent::decide(world, input)),
        ("GET", "tokens") => shared.read(|world| tokens::list(world, input)),
        ("POST", "revoke") => shared.with(|world| tokens::revoke(world, input)),
        ("POST", "password-change") => shared.with(|world| tokens::change_password(world, input)),
        ("POST", "expire") => shared.with(|world| tokens::expire(world, input)),
        ("POST", "permissions") => shared.with(|world| tokens::remove_permissions(world, input)),
        ("POST", "unsubscribe") => shared.with(|world| tokens::unsubscribe(world, input)),
        ("POST", "deauthorize") => callbacks::send(shared, input, callbacks::Kind::Deauthorize).await,
        ("POST", "data-deletion") => callbacks::send(shared, input, callbacks::Kind::DataDeletion).await,
        ("POST", "customers") => shared.with(|world| accounts::save_customer(world, input)),
        ("GET", "customers") => shared.read(|world| accounts::list_customers(world, input)),
        ("POST", "messages") => shared.with(|world| messages::write(world, input)),
        ("POST", "events") => shared.with(|world| messages::raw_event(world, input)),
        ("POST", "owner-messages") => shared.with(|world| messages::write_as_owner(world, input)),
        ("POST", "reactions") => shared.with(|world| messages::react(world, input)),
        ("POST", "reads") => shared.with(|world| messages::read(world, input)),
        ("POST", "receipts") => shared.with(|world| messages::receipt(world, input)),
        ("POST", "unsends") => shared.with(|world| messages::unsend(world, input)),
        ("POST", "edits") => shared.with(|world| messages::edit(world, input)),
        ("POST", "bots") => shared.with(|world| bots::start(world, input)),
        ("GET", "bots") => shared.read(|world| ok(bots::list(world))),
        ("DELETE", "bots") => shared.with(|world| ok(bots::stop(world))),
        ("GET", "thread") => shared.read(|world| reading::thread(world, input)),
        ("GET", "sent") => shared.read(|world| reading::sent(world, input)),
        ("GET", "deliveries") => shared.read(|world| reading::deliveries(world, input)),
        ("GET", "counters") => {
            let detail = input.query("detail") == Some("true");
            shared.read(|world| ok(world.counters_json(detail)))
        }
        ("GET", "clock") => shared.read(|world| ok(clock::show(world))),
        ("POST", "clock") => shared.with(|world| clock::change(world, input)),
        ("GET", "faults/catalogue") => ok(faults::catalogue()),
        ("GET", "faults") => shared.read(|world| ok(faults::list(world))),
        ("POST", "faults") => shared.with(|world| faults::add(world, input)),
        ("DELETE", "faults") => shared.with(|world| faults::remove(world, input)),
        ("POST", "media") => shared.with(|world| media::link(world, input)),
        ("GET", "ai") => shared.read(|world| ok(model::show(world))),
        ("POST", "ai") => shared.with(|world| model::change(world, input)),
        ("GET", "settings") => shared.read(|world| settings::show(world)),
        ("POST", "settings") => shared.with(|world| settings::change(world, input)),
        ("POST", "reset") => shared.with(|world| settings::reset(world, input)),
        (_, known) if KNOWN.contains(&known) => Err(ControlError::method_not_allowed()),
        _ => Err(ControlError::not_found("there is nothing at this path; see sandbox/README.md")),
    }
}

/// Paths that exist, for the answer to a wrong method.
const KNOWN: [&str; 34] = [
    "",
    "deliver",
    "release",
    "accounts",
    "people",
    "consent",
    "tokens",
    "revoke",
    "password-change",
    "expire",
    "permissions",
    "unsubscribe",
    "deauthorize",
    "data-deletion",
    "customers",
    "messages",
    "events",
    "owner-messages",
    "reactions",
    "reads",
    "receipts",
    "unsends",
    "edits",
    "bots",
    "thread",
    "sent",
    "deliveries",
    "counters",
    "clock",
    "faults",
    "media",
    "ai",
    "settings",
    "reset",
];
