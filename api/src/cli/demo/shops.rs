//! The two shops of the demo: a Pro one with Instagram and a Page that answer by themselves, and a Starter one with a Page
//! that does not. They are made by the same functions that serve real ones, in one transaction a shop.

use super::facts::{AccountFacts, CustomerFacts, ShopFacts};
use super::stage::Stage;
use domain::api_keys::{self, Scope};
use domain::audit::{self, Actor, Entry};
use domain::clock::DAY;
use domain::connections::{self, AutoReply, LoginRoute, NewConnection, Platform};
use domain::db::Tx;
use domain::id::IdKind;
use domain::password::{self, Passwords};
use domain::{Context, OrganizationId, organizations, users};
use secrecy::{ExposeSecret as _, SecretString};

struct Shop {
    name: &'static str,
    plan: &'static str,
    email: &'static str,
    accounts: &'static [Account],
}

struct Account {
    platform: Platform,
    id: &'static str,
    name: &'static str,
    username: Option<&'static str>,
    reply: Option<&'static str>,
    customers: &'static [Customer],
}

/// Id, name and user name.
type Customer = (&'static str, &'static str, &'static str);

/// Ids are fixed, so that command lines of one demo fit the next.
const SHOPS: [Shop; 2] = [
    Shop {
        name: "Blue Shop",
        plan: "pro",
        email: "owner@blue-shop.example",
        accounts: &[
            Account {
                platform: Platform::Instagram,
                id: "17841400000000101",
                name: "Blue Shop",
                username: Some("blueshop"),
                reply: Some("Thank you for writing to {{account.name}}! We will answer within the hour."),
                customers: &[("900000000000101", "Ada", "ada"), ("900000000000102", "Ben", "ben")],
            },
            Account {
                platform: Platform::Facebook,
                id: "101000000000101",
                name: "Blue Shop on Facebook",
                username: None,
                reply: Some("Hello, this is {{account.name}}. A person will answer you soon."),
                customers: &[("7000000000000101", "Cleo", "cleo")],
            },
        ],
    },
    Shop {
        name: "Corner Store",
        plan: "starter",
        email: "owner@corner-store.example",
        accounts: &[Account {
            platform: Platform::Facebook,
            id: "101000000000102",
            name: "Corner Store",
            username: None,
            reply: None,
            customers: &[("7000000000000102", "Dan", "dan")],
        }],
    },
];

/// Opens the shops, here and at the local Meta.
pub(super) async fn open(ctx: &Context, stage: &Stage) -> anyhow::Result<Vec<ShopFacts>> {
    let passwords = Passwords::new(1)?;
    let mut opened = Vec::with_capacity(SHOPS.len());
    for shop in &SHOPS {
        let mut tokens = Vec::with_capacity(shop.accounts.len());
        for account in shop.accounts {
            tokens.push(at_meta(stage, account).await?);
        }
        let password = password::generate()?;
        let hash = passwords.hash(&password).await?;
        let tx = ctx.db.begin().await?;
        let organization = OrganizationId(organizations::create(&tx, ctx, shop.name, shop.plan).await?.id);
        let user = users::create(&tx, ctx, organization, shop.email, hash).await?;
        let entry =
            Entry::new(Actor::CommandLine, "user.created", Some(organization)).target(IdKind::User.show(user.id));
        audit::record(tx.conn(), ctx.now(), entry).await?;
        let mut accounts = Vec::with_capacity(shop.accounts.len());
        for (account, token) in shop.accounts.iter().zip(tokens) {
            accounts.push(connect(&tx, ctx, organization, account, token).await?);
        }
        tx.commit().await?;
        let password = password.expose_secret().to_owned();
        opened.push(ShopFacts { name: shop.name, plan: shop.plan, email: shop.email, password, accounts });
    }
    Ok(opened)
}

/// A key that reads deliveries, jobs and the audit trail.
pub(super) async fn operator_key(ctx: &Context) -> anyhow::Result<String> {
    let tx = ctx.db.begin().await?;
    let (_, key) = api_keys::create(&tx, ctx, None, &[Scope::JobsRead, Scope::AuditRead], DAY).await?;
    tx.commit().await?;
    Ok(key.expose_secret().to_owned())
}

async fn at_meta(stage: &Stage, account: &Account) -> anyhow::Result<SecretString> {
    let token = stage.account(account.platform.as_str(), account.id, account.name, account.username).await?;
    for (id, name, username) in account.customers {
        stage.customer(account.id, id, name, username).await?;
    }
    Ok(token.into())
}

async fn connect(
    tx: &Tx,
    ctx: &Context,
    organization: OrganizationId,
    account: &Account,
    token: SecretString,
) -> anyhow::Result<AccountFacts> {
    let new = NewConnection {
        organization,
        actor: Actor::CommandLine,
        login_route: LoginRoute::usual(account.platform),
        external_id: account.id.to_owned(),
        app_scoped_id: None,
        page_id: None,
        name: account.name.to_owned(),
        username: account.username.map(ToOwned::to_owned),
        scopes: Vec::new(),
        token,
        picture_url: None,
        token_issued_at: None,
        token_expires_at: None,
    };
    let made = connections::create(tx, ctx, new).await?;
    if let Some(text) = account.reply {
        let wanted = AutoReply::Template(text.to_owned());
        connections::set_auto_reply(tx, ctx, Actor::CommandLine, organization, made.id, wanted).await?;
    }
    Ok(AccountFacts {
        platform: account.platform.as_str(),
        name: account.name,
        account_id: account.id,
        connection_id: IdKind::Connection.show(made.id),
        reply: account.reply,
        customers: account.customers.iter().map(|(id, name, _)| CustomerFacts { id, name }).collect(),
    })
}
