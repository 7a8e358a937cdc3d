//! Opens the shops of the demo, here and at the local Meta. They are made by the same functions that serve real ones, in one
//! transaction a shop; that Meta sends their webhooks is seen to by the same job.

use super::cast::{Account, SHOPS, Shop};
use super::facts::{AccountFacts, ChoiceFacts, CustomerFacts, ShopFacts};
use super::stage::{Made, Stage};
use anyhow::Context as _;
use domain::api_keys::{self, Scope};
use domain::audit::{self, Actor, Entry};
use domain::clock::DAY;
use domain::connections::{self, AutoReply, LoginRoute, NewConnection, Platform, ReplyMode};
use domain::db::Tx;
use domain::id::IdKind;
use domain::password::{self, Passwords};
use domain::{Context, OrganizationId, organizations, users};
use jobs::Ledger;
use jobs::jobs::accounts_subscribe;
use secrecy::ExposeSecret as _;

/// How long a token of Instagram lives.
const TOKEN_LIFE_DAYS: i64 = 60;

/// Opens the shops.
pub(super) async fn open(ctx: &Context, ledger: &Ledger, stage: &Stage) -> anyhow::Result<Vec<ShopFacts>> {
    let passwords = Passwords::new(1)?;
    // Meta's dialogs offer first what was made first: whoever tries a login meets the accounts that are there for it.
    for shop in SHOPS.iter().filter(|shop| !shop.open.is_empty()) {
        for account in shop.open {
            at_meta(stage, account).await?;
        }
        let pages: Vec<_> = pages(shop.open).collect();
        stage.person(shop.person.id, shop.person.name, &pages).await?;
    }
    let mut opened = Vec::with_capacity(SHOPS.len());
    for shop in &SHOPS {
        opened.push(open_one(ctx, ledger, stage, &passwords, shop).await?);
    }
    Ok(opened)
}

async fn open_one(
    ctx: &Context,
    ledger: &Ledger,
    stage: &Stage,
    passwords: &Passwords,
    shop: &Shop,
) -> anyhow::Result<ShopFacts> {
    let mut made = Vec::with_capacity(shop.accounts.len());
    for account in shop.accounts {
        made.push(at_meta(stage, account).await?);
    }
    if pages(shop.accounts).next().is_some() {
        let pages: Vec<_> = pages(shop.accounts).collect();
        let person = stage.person(shop.person.id, shop.person.name, &pages).await?;
        let of_pages =
            shop.accounts.iter().zip(&mut made).filter(|(account, _)| account.platform == Platform::Facebook);
        of_pages.for_each(|(_, made)| made.app_scoped_id = Some(person.clone()));
    }
    let password = password::generate()?;
    let hash = passwords.hash(&password).await?;
    let mut tx = ctx.db.begin().await?;
    let organization = OrganizationId(organizations::create(&tx, ctx, shop.name, shop.plan).await?.id);
    let user = users::create(&tx, ctx, organization, shop.email, hash).await?;
    let entry = Entry::new(Actor::CommandLine, "user.created", Some(organization)).target(IdKind::User.show(user.id));
    audit::record(tx.conn(), ctx.now(), entry).await?;
    let mut accounts = Vec::with_capacity(shop.accounts.len());
    for (account, made) in shop.accounts.iter().zip(made) {
        accounts.push(connect(&mut tx, ctx, ledger, organization, account, made).await?);
    }
    tx.commit().await?;
    let password = password.expose_secret().to_owned();
    let to_connect = shop.open.iter().map(choice).collect();
    let (name, plan, email, person) = (shop.name, shop.plan, shop.email, shop.person.name);
    Ok(ShopFacts { name, plan, email, password, person, accounts, to_connect })
}

/// Waits until the local Meta sends the webhooks of every connected account.
pub(super) async fn subscribed(stage: &Stage) -> anyhow::Result<()> {
    for account in SHOPS.iter().flat_map(|shop| shop.accounts) {
        let seen = stage.is_subscribed(account.id).await;
        seen.with_context(|| format!("the webhooks of {} were not switched on", account.name))?;
    }
    Ok(())
}

/// A key that reads deliveries, jobs and the audit trail, runs what recurs, and may have a message sent again.
pub(super) async fn operator_key(ctx: &Context) -> anyhow::Result<String> {
    let tx = ctx.db.begin().await?;
    let scopes = [Scope::JobsRead, Scope::JobsWrite, Scope::JobsForce, Scope::AuditRead];
    let (_, key) = api_keys::create(&tx, ctx, None, &scopes, DAY).await?;
    tx.commit().await?;
    Ok(key.expose_secret().to_owned())
}

fn pages(accounts: &[Account]) -> impl Iterator<Item = &'static str> {
    accounts.iter().filter(|account| account.platform == Platform::Facebook).map(|account| account.id)
}

async fn at_meta(stage: &Stage, account: &Account) -> anyhow::Result<Made> {
    let made = stage.account(account).await?;
    for (id, name, username) in account.customers {
        stage.customer(account.id, id, name, username).await?;
    }
    Ok(made)
}

async fn connect(
    tx: &mut Tx,
    ctx: &Context,
    ledger: &Ledger,
    organization: OrganizationId,
    account: &Account,
    made: Made,
) -> anyhow::Result<AccountFacts> {
    let issued_at = account.token_days.map(|days| ctx.now() - days * DAY);
    let new = NewConnection {
        organization,
        actor: Actor::CommandLine,
        login_route: LoginRoute::usual(account.platform),
        external_id: account.id.to_owned(),
        app_scoped_id: made.app_scoped_id,
        page_id: None,
        name: account.name.to_owned(),
        username: account.username.map(ToOwned::to_owned),
        scopes: Vec::new(),
        token: made.token,
        picture_url: None,
        token_issued_at: issued_at,
        token_expires_at: issued_at.map(|at| at + TOKEN_LIFE_DAYS * DAY),
    };
    let made = connections::create(tx, ctx, new).await?;
    ledger.enqueue(tx, vec![accounts_subscribe::job(&made)]).await?;
    if let Some(text) = account.reply {
        let mode = if account.instructions.is_some() { ReplyMode::Ai } else { ReplyMode::Template };
        let instructions = account.instructions.map(ToOwned::to_owned);
        let wanted = AutoReply { mode, instructions, ..AutoReply::text(text) };
        connections::set_auto_reply(tx, ctx, Actor::CommandLine, organization, made.id, wanted).await?;
    }
    Ok(AccountFacts {
        platform: account.platform.as_str(),
        name: account.name,
        account_id: account.id,
        connection_id: IdKind::Connection.show(made.id),
        reply: account.reply,
        customers: customers(account),
    })
}

fn choice(account: &Account) -> ChoiceFacts {
    ChoiceFacts {
        platform: account.platform.as_str(),
        name: account.name,
        username: account.username,
        account_id: account.id,
        personal: account.personal,
        customers: customers(account),
    }
}

fn customers(account: &Account) -> Vec<CustomerFacts> {
    account.customers.iter().map(|(id, name, _)| CustomerFacts { id, name }).collect()
}
