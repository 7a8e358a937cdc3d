//! The OpenAPI document as clients read it: what the framework writes, made exact where it is vague. An answer always has
//! every field, and a field without a value is null; the framework calls both "not required".

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::fmt;

/// Fields of a problem are left out when they have no value; its schema says so already.
const EXACT_ALREADY: &str = "Problem";

/// The document, from the framework's.
pub fn exact(document: &str) -> String {
    // Charset is a default of JSON, and generated clients take the media type as a key.
    let document = document.replace("application/json; charset=utf-8", "application/json");
    let Ok(Document { paths: Paths(paths), rest }) = serde_json::from_str(&document) else { return document };
    let mut value = Value::Object(rest);
    value["paths"] = Value::Object(paths);
    let asked = asked_for(&value["paths"]);
    if let Some(schemas) = value.pointer_mut("/components/schemas").and_then(Value::as_object_mut) {
        for (name, schema) in schemas.iter_mut().filter(|(name, _)| *name != EXACT_ALREADY) {
            refine(schema, asked.contains(name));
        }
    }
    format!("{value:#}")
}

#[derive(Deserialize)]
struct Document {
    paths: Paths,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

/// The framework writes a path once for every group of routes that has it, and whoever reads such an object keeps the last
/// one only: the methods of all of them belong together.
struct Paths(Map<String, Value>);

impl<'de> Deserialize<'de> for Paths {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Each;

        impl<'de> Visitor<'de> for Each {
            type Value = Paths;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("paths with their methods")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Paths, A::Error> {
                let mut paths = Map::new();
                while let Some((path, methods)) = entries.next_entry::<String, Map<String, Value>>()? {
                    let known = paths.entry(path).or_insert_with(|| json!({}));
                    if let Value::Object(known) = known {
                        known.extend(methods);
                    }
                }
                Ok(Paths(paths))
            }
        }

        deserializer.deserialize_map(Each)
    }
}

/// Names of the schemas that requests are made of.
fn asked_for(paths: &Value) -> BTreeSet<String> {
    let operations =
        paths.as_object().into_iter().flat_map(Map::values).filter_map(Value::as_object).flat_map(Map::values);
    operations
        .filter_map(|operation| operation.pointer("/requestBody/content/application~1json/schema/$ref")?.as_str())
        .filter_map(|reference| reference.rsplit('/').next())
        .map(ToOwned::to_owned)
        .collect()
}

fn refine(schema: &mut Value, asked: bool) {
    let required: BTreeSet<String> = strings(&schema["required"]).collect();
    let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) else { return };
    for (_, property) in properties.iter_mut().filter(|(name, _)| !required.contains(*name)) {
        *property = nullable(property.take());
    }
    let names: Vec<String> = properties.keys().cloned().collect();
    if asked {
        schema["additionalProperties"] = json!(false);
    } else {
        schema["required"] = json!(names);
    }
}

fn nullable(mut property: Value) -> Value {
    if property.get("$ref").is_some() {
        return json!({ "allOf": [property], "nullable": true });
    }
    if let Some(fields) = property.as_object_mut() {
        fields.insert("nullable".to_owned(), json!(true));
    }
    property
}

fn strings(list: &Value) -> impl Iterator<Item = String> {
    list.as_array().into_iter().flatten().filter_map(|text| text.as_str().map(ToOwned::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::Code;

    fn document() -> Value {
        serde_json::from_str(&exact(&crate::routes::service().spec())).unwrap()
    }

    #[test]
    fn answers_have_every_field_and_requests_no_other() {
        let schemas = &document()["components"]["schemas"];
        let conversation = &schemas["Conversation"];
        assert!(strings(&conversation["required"]).any(|name| name == "lastMessage"));
        assert_eq!(conversation["properties"]["lastMessage"]["nullable"], true);
        assert_eq!(schemas["AutoReplyChange"]["required"], json!(["mode"]));
        assert_eq!(schemas["AutoReplyChange"]["additionalProperties"], false);
    }

    #[test]
    fn a_path_of_two_groups_keeps_the_methods_of_both() {
        let document = r#"{"openapi":"3","paths":{"/a":{"get":{}},"/b":{"get":{}},"/a":{"post":{}}}}"#;
        let value: Value = serde_json::from_str(&exact(document)).unwrap();
        assert_eq!(value["paths"], json!({ "/a": { "get": {}, "post": {} }, "/b": { "get": {} } }));
        assert_eq!(value["openapi"], "3");
    }

    #[test]
    fn every_code_is_listed_and_every_operation_has_a_name_of_its_own() {
        let document = document();
        let codes = &document["components"]["schemas"]["Problem"]["properties"]["code"]["enum"];
        for (_, name, ..) in Code::TABLE {
            assert!(strings(codes).any(|listed| listed == *name), "{name}");
        }
        let paths = document["paths"].as_object().unwrap();
        let operations = paths.values().filter_map(Value::as_object).flat_map(Map::values);
        let ids: Vec<_> = operations.map(|operation| operation["operationId"].as_str().unwrap()).collect();
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len());
    }
}
