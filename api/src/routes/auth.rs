//! Registering, signing in and out, and who one is.

use super::Tag;
use super::body::Sent;
use crate::app::App;
use crate::auth::{Session, cookie, origin};
use crate::problem::{Code, Problem};
use domain::id::IdKind;
use domain::sessions::{self, SessionToken};
use domain::{OrganizationId, organizations, sign_in, users};
use entities::{organization, user};
use poem::Request;
use poem::web::Data;
use poem_openapi::payload::Json;
use poem_openapi::types::Password;
use poem_openapi::{ApiResponse, Object, OpenApi};
use secrecy::SecretString;
use std::sync::Arc;

/// The routes of this file.
#[derive(Clone, Copy, Debug)]
pub struct AuthRoutes;

#[derive(Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields)]
struct Registration {
    /// Whoever registers signs in with it.
    email: String,
    /// 8 characters or more.
    password: Password,
    /// The shop's name.
    organization_name: String,
}

#[derive(Object)]
#[oai(deny_unknown_fields)]
struct Credentials {
    email: String,
    password: Password,
}

#[derive(Object)]
struct Person {
    /// `usr_…`
    id: String,
    email: String,
}

#[derive(Object)]
struct Organization {
    /// `org_…`
    id: String,
    name: String,
    /// The plan's id.
    plan: String,
    /// `active` or `inactive`.
    subscription: String,
}

/// Who is signed in.
#[derive(Object)]
#[oai(rename_all = "camelCase")]
struct SignedIn {
    user: Person,
    organization: Organization,
    /// Send it as `X-CSRF-Token` with every change.
    csrf_token: String,
}

#[derive(ApiResponse)]
enum Registered {
    /// Registered and signed in.
    #[oai(status = 201)]
    Created(Json<SignedIn>, #[oai(header = "Set-Cookie")] String),
}

#[derive(ApiResponse)]
enum LoggedIn {
    /// Signed in.
    #[oai(status = 200)]
    Ok(Json<SignedIn>, #[oai(header = "Set-Cookie")] String),
}

#[derive(ApiResponse)]
enum LoggedOut {
    /// Signed out; the session is over.
    #[oai(status = 204)]
    NoContent(#[oai(header = "Set-Cookie")] String),
}

#[OpenApi(prefix_path = "/api/auth", tag = "Tag::Auth")]
impl AuthRoutes {
    /// Register an organization and its first user.
    #[oai(path = "/register", method = "post", operation_id = "register")]
    async fn register(
        &self,
        app: Data<&Arc<App>>,
        request: &Request,
        body: Sent<Registration>,
    ) -> Result<Registered, Problem> {
        origin::check(request, &app)?;
        let Registration { email, password, organization_name } = body.0;
        let plan = app.ctx.settings.signup_plan.as_deref().ok_or(Problem::new(Code::RegistrationClosed))?;
        let email = users::checked_email(&email)?;
        organizations::checked_name(&organization_name)?;
        let hash = app.passwords.hash(&SecretString::from(password.0)).await?;
        let tx = app.ctx.db.begin().await?;
        let made = users::register(&tx, &app.ctx, &email, hash, &organization_name, plan).await;
        let (user, organization) = match made {
            Ok(made) => made,
            Err(error) => {
                tx.rollback().await?;
                if matches!(error, users::UserError::EmailTaken) {
                    // Trying addresses one after the other is guessing too.
                    sign_in::count_address(&app.ctx, origin::address(request, &app)).await?;
                }
                return Err(error.into());
            }
        };
        let token = sessions::create(&tx, &app.ctx, user.id).await?;
        tx.commit().await?;
        end_former(&app, request).await?;
        let cookie = cookie::set(&token, app.secure);
        Ok(Registered::Created(Json(signed_in(user, organization, &token)), cookie))
    }

    /// Sign in.
    #[oai(path = "/login", method = "post", operation_id = "login")]
    async fn login(
        &self,
        app: Data<&Arc<App>>,
        request: &Request,
        body: Sent<Credentials>,
    ) -> Result<LoggedIn, Problem> {
        origin::check(request, &app)?;
        let Credentials { email, password } = body.0;
        let (password, from) = (SecretString::from(password.0), origin::address(request, &app));
        let user = match sign_in::sign_in(&app.ctx, &app.passwords, &email, &password, from).await {
            Ok(user) => user,
            Err(error) => {
                metrics::counter!("retail_assist_refused_total", "why" => "login").increment(1);
                tracing::warn!(%error, "a sign-in failed");
                return Err(error.into());
            }
        };
        let organization = organization_of(&app, &user).await?;
        let tx = app.ctx.db.begin().await?;
        let token = sessions::create(&tx, &app.ctx, user.id).await?;
        tx.commit().await?;
        end_former(&app, request).await?;
        let cookie = cookie::set(&token, app.secure);
        Ok(LoggedIn::Ok(Json(signed_in(user, organization, &token)), cookie))
    }

    /// Sign out.
    #[oai(path = "/logout", method = "post", operation_id = "logout")]
    async fn logout(&self, app: Data<&Arc<App>>, session: Session) -> Result<LoggedOut, Problem> {
        sessions::end(&app.ctx, session.signed_in.session.id).await?;
        Ok(LoggedOut::NoContent(cookie::clear(app.secure)))
    }

    /// Who is signed in.
    #[oai(path = "/me", method = "get", operation_id = "me")]
    async fn me(&self, app: Data<&Arc<App>>, session: Session) -> Result<Json<SignedIn>, Problem> {
        let organization = organization_of(&app, &session.signed_in.user).await?;
        Ok(Json(signed_in(session.signed_in.user, organization, &session.token)))
    }
}

/// A session from before signing in must not outlive it: its cookie may have been planted.
async fn end_former(app: &App, request: &Request) -> Result<(), Problem> {
    if let Some(token) = cookie::read(request, app.secure)
        && let Some(former) = sessions::find(&app.ctx, &token).await?
    {
        sessions::end(&app.ctx, former.session.id).await?;
    }
    Ok(())
}

async fn organization_of(app: &App, user: &user::Model) -> Result<organization::Model, Problem> {
    let found = organizations::find(app.ctx.db.read(), OrganizationId(user.organization_id)).await?;
    found.ok_or_else(|| Problem::internal(&"a user without an organization"))
}

fn signed_in(user: user::Model, organization: organization::Model, token: &SessionToken) -> SignedIn {
    SignedIn {
        user: Person { id: IdKind::User.show(user.id), email: user.email },
        organization: Organization {
            id: IdKind::Organization.show(organization.id),
            name: organization.name,
            plan: organization.plan_id,
            subscription: organization.subscription,
        },
        csrf_token: token.csrf_token(),
    }
}
