//! A context on a database of its own, with a clock that stands still.

use domain::audit::Actor;
use domain::clock::ManualClock;
use domain::connections::{ConnectError, LoginRoute, NewConnection, create};
use domain::db::Db;
use domain::settings::Settings;
use domain::vault::{Vault, VaultKey};
use domain::{Context, OrganizationId, organizations};
use entities::connection;
use meta::client::MetaClient;
use meta::signature::AppSecrets;
use migration::{Migrator, MigratorTrait as _};
use std::sync::Arc;
use testbed::Database;

pub struct Bench {
    pub ctx: Context,
    pub clock: Arc<ManualClock>,
    _database: Database,
}

impl Bench {
    pub async fn new() -> Self {
        Self::sealed_by(vec![VaultKey::new("k1", [7; 32]).unwrap()]).await
    }

    /// With these keys, the first of which seals.
    pub async fn sealed_by(keys: Vec<VaultKey>) -> Self {
        let database = Database::new();
        let db = Db::open(database.url()).await.unwrap();
        Migrator::up(db.write(), None).await.unwrap();
        let clock = Arc::new(ManualClock::new(1_790_000_000_000));
        let settings = Settings {
            public_url: "http://127.0.0.1:8080".to_owned(),
            signup_plan: None,
            app_ids: Vec::new(),
            webhook_verify_token: None,
            instagram_webhook_secrets: AppSecrets::new(vec![]),
            facebook_webhook_secrets: AppSecrets::new(vec![]),
            ..Settings::default()
        };
        let ctx = Context {
            db,
            vault: Arc::new(Vault::new(keys).unwrap()),
            meta: Arc::new(MetaClient::new(meta::client::Settings::default()).unwrap()),
            clock: clock.clone(),
            media: meta::MediaClient::new(Vec::new(), std::time::Duration::from_secs(2)).unwrap(),
            ai: None,
            settings: Arc::new(settings),
        };
        Self { ctx, clock, _database: database }
    }

    pub async fn organization(&self, plan: &str) -> OrganizationId {
        let tx = self.ctx.db.begin().await.unwrap();
        let made = organizations::create(&tx, &self.ctx, "Shop", plan).await.unwrap();
        tx.commit().await.unwrap();
        OrganizationId(made.id)
    }

    pub async fn connect(
        &self,
        organization: OrganizationId,
        login_route: LoginRoute,
        external_id: &str,
    ) -> Result<connection::Model, ConnectError> {
        let new = NewConnection {
            organization,
            actor: Actor::CommandLine,
            login_route,
            external_id: external_id.to_owned(),
            app_scoped_id: None,
            page_id: None,
            name: "Account".to_owned(),
            username: None,
            scopes: vec!["instagram_business_basic".to_owned()],
            token: "IGAA-secret".to_owned().into(),
            picture_url: None,
            token_issued_at: None,
            token_expires_at: None,
        };
        let tx = self.ctx.db.begin().await.unwrap();
        let made = create(&tx, &self.ctx, new).await;
        if made.is_ok() {
            tx.commit().await.unwrap();
        }
        made
    }
}
