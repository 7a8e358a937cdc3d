//! The form that Meta sends a signed request in. Whatever else comes is read as a form without it: what is wrong with it is
//! told by its signature alone.

use poem::{FromRequest, Request, RequestBody};
use poem_openapi::registry::{MetaMediaType, MetaRequest, MetaSchema, MetaSchemaRef, Registry};
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};

/// The field `signed_request`: `base64url(HMAC-SHA256).base64url(JSON)`, signed with the app's secret. Empty when there is
/// none.
#[derive(Debug)]
pub struct Signed(pub String);

impl Signed {
    fn read(body: &[u8]) -> Self {
        let fields: Vec<(String, String)> = serde_urlencoded::from_bytes(body).unwrap_or_default();
        let mut found = fields.into_iter().filter(|(name, _)| name == "signed_request");
        // With two of them it would be open which one was meant.
        match (found.next(), found.next()) {
            (Some((_, value)), None) => Self(value),
            _ => Self(String::new()),
        }
    }
}

impl<'a> ApiExtractor<'a> for Signed {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];
    type ParamType = ();
    type ParamRawType = ();

    fn register(_registry: &mut Registry) {}

    fn request_meta() -> Option<MetaRequest> {
        let description = "base64url(HMAC-SHA256).base64url(JSON), signed with the app's secret.";
        let field = MetaSchema { description: Some(description), ..MetaSchema::new("string") };
        let schema = MetaSchema {
            required: vec!["signed_request"],
            properties: vec![("signed_request", MetaSchemaRef::Inline(Box::new(field)))],
            ..MetaSchema::new("object")
        };
        let content = MetaMediaType {
            content_type: "application/x-www-form-urlencoded",
            schema: MetaSchemaRef::Inline(Box::new(schema)),
        };
        Some(MetaRequest { description: None, content: vec![content], required: true })
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _options: ExtractParamOptions<()>,
    ) -> poem::Result<Self> {
        Ok(Self::read(&<Vec<u8> as FromRequest>::from_request(request, body).await?))
    }
}

#[cfg(test)]
mod tests {
    use super::Signed;

    #[test]
    fn one_field_is_read_and_everything_else_is_none() {
        assert_eq!(Signed::read(b"signed_request=a.b").0, "a.b");
        assert_eq!(Signed::read(b"x=1&signed_request=a%2Eb").0, "a.b");
        for other in [&b""[..], b"{\"signed_request\":\"a.b\"}", b"signed_request=a&signed_request=b", b"\xff\xfe"] {
            assert_eq!(Signed::read(other).0, "");
        }
    }
}
