//! Where a login at Meta starts: the plan is asked, the attempt written down, and the page told where to send the browser.

use super::super::Tag;
use super::binding;
use crate::app::App;
use crate::auth::{Session, browser};
use crate::problem::{Code, Problem};
use domain::connect::{self, Binding, FlowError};
use domain::connections::Platform;
use poem::Request;
use poem::web::Data;
use poem_openapi::payload::Json;
use poem_openapi::{ApiResponse, Object, OpenApi};
use std::sync::Arc;

/// The routes of this file.
#[derive(Clone, Copy, Debug)]
pub struct StartRoutes;

/// Where to go, and what will be asked for there.
#[derive(Object)]
#[oai(rename_all = "camelCase")]
struct Login {
    /// Send the browser there.
    auth_url: String,
    /// Permissions that Meta will ask the person for.
    scopes: Vec<String>,
}

#[derive(ApiResponse)]
enum Started {
    /// Send the browser to `authUrl` within ten minutes.
    #[oai(status = 200)]
    Ok(Json<Login>, #[oai(header = "Set-Cookie")] Option<String>),
}

#[OpenApi(prefix_path = "/api/meta", tag = "Tag::Connections")]
impl StartRoutes {
    /// Start connecting Facebook Pages.
    #[oai(path = "/oauth", method = "get", operation_id = "startFacebookLogin")]
    async fn facebook(&self, app: Data<&Arc<App>>, request: &Request, session: Session) -> Result<Started, Problem> {
        start(&app, request, &session, Platform::Facebook).await
    }

    /// Start connecting Instagram accounts.
    #[oai(path = "/instagram/oauth", method = "get", operation_id = "startInstagramLogin")]
    async fn instagram(&self, app: Data<&Arc<App>>, request: &Request, session: Session) -> Result<Started, Problem> {
        start(&app, request, &session, Platform::Instagram).await
    }
}

async fn start(app: &App, request: &Request, session: &Session, platform: Platform) -> Result<Started, Problem> {
    let settings = &app.ctx.settings;
    let asks = connect::asks(platform, settings.instagram_login);
    let redirect_uri = match platform {
        Platform::Facebook => &settings.redirect_uri,
        Platform::Instagram => &settings.redirect_instagram_uri,
    };
    let mut binding = binding(app, session, request);
    let mut cookie = None;
    if binding.browser.is_none() {
        let mark = browser::mark().ok_or_else(|| Problem::internal(&"no randomness from the operating system"))?;
        cookie = Some(browser::set(&mark, app.secure));
        binding.browser = Some(mark);
    }
    let tx = app.ctx.db.begin().await?;
    let started = match connect::start(&tx, &app.ctx, &binding, asks, platform, redirect_uri).await {
        Ok(started) => started,
        Err(error) => {
            tx.rollback().await?;
            return Err(refused(app, session, &binding, platform, error).await?);
        }
    };
    let Some(login_app) = app.ctx.meta.app(asks.login()) else {
        tx.rollback().await?;
        return Err(Problem::new(Code::LoginNotConfigured));
    };
    tx.commit().await?;
    let auth_url = app.ctx.meta.authorize_url(asks, &login_app, redirect_uri, &started.state);
    let scopes = asks.scopes().iter().map(|scope| scope.name.to_owned()).collect();
    Ok(Started::Ok(Json(Login { auth_url, scopes }), cookie))
}

/// A refusal by plan goes into the audit trail.
async fn refused(
    app: &App,
    session: &Session,
    binding: &Binding,
    platform: Platform,
    error: FlowError,
) -> Result<Problem, Problem> {
    let problem = Problem::from(error);
    if matches!(problem.code(), Code::PlanRequired | Code::PlanLimit | Code::SubscriptionInactive) {
        let tx = app.ctx.db.begin().await?;
        let (code, detail) = (problem.code().name(), problem.detail());
        let (organization, actor) = (binding.organization, session.actor());
        connect::refused(&tx, &app.ctx, organization, actor, platform.as_str(), code, Some(detail)).await?;
        tx.commit().await?;
    }
    Ok(problem)
}
