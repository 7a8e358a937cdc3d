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
    /// A form as it came: a name may stand in it more than once.
    form: Vec<(String, String)>,
    bearer: Option<String>,
    /// Where the caller thinks we are: `http://127.0.0.1:PORT`.
    origin: String,
    /// The path as it came.
    pub(crate) full_path: String,
}

/// All pairs of a query or of a form, in their order.
pub(crate) fn ordered_pairs(text: &str) -> Vec<(String, String)> {
    let Ok(mut url) = reqwest::Url::parse("http://sandbox/") else {
        return Vec::new();
    };
    url.set_query(Some(text));
    url.query_pairs().map(|(key, value)| (key.into_owned(), value.into_owned())).collect()
}

/// Pairs of a query or of a form; a later one of the same name wins, as in PHP.
pub(crate) fn pairs(text: &str) -> Map<String, Value> {
    as_parameters(&ordered_pairs(text))
}

fn as_parameters(pairs: &[(String, String)]) -> Map<String, Value> {
    pairs.iter().map(|(key, value)| (key.clone(), Value::String(value.clone()))).collect()
}

/// A body as parameters: JSON when it is an object, else a form of either kind.
fn parameters(content_type: &str, body: &[u8]) -> (Map<String, Value>, Vec<(String, String)>) {
    let text = String::from_utf8_lossy(body);
    if content_type.contains("json") || text.trim_start().starts_with('{') {
        return (serde_json::from_str(&text).unwrap_or_default(), Vec::new());
    }
    let form = match content_type.split_once("boundary=") {
        Some((kind, boundary)) if kind.contains("multipart/form-data") => multipart(&text, boundary.trim_matches('"')),
        _ => ordered_pairs(&text),
    };
    (as_parameters(&form), form)
}

/// The text fields of a multipart form, which is how Meta's own samples send one.
fn multipart(text: &str, boundary: &str) -> Vec<(String, String)> {
    text.split(&format!("--{boundary}"))
        .filter_map(|part| {
            let (head, value) = part.split_once("\r\n\r\n")?;
            let (_, name) = head.split_once("name=\"")?;
            let (name, _) = name.split_once('"')?;
            Some((name.to_owned(), value.strip_suffix("\r\n").unwrap_or(value).to_owned()))
        })
        .collect()
}

/// Host, version and the rest of a path.
fn place(path: &str) -> (Host, Option<String>, Vec<String>) {
    let mut path: Vec<String> = path.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect();
    let named = path.first().and_then(|first| HOSTS.iter().find(|(name, _)| name == first));
    let host = named.map_or(Host::Any, |(_, host)| *host);
    if host != Host::Any {
        path.remove(0);
    }
    let version = path.first().filter(|first| versions::is_version(first)).cloned();
    if version.is_some() {
        path.remove(0);
    }
    (host, version, path)
}

impl Call {
    pub(crate) fn new(request: &Request, body: &[u8]) -> Self {
        let uri = request.original_uri();
        let (host, version, path) = place(uri.path());
        let authorization = request.header(header::AUTHORIZATION).unwrap_or_default();
        let bearer = authorization
            .split_once(' ')
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer") || scheme.eq_ignore_ascii_case("oauth"))
            .map(|(_, token)| token.trim().to_owned());
        let (body, form) = parameters(request.content_type().unwrap_or_default(), body);
        Self {
            host,
            method: request.method().clone(),
            version,
            path,
            peer: request.remote_addr().as_socket_addr().copied(),
            query: pairs(uri.query().unwrap_or_default()),
            body,
            form,
            bearer,
            origin: format!("http://{}", request.header(header::HOST).unwrap_or("127.0.0.1")),
            full_path: uri.path().to_owned(),
        }
    }

    /// What a browser sends when it opens that address.
    pub(crate) fn open(url: &reqwest::Url) -> Self {
        let (host, version, path) = place(url.path());
        Self {
            host,
            method: Method::GET,
            version,
            path,
            peer: None,
            query: pairs(url.query().unwrap_or_default()),
            body: Map::new(),
            form: Vec::new(),
            bearer: None,
            origin: String::new(),
            full_path: url.path().to_owned(),
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

    /// Every value of that name in the form.
    pub(crate) fn all(&self, name: &str) -> Vec<String> {
        self.form.iter().filter(|(key, _)| key == name).map(|(_, value)| value.clone()).collect()
    }

    /// The address of another path of the same host and version, for links to what comes next.
    pub(crate) fn address_of(&self, version: &str, path: &str) -> String {
        let version = self.version.as_deref().unwrap_or(version);
        let host = if self.host == Host::Any { String::new() } else { format!("/{}", self.host.name()) };
        format!("{}{host}/{version}/{path}", self.origin)
    }

    /// The address of a list's next answer, the token included as Graph does.
    pub(crate) fn next_page(&self, address: &str, limit: usize, after: &str) -> String {
        let Ok(mut url) = reqwest::Url::parse(address) else { return address.to_owned() };
        let mut query = url.query_pairs_mut();
        for (name, value) in
            [("access_token", self.token()), ("fields", self.text("fields")), ("platform", self.text("platform"))]
        {
            if let Some(value) = value {
                query.append_pair(name, &value);
            }
        }
        query.append_pair("limit", &limit.to_string()).append_pair("after", after);
        drop(query);
        url.into()
    }

    /// The path as error messages show it.
    pub(crate) fn shown_path(&self) -> String {
        let version = self.version.iter();
        version.chain(&self.path).map(|part| format!("/{part}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_multipart_form_is_read() {
        let body = "--x1\r\nContent-Disposition: form-data; name=\"code\"\r\n\r\nAQ-1\r\n--x1\r\n\
                    Content-Disposition: form-data; name=\"grant_type\"\r\n\r\nauthorization_code\r\n--x1--\r\n";
        let (fields, form) = parameters("multipart/form-data; boundary=x1", body.as_bytes());
        assert_eq!(
            (fields["code"].as_str(), fields["grant_type"].as_str()),
            (Some("AQ-1"), Some("authorization_code"))
        );
        assert_eq!(form.len(), 2);
    }
}
