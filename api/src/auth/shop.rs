//! Whoever may see a shop's inbox: a signed-in person, or a program with an organization key and the right scope.

use super::{Session, app, key, refused, require, session};
use crate::problem::Problem;
use domain::OrganizationId;
use domain::api_keys::{Authenticated, Scope};
use domain::audit::Actor;
use poem::{Request, RequestBody};
use poem_openapi::registry::{MetaSecurityScheme, Registry};
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};

const NAME: &str = "organizationKey";

/// The caller of a route for people and programs of an organization.
#[derive(Debug)]
pub enum Shop {
    /// A signed-in person, who may do everything.
    Person(Box<Session>),
    /// A program, which may do what its scopes say.
    Program(OrganizationId, Authenticated),
}

impl Shop {
    /// Whose data may be touched.
    pub fn organization(&self) -> OrganizationId {
        match self {
            Self::Person(session) => session.organization,
            Self::Program(organization, _) => *organization,
        }
    }

    /// As the audit trail names it.
    pub fn actor(&self) -> Actor {
        match self {
            Self::Person(session) => session.actor(),
            Self::Program(_, key) => Actor::ApiKey(key.id),
        }
    }

    /// Refuses a program without this scope.
    pub fn require(&self, scope: Scope) -> Result<(), Problem> {
        match self {
            Self::Person(_) => Ok(()),
            Self::Program(_, key) => require(key, scope),
        }
    }

    async fn of(request: &Request) -> Result<Self, Problem> {
        match key(request, app(request)?).await? {
            Some(key) => {
                let organization = key.organization.ok_or_else(|| refused("operator_key_elsewhere"))?;
                Ok(Self::Program(organization, key))
            }
            None => Ok(Self::Person(Box::new(Session::of(request).await?))),
        }
    }
}

impl<'a> ApiExtractor<'a> for Shop {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::SecurityScheme];
    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        session::register(registry);
        let scheme = MetaSecurityScheme {
            ty: "http",
            description: Some(
                "A key ra_org_… made by the operator, with scopes inbox:read, inbox:write, connections:read.",
            ),
            name: None,
            key_in: None,
            scheme: Some("bearer"),
            bearer_format: Some("ra_org_…"),
            flows: None,
            openid_connect_url: None,
        };
        registry.create_security_scheme(NAME, scheme);
    }

    fn security_schemes() -> Vec<&'static str> {
        vec![session::NAME, NAME]
    }

    async fn from_request(
        request: &'a Request,
        _body: &mut RequestBody,
        _options: ExtractParamOptions<()>,
    ) -> poem::Result<Self> {
        Ok(Self::of(request).await?)
    }
}
