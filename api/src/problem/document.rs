//! How problems appear in the OpenAPI document: as the default answer of every operation, with all codes listed.

use super::{Code, Problem};
use poem_openapi::ApiResponse;
use poem_openapi::registry::{MetaMediaType, MetaResponse, MetaResponses, MetaSchema, MetaSchemaRef, Registry};
use serde_json::json;
use std::sync::OnceLock;

const NAME: &str = "Problem";

impl ApiResponse for Problem {
    fn meta() -> MetaResponses {
        let content = MetaMediaType {
            content_type: "application/problem+json",
            schema: MetaSchemaRef::Reference(NAME.to_owned()),
        };
        let response = MetaResponse {
            description: "Refused or failed: a problem with a stable code.",
            status: None,
            status_range: None,
            content: vec![content],
            headers: vec![],
        };
        MetaResponses { responses: vec![response] }
    }

    fn register(registry: &mut Registry) {
        registry.create_schema::<Self, _>(NAME.to_owned(), |_| schema());
    }
}

fn schema() -> MetaSchema {
    let inline = |schema: MetaSchema| MetaSchemaRef::Inline(Box::new(schema));
    let text = |description| inline(MetaSchema { description: Some(description), ..MetaSchema::new("string") });
    let number = |description| inline(MetaSchema { description: Some(description), ..MetaSchema::new("integer") });
    let code = MetaSchema {
        description: Some(codes()),
        enum_items: Code::TABLE.iter().map(|row| json!(row.1)).collect(),
        ..MetaSchema::new("string")
    };
    MetaSchema {
        description: Some("Refusal or failure (RFC 9457)."),
        required: vec!["type", "title", "status", "code", "detail"],
        properties: vec![
            ("type", text("urn:retail-assist:problem: and the code.")),
            ("title", text("A few words.")),
            ("status", number("The HTTP status.")),
            ("code", inline(code)),
            ("detail", text("A sentence a shop owner understands.")),
            ("requiredPlan", text("The plan that would allow it.")),
            ("retryAfterSeconds", number("When to try again; as in Retry-After.")),
        ],
        ..MetaSchema::new("object")
    }
}

fn codes() -> &'static str {
    static TEXT: OnceLock<String> = OnceLock::new();
    TEXT.get_or_init(|| {
        let rows: Vec<_> =
            Code::TABLE.iter().map(|(_, name, status, _, detail)| format!("- `{name}` ({status}): {detail}")).collect();
        format!("Stable; one of:\n\n{}", rows.join("\n"))
    })
}
