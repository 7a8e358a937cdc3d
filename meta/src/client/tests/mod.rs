//! The client against servers that misbehave in every way a network knows.
//! Two things must hold always: how far a call came is told truthfully, and no token shows anywhere.

mod answers;
mod network;

use std::time::Duration;

use secrecy::SecretString;
use wiremock::matchers::method;
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::class::{ErrorClass, Operation, classify};
use crate::client::{MetaClient, Settings, Timeouts};
use crate::error::GraphError;
use crate::messaging::{Content, Route, SendError, SendRequest, Sent};

const TOKEN: &str = "EAAsandboxToken";
const PROOF: &str = "6aa068f36ff8f29a60c2a4d1c05d5c2195456fe94c872fb905534501eed8f76c";

/// Long enough for any machine, however busy; the one test of a time-out brings its own.
const PATIENCE: Duration = Duration::from_secs(20);

fn client(base: &str, total: Duration) -> MetaClient {
    let timeouts = Timeouts { connect: PATIENCE, total };
    let settings = Settings {
        facebook_graph_url: base.to_owned(),
        instagram_graph_url: format!("{base}/ig/"),
        meta_app_secret: Some(SecretString::from("sandbox_app_secret_0123456789abcdef")),
        timeouts,
        ..Settings::default()
    };
    MetaClient::new(settings).unwrap()
}

async fn send(base: &str, route: Route) -> Result<Sent, SendError> {
    send_within(base, route, PATIENCE).await
}

async fn send_within(base: &str, route: Route, total: Duration) -> Result<Sent, SendError> {
    let token = SecretString::from(TOKEN);
    let content = Content::Text("hi");
    let request = SendRequest { route, token: &token, recipient: "9", content, metadata: None, tag: None };
    let client = client(base, total);
    assert!(!format!("{client:?}").contains("sandbox_app_secret"));
    let result = client.send(request).await;
    if let Err(error) = &result {
        for shown in [format!("{error:?}"), format!("{error}"), format!("{:#?}", error.error)] {
            assert!(!shown.contains(TOKEN) && !shown.contains(PROOF), "{shown}");
        }
    }
    result
}

async fn failure(base: &str) -> GraphError {
    send(base, Route::FacebookPage).await.unwrap_err().error
}

fn class(error: &GraphError) -> ErrorClass {
    classify(Operation::Send, error).class
}

async fn answering(template: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(method("POST")).respond_with(template).expect(1).mount(&server).await;
    server
}
