//! A signed-in person. Every change needs the token that only our own pages know.

use super::{app, cookie, origin, refused};
use crate::problem::{Code, Problem};
use domain::OrganizationId;
use domain::audit::Actor;
use domain::sessions::{self, SessionToken, SignedIn};
use http::Method;
use poem::{Request, RequestBody};
use poem_openapi::registry::{MetaSecurityScheme, Registry};
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};

/// The scheme's name in the document.
pub const NAME: &str = "session";
const CSRF_HEADER: &str = "X-CSRF-Token";

/// The caller of a route for signed-in people.
#[derive(Debug)]
pub struct Session {
    /// Who it is.
    pub signed_in: SignedIn,
    /// For whom.
    pub organization: OrganizationId,
    /// The cookie's value.
    pub token: SessionToken,
}

impl Session {
    /// As the audit trail names it.
    pub fn actor(&self) -> Actor {
        Actor::User(self.signed_in.user.id)
    }

    /// The session of a request, for routes that answer nobody with a problem.
    pub async fn of(request: &Request) -> Result<Self, Problem> {
        let app = app(request)?;
        let token = cookie::read(request, app.secure).ok_or_else(|| refused("no_session"))?;
        let signed_in = sessions::find(&app.ctx, &token).await?.ok_or_else(|| refused("session"))?;
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            origin::check(request, app)?;
            let given = request.headers().get(CSRF_HEADER).and_then(|value| value.to_str().ok());
            if !given.is_some_and(|given| token.csrf_token_is(given)) {
                metrics::counter!("retail_assist_refused_total", "why" => "csrf").increment(1);
                return Err(Problem::new(Code::CsrfRequired));
            }
        }
        let organization = OrganizationId(signed_in.user.organization_id);
        Ok(Self { signed_in, organization, token })
    }
}

/// Describes the scheme in the document.
pub(super) fn register(registry: &mut Registry) {
    let scheme = MetaSecurityScheme {
        ty: "apiKey",
        description: Some(
            "Set by login and register; named __Host-ra_session where PUBLIC_URL is https. Changes also need the header \
             X-CSRF-Token with the csrfToken that login answered.",
        ),
        name: Some("ra_session"),
        key_in: Some("cookie"),
        scheme: None,
        bearer_format: None,
        flows: None,
        openid_connect_url: None,
    };
    registry.create_security_scheme(NAME, scheme);
}

impl<'a> ApiExtractor<'a> for Session {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::SecurityScheme];
    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        register(registry);
    }

    fn security_schemes() -> Vec<&'static str> {
        vec![NAME]
    }

    async fn from_request(
        request: &'a Request,
        _body: &mut RequestBody,
        _options: ExtractParamOptions<()>,
    ) -> poem::Result<Self> {
        Ok(Self::of(request).await?)
    }
}
