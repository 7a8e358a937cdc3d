//! A small webhook receiver: keeps what came, answers as told.
//! It stands for the program under test, which the sandbox must not know.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use poem::{Endpoint, Request, Response, Server, http::StatusCode, listener::TcpAcceptor};
use serde_json::Value;

#[derive(Debug, Clone)]
pub struct Got {
    pub path: String,
    pub query: String,
    pub body: Vec<u8>,
    pub sha256: Option<String>,
    pub sha1: Option<String>,
    pub agent: String,
    pub at: Instant,
}

impl Got {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// Every messaging element.
    pub fn elements(&self) -> Vec<Value> {
        self.elements_of("messaging")
    }

    /// Every element of that list of the entries.
    pub fn elements_of(&self, list: &str) -> Vec<Value> {
        let body = self.json();
        let entries = body["entry"].as_array().unwrap();
        entries.iter().flat_map(|entry| entry[list].as_array().cloned().unwrap_or_default()).collect()
    }

    pub fn text(&self) -> String {
        self.elements()[0]["message"]["text"].as_str().unwrap_or_default().to_owned()
    }

    pub fn is_echo(&self) -> bool {
        self.elements().first().is_some_and(|element| element["message"]["is_echo"] == true)
    }
}

#[derive(Debug, Default)]
struct State {
    got: Vec<Got>,
    /// What a verification is answered with instead of its challenge.
    challenge: Option<String>,
    status: u16,
    delay: Duration,
}

#[derive(Debug, Clone)]
pub struct Receiver {
    pub addr: SocketAddr,
    state: Arc<Mutex<State>>,
}

struct Front(Arc<Mutex<State>>);

impl Endpoint for Front {
    type Output = Response;

    async fn call(&self, mut request: Request) -> poem::Result<Response> {
        let body = request.take_body().into_vec().await?;
        let header = |name: &str| request.header(name).map(str::to_owned);
        let asked = request.original_uri().query().unwrap_or_default();
        let asked = asked.split('&').find_map(|pair| pair.strip_prefix("hub.challenge=")).map(str::to_owned);
        let (status, delay, said) = {
            let mut state = self.0.lock().unwrap();
            state.got.push(Got {
                path: request.original_uri().path().to_owned(),
                query: request.original_uri().query().unwrap_or_default().to_owned(),
                body,
                sha256: header("x-hub-signature-256"),
                sha1: header("x-hub-signature"),
                agent: header("user-agent").unwrap_or_default(),
                at: Instant::now(),
            });
            (state.status, state.delay, asked.map(|asked| state.challenge.clone().unwrap_or(asked)))
        };
        tokio::time::sleep(delay).await;
        Ok(Response::builder().status(StatusCode::from_u16(status).unwrap()).body(said.unwrap_or_default()))
    }
}

impl Receiver {
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State { status: 200, ..State::default() }));
        let server = Server::new_with_acceptor(TcpAcceptor::from_tokio(listener).unwrap());
        tokio::spawn(server.run(Front(Arc::clone(&state))));
        Self { addr, state }
    }

    pub fn answer(&self, status: u16) {
        self.state.lock().unwrap().status = status;
    }

    /// From now on verifications get this instead of their challenge.
    pub fn answer_challenges_with(&self, text: &str) {
        self.state.lock().unwrap().challenge = Some(text.to_owned());
    }

    pub fn delay(&self, delay: Duration) {
        self.state.lock().unwrap().delay = delay;
    }

    pub fn got(&self) -> Vec<Got> {
        self.state.lock().unwrap().got.clone()
    }

    pub fn count(&self) -> usize {
        self.state.lock().unwrap().got.len()
    }

    /// Waits for that many.
    pub async fn wait(&self, count: usize) -> Vec<Got> {
        let end = Instant::now() + Duration::from_secs(10);
        while self.count() < count {
            assert!(Instant::now() < end, "{} of {count} webhooks came", self.count());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        self.got()
    }
}
