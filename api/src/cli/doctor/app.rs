//! Our apps at Meta: that id and secret belong together, as far as Meta lets that be asked, and what Meta delivers for them.
//! Instagram Login has no such call, so there it is said where to look.

use super::report::{Finding, Status};
use super::{is_wanted, subscriptions, within};
use crate::settings::Settings;
use crate::settings::problem::Problems;
use meta::{App, ErrorClass, GraphError, Login, MetaClient, Operation, classify};

const FACEBOOK: &str = "facebook-app";
const INSTAGRAM: &str = "instagram-app";

pub async fn check(settings: &Settings, problems: &Problems, client: &MetaClient) -> Vec<Finding> {
    let facebook = client.app(Login::Facebook).filter(|app| is_id(&app.id));
    let identity = async {
        match &facebook {
            Some(app) => within(FACEBOOK, of_app(client, app), |late| late).await,
            None => incomplete_facebook(settings),
        }
    };
    let (identity, subscribed) =
        tokio::join!(identity, subscriptions::check(settings, problems, client, facebook.as_ref()));
    let mut found = vec![identity, of_instagram(settings, client)];
    found.extend(subscribed);
    found
}

/// How bad an error of Meta about our app is, and its cause. What passes by itself is no fault of the app.
pub fn trouble(error: &GraphError) -> (Status, String) {
    let classified = classify(Operation::ReadApp, error);
    match classified.class {
        ErrorClass::Transient | ErrorClass::RateLimited => {
            (Status::Warning, format!("Meta could not be asked ({error}); look again when it answers"))
        }
        _ => (Status::Problem, format!("{} ({error})", classified.hint.trim_end_matches('.'))),
    }
}

async fn of_app(client: &MetaClient, app: &App) -> Finding {
    match client.app_identity(app).await {
        Ok(known) if known.id == app.id => {
            let name = known.name.map(|name| format!(", {name}")).unwrap_or_default();
            Finding::ok(FACEBOOK, format!("Meta accepts META_APP_SECRET for the app {}{name}", known.id))
        }
        Ok(known) => Finding::problem(
            FACEBOOK,
            format!(
                "the secret is that of the app {}; set META_APP_ID and META_APP_SECRET to those of one app",
                known.id
            ),
        ),
        Err(error) => {
            let (status, trouble) = trouble(&error);
            let compare = "compare META_APP_ID and META_APP_SECRET with Meta's dashboard, App settings > Basic";
            let cure = if status == Status::Problem { compare } else { "nothing is known of the app yet" };
            Finding::new(status, FACEBOOK, format!("{trouble}; {cure}"))
        }
    }
}

fn incomplete_facebook(settings: &Settings) -> Finding {
    let meta = &settings.meta;
    match (&meta.meta_app_id, &meta.meta_app_secret) {
        (Some(id), _) if !is_id(id) => Finding::problem(
            FACEBOOK,
            "META_APP_ID is no id of Meta; copy it from Meta's dashboard, App settings > Basic",
        ),
        (None, None) if settings.domain.instagram_login == Login::Facebook => Finding::problem(
            FACEBOOK,
            "INSTAGRAM_LOGIN is facebook, and META_APP_ID and META_APP_SECRET are not set, so nothing can be connected; set \
             both",
        ),
        (None, None) => {
            Finding::ok(FACEBOOK, "not in use: set META_APP_ID and META_APP_SECRET if Pages are to be connected")
        }
        (None, Some(_)) => half(FACEBOOK, "META_APP_ID", "a Page"),
        (Some(_), _) => half(FACEBOOK, "META_APP_SECRET", "a Page"),
    }
}

fn of_instagram(settings: &Settings, client: &MetaClient) -> Finding {
    let meta = &settings.meta;
    match (&meta.instagram_app_id, client.app(Login::Instagram)) {
        (Some(id), _) if !is_id(id) => Finding::problem(
            INSTAGRAM,
            "INSTAGRAM_APP_ID is no id of Meta; copy it from Meta's dashboard, Instagram > API setup with Instagram login",
        ),
        (Some(id), _) if meta.meta_app_id.as_ref() == Some(id) => Finding::warning(
            INSTAGRAM,
            "INSTAGRAM_APP_ID is the same as META_APP_ID, but the Instagram product has an id and a secret of its own; copy \
             them from Meta's dashboard, Instagram > API setup with Instagram login",
        ),
        (_, Some(app)) => Finding::ok(
            INSTAGRAM,
            format!(
                "id and secret are set, and not checked, for Meta has no call that does; compare {} and the secret with \
                 Meta's dashboard, Instagram > API setup with Instagram login",
                app.id
            ),
        ),
        _ if !is_wanted(settings, Login::Instagram) => Finding::ok(
            INSTAGRAM,
            "not in use: set INSTAGRAM_APP_ID and INSTAGRAM_APP_SECRET if Instagram accounts are to log in themselves",
        ),
        (None, None) => half(INSTAGRAM, "INSTAGRAM_APP_ID", "an Instagram account"),
        (Some(_), None) => half(INSTAGRAM, "INSTAGRAM_APP_SECRET", "an Instagram account"),
    }
}

/// Webhooks may be all that is wanted, so this is no problem by itself.
fn half(name: &'static str, missing: &str, what: &str) -> Finding {
    Finding::warning(
        name,
        format!("{missing} is not set, so nobody can connect {what} and nothing can be checked; set it"),
    )
}

/// Meta's ids are numbers. Whether one is known, Meta says; here it is only kept from becoming another path.
fn is_id(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}
