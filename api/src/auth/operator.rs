//! An on-call engineer's console or script, with an operator key. Sessions and organization keys never get here.

use super::{app, key, refused, require};
use crate::problem::Problem;
use domain::api_keys::{Authenticated, Scope};
use domain::audit::Actor;
use poem::{Request, RequestBody};
use poem_openapi::registry::{MetaSecurityScheme, Registry};
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};

const NAME: &str = "operatorKey";

/// The caller of an operators' route.
#[derive(Debug)]
pub struct Operator(Authenticated);

impl Operator {
    /// As the audit trail names it.
    pub fn actor(&self) -> Actor {
        Actor::ApiKey(self.0.id)
    }

    /// Refuses a key without this scope.
    pub fn require(&self, scope: Scope) -> Result<(), Problem> {
        require(&self.0, scope)
    }

    async fn of(request: &Request) -> Result<Self, Problem> {
        match key(request, app(request)?).await? {
            Some(key) if key.organization.is_none() => Ok(Self(key)),
            _ => Err(refused("not_an_operator")),
        }
    }
}

impl<'a> ApiExtractor<'a> for Operator {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::SecurityScheme];
    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        let scheme = MetaSecurityScheme {
            ty: "http",
            description: Some(
                "A key ra_op_… made on the command line, with scopes jobs:read, jobs:write, jobs:force, payload:reveal, \
                 audit:read.",
            ),
            name: None,
            key_in: None,
            scheme: Some("bearer"),
            bearer_format: Some("ra_op_…"),
            flows: None,
            openid_connect_url: None,
        };
        registry.create_security_scheme(NAME, scheme);
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
