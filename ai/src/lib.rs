//! A client of chat models behind an OpenAI-compatible interface (`POST {base}/chat/completions`). It knows nothing of shops:
//! it sends turns, and returns words, a refusal, or why there are none. One call, no tools, nothing kept.

use reqwest::{Url, redirect, retry};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;
use tokio::sync::Semaphore;

/// An answer that is longer is not read.
const MAX_ANSWER: usize = 256 * 1024;

/// Where the model is.
#[derive(Clone)]
pub struct Settings {
    /// E.g. `https://api.example.com/v1`; `/chat/completions` is added.
    pub base_url: String,
    /// Sent as a bearer token; local models need none.
    pub api_key: Option<SecretString>,
    /// The model's name.
    pub model: String,
    /// For the whole call.
    pub timeout: Duration,
    /// Calls under way at most; one more is refused at once as [`AiError::Busy`].
    pub at_once: usize,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").field("model", &self.model).finish_non_exhaustive()
    }
}

/// What is wrong with the settings.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SettingsError {
    /// Not an address that can be called.
    #[error("it must be an http or https address such as https://api.example.com/v1, without user, query or fragment")]
    BaseUrl,
    /// The HTTP client could not be built.
    #[error("the HTTP client could not be built: {0}")]
    Http(String),
}

/// Who says something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The rules.
    System,
    /// The customer.
    User,
    /// The shop, or the model before.
    Assistant,
}

/// One thing that was said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Turn {
    /// By whom.
    pub role: Role,
    /// What.
    pub content: String,
}

/// Why there are no words.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AiError {
    /// The model, or a filter before it, will not answer this.
    #[error("the model refused to answer")]
    Refused,
    /// As many calls as allowed are under way.
    #[error("the model has enough to answer")]
    Busy,
    /// No answer in time.
    #[error("the model did not answer in time")]
    Timeout,
    /// The interface could not be reached, or answered with an error that may pass.
    #[error("the model cannot be reached now ({0})")]
    Unavailable(String),
    /// The interface does not accept how it is called: the key, the model's name.
    #[error("the interface does not accept the call (HTTP {0}); check AI_BASE_URL, AI_API_KEY and AI_MODEL")]
    Misconfigured(u16),
    /// Something else came back than words.
    #[error("the answer of the interface cannot be read")]
    Unreadable,
}

/// Asks a model. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    url: Url,
    settings: Settings,
    places: Arc<Semaphore>,
}

#[derive(Serialize)]
struct Call<'a> {
    model: &'a str,
    messages: &'a [Turn],
}

#[derive(Deserialize)]
struct Answer {
    choices: Vec<Choice>,
}

#[derive(Deserialize)]
struct Choice {
    message: Said,
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct Said {
    content: Option<String>,
    refusal: Option<String>,
}

impl Client {
    /// Checks the settings and builds the client.
    ///
    /// # Errors
    /// [`SettingsError`].
    pub fn new(settings: Settings) -> Result<Self, SettingsError> {
        let url = Url::parse(&settings.base_url).map_err(|_| SettingsError::BaseUrl)?;
        let plain = matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none();
        if !plain {
            return Err(SettingsError::BaseUrl);
        }
        let whole = format!("{}/chat/completions", url.as_str().trim_end_matches('/'));
        let url = Url::parse(&whole).map_err(|_| SettingsError::BaseUrl)?;
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .referer(false)
            .user_agent(concat!("retail-assist/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(settings.timeout.min(Duration::from_secs(5)))
            .timeout(settings.timeout)
            .build()
            .map_err(|error| SettingsError::Http(error.without_url().to_string()))?;
        let places = Arc::new(Semaphore::new(settings.at_once));
        Ok(Self { http, url, settings, places })
    }

    /// What the model says next.
    ///
    /// # Errors
    /// [`AiError`]; none of them holds what was said, or the key.
    pub async fn complete(&self, turns: &[Turn]) -> Result<String, AiError> {
        let _place = self.places.try_acquire().map_err(|_full| AiError::Busy)?;
        let call = Call { model: &self.settings.model, messages: turns };
        let mut request = self.http.post(self.url.clone()).json(&call);
        if let Some(key) = &self.settings.api_key {
            request = request.bearer_auth(key.expose_secret());
        }
        let mut response = request.send().await.map_err(|error| transport(&error))?;
        let status = response.status().as_u16();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| transport(&error))? {
            body.extend_from_slice(&chunk);
            if body.len() > MAX_ANSWER {
                return Err(AiError::Unreadable);
            }
        }
        match status {
            200..=299 => words(&body),
            // Filters before a model answer so; what they object to is never shown.
            400 | 403 if is_filter(&body) => Err(AiError::Refused),
            408 | 409 | 425 | 429 | 500..=599 => Err(AiError::Unavailable(format!("HTTP {status}"))),
            _ => Err(AiError::Misconfigured(status)),
        }
    }
}

fn words(body: &[u8]) -> Result<String, AiError> {
    let answer: Answer = serde_json::from_slice(body).map_err(|_| AiError::Unreadable)?;
    let Some(Choice { message, finish_reason }) = answer.choices.into_iter().next() else {
        return Err(AiError::Unreadable);
    };
    if finish_reason.as_deref() == Some("content_filter") || message.refusal.is_some_and(|text| !text.is_empty()) {
        return Err(AiError::Refused);
    }
    message.content.filter(|text| !text.trim().is_empty()).ok_or(AiError::Unreadable)
}

fn is_filter(body: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Body {
        error: Inner,
    }
    #[derive(Deserialize)]
    struct Inner {
        code: Option<serde_json::Value>,
    }
    let code = serde_json::from_slice::<Body>(body).ok().and_then(|body| body.error.code);
    matches!(code.as_ref().and_then(serde_json::Value::as_str), Some("content_filter" | "content_policy_violation"))
}

fn transport(error: &reqwest::Error) -> AiError {
    if error.is_timeout() {
        return AiError::Timeout;
    }
    AiError::Unavailable(if error.is_connect() { "no connection" } else { "the connection broke off" }.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};
    use wiremock::matchers::{body_json, header, method, path};
    use wiremock::{Mock, MockServer, ResponseTemplate};

    fn client(base_url: String) -> Client {
        let api_key = Some(SecretString::from("sk-test"));
        Client::new(Settings {
            base_url,
            api_key,
            model: "m".to_owned(),
            timeout: Duration::from_millis(300),
            at_once: 2,
        })
        .unwrap()
    }

    fn turns() -> Vec<Turn> {
        vec![
            Turn { role: Role::System, content: "Be kind.".to_owned() },
            Turn { role: Role::User, content: "Hi".to_owned() },
        ]
    }

    #[tokio::test]
    async fn turns_go_out_and_words_come_back() {
        let server = MockServer::start().await;
        let asked = json!({ "model": "m", "messages": [
            { "role": "system", "content": "Be kind." }, { "role": "user", "content": "Hi" } ] });
        Mock::given(method("POST"))
            .and(path("/v1/chat/completions"))
            .and(header("authorization", "Bearer sk-test"))
            .and(body_json(asked))
            .respond_with(ResponseTemplate::new(200).set_body_json(
                json!({ "id": "x", "choices": [{ "index": 0, "finish_reason": "stop", "message": { "role": "assistant", "content": "Hello!" } }] }),
            ))
            .expect(2)
            .mount(&server)
            .await;
        for base in ["/v1", "/v1/"] {
            assert_eq!(client(format!("{}{base}", server.uri())).complete(&turns()).await.unwrap(), "Hello!");
        }
    }

    #[tokio::test]
    async fn why_there_are_no_words() {
        let said =
            |message: Value, reason: &str| json!({ "choices": [{ "message": message, "finish_reason": reason }] });
        let filter = json!({ "error": { "code": "content_filter", "message": "a secret wish" } });
        let cases = [
            (200, said(json!({ "content": null, "refusal": "No." }), "stop"), AiError::Refused),
            (200, said(json!({ "content": "half" }), "content_filter"), AiError::Refused),
            (400, filter, AiError::Refused),
            (200, said(json!({ "content": " " }), "stop"), AiError::Unreadable),
            (200, json!({ "choices": [] }), AiError::Unreadable),
            (200, json!([1]), AiError::Unreadable),
            (429, json!({}), AiError::Unavailable("HTTP 429".to_owned())),
            (503, json!({}), AiError::Unavailable("HTTP 503".to_owned())),
            (401, json!({}), AiError::Misconfigured(401)),
            (404, json!({}), AiError::Misconfigured(404)),
            (302, json!({}), AiError::Misconfigured(302)),
        ];
        for (status, body, expected) in cases {
            let server = MockServer::start().await;
            Mock::given(method("POST"))
                .respond_with(ResponseTemplate::new(status).set_body_json(&body))
                .mount(&server)
                .await;
            assert_eq!(client(server.uri()).complete(&turns()).await, Err(expected), "{status} {body}");
        }
        let slow = MockServer::start().await;
        let late = ResponseTemplate::new(200).set_delay(Duration::from_secs(2));
        Mock::given(method("POST")).respond_with(late).mount(&slow).await;
        assert_eq!(client(slow.uri()).complete(&turns()).await, Err(AiError::Timeout));
        let busy = client(slow.uri());
        let turns = turns();
        let ask = || busy.complete(&turns);
        let (one, other, third) = tokio::join!(ask(), ask(), ask());
        assert_eq!((one, other, third), (Err(AiError::Timeout), Err(AiError::Timeout), Err(AiError::Busy)));
        let nobody = client("http://127.0.0.1:1".to_owned()).complete(&turns).await;
        assert_eq!(nobody, Err(AiError::Unavailable("no connection".to_owned())));
    }

    #[test]
    fn an_address_that_cannot_be_called_is_refused() {
        for base_url in ["", "nonsense", "ftp://x/v1", "https://u:p@x/v1", "https://x/v1?a=b", "https://x/v1#f"] {
            let settings = Settings {
                base_url: base_url.to_owned(),
                api_key: None,
                model: "m".to_owned(),
                timeout: Duration::from_secs(1),
                at_once: 1,
            };
            assert_eq!(Client::new(settings).unwrap_err(), SettingsError::BaseUrl, "{base_url}");
        }
    }
}
