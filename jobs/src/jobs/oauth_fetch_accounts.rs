//! `oauth.fetch_accounts`: makes the token last, looks what was granted, and finds the accounts that can be connected. All of
//! it can be repeated, so what may pass is tried again until the page's handle ends.

use super::connect_flow::{self, Attempt, End, end};
use super::meta_answer::understand;
use super::{Finish, HandlerError, Kind, Run, run_again};
use crate::ledger::Ledger;
use crate::ledger::enqueue::NewJob;
use crate::ledger::settle::{settle, still_held};
use crate::outcome::{Outcome, decide};
use crate::policy::{Policy, STANDARD};
use crate::queue::Queue;
use crate::run;
use domain::clock::{DAY, Millis, SECOND};
use domain::connect::{self, Candidate, Content};
use entities::connect_flow::Model as Flow;
use entities::job::Model as Job;
use futures::future::BoxFuture;
use meta::{Asks, DEAD_TOKEN, ErrorClass, GraphError, LongLivedToken, Operation, Page, is_not_offered};
use secrecy::SecretString;
use serde_json::json;
use std::time::Duration;

/// The kind.
pub static KIND: Kind = Kind {
    name: "oauth.fetch_accounts",
    queue: Queue::Interactive,
    policy: Policy { timeout: Some(Duration::from_secs(120)), ..STANDARD },
    run: Run::One(run),
    on_lapse: run_again,
    on_given_up: connect_flow::given_up,
};

/// How long a long-lived token lives when Meta does not say.
pub(crate) const USUAL_LIFE: Millis = 60 * DAY;

/// The job that finds the accounts of an attempt.
pub fn job(flow: &Flow) -> NewJob {
    connect_flow::new_job(&KIND, flow)
}

fn run<'a>(ledger: &'a Ledger, job: &'a Job) -> BoxFuture<'a, Result<Finish, HandlerError>> {
    Box::pin(async move {
        let attempt = match Attempt::open(ledger, job, &["fetching"]).await? {
            Ok(attempt) => attempt,
            Err(finish) => return Ok(finish),
        };
        match find(ledger, &attempt).await {
            Ok(content) => write(ledger, job, &attempt, &content).await,
            Err(Trouble::Ours(trouble)) => end(ledger, job, &attempt.flow, *trouble).await,
            Err(Trouble::Meta(operation, error)) => {
                let understood = understand(operation, &error);
                if understood.passes() {
                    return Ok(Finish::Outcome(Outcome::Retry(understood.failure, Some(attempt.ends_at))));
                }
                let code = match understood.classified.class {
                    ErrorClass::AppConfiguration => "app_misconfigured",
                    // 190 and its like: the login is worth nothing any more. The others lack a permission.
                    ErrorClass::Reconnect if error.code.is_none_or(|code| DEAD_TOKEN.contains(&code)) => "code_invalid",
                    ErrorClass::Reconnect | ErrorClass::OwnerAction => "missing_permissions",
                    ErrorClass::AccountRestricted => "no_accounts",
                    _ => "internal",
                };
                end(ledger, job, &attempt.flow, End::meta(code, understood)).await
            }
        }
    })
}

/// Why no accounts were found.
enum Trouble {
    Ours(Box<End>),
    Meta(Operation, Box<GraphError>),
}

fn owners(code: &'static str, sentence: &str) -> Trouble {
    Trouble::Ours(Box::new(End::owners(code, sentence)))
}

fn at(operation: Operation) -> impl FnOnce(GraphError) -> Trouble {
    move |error| Trouble::Meta(operation, Box::new(error))
}

async fn find(ledger: &Ledger, attempt: &Attempt) -> Result<Content, Trouble> {
    let meta = &ledger.context().meta;
    let login = attempt.asks.login();
    let Some(short) = &attempt.content.token else {
        let end = End::ours("internal", "internal", "The token of the login is gone; please start again.");
        return Err(Trouble::Ours(Box::new(end)));
    };
    if let Some(granted) = &attempt.content.granted {
        complete(attempt.asks, granted)?;
    }
    // From before the call: Meta counts from a moment after it.
    let issued_at = ledger.now();
    let lasting = meta.long_lived_token(login, &attempt.app, short).await.map_err(at(Operation::TokenExchange))?;
    let mut content = match attempt.asks {
        Asks::InstagramMessages => instagram(ledger, attempt, lasting, issued_at).await?,
        Asks::PageMessages | Asks::InstagramThroughPages => pages(ledger, attempt, &lasting.token, issued_at).await?,
    };
    if !content.candidates.iter().any(Candidate::is_usable) {
        let why = content.candidates.iter().find_map(|candidate| candidate.unusable.as_deref());
        let why = why.unwrap_or("Meta shows no account that can be connected with this login.");
        return Err(owners("no_accounts", why));
    }
    for candidate in &mut content.candidates {
        candidate.name = clean(&candidate.name, 200).unwrap_or_else(|| candidate.external_id.clone());
        candidate.username = candidate.username.as_deref().and_then(|name| clean(name, 100));
        candidate.picture_url = candidate.picture_url.take().filter(|url| !url.chars().any(char::is_control));
    }
    content.candidates.sort_by(|a, b| a.name.cmp(&b.name).then_with(|| a.external_id.cmp(&b.external_id)));
    Ok(content)
}

/// A text of Meta's as it can be stored and shown: without control characters, and not longer than `max`.
fn clean(text: &str, max: usize) -> Option<String> {
    let text: String = text.chars().filter(|c| !c.is_control()).take(max).collect();
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// Refuses a login that lacks a permission nothing works without.
fn complete(asks: Asks, granted: &[String]) -> Result<(), Trouble> {
    let missing = asks.missing(granted);
    if missing.is_empty() {
        return Ok(());
    }
    let sentence =
        format!("Please connect again and allow everything that is asked for; missing: {}.", missing.join(", "));
    Err(owners("missing_permissions", &sentence))
}

async fn instagram(
    ledger: &Ledger,
    attempt: &Attempt,
    lasting: LongLivedToken,
    issued_at: Millis,
) -> Result<Content, Trouble> {
    let account = ledger.context().meta.instagram_account(&lasting.token).await;
    let account = account.map_err(at(Operation::ReadAccounts))?;
    let unusable = (!account.is_professional()).then(|| {
        "This is a personal account. Instagram lets apps read messages of professional accounts only; switch it in the \
         Instagram app and connect again."
            .to_owned()
    });
    let life = lasting.expires_in.map_or(USUAL_LIFE, |seconds| seconds.saturating_mul(SECOND));
    let candidate = Candidate {
        name: account.name.clone().or_else(|| account.username.clone()).unwrap_or_else(|| account.user_id.clone()),
        external_id: account.user_id,
        username: account.username,
        picture_url: account.picture_url,
        app_scoped_id: account.app_scoped_id.or_else(|| attempt.content.app_scoped_id.clone()),
        page_id: None,
        token: Some(lasting.token),
        token_issued_at: issued_at,
        token_expires_at: Some(issued_at.saturating_add(life)),
        unusable,
    };
    let granted = attempt.content.granted.clone();
    Ok(Content { granted, candidates: vec![candidate], ..Content::default() })
}

async fn pages(
    ledger: &Ledger,
    attempt: &Attempt,
    token: &SecretString,
    issued_at: Millis,
) -> Result<Content, Trouble> {
    let meta = &ledger.context().meta;
    let granted = match meta.granted_permissions(token).await {
        Ok(granted) => Some(granted),
        Err(error) if is_not_offered(Operation::ReadPermissions, &error) => None,
        Err(error) => return Err(at(Operation::ReadPermissions)(error)),
    };
    if let Some(granted) = &granted {
        complete(attempt.asks, granted)?;
    }
    // Who the person is serves the callbacks of §9 only; a login does not fail for it unless Meta is away.
    let person = match meta.facebook_person(token).await {
        Ok(id) => Some(id),
        Err(error) if is_not_offered(Operation::ReadAccounts, &error) => None,
        Err(error) => return Err(at(Operation::ReadAccounts)(error)),
    };
    let portfolios = granted.as_ref().is_none_or(|names| names.iter().any(|name| name == "business_management"));
    let found = meta.pages(token, portfolios).await.map_err(at(Operation::ReadAccounts))?;
    let mut candidates: Vec<Candidate> = Vec::new();
    for page in found {
        let Some(new) = candidate(attempt.asks, page, person.clone(), issued_at) else { continue };
        match candidates.iter_mut().find(|known| known.external_id == new.external_id) {
            // An Instagram account behind two Pages: the one that works speaks for it.
            Some(known) if !known.is_usable() => *known = new,
            Some(_) => {}
            None => candidates.push(new),
        }
    }
    Ok(Content { granted, candidates, ..Content::default() })
}

/// A Page, or the Instagram account linked to it; `None` for a Page without one where that is asked for.
fn candidate(asks: Asks, page: Page, person: Option<String>, issued_at: Millis) -> Option<Candidate> {
    let unusable = if page.token.is_none() {
        Some("Meta gave no access to this Page: your role on it does not allow it.")
    } else if !page.may_message() {
        Some("Your role on this Page does not include its messages and their moderation.")
    } else {
        None
    };
    let unusable = unusable.map(str::to_owned);
    let page_name = page.name.unwrap_or_else(|| page.id.clone());
    let (external_id, name, username, picture_url) = match (asks, page.instagram) {
        (Asks::InstagramThroughPages, None) => return None,
        (Asks::InstagramThroughPages, Some(account)) => {
            let name = account.name.or_else(|| account.username.clone()).unwrap_or(page_name);
            (account.id, name, account.username, account.picture_url)
        }
        _ => (page.id.clone(), page_name, None, None),
    };
    Some(Candidate {
        external_id,
        name,
        username,
        picture_url,
        app_scoped_id: person,
        page_id: Some(page.id),
        // A Page's token made from a lasting one does not expire (§2.5).
        token: page.token,
        token_issued_at: issued_at,
        token_expires_at: None,
        unusable,
    })
}

async fn write(ledger: &Ledger, job: &Job, attempt: &Attempt, content: &Content) -> Result<Finish, HandlerError> {
    let tx = ledger.context().db.begin().await?;
    still_held(&tx, [job]).await?;
    match connect::discover(&tx, ledger.context(), &attempt.flow, content).await {
        Ok(()) => {}
        Err(error) => return connect_flow::overtaken(tx, error).await,
    }
    let usable = content.candidates.iter().filter(|candidate| candidate.is_usable()).count();
    let result = json!({ "accounts": usable, "unusable": content.candidates.len() - usable });
    let decision = decide(job, Outcome::Completed(result), ledger.now(), 0.5);
    settle(&tx, job, &decision, ledger.now()).await?;
    tx.commit().await?;
    run::log(job, &decision);
    Ok(Finish::Settled)
}
