//! `notification.mail`: sends a notification to the people of an organization by mail, where a mail server is set up.

use super::{Finish, HandlerError, Kind, Run, leave, payload, run_again};
use crate::ledger::Ledger;
use crate::ledger::enqueue::NewJob;
use crate::outcome::{Failure, Outcome};
use crate::policy::{Policy, STANDARD};
use crate::queue::Queue;
use domain::notifications;
use domain::settings::Mail;
use entities::job::Model as Job;
use entities::user;
use futures::future::BoxFuture;
use lettre::message::Mailbox;
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::time::Duration;
use uuid::Uuid;

/// The kind. A mail that was sent twice does less harm than one that was not.
pub static KIND: Kind = Kind {
    name: "notification.mail",
    queue: Queue::Maintenance,
    policy: Policy { timeout: Some(Duration::from_secs(60)), ..STANDARD },
    run: Run::One(run),
    on_lapse: run_again,
    on_given_up: leave,
};

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Payload {
    notification_id: Uuid,
}

/// The job that mails a notification.
pub fn job(notification: Uuid) -> NewJob {
    NewJob::new(&KIND, json!({ "notificationId": notification })).dedupe_key(format!("mail:{}", notification.simple()))
}

fn run<'a>(ledger: &'a Ledger, job: &'a Job) -> BoxFuture<'a, Result<Finish, HandlerError>> {
    Box::pin(async move {
        let Payload { notification_id } = match payload(job) {
            Ok(payload) => payload,
            Err(unreadable) => return Ok(unreadable.into()),
        };
        let ctx = ledger.context();
        let skip = |why: &str| Ok(Finish::Outcome(Outcome::Completed(json!({ "skipped": why }))));
        let Some(mail) = &ctx.settings.mail else { return skip("mail_not_set_up") };
        let Some(notification) = notifications::find(ctx.db.read(), notification_id).await? else {
            return skip("notification_gone");
        };
        let people = user::Entity::find()
            .filter(user::Column::OrganizationId.eq(notification.organization_id))
            .all(ctx.db.read())
            .await?;
        let to: Vec<Mailbox> = people.iter().filter_map(|person| person.email.parse().ok()).collect();
        if to.is_empty() {
            return skip("nobody_to_tell");
        }
        let text = format!("{}\n\n{}/dashboard/integrations\n", notification.text, ctx.settings.public_url);
        match send(mail, &to, text).await {
            Ok(()) => Ok(Finish::Outcome(Outcome::Completed(json!({ "recipients": to.len() })))),
            Err(problem) => {
                // The server's own words may quote addresses and credentials: its kind is enough.
                let failure = Failure::new("mail", format!("The mail server did not take the mail ({problem})."));
                Ok(Finish::Outcome(Outcome::Retry(failure, None)))
            }
        }
    })
}

/// What is wrong with the settings of mail: a setting's name, and a sentence that repeats nothing of it.
pub fn problems(mail: &Mail) -> Vec<(&'static str, &'static str)> {
    let mut found = Vec::new();
    let url = mail.url.expose_secret();
    let host = url.split_once("://").map(|(_, rest)| rest.rsplit('@').next().unwrap_or_default());
    let has_host = host.is_some_and(|host| !host.is_empty() && !host.starts_with([':', '/']));
    if !has_host || AsyncSmtpTransport::<Tokio1Executor>::from_url(url).is_err() {
        found.push(("SMTP_URL", "must look like smtps://user:password@host:465 or smtp://host:25"));
    }
    if mail.from.parse::<Mailbox>().is_err() {
        found.push(("MAIL_FROM", "must be the sender's address, like Retail Assist <assist@shop.example>"));
    }
    found
}

async fn send(mail: &Mail, to: &[Mailbox], text: String) -> Result<(), &'static str> {
    let mut message = Message::builder()
        .from(mail.from.parse().map_err(|_| "MAIL_FROM is no address")?)
        .subject("Retail Assist: one of your accounts needs you");
    for person in to {
        message = message.to(person.clone());
    }
    let message = message.body(text).map_err(|_| "the mail could not be written")?;
    let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(mail.url.expose_secret())
        .map_err(|_| "SMTP_URL is no address of a mail server")?
        .timeout(Some(Duration::from_secs(30)))
        .build();
    match transport.send(message).await {
        Ok(_) => Ok(()),
        Err(error) if error.is_permanent() => Err("refused for good"),
        Err(error) if error.is_transient() => Err("refused for now"),
        Err(error) if error.is_timeout() => Err("no answer in time"),
        Err(_) => Err("not reached"),
    }
}
