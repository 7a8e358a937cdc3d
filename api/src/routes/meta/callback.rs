//! Where Meta sends the browser back to. The answer is always a redirect to the integrations page that holds nothing of what
//! came with the query: a handle made here, or the code of what went wrong.

use super::super::Tag;
use super::{PATIENCE, binding};
use crate::app::App;
use crate::auth::Session;
use crate::problem::{Code, Problem};
use domain::connect::{self, Arrival, Binding, FlowError, Handle, StateError};
use domain::connections::Platform;
use domain::db::Tx;
use entities::connect_flow::Model as Flow;
use http::Method;
use jobs::jobs::{oauth_exchange_code, oauth_expire};
use jobs::ledger::wait::wait_until;
use meta::clean_code;
use poem::Request;
use poem::web::Data;
use poem_openapi::param::Query;
use poem_openapi::{ApiResponse, OpenApi};
use secrecy::SecretString;
use std::sync::Arc;

/// The routes of this file.
#[derive(Clone, Copy, Debug)]
pub struct CallbackRoutes;

#[derive(ApiResponse)]
enum Back {
    /// To the integrations page. Facebook: `?fb_success=true&fb_token=…&fb_accounts=N`, `?fb_pending=…` when the jobs take
    /// longer, `?fb_error=CODE`; Instagram the same with `ig_`.
    #[oai(status = 303)]
    SeeOther(#[oai(header = "Location")] String),
}

/// What came with the query.
struct Came {
    code: Option<String>,
    state: Option<String>,
    /// What Meta calls the reason, by the parameter that says so on either product.
    error: Option<String>,
}

impl Came {
    /// What is empty did not come.
    fn of(code: Option<String>, state: Option<String>, errors: [Option<String>; 3]) -> Self {
        let error = errors.into_iter().flatten().find(|error| !error.trim().is_empty());
        Self { code, state, error }
    }
}

#[OpenApi(prefix_path = "/api/meta", tag = "Tag::Connections")]
impl CallbackRoutes {
    /// Facebook Login comes back here.
    #[oai(path = "/callback", method = "get", operation_id = "facebookLoginCallback")]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of Meta's")]
    async fn facebook(
        &self,
        app: Data<&Arc<App>>,
        request: &Request,
        code: Query<Option<String>>,
        state: Query<Option<String>>,
        error: Query<Option<String>>,
        error_reason: Query<Option<String>>,
        error_code: Query<Option<String>>,
    ) -> Back {
        let came = Came::of(code.0, state.0, [error.0, error_reason.0, error_code.0]);
        back(&app, request, Platform::Facebook, came).await
    }

    /// Instagram Login comes back here, and so does Facebook Login when Instagram is connected through it.
    #[oai(path = "/instagram/callback", method = "get", operation_id = "instagramLoginCallback")]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of Meta's")]
    async fn instagram(
        &self,
        app: Data<&Arc<App>>,
        request: &Request,
        code: Query<Option<String>>,
        state: Query<Option<String>>,
        error: Query<Option<String>>,
        error_reason: Query<Option<String>>,
        error_code: Query<Option<String>>,
    ) -> Back {
        let came = Came::of(code.0, state.0, [error.0, error_reason.0, error_code.0]);
        back(&app, request, Platform::Instagram, came).await
    }
}

async fn back(app: &App, request: &Request, platform: Platform, came: Came) -> Back {
    if *request.method() == Method::HEAD {
        // Whoever only looks (a preview, a scanner) uses nothing up.
        return Back::SeeOther("/dashboard/integrations".to_owned());
    }
    let prefix = match platform {
        Platform::Facebook => "fb",
        Platform::Instagram => "ig",
    };
    let query = match arrive(app, request, platform, came).await {
        Ok(Landed::Ready { handle, accounts }) => {
            format!("{prefix}_success=true&{prefix}_token={}&{prefix}_accounts={accounts}", handle.expose())
        }
        Ok(Landed::Pending(handle)) => format!("{prefix}_pending={}", handle.expose()),
        Err(code) => {
            metrics::counter!("retail_assist_logins_failed_total", "code" => code.name()).increment(1);
            format!("{prefix}_error={}", code.name())
        }
    };
    Back::SeeOther(format!("/dashboard/integrations?{query}"))
}

enum Landed {
    Ready { handle: Handle, accounts: i32 },
    Pending(Handle),
}

async fn arrive(app: &App, request: &Request, platform: Platform, came: Came) -> Result<Landed, Code> {
    let session = match Session::of(request).await {
        Ok(session) => session,
        // Nobody is signed in whose login it could be.
        Err(problem) if problem.code() == Code::Unauthenticated => return Err(Code::StateInvalid),
        Err(_) => return Err(Code::Internal),
    };
    let binding = binding(app, &session, request);
    let state = came.state.as_deref().unwrap_or_default();
    if let (true, Some(error)) = (state.is_empty(), &came.error) {
        // Meta need not repeat the state with a refusal. There is nothing to use up then, and nothing is told but that.
        return Err(meaning(error));
    }
    let (flow, handle) = match take(app, &session, &binding, platform, state, came.code, came.error).await {
        Ok(taken) => taken?,
        Err(_) => return Err(Code::Internal),
    };
    let done = wait_until(&app.ledger, PATIENCE, || async {
        let found = connect::load(app.ctx.db.read(), flow.id).await?;
        Ok(found.filter(|flow| !matches!(flow.stage.as_str(), "exchanging" | "asking" | "fetching")))
    });
    match done.await {
        Ok(Some(flow)) if flow.stage == "failed" => Err(ended(&flow)),
        Ok(Some(flow)) => Ok(Landed::Ready { handle, accounts: flow.accounts }),
        Ok(None) => Ok(Landed::Pending(handle)),
        // The jobs go on without us, and the page can ask for them.
        Err(error) => {
            tracing::warn!(%error, "a login's end could not be read");
            Ok(Landed::Pending(handle))
        }
    }
}

/// How a failed attempt ended.
pub(super) fn ended(flow: &Flow) -> Code {
    flow.error_code.as_deref().and_then(Code::of).unwrap_or(Code::Internal)
}

/// Uses the state up and, with a code, begins the jobs: one transaction. The outer error is ours, the inner one ends the login.
async fn take(
    app: &App,
    session: &Session,
    binding: &Binding,
    platform: Platform,
    state: &str,
    code: Option<String>,
    error: Option<String>,
) -> Result<Result<(Flow, Handle), Code>, Problem> {
    let handle = Handle::random().ok_or_else(|| Problem::internal(&"no randomness from the operating system"))?;
    let mut tx = app.ctx.db.begin().await?;
    let flow = match connect::arrive(&tx, &app.ctx, binding, &Arrival { platform, state }).await {
        Ok(flow) => flow,
        Err(FlowError::State(why)) => {
            tx.rollback().await?;
            let code = if why == StateError::Expired { Code::StateExpired } else { Code::StateInvalid };
            let tx = app.ctx.db.begin().await?;
            let (organization, actor) = (binding.organization, session.actor());
            connect::refused(&tx, &app.ctx, organization, actor, platform.as_str(), code.name(), None).await?;
            tx.commit().await?;
            return Ok(Err(code));
        }
        Err(error) => return Err(error.into()),
    };
    let code = code.as_deref().map(clean_code).filter(|code| !code.is_empty());
    let failed = match (error, code) {
        (Some(error), _) => Some(meaning(&error)),
        (None, None) => Some(Code::CodeInvalid),
        (None, Some(code)) => match connect::accept(&tx, &app.ctx, &flow, SecretString::from(code), &handle).await {
            Ok(()) => None,
            Err(FlowError::Plan(refusal)) => Some(Problem::from(refusal).code()),
            Err(error) => return Err(error.into()),
        },
    };
    if let Some(code) = failed {
        fail(app, session, &tx, &flow, code).await?;
        tx.commit().await?;
        return Ok(Err(code));
    }
    let ends_at = app.ctx.now() + connect::LIFETIME;
    let jobs = vec![oauth_exchange_code::job(&flow), oauth_expire::job(&flow, ends_at)];
    app.ledger.enqueue(&mut tx, jobs).await?;
    tx.commit().await?;
    Ok(Ok((flow, handle)))
}

async fn fail(app: &App, session: &Session, tx: &Tx, flow: &Flow, code: Code) -> Result<(), Problem> {
    connect::fail(tx, &app.ctx, flow, session.actor(), code.name(), Some(code.detail())).await?;
    Ok(())
}

/// Meta's words for it are never shown: a stranger can write them into the address.
fn meaning(error: &str) -> Code {
    match error {
        "access_denied" | "user_denied" | "200" => Code::AccessDenied,
        "temporarily_unavailable" | "server_error" => Code::MetaUnavailable,
        _ => Code::AppMisconfigured,
    }
}
