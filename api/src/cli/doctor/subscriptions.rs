//! Whether Meta delivers our app's webhooks, to the right address and with the fields that are read. Only what is subscribed
//! here and for the account is delivered.

use super::report::Finding;
use super::{app, is_wanted, within};
use crate::settings::Settings;
use crate::settings::problem::Problems;
use meta::accounts::{FIELDS_INSTAGRAM, FIELDS_PAGE};
use meta::{App, AppSubscription, Login, MetaClient};

/// One kind of webhook that the service lives by.
struct Needed {
    name: &'static str,
    object: &'static str,
    route: &'static str,
    fields: &'static [&'static str],
    form: &'static str,
}

const PAGE: Needed = Needed {
    name: "webhooks-page",
    object: "page",
    route: "/api/webhooks/facebook",
    fields: FIELDS_PAGE,
    form: "Webhooks > Page",
};
const INSTAGRAM: Needed = Needed {
    name: "webhooks-instagram",
    object: "instagram",
    route: "/api/webhooks/instagram",
    fields: FIELDS_INSTAGRAM,
    form: "Webhooks > Instagram (with Instagram Login: Instagram > API setup with Instagram login > Configure webhooks)",
};

pub async fn check(settings: &Settings, problems: &Problems, client: &MetaClient, app: Option<&App>) -> Vec<Finding> {
    let through_facebook = settings.domain.instagram_login == Login::Facebook;
    let facebook = is_wanted(settings, Login::Facebook);
    let instagram = is_wanted(settings, Login::Instagram) || (through_facebook && facebook);
    let needed: Vec<_> = [(facebook, PAGE), (instagram, INSTAGRAM)].into_iter().filter(|(wanted, _)| *wanted).collect();
    let needed: Vec<_> = needed.into_iter().map(|(_, needed)| needed).collect();
    if needed.is_empty() {
        return Vec::new();
    }
    let public = if problems.concern("PUBLIC_URL") { "{PUBLIC_URL}" } else { &settings.public_url };
    let all = |say: &dyn Fn(&Needed) -> Finding| needed.iter().map(say).collect::<Vec<_>>();
    let Some(app) = app else {
        return all(&|needed| {
            let by_hand = by_hand(needed, public);
            Finding::ok(
                needed.name,
                format!("not checked, for Meta tells it only to META_APP_ID with META_APP_SECRET; see that, {by_hand}"),
            )
        });
    };
    let asked = async {
        match client.app_subscriptions(app).await {
            Ok(found) => all(&|needed| judge(needed, public, &found)),
            Err(error) => {
                let (status, trouble) = app::trouble(&error);
                all(&|needed| {
                    Finding::new(status, needed.name, format!("the app's webhooks cannot be read: {trouble}"))
                })
            }
        }
    };
    within(needed.first().map_or(PAGE.name, |needed| needed.name), asked, |late| vec![late]).await
}

/// How it is set up.
fn by_hand(needed: &Needed, public: &str) -> String {
    let Needed { form, route, .. } = needed;
    format!(
        "in Meta's dashboard under {form}, the callback URL is {public}{route}, with the word of META_WEBHOOK_VERIFY_TOKEN, \
         and messages is subscribed"
    )
}

fn judge(needed: &Needed, public: &str, found: &[AppSubscription]) -> Finding {
    let Needed { name, object, route, fields, .. } = needed;
    let cure = || format!("while the service runs, see to it that, {}", by_hand(needed, public));
    let Some(here) = found.iter().find(|subscription| subscription.object == *object) else {
        return Finding::problem(name, format!("the app has no webhooks for {object}: no message arrives; {}", cure()));
    };
    if here.callback_url.as_deref() != Some(&format!("{public}{route}")) {
        // What stands behind the question mark may be meant for Meta alone.
        let elsewhere = here.callback_url.as_deref().and_then(|url| url.split(['?', '#']).next());
        let elsewhere = elsewhere.unwrap_or("no address");
        return Finding::problem(name, format!("webhooks for {object} go to {elsewhere}; {}", cure()));
    }
    if !here.active {
        return Finding::problem(name, format!("webhooks for {object} are switched off; {}", cure()));
    }
    let missing: Vec<_> =
        fields.iter().filter(|field| !here.fields.iter().any(|name| name == *field)).copied().collect();
    if missing.contains(&"messages") {
        return Finding::problem(name, format!("webhooks for {object} have no field messages; {}", cure()));
    }
    if missing.is_empty() {
        return Finding::ok(name, format!("Meta delivers them to {public}{route}"));
    }
    let missing = missing.join(", ");
    Finding::warning(
        name,
        format!("messages arrive, but these fields are not subscribed: {missing}; add them under {}", needed.form),
    )
}

#[cfg(test)]
mod tests {
    use super::super::report::Report;
    use super::*;

    #[test]
    fn what_keeps_messages_from_arriving_is_a_problem_and_what_only_lacks_is_not() {
        let whole = AppSubscription {
            object: "page".to_owned(),
            callback_url: Some("https://a.example/api/webhooks/facebook".to_owned()),
            active: true,
            fields: FIELDS_PAGE.iter().map(|field| (*field).to_owned()).collect(),
        };
        let told = |found: AppSubscription| Report::of(judge(&PAGE, "https://a.example", &[found])).text();
        assert!(told(whole.clone()).starts_with("ok"));
        let cases = [
            (AppSubscription { object: "user".to_owned(), ..whole.clone() }, "problem", "no webhooks for page"),
            (AppSubscription { callback_url: None, ..whole.clone() }, "problem", "go to no address"),
            (
                AppSubscription { callback_url: Some("https://b.example/x?key=geheim".to_owned()), ..whole.clone() },
                "problem",
                "go to https://b.example/x",
            ),
            (AppSubscription { active: false, ..whole.clone() }, "problem", "switched off"),
            (AppSubscription { fields: vec!["feed".to_owned()], ..whole.clone() }, "problem", "no field messages"),
            (AppSubscription { fields: vec!["messages".to_owned()], ..whole }, "warning", "message_echoes"),
        ];
        for (found, status, word) in cases {
            let text = told(found);
            assert!(text.starts_with(status) && text.contains(word) && !text.contains("geheim"), "{text}");
        }
    }
}
