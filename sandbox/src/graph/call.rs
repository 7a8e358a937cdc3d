//! One request to a Graph host, taken apart: host, version, path, parameters, token.
//! Parameters may come in the query, in a form or in a JSON body, and mean the same everywhere.

use std::net::SocketAddr;

use poem::{
    Request,
    http::{Method, header},
};
use serde_json::{Map, Value};

use super::versions;

/// Which of the five hosts a call is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Host {
    FacebookWeb,
    FacebookGraph,
    InstagramWeb,
    InstagramApi,
    InstagramGraph,
    /// The bare origin: the token decides.
    Any,
}

const HOSTS: [(&str, Host); 5] = [
    ("facebook-web", Host::FacebookWeb),
    ("facebook-graph", Host::FacebookGraph),
    ("instagram-web", Host::InstagramWeb),
    ("instagram-api", Host::InstagramApi),
    ("instagram-graph", Host::InstagramGraph),
];

impl Host {
    pub(crate) fn name(self) -> &'static str {
        HOSTS.iter().find(|(_, host)| *host == self).map_or("origin", |(name, _)| name)
    }
}

/// A request, taken apart.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) host: Host,
    pub(crate) method: Method,
    pub(crate) version: Option<String>,
    pub(crate) path: Vec<String>,
    pub(crate) peer: Option<SocketAddr>,
    query: Map<String, Value>,
    body: Map<String, Value>,
    bearer: Option<String>,
}

/// Pairs of a query or of a form; a later one of the same name wins, as in PHP.
pub(crate) fn pairs(text: &str) -> Map<String, Value> {
    let Ok(mut url) = reqwest::Url::parse("http://sandbox/") else {
        return Map::new();
    };
    url.set_query(Some(text));
    url.query_pairs().map(|(key, value)| (key.into_owned(), Value::String(value.into_owned()))).collect()
}

/// A body as parameters: JSON when it is an object, else a form.
fn parameters(content_type: &str, body: &[u8]) -> Map<String, Value> {
    let text = String::from_utf8_lossy(body);
    if content_type.contains("json") || text.trim_start().starts_with('{') {
        return serde_json::from_str(&text).unwrap_or_default();
    }
    pairs(&text)
}

impl Call {
    pub(crate) fn new(request: &Request, body: &[u8]) -> Self {
        let uri = request.original_uri();
        let mut path: Vec<String> = uri.path().split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect();
        let named = path.first().and_then(|first| HOSTS.iter().find(|(name, _)| name == first));
        let host = named.map_or(Host::Any, |(_, host)| *host);
        if host != Host::Any {
            path.remove(0);
        }
        let version = path.first().filter(|first| versions::is_version(first)).cloned();
        if version.is_some() {
            path.remove(0);
        }
        let authorization = request.header(header::AUTHORIZATION).unwrap_or_default();
        let bearer = authorization
            .split_once(' ')
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer") || scheme.eq_ignore_ascii_case("oauth"))
            .map(|(_, token)| token.trim().to_owned());
        Self {
            host,
            method: request.method().clone(),
            version,
            path,
            peer: request.remote_addr().as_socket_addr().copied(),
            query: pairs(uri.query().unwrap_or_default()),
            body: parameters(request.content_type().unwrap_or_default(), body),
            bearer,
        }
    }

    /// A parameter as it came.
    pub(crate) fn value(&self, name: &str) -> Option<&Value> {
        self.body.get(name).or_else(|| self.query.get(name))
    }

    /// A parameter as text; numbers count as text, since clients send ids either way.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        match self.value(name)? {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }

    /// A parameter that is an object, also as JSON in a form (with single quotes, as in Meta's samples).
    pub(crate) fn object(&self, name: &str) -> Option<Value> {
        let value = match self.value(name)? {
            Value::String(text) => {
                serde_json::from_str(text).or_else(|_| serde_json::from_str(&text.replace('\'', "\""))).ok()?
            }
            other => other.clone(),
        };
        value.is_object().then_some(value)
    }

    pub(crate) fn token(&self) -> Option<String> {
        self.bearer.clone().or_else(|| self.text("access_token")).filter(|token| !token.is_empty())
    }

    /// The path as error messages show it.
    pub(crate) fn shown_path(&self) -> String {
        let version = self.version.iter();
        version.chain(&self.path).map(|part| format!("/{part}")).collect()
    }
}
