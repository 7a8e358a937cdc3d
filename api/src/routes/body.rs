//! The JSON body of a request, held to its schema: a text is a text. The framework's own reader takes a number or a truth
//! value where the document says string, and callers would learn of their mistake from what was saved.

use poem::{FromRequest, Request, RequestBody};
use poem_openapi::error::ParseRequestPayloadError;
use poem_openapi::payload::{Json, ParsePayload, Payload};
use poem_openapi::registry::{MetaMediaType, MetaRequest, MetaSchema, MetaSchemaRef, Registry};
use poem_openapi::types::{ParseFromJSON, Type};
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};
use serde_json::Value;

/// What was sent; every route that takes JSON takes it as this.
#[derive(Debug)]
pub struct Sent<T>(pub T);

impl<T: Type> Payload for Sent<T> {
    const CONTENT_TYPE: &'static str = Json::<T>::CONTENT_TYPE;

    fn check_content_type(content_type: &str) -> bool {
        Json::<T>::check_content_type(content_type)
    }

    fn schema_ref() -> MetaSchemaRef {
        T::schema_ref()
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}

impl<T: ParseFromJSON> ParsePayload for Sent<T> {
    const IS_REQUIRED: bool = T::IS_REQUIRED;

    async fn from_request(request: &Request, body: &mut RequestBody) -> poem::Result<Self> {
        let refused = |reason: String| ParseRequestPayloadError { reason };
        let bytes = <Vec<u8> as FromRequest>::from_request(request, body).await?;
        let value = match bytes.as_slice() {
            [] => Value::Null,
            bytes => serde_json::from_slice(bytes).map_err(|error| refused(error.to_string()))?,
        };
        let mut registry = Registry::new();
        T::register(&mut registry);
        if !texts_are_texts(&registry, &T::schema_ref(), &value) {
            return Err(refused("a text is expected where something else was found".to_owned()).into());
        }
        let parsed = T::parse_from_json(Some(value)).map_err(|error| refused(error.into_message()))?;
        Ok(Self(parsed))
    }
}

impl<'a, T: ParseFromJSON> ApiExtractor<'a> for Sent<T> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];
    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        <Self as Payload>::register(registry);
    }

    fn request_meta() -> Option<MetaRequest> {
        let content = MetaMediaType { content_type: Self::CONTENT_TYPE, schema: <Self as Payload>::schema_ref() };
        Some(MetaRequest { description: None, content: vec![content], required: T::IS_REQUIRED })
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _options: ExtractParamOptions<()>,
    ) -> poem::Result<Self> {
        match request.content_type() {
            Some(content_type) if Self::check_content_type(content_type) => {}
            Some(content_type) => {
                let content_type = content_type.to_owned();
                return Err(poem_openapi::error::ContentTypeError::NotSupported { content_type }.into());
            }
            None => return Err(poem_openapi::error::ContentTypeError::ExpectContentType.into()),
        }
        <Self as ParsePayload>::from_request(request, body).await
    }
}

/// Whether the value has nothing but texts, or null, where its schema says string. All else the types see to themselves.
fn texts_are_texts(registry: &Registry, schema: &MetaSchemaRef, value: &Value) -> bool {
    match schema {
        MetaSchemaRef::Inline(schema) => fits(registry, schema, value),
        MetaSchemaRef::Reference(name) => registry.schemas.get(name).is_none_or(|schema| fits(registry, schema, value)),
    }
}

fn fits(registry: &Registry, schema: &MetaSchema, value: &Value) -> bool {
    let inside = |schema: &MetaSchemaRef, value: &Value| texts_are_texts(registry, schema, value);
    let own = match value {
        Value::Number(_) | Value::Bool(_) => schema.ty != "string",
        Value::Array(items) => schema.items.as_ref().is_none_or(|schema| items.iter().all(|item| inside(schema, item))),
        Value::Object(fields) => {
            schema.properties.iter().all(|(name, schema)| fields.get(*name).is_none_or(|value| inside(schema, value)))
        }
        Value::Null | Value::String(_) => true,
    };
    // A reference that has a description of its own is wrapped.
    own && schema.all_of.iter().all(|schema| inside(schema, value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use poem_openapi::Object;
    use serde_json::json;

    #[derive(Object)]
    struct Inner {
        word: String,
    }

    #[derive(Object)]
    struct Outer {
        name: Option<String>,
        count: Option<u64>,
        /// Several.
        words: Option<Vec<String>>,
        /// With a description.
        inner: Option<Inner>,
    }

    #[test]
    fn a_text_is_a_text_at_every_depth() {
        let mut registry = Registry::new();
        Outer::register(&mut registry);
        let check = |value: Value| texts_are_texts(&registry, &Outer::schema_ref(), &value);
        for good in [
            json!({}),
            json!({ "name": null, "count": 5 }),
            json!({ "name": "5", "words": ["a"], "inner": { "word": "a" } }),
        ] {
            assert!(check(good.clone()), "{good}");
        }
        for bad in [
            json!({ "name": 5 }),
            json!({ "name": true }),
            json!({ "words": ["a", 5] }),
            json!({ "inner": { "word": false } }),
        ] {
            assert!(!check(bad.clone()), "{bad}");
        }
    }
}
