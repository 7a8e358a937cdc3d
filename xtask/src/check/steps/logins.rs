//! Connecting accounts through Meta's login, as a person does it in a browser: the address to go to, the consent page's own
//! form, the way back, and the choice.

use crate::check::browser::Browser;
use crate::check::form::Form;
use crate::check::journey::{Connected, Journey, text};
use crate::check::service::{Answer, Caller, items};
use anyhow::{Context as _, ensure};
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::HashMap;

const INSTAGRAM: &str = "/api/meta/instagram/oauth";
const FACEBOOK: &str = "/api/meta/oauth";
const CHOOSE: &str = "/api/meta/pages";

/// The plan starter has no Instagram.
pub async fn starter_refused(journey: &mut Journey) -> anyhow::Result<String> {
    let shop = journey.shop("starter")?;
    let (starter, _) = journey.service.sign_in(&text(shop, "email")?, &text(shop, "password")?).await?;
    let before = journey.meta.logins().await?;
    let refused = journey.service.try_get(&starter, INSTAGRAM).await?.refused(403, "plan_required")?;
    let detail = text(&refused, "detail")?;
    ensure!(detail.contains("Pro plan required"), "the refusal says {detail:?}, expected \"Pro plan required\"");
    ensure!(refused["authUrl"].is_null(), "the refusal has an address to go to");
    let nobody = journey.service.try_get(&Caller::Nobody, INSTAGRAM).await?;
    nobody.refused(401, "unauthenticated")?;
    journey.meta.logins().await?.grew(&before, &[("dialogs", 0), ("codesIssued", 0)])?;
    Ok(format!("403 plan_required: \"{detail}\" Without a session 401; Meta showed no dialog."))
}

/// The person presses Cancel.
pub async fn denied(journey: &mut Journey) -> anyhow::Result<String> {
    let before = journey.meta.logins().await?;
    let end = journey.browser().await?.log_in(INSTAGRAM, |_| Ok("deny")).await?;
    ended_with(&end, "ig_error", "access_denied")?;
    journey.meta.logins().await?.grew(&before, &[("denied", 1), ("codesIssued", 0), ("codeExchanges", 0)])?;
    Ok("Cancel on the consent page leads back to ig_error=access_denied; Meta gave no code.".to_owned())
}

/// An account that is not professional.
pub async fn personal_refused(journey: &mut Journey) -> anyhow::Result<String> {
    let account = text(&journey.to_connect("instagram", true)?[0], "accountId")?;
    let before = journey.meta.logins().await?;
    let end = log_in_as(journey.browser().await?, &account).await?;
    ended_with(&end, "ig_error", "no_accounts")?;
    journey.refused_logins += 1;
    journey.meta.logins().await?.grew(&before, &[("allowed", 1), ("codeExchanges", 1), ("subscribes", 0)])?;
    ensure!(journey.meta.account(&account).await?["subscribed"] == false, "its webhooks were switched on");
    Ok("A personal account leads back to ig_error=no_accounts, and is not subscribed.".to_owned())
}

/// Instagram, from the start to an account that delivers.
pub async fn instagram(journey: &mut Journey) -> anyhow::Result<String> {
    let account = text(&journey.to_connect("instagram", false)?[0], "accountId")?;
    ensure!(journey.meta.account(&account).await?["subscribed"] == false, "its webhooks were on before");
    let before = journey.meta.logins().await?;
    let end = log_in_as(journey.browser().await?, &account).await?;
    ended_with(&end, "ig_success", "true")?;
    ended_with(&end, "ig_accounts", "1")?;
    let handle = end.get("ig_token").context("the address has no ig_token")?.clone();

    let caller = journey.newcomer()?;
    let found = journey.service.found_by(&caller, &handle).await?.expect(200)?;
    ensure!(
        found["accounts"].as_array().is_some_and(|all| all.len() == 1)
            && found["accounts"][0]["id"] == account.as_str()
            && found["accounts"][0]["connected"] == false,
        "the login found {}, expected {account} alone, not connected",
        found["accounts"]
    );
    let chosen = choose(journey, &caller, &handle, "instagram", &[&account]).await?.expect(200)?;
    let made = connected(journey, &caller, &chosen, &handle, &[&account]).await?;
    journey.meta.subscribed(&account, true).await?;
    let after = journey.meta.logins().await?;
    let once = [("allowed", 1), ("codeExchanges", 1), ("codeExchangesRefused", 0), ("longLived", 1), ("subscribes", 1)];
    after.grew(&before, &once)?;
    let tokens = journey.meta.get(&format!("tokens?accountId={account}")).await?;
    let lasting = items(&tokens).iter().any(|token| token["kind"] == "instagramLong" && token["valid"] == true);
    ensure!(lasting, "Meta has no long-lived token for it");
    journey.instagram = made.into_iter().next();
    Ok("Start, consent, callback with ig_success, choice: active; Meta exchanged one code and sends its webhooks."
        .to_owned())
}

/// The handle of a login that has become connections.
pub async fn handle_spent(journey: &mut Journey) -> anyhow::Result<String> {
    let Connected { handle, account, connection } = journey.instagram()?;
    let other = text(&journey.to_connect("instagram", true)?[0], "accountId")?;
    let (caller, before) = (journey.newcomer()?, journey.meta.logins().await?);
    let again = choose(journey, &caller, &handle, "instagram", &[&account]).await?.expect(200)?;
    ensure!(again["connections"][0]["id"] == connection.as_str(), "the same choice again answers {again}");
    choose(journey, &caller, &handle, "instagram", &[&other]).await?.refused(410, "connect_token_invalid")?;
    choose(journey, &journey.pro, &handle, "instagram", &[&account]).await?.refused(410, "connect_token_invalid")?;
    journey.service.found_by(&caller, &handle).await?.refused(410, "connect_token_invalid")?;
    journey.idle().await?;
    journey.meta.logins().await?.grew(&before, &[("codeExchanges", 0), ("subscribes", 0)])?;
    Ok("The same choice again gets the same answer; another one, and another shop, get 410.".to_owned())
}

/// Facebook: three Pages are found, two are chosen.
pub async fn facebook(journey: &mut Journey) -> anyhow::Result<String> {
    let person = text(journey.newcomers_shop()?, "person")?;
    let pages = journey.to_connect("facebook", false)?;
    let pages: Vec<_> = pages.iter().map(|page| text(page, "accountId")).collect::<anyhow::Result<_>>()?;
    ensure!(pages.len() == 3, "there are {} Pages to connect, expected 3", pages.len());
    let all: Vec<_> = pages.iter().map(String::as_str).collect();
    let before = journey.meta.logins().await?;
    let as_they = |form: &mut Form| {
        form.choose("person", &person)?;
        ensure!(form.hidden("shown") == form.chosen("person"), "the page shows somebody else's Pages");
        ensure!(form.ticked("accounts") == all, "the page offers {:?}, expected {all:?}", form.ticked("accounts"));
        Ok("allow")
    };
    let end = journey.browser().await?.log_in(FACEBOOK, as_they).await?;
    ended_with(&end, "fb_success", "true")?;
    ended_with(&end, "fb_accounts", "3")?;
    let handle = end.get("fb_token").context("the address has no fb_token")?.clone();

    let caller = journey.newcomer()?;
    let found = journey.service.found_by(&caller, &handle).await?.expect(200)?;
    ensure!(
        found["accounts"].as_array().is_some_and(|found| found.len() == 3),
        "the login found {}",
        found["accounts"]
    );
    // Instagram has one of three places: all of them are one too many, and nothing may be connected then.
    choose(journey, &caller, &handle, "facebook", &all).await?.refused(403, "plan_limit")?;
    let chosen = choose(journey, &caller, &handle, "facebook", &all[..2]).await?.expect(200)?;
    journey.pages = connected(journey, &caller, &chosen, &handle, &all[..2]).await?;
    choose(journey, &caller, &handle, "facebook", &all[1..]).await?.refused(410, "connect_token_invalid")?;
    for page in &all[..2] {
        journey.meta.subscribed(page, true).await?;
        let fields = journey.meta.account(page).await?["subscribedFields"].clone();
        let has = |name: &str| fields.as_array().is_some_and(|fields| fields.iter().any(|field| field == name));
        ensure!(has("messages") && has("message_echoes"), "{page} is subscribed to {fields}");
    }
    ensure!(journey.meta.account(all[2]).await?["subscribed"] == false, "the Page not chosen is subscribed");
    let once = [("codeExchanges", 1), ("codeExchangesRefused", 0), ("longLived", 1), ("subscribes", 2)];
    journey.meta.logins().await?.grew(&before, &once)?;
    journey.service.try_get(&caller, FACEBOOK).await?.refused(403, "plan_limit")?;
    Ok("Three Pages found; all three are 403 plan_limit, two are connected and subscribed, the third is not."
        .to_owned())
}

/// A login at Instagram as this account.
async fn log_in_as(browser: &mut Browser, account: &str) -> anyhow::Result<HashMap<String, String>> {
    let as_this = |form: &mut Form| {
        form.choose("account", account)?;
        Ok("allow")
    };
    browser.log_in(INSTAGRAM, as_this).await
}

fn ended_with(end: &HashMap<String, String>, name: &str, wanted: &str) -> anyhow::Result<()> {
    // The values may be handles, so only the names are told.
    let names: Vec<_> = end.keys().collect();
    let got = end.get(name).with_context(|| format!("expected {name}={wanted}, the address has {names:?}"))?;
    ensure!(got == wanted, "expected {name}={wanted}, got {name}={got}");
    Ok(())
}

async fn choose(
    journey: &Journey,
    caller: &Caller,
    handle: &str,
    platform: &str,
    accounts: &[&str],
) -> anyhow::Result<Answer> {
    let body = json!({ "token": handle, "platform": platform, "selectedPageIds": accounts });
    journey.service.try_send(caller, Method::POST, CHOOSE, &body).await
}

/// The connections of an answer: exactly of these accounts, and listed as active.
async fn connected(
    journey: &Journey,
    caller: &Caller,
    answer: &Value,
    handle: &str,
    accounts: &[&str],
) -> anyhow::Result<Vec<Connected>> {
    let rows = answer["connections"].as_array().context("the answer has no connections")?;
    ensure!(rows.len() == accounts.len(), "{} accounts were connected, expected {}", rows.len(), accounts.len());
    let list = journey.service.get(caller, "/api/meta/connections").await?;
    let mut made = Vec::with_capacity(accounts.len());
    for account in accounts {
        let row = rows.iter().find(|row| row["externalId"] == *account);
        let connection = text(row.with_context(|| format!("{account} is not among the connected"))?, "id")?;
        let listed = items(&list).iter().find(|row| row["id"] == connection.as_str());
        let status = listed.map(|row| &row["status"]);
        ensure!(status.is_some_and(|status| status == "active"), "{account} is listed as {status:?}, expected active");
        made.push(Connected { handle: handle.to_owned(), account: (*account).to_owned(), connection });
    }
    ensure!(!list.to_string().contains("accessToken"), "a token is shown");
    Ok(made)
}
