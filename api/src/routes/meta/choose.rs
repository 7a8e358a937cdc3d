//! The choice of the accounts: what a login found, and which of it becomes connections.

use super::super::Tag;
use super::super::body::Sent;
use super::super::connections::{Connection, shown};
use super::super::platform::ShownPlatform;
use super::{PATIENCE, binding, callback};
use crate::app::App;
use crate::auth::Session;
use crate::problem::{Code, Problem};
use domain::clock::rfc3339;
use domain::connect::{self, Binding, Content, Handle, SaveError, Selection};
use domain::connections::{self, Platform};
use domain::id::IdKind;
use entities::connect_flow::Model as Flow;
use entities::{connection, job};
use jobs::jobs::accounts_save::{self, SaveResult};
use jobs::ledger::wait::wait_for;
use poem::Request;
use poem::web::Data;
use poem_openapi::param::{Header, Query};
use poem_openapi::payload::Json;
use poem_openapi::{ApiResponse, Object, OpenApi};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};
use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// The routes of this file.
#[derive(Clone, Copy, Debug)]
pub struct ChooseRoutes;

/// An account that can be connected.
#[derive(Object)]
#[oai(rename_all = "camelCase")]
struct FoundAccount {
    /// Meta's id; choose by it.
    id: String,
    name: String,
    username: Option<String>,
    /// An address of Meta that expires.
    picture_url: Option<String>,
    /// Whether this organization has it connected; choosing it again renews the access.
    connected: bool,
}

/// An account that cannot be connected.
#[derive(Object)]
#[oai(rename_all = "camelCase")]
struct UnavailableAccount {
    id: String,
    name: String,
    /// Why, as a sentence.
    reason: String,
}

/// What a login found.
#[derive(Object)]
#[oai(rename_all = "camelCase")]
struct FoundAccounts {
    platform: String,
    /// When the choice ends.
    expires_at: String,
    accounts: Vec<FoundAccount>,
    /// Accounts that Meta named and that cannot be connected.
    unavailable: Vec<UnavailableAccount>,
}

/// A login whose jobs run.
#[derive(Object)]
#[oai(rename_all = "camelCase")]
struct PendingLogin {
    platform: String,
    expires_at: String,
    /// `exchanging`, `asking` or `fetching`.
    stage: String,
}

#[derive(ApiResponse)]
enum Accounts {
    /// The accounts found.
    #[oai(status = 200)]
    Ok(Json<FoundAccounts>),
    /// The jobs still run; ask again in a second.
    #[oai(status = 202)]
    Accepted(Json<PendingLogin>),
}

/// The accounts chosen.
#[derive(Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields)]
struct Choice {
    /// The handle from the page's address (`ig_token`, `fb_token`).
    token: String,
    platform: ShownPlatform,
    /// Ids of the accounts.
    selected_page_ids: Vec<String>,
}

#[derive(Object)]
#[oai(rename_all = "camelCase")]
struct Connected {
    connections: Vec<Connection>,
}

#[derive(Object)]
#[oai(rename_all = "camelCase")]
struct SavePending {
    /// `job_…`
    job_id: String,
}

#[derive(ApiResponse)]
enum Chosen {
    /// Connected.
    #[oai(status = 200)]
    Ok(Json<Connected>),
    /// The job still runs; send the same request again for its answer.
    #[oai(status = 202)]
    Accepted(Json<SavePending>),
}

#[OpenApi(prefix_path = "/api/meta", tag = "Tag::Connections")]
impl ChooseRoutes {
    /// The accounts that a login found. The handle is not used up.
    #[oai(path = "/pages", method = "get", operation_id = "listLoginAccounts")]
    async fn list(
        &self,
        app: Data<&Arc<App>>,
        request: &Request,
        session: Session,
        /// The handle from the page's address.
        #[oai(name = "X-Connect-Token")]
        header: Header<Option<String>>,
        /// The same, for callers that cannot set the header.
        token: Query<Option<String>>,
    ) -> Result<Accounts, Problem> {
        let binding = binding(&app, &session, request);
        let text = header.0.filter(|text| !text.is_empty()).or(token.0).unwrap_or_default();
        let flow = find(&app, &binding, &text).await?;
        let expires_at = flow.handle_expires_at.map(rfc3339).unwrap_or_default();
        match flow.stage.as_str() {
            "ready" => {}
            "failed" => return Err(failure(&flow)),
            "exchanging" | "asking" | "fetching" => {
                let (platform, stage) = (flow.platform, flow.stage);
                return Ok(Accounts::Accepted(Json(PendingLogin { platform, expires_at, stage })));
            }
            _ => return Err(Problem::new(Code::ConnectTokenInvalid)),
        }
        let content = Content::open(&app.ctx, &flow).map_err(|error| Problem::internal(&error))?;
        let own = connections::list(app.ctx.db.read(), session.organization).await?;
        let own: HashSet<&str> = own
            .iter()
            .filter(|row| row.platform == flow.platform && row.status != "disconnected")
            .map(|row| row.external_id.as_str())
            .collect();
        let (usable, others): (Vec<_>, Vec<_>) = content.candidates.into_iter().partition(|one| one.is_usable());
        let accounts = usable.into_iter().map(|one| FoundAccount {
            connected: own.contains(one.external_id.as_str()),
            id: one.external_id,
            name: one.name,
            username: one.username,
            picture_url: one.picture_url,
        });
        let unavailable = others.into_iter().map(|one| UnavailableAccount {
            id: one.external_id,
            name: one.name,
            reason: one.unusable.unwrap_or_else(|| "Meta gave no access to it.".to_owned()),
        });
        let (accounts, unavailable) = (accounts.collect(), unavailable.collect());
        Ok(Accounts::Ok(Json(FoundAccounts { platform: flow.platform, expires_at, accounts, unavailable })))
    }

    /// Connect the chosen accounts. All of them or none; the same request again gets the same answer.
    #[oai(path = "/pages", method = "post", operation_id = "connectAccounts")]
    async fn choose(
        &self,
        app: Data<&Arc<App>>,
        request: &Request,
        session: Session,
        body: Sent<Choice>,
    ) -> Result<Chosen, Problem> {
        let Choice { token, platform, selected_page_ids } = body.0;
        let platform = Platform::from(platform);
        let selection = Selection::new(selected_page_ids)
            .ok_or_else(|| Problem::with(Code::InvalidRequest, "Choose from 1 to 1000 accounts."))?;
        let binding = binding(&app, &session, request);
        let deadline = Instant::now() + PATIENCE;
        loop {
            let job = match take(&app, &binding, &token, platform, &selection).await {
                Ok(Taken::Before(connected)) => return Ok(Chosen::Ok(Json(connected))),
                Ok(Taken::Job(job)) => job,
                // A job of the same choice that ended while we looked for it: what it left is seen in the next round.
                Ok(Taken::JustEnded) => continue,
                Err(problem) => return Err(audited(&app, &session, platform, problem).await?),
            };
            let left = deadline.saturating_duration_since(Instant::now());
            return end(&app, &session, job, left).await;
        }
    }
}

/// Where a choice is.
enum Taken {
    /// It took effect before.
    Before(Connected),
    /// A job is at it.
    Job(Uuid),
    /// A job was at it until this moment.
    JustEnded,
}

async fn take(
    app: &App,
    binding: &Binding,
    token: &str,
    platform: Platform,
    selection: &Selection,
) -> Result<Taken, Problem> {
    let flow = find(app, binding, token).await?;
    if flow.platform != platform.as_str() {
        return Err(Problem::new(Code::ConnectTokenInvalid));
    }
    match flow.stage.as_str() {
        "saved" => Ok(Taken::Before(before(app, &flow, selection).await?)),
        "failed" => Err(failure(&flow)),
        "ready" => Ok(begin(app, &flow, selection).await?.map_or(Taken::JustEnded, Taken::Job)),
        _ => Err(Problem::new(Code::LoginPending).retry_after(1)),
    }
}

/// A choice that is refused before it comes to a job goes into the audit trail, as the job's refusals do.
async fn audited(app: &App, session: &Session, platform: Platform, problem: Problem) -> Result<Problem, Problem> {
    if matches!(problem.code(), Code::ConnectTokenInvalid | Code::UnknownAccount) {
        let tx = app.ctx.db.begin().await?;
        let (organization, actor) = (session.organization, session.actor());
        let code = problem.code().name();
        connect::refused(&tx, &app.ctx, organization, actor, platform.as_str(), code, None).await?;
        tx.commit().await?;
    }
    Ok(problem)
}

/// The attempt of a handle; whatever is wrong with it, the answer is the same.
async fn find(app: &App, binding: &Binding, text: &str) -> Result<Flow, Problem> {
    let Some(handle) = Handle::parse(text) else { return Err(Problem::new(Code::ConnectTokenInvalid)) };
    let found = connect::find_by_handle(app.ctx.db.read(), &app.ctx, binding, &handle).await?;
    found.ok_or(Problem::new(Code::ConnectTokenInvalid))
}

fn failure(flow: &Flow) -> Problem {
    let code = callback::ended(flow);
    // Only these two name what the owner can do about it; of the others Meta's table speaks to whoever runs the service.
    let says = matches!(code, Code::MissingPermissions | Code::NoAccounts);
    match flow.error_detail.clone().filter(|_| says) {
        Some(detail) => Problem::with(code, detail),
        None => Problem::new(code),
    }
    .as_conflict()
}

/// The answer of before to the choice of before; to another one, none.
async fn before(app: &App, flow: &Flow, selection: &Selection) -> Result<Connected, Problem> {
    if flow.selection_hash.as_deref() != Some(&selection.hash()[..]) {
        return Err(Problem::new(Code::ConnectTokenInvalid));
    }
    let rows = connect::made_by(app.ctx.db.read(), flow).await?;
    Ok(connected(rows))
}

/// As it was when the choice took effect, whatever has been looked at since: the same answer again.
fn connected(rows: impl IntoIterator<Item = connection::Model>) -> Connected {
    let fresh = |row| connection::Model { subscription_checked_at: None, ..row };
    Connected { connections: rows.into_iter().map(fresh).map(shown).collect() }
}

/// The job of this choice: made now, or the one that is at it. `None` when that one has just ended.
async fn begin(app: &App, flow: &Flow, selection: &Selection) -> Result<Option<Uuid>, Problem> {
    let content = Content::open(&app.ctx, flow).map_err(|error| Problem::internal(&error))?;
    if let Err(error @ (SaveError::UnknownAccount(_) | SaveError::Unusable { .. })) =
        connect::check(&content, selection)
    {
        return Err(Problem::with(Code::UnknownAccount, error.to_string()));
    }
    let mut tx = app.ctx.db.begin().await?;
    let made = app.ledger.enqueue(&mut tx, vec![accounts_save::job(flow, selection)]).await?;
    tx.commit().await?;
    if let Some(job) = made.first() {
        return Ok(Some(*job));
    }
    let running = job::Entity::find()
        .filter(job::Column::DedupeKey.eq(accounts_save::dedupe_key(flow, selection)))
        .order_by_desc(job::Column::Id)
        .one(app.ctx.db.read())
        .await?;
    Ok(running.map(|job| job.id))
}

/// What came of the job.
async fn end(app: &App, session: &Session, job: Uuid, left: Duration) -> Result<Chosen, Problem> {
    let Some(done) = wait_for(&app.ledger, job, left).await? else {
        return Ok(Chosen::Accepted(Json(SavePending { job_id: IdKind::Job.show(job) })));
    };
    let result = done.result.as_deref().and_then(|text| serde_json::from_str::<SaveResult>(text).ok());
    match result {
        Some(SaveResult::Connections(ids)) => {
            let rows = connections::list(app.ctx.db.read(), session.organization).await?;
            let made = ids.iter().filter_map(|id| rows.iter().find(|row| row.id == *id).cloned());
            Ok(Chosen::Ok(Json(connected(made))))
        }
        Some(SaveResult::Refused(refused)) => {
            let code = Code::of(&refused.code).unwrap_or(Code::Internal);
            Err(Problem::with(code, refused.detail).required_plan(refused.required_plan))
        }
        None => Err(Problem::internal(&"a choice of accounts was not saved; see its job")),
    }
}
