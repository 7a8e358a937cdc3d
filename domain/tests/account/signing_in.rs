//! Sign-in limits, sessions and keys, with a clock that is turned.

use crate::bench::Bench;
use domain::api_keys::{self, ApiKeyError, Scope};
use domain::clock::{DAY, HOUR, MINUTE};
use domain::password::Passwords;
use domain::sessions::{self, SessionToken};
use domain::sign_in::{PER_ACCOUNT, PER_ADDRESS, SignInError, WINDOW, sign_in};
use domain::users;
use entities::user;
use secrecy::ExposeSecret as _;
use std::net::IpAddr;

async fn with_user(bench: &Bench, passwords: &Passwords) -> user::Model {
    let organization = bench.organization("starter").await;
    let hash = passwords.hash(&"correct horse".into()).await.unwrap();
    let tx = bench.ctx.db.begin().await.unwrap();
    let user = users::create(&tx, &bench.ctx, organization, "Ada@Example.test", hash).await.unwrap();
    tx.commit().await.unwrap();
    user
}

fn address(last: u8) -> IpAddr {
    IpAddr::from([192, 0, 2, last])
}

#[tokio::test]
async fn five_failures_close_an_account_for_a_quarter_of_an_hour() {
    let bench = Bench::new().await;
    let passwords = Passwords::new(2).unwrap();
    with_user(&bench, &passwords).await;
    let login =
        async |email: &str, password: &str, from| sign_in(&bench.ctx, &passwords, email, &password.into(), from).await;
    assert!(login("ada@example.test ", "correct horse", address(1)).await.is_ok());
    for from in 0..u8::try_from(PER_ACCOUNT).unwrap() {
        assert!(matches!(login("ada@example.test", "wrong", address(from)).await, Err(SignInError::Invalid)));
    }
    bench.clock.advance(MINUTE);
    let refused = login("ada@example.test", "correct horse", address(99)).await;
    assert!(matches!(refused, Err(SignInError::TooMany { retry_after_seconds: 840 })), "{refused:?}");
    bench.clock.advance(WINDOW);
    assert!(login("ada@example.test", "correct horse", address(99)).await.is_ok());
    // A success clears the count.
    for _ in 0..2 {
        for _ in 1..PER_ACCOUNT {
            assert!(matches!(login("ada@example.test", "wrong", address(50)).await, Err(SignInError::Invalid)));
        }
        assert!(login("ada@example.test", "correct horse", address(50)).await.is_ok());
    }
}

#[tokio::test]
async fn one_address_cannot_go_through_many_accounts() {
    let bench = Bench::new().await;
    let passwords = Passwords::new(2).unwrap();
    for n in 0..PER_ADDRESS {
        let guess = sign_in(&bench.ctx, &passwords, &format!("{n}@example.test"), &"wrong".into(), address(1)).await;
        assert!(matches!(guess, Err(SignInError::Invalid)));
    }
    let guess = sign_in(&bench.ctx, &passwords, "another@example.test", &"wrong".into(), address(1)).await;
    assert!(matches!(guess, Err(SignInError::TooMany { .. })));
    let guess = sign_in(&bench.ctx, &passwords, "another@example.test", &"wrong".into(), address(2)).await;
    assert!(matches!(guess, Err(SignInError::Invalid)));
}

#[tokio::test]
async fn sessions_end_unused_after_twelve_hours_and_used_after_seven_days() {
    let bench = Bench::new().await;
    let user = with_user(&bench, &Passwords::new(1).unwrap()).await;
    let begin = async || {
        let tx = bench.ctx.db.begin().await.unwrap();
        let token = sessions::create(&tx, &bench.ctx, user.id).await.unwrap();
        tx.commit().await.unwrap();
        token
    };
    let unused = begin().await;
    assert_eq!(sessions::find(&bench.ctx, &unused).await.unwrap().unwrap().user, user);
    bench.clock.advance(sessions::IDLE);
    assert!(sessions::find(&bench.ctx, &unused).await.unwrap().is_none());

    let used = begin().await;
    let mut hours = 0;
    while sessions::find(&bench.ctx, &used).await.unwrap().is_some() {
        bench.clock.advance(6 * HOUR);
        hours += 6;
    }
    assert_eq!(hours, 7 * 24);

    let ended = begin().await;
    let session = sessions::find(&bench.ctx, &ended).await.unwrap().unwrap().session;
    sessions::end(&bench.ctx, session.id).await.unwrap();
    assert!(sessions::find(&bench.ctx, &ended).await.unwrap().is_none());
    bench.clock.advance(DAY);
    assert_eq!(sessions::sweep(&bench.ctx, 100).await.unwrap(), 2);
}

#[tokio::test]
async fn a_session_token_is_no_other_sessions_csrf_token() {
    let bench = Bench::new().await;
    let user = with_user(&bench, &Passwords::new(1).unwrap()).await;
    let tx = bench.ctx.db.begin().await.unwrap();
    let one = sessions::create(&tx, &bench.ctx, user.id).await.unwrap();
    let two = sessions::create(&tx, &bench.ctx, user.id).await.unwrap();
    assert!(one.csrf_token_is(&one.csrf_token()));
    assert!(!one.csrf_token_is(&two.csrf_token()) && !one.csrf_token_is(one.expose()) && !one.csrf_token_is(""));
    assert!(!format!("{one:?}").contains(one.expose()));
    assert!(SessionToken::parse(one.expose()).is_some());
    for bad in ["", "short", "!", &"A".repeat(44)] {
        assert!(SessionToken::parse(bad).is_none(), "{bad}");
    }
}

#[tokio::test]
async fn keys_have_a_kind_scopes_and_an_end() {
    let bench = Bench::new().await;
    let shop = bench.organization("starter").await;
    let tx = bench.ctx.db.begin().await.unwrap();
    let make = async |organization, scopes: &[Scope], days: i64| {
        api_keys::create(&tx, &bench.ctx, organization, scopes, days * DAY).await
    };
    assert!(matches!(make(None, &[], 1).await, Err(ApiKeyError::NoScope)));
    assert!(matches!(make(None, &[Scope::InboxRead], 1).await, Err(ApiKeyError::WrongKind("inbox:read"))));
    assert!(matches!(make(Some(shop), &[Scope::JobsRead], 1).await, Err(ApiKeyError::WrongKind(_))));
    assert!(matches!(make(None, &[Scope::JobsRead], 91).await, Err(ApiKeyError::Lifetime)));
    let (operator, secret) = make(None, &[Scope::JobsRead], 1).await.unwrap();
    let (_, of_shop) = make(Some(shop), &[Scope::InboxRead, Scope::InboxWrite], 2).await.unwrap();
    tx.commit().await.unwrap();

    assert!(secret.expose_secret().starts_with("ra_op_") && of_shop.expose_secret().starts_with("ra_org_"));
    assert!(secret.expose_secret().starts_with(&operator.hint) && operator.hint.len() < 12);
    let found = api_keys::authenticate(&bench.ctx, of_shop.expose_secret()).await.unwrap().unwrap();
    assert_eq!((found.organization, found.scopes.as_slice()), (Some(shop), &[Scope::InboxRead, Scope::InboxWrite][..]));
    assert!(api_keys::authenticate(&bench.ctx, "ra_op_wrong").await.unwrap().is_none());
    bench.clock.advance(DAY);
    assert!(api_keys::authenticate(&bench.ctx, secret.expose_secret()).await.unwrap().is_none());
    assert!(api_keys::authenticate(&bench.ctx, of_shop.expose_secret()).await.unwrap().is_some());
}
