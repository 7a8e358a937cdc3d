//! A signed-in person of an organization, and logins at Meta that have come as far as a test needs.

use crate::bench::Bench;
use domain::audit::Actor;
use domain::connect::{
    self, Arrival, Binding, Candidate, Content, FlowError, Handle, SaveError, Saved, Selection, Started,
};
use domain::connections::Platform;
use domain::sessions::{self, SessionToken};
use domain::{OrganizationId, organizations};
use entities::connect_flow::Model as Flow;
use entities::user;
use meta::Asks;
use sea_orm::{EntityTrait, IntoActiveModel as _};
use uuid::Uuid;

/// Whoever connects accounts.
#[derive(Clone, Debug)]
pub struct Person {
    pub organization: OrganizationId,
    pub user: Uuid,
    pub session: Uuid,
}

impl Person {
    pub async fn of(bench: &Bench, plan: &str) -> Self {
        let tx = bench.ctx.db.begin().await.unwrap();
        let organization = OrganizationId(organizations::create(&tx, &bench.ctx, "Shop", plan).await.unwrap().id);
        let row = user::Model {
            id: domain::id::new_id(bench.ctx.now()),
            organization_id: organization.0,
            email: format!("{}@shop.test", Uuid::now_v7().simple()),
            password_hash: String::new(),
            created_at: bench.ctx.now(),
        };
        user::Entity::insert(row.clone().into_active_model()).exec_without_returning(tx.conn()).await.unwrap();
        tx.commit().await.unwrap();
        Self { organization, user: row.id, session: sign_in(bench, row.id).await }
    }

    pub fn binding(&self) -> Binding {
        let browser = Some("a browser".to_owned());
        Binding {
            organization: self.organization,
            user: self.user,
            session: self.session,
            browser,
            browser_needed: true,
        }
    }
}

/// Another session of the same person.
pub async fn sign_in(bench: &Bench, user: Uuid) -> Uuid {
    let tx = bench.ctx.db.begin().await.unwrap();
    let token: SessionToken = sessions::create(&tx, &bench.ctx, user).await.unwrap();
    tx.commit().await.unwrap();
    sessions::find(&bench.ctx, &token).await.unwrap().unwrap().session.id
}

pub fn candidate(id: &str) -> Candidate {
    Candidate {
        external_id: id.to_owned(),
        name: format!("Account {id}"),
        username: None,
        picture_url: None,
        app_scoped_id: Some("person".to_owned()),
        page_id: Some(id.to_owned()),
        token: Some(format!("token of {id}").into()),
        token_issued_at: 1_790_000_000_000,
        token_expires_at: None,
        unusable: None,
    }
}

pub async fn start(bench: &Bench, binding: &Binding, platform: Platform) -> Result<Started, FlowError> {
    let asks = connect::asks(platform, meta::Login::Instagram);
    let tx = bench.ctx.db.begin().await.unwrap();
    let started = connect::start(&tx, &bench.ctx, binding, asks, platform, "https://shop.test/cb").await?;
    tx.commit().await.unwrap();
    Ok(started)
}

pub async fn arrive(bench: &Bench, binding: &Binding, platform: Platform, state: &str) -> Result<Flow, FlowError> {
    let tx = bench.ctx.db.begin().await.unwrap();
    let flow = connect::arrive(&tx, &bench.ctx, binding, &Arrival { platform, state }).await?;
    tx.commit().await.unwrap();
    Ok(flow)
}

/// A login whose accounts can be chosen.
pub async fn ready(bench: &Bench, person: &Person, candidates: Vec<Candidate>) -> (Flow, Handle) {
    let binding = person.binding();
    let started = start(bench, &binding, Platform::Facebook).await.unwrap();
    let flow = arrive(bench, &binding, Platform::Facebook, &started.state).await.unwrap();
    let handle = Handle::random().unwrap();
    discover(bench, &flow, &handle, candidates).await;
    (connect::load(bench.ctx.db.read(), flow.id).await.unwrap().unwrap(), handle)
}

/// Takes an attempt through the steps of its jobs.
pub async fn discover(bench: &Bench, flow: &Flow, handle: &Handle, candidates: Vec<Candidate>) {
    let tx = bench.ctx.db.begin().await.unwrap();
    connect::accept(&tx, &bench.ctx, flow, "the code".to_owned().into(), handle).await.unwrap();
    let flow = connect::load(tx.conn(), flow.id).await.unwrap().unwrap();
    connect::ask(&tx, &bench.ctx, &flow).await.unwrap();
    let content = Content { token: Some("user token".to_owned().into()), ..Content::default() };
    connect::exchanged(&tx, &bench.ctx, &flow, &content).await.unwrap();
    let flow = connect::load(tx.conn(), flow.id).await.unwrap().unwrap();
    let granted = Asks::PageMessages.scopes().iter().map(|scope| scope.name.to_owned()).collect();
    let content = Content { candidates, granted: Some(granted), ..Content::default() };
    connect::discover(&tx, &bench.ctx, &flow, &content).await.unwrap();
    tx.commit().await.unwrap();
}

pub async fn save(bench: &Bench, person: &Person, flow: &Flow, ids: &[&str]) -> Result<Saved, SaveError> {
    let selection = Selection::new(ids.iter().map(|id| (*id).to_owned())).unwrap();
    let tx = bench.ctx.db.begin().await.unwrap();
    let saved = connect::save(&tx, &bench.ctx, flow.id, &selection, Actor::User(person.user)).await;
    match saved {
        Ok(saved) => {
            tx.commit().await.unwrap();
            Ok(saved)
        }
        Err(error) => {
            tx.rollback().await.unwrap();
            Err(error)
        }
    }
}
