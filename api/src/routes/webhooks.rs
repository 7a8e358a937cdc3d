//! What Meta calls: the subscription handshake and the deliveries. The signature is checked over the raw bytes before
//! anything else looks at them, and 200 is answered only after the delivery is committed.

mod payload;

use super::Tag;
use crate::app::App;
use crate::problem::{Code, Problem};
use http::HeaderMap;
use jobs::ingest::Endpoint;
use meta::signature::AppSecrets;
use payload::Delivered;
use poem::Request;
use poem::web::Data;
use poem_openapi::param::Query;
use poem_openapi::payload::PlainText;
use poem_openapi::{ApiResponse, OpenApi};
use secrecy::ExposeSecret as _;
use sha2::{Digest as _, Sha256};
use std::sync::Arc;
use std::time::Duration;
use subtle::ConstantTimeEq as _;

/// The routes of this file.
#[derive(Clone, Copy, Debug)]
pub struct WebhookRoutes;

const SIGNATURE: &str = "X-Hub-Signature-256";
const NO_CHALLENGE: &str =
    "hub.mode must be subscribe, and hub.challenge 1 to 64 letters, digits, hyphens or underscores.";
/// Meta waits five seconds. What is not committed by then is answered 503 while Meta still listens, and delivered again.
const STORE_WITHIN: Duration = Duration::from_secs(4);

#[derive(ApiResponse)]
enum Taken {
    /// Committed, or not in need of it; Meta need not deliver it again.
    #[oai(status = 200)]
    Ok(PlainText<&'static str>),
}

#[OpenApi(prefix_path = "/api/webhooks", tag = "Tag::Webhooks")]
impl WebhookRoutes {
    /// Meta's subscription handshake for the Instagram endpoint.
    #[oai(path = "/instagram", method = "get", operation_id = "verifyInstagramWebhook")]
    async fn verify_instagram(
        &self,
        app: Data<&Arc<App>>,
        #[oai(name = "hub.mode")] mode: Query<Option<String>>,
        #[oai(name = "hub.verify_token")] token: Query<Option<String>>,
        #[oai(name = "hub.challenge")] challenge: Query<Option<String>>,
    ) -> Result<PlainText<String>, Problem> {
        handshake(&app, mode.0, token.0, challenge.0)
    }

    /// Meta's subscription handshake for the Facebook endpoint.
    #[oai(path = "/facebook", method = "get", operation_id = "verifyFacebookWebhook")]
    async fn verify_facebook(
        &self,
        app: Data<&Arc<App>>,
        #[oai(name = "hub.mode")] mode: Query<Option<String>>,
        #[oai(name = "hub.verify_token")] token: Query<Option<String>>,
        #[oai(name = "hub.challenge")] challenge: Query<Option<String>>,
    ) -> Result<PlainText<String>, Problem> {
        handshake(&app, mode.0, token.0, challenge.0)
    }

    /// A delivery of object `instagram`, signed in `X-Hub-Signature-256`.
    #[oai(path = "/instagram", method = "post", operation_id = "receiveInstagramWebhook")]
    async fn receive_instagram(
        &self,
        app: Data<&Arc<App>>,
        request: &Request,
        body: Delivered,
    ) -> Result<Taken, Problem> {
        let secrets = &app.ctx.settings.instagram_webhook_secrets;
        receive(&app, Endpoint::Instagram, secrets, request.headers(), body).await
    }

    /// A delivery of object `page`, signed in `X-Hub-Signature-256`.
    #[oai(path = "/facebook", method = "post", operation_id = "receiveFacebookWebhook")]
    async fn receive_facebook(
        &self,
        app: Data<&Arc<App>>,
        request: &Request,
        body: Delivered,
    ) -> Result<Taken, Problem> {
        let secrets = &app.ctx.settings.facebook_webhook_secrets;
        receive(&app, Endpoint::Facebook, secrets, request.headers(), body).await
    }
}

fn handshake(
    app: &App,
    mode: Option<String>,
    token: Option<String>,
    challenge: Option<String>,
) -> Result<PlainText<String>, Problem> {
    let expected = app.ctx.settings.webhook_verify_token.as_ref();
    let known = match (expected, &token) {
        (Some(expected), Some(token)) => same(expected.expose_secret(), token),
        _ => false,
    };
    match challenge {
        Some(challenge) if known && mode.as_deref() == Some("subscribe") && is_challenge(&challenge) => {
            Ok(PlainText(challenge))
        }
        _ => {
            metrics::counter!("retail_assist_refused_total", "why" => "handshake").increment(1);
            tracing::warn!("a webhook handshake was refused");
            // Who typed the right token must not be sent looking for a mistake in it.
            Err(if known {
                Problem::with(Code::HandshakeRefused, NO_CHALLENGE)
            } else {
                Problem::new(Code::HandshakeRefused)
            })
        }
    }
}

/// Compared by their hashes, so that not even the length shows in the time it takes.
fn same(expected: &str, given: &str) -> bool {
    Sha256::digest(expected.as_bytes()).ct_eq(&Sha256::digest(given.as_bytes())).into()
}

/// Nothing a browser could take for markup is ever sent back.
fn is_challenge(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
}

async fn receive(
    app: &App,
    endpoint: Endpoint,
    secrets: &AppSecrets,
    headers: &HeaderMap,
    body: Delivered,
) -> Result<Taken, Problem> {
    let outcome = store(app, endpoint, secrets, headers, body).await;
    let name = match &outcome {
        Ok(_) => "stored",
        Err(problem) => problem.code().name(),
    };
    metrics::counter!("retail_assist_webhooks_total", "endpoint" => endpoint.as_str(), "outcome" => name).increment(1);
    outcome
}

async fn store(
    app: &App,
    endpoint: Endpoint,
    secrets: &AppSecrets,
    headers: &HeaderMap,
    Delivered(body): Delivered,
) -> Result<Taken, Problem> {
    if let Err(why) = secrets.verify(&body, the_one_signature(headers)) {
        tracing::warn!(endpoint = endpoint.as_str(), %why, "a webhook was refused");
        return Err(Problem::new(Code::InvalidSignature));
    }
    match tokio::time::timeout(STORE_WITHIN, app.ingest.store(endpoint, body)).await {
        Ok(Ok(_delivery)) => Ok(Taken::Ok(PlainText("EVENT_RECEIVED"))),
        Ok(Err(error)) => {
            tracing::warn!(endpoint = endpoint.as_str(), %error, "a delivery was not stored");
            Err(Problem::new(Code::Unavailable).retry_after(5))
        }
        Err(_elapsed) => {
            tracing::warn!(endpoint = endpoint.as_str(), "a delivery was not stored in time");
            Err(Problem::new(Code::Unavailable).retry_after(5))
        }
    }
}

/// Exactly one header: with two, it would be open which one was meant.
fn the_one_signature(headers: &HeaderMap) -> Option<&str> {
    let mut all = headers.get_all(SIGNATURE).iter();
    match (all.next(), all.next()) {
        (Some(one), None) => one.to_str().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_hold_nothing_a_browser_could_run() {
        assert!(is_challenge("1158201444") && is_challenge("a_B-9"));
        for bad in ["", "<b>", "a b", "a\n", "ä", &"1".repeat(65)] {
            assert!(!is_challenge(bad), "{bad}");
        }
    }

    #[test]
    fn two_signatures_are_none() {
        let mut headers = HeaderMap::new();
        assert_eq!(the_one_signature(&headers), None);
        headers.append(SIGNATURE, http::HeaderValue::from_static("sha256=1"));
        assert_eq!(the_one_signature(&headers), Some("sha256=1"));
        headers.append(SIGNATURE, http::HeaderValue::from_static("sha256=1"));
        assert_eq!(the_one_signature(&headers), None);
    }
}
