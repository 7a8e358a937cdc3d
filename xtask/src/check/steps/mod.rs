//! The steps of the journey in their order, one file per subject; each says in a sentence what it saw, or what was wrong.

mod afterwards;
mod arrival;
mod desk;
mod door;
mod faults;
mod kinds;
mod logins;
mod shops;

use super::journey::Journey;
use std::pin::Pin;

/// A step under way.
type Seen<'a> = Pin<Box<dyn Future<Output = anyhow::Result<String>> + 'a>>;

/// What a step does.
type Act = for<'a> fn(&'a mut Journey) -> Seen<'a>;

/// Every step with its name; the program's end comes after them.
pub const STEPS: [(&str, Act); 34] = [
    ("ready", |journey| Box::pin(door::ready(journey))),
    ("sign in", |journey| Box::pin(door::sign_in(journey))),
    ("connections", |journey| Box::pin(door::connections(journey))),
    ("handshake", |journey| Box::pin(door::handshake(journey))),
    ("signatures", |journey| Box::pin(door::signatures(journey))),
    ("message in", |journey| Box::pin(arrival::stored(journey))),
    ("reply out", |journey| Box::pin(arrival::answered(journey))),
    ("echo", |journey| Box::pin(arrival::echo_merged(journey))),
    ("redelivery", |journey| Box::pin(arrival::redelivered(journey))),
    ("picture", |journey| Box::pin(kinds::picture(journey))),
    ("story reply", |journey| Box::pin(kinds::story_reply(journey))),
    ("reaction", |journey| Box::pin(kinds::reaction(journey))),
    ("unsend", |journey| Box::pin(kinds::unsend(journey))),
    ("Facebook Page", |journey| Box::pin(shops::facebook_page(journey))),
    ("lost answer", |journey| Box::pin(faults::lost_answer(journey))),
    ("another shop", |journey| Box::pin(shops::another_shop(journey))),
    ("AI reply", |journey| Box::pin(desk::model(journey))),
    ("AI fails", |journey| Box::pin(desk::model_fails(journey))),
    ("by hand", |journey| Box::pin(desk::by_hand(journey))),
    ("template", |journey| Box::pin(desk::template(journey))),
    ("for later", |journey| Box::pin(desk::later(journey))),
    ("small picture", |journey| Box::pin(desk::small_picture(journey))),
    ("lead", |journey| Box::pin(desk::lead(journey))),
    ("starter plan", |journey| Box::pin(logins::starter_refused(journey))),
    ("login denied", |journey| Box::pin(logins::denied(journey))),
    ("personal login", |journey| Box::pin(logins::personal_refused(journey))),
    ("Instagram login", |journey| Box::pin(logins::instagram(journey))),
    ("handle spent", |journey| Box::pin(logins::handle_spent(journey))),
    ("Facebook login", |journey| Box::pin(logins::facebook(journey))),
    ("new accounts", |journey| Box::pin(afterwards::answers(journey))),
    ("token refresh", |journey| Box::pin(afterwards::refreshed(journey))),
    ("disconnect", |journey| Box::pin(afterwards::disconnected(journey))),
    ("rate limit", |journey| Box::pin(faults::rate_limit(journey))),
    ("health", |journey| Box::pin(door::healthy(journey))),
];
