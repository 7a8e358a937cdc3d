//! Machines that answer each other: the shop's automatic reply, and customers that write back to whatever they get and on top
//! of that by the clock. A whole day of theirs costs the shop twenty messages.

use super::Talks;
use domain::clock::{HOUR, MINUTE};
use serde_json::json;

const MOST_OF_A_DAY: usize = 20;

#[tokio::test]
async fn two_bots_talk_for_a_day_and_the_shop_says_twenty_things() {
    let talks = Talks::new().await;
    let (echo, stubborn) = ("9100000001", "9100000002");
    let template = json!({ "mode": "template", "text": "Thanks, {{contact.name|friend}}, we will answer soon!" });
    let model = json!({ "mode": "ai", "text": "We will answer soon.", "instructions": "Open from nine to six." });
    for (account, reply) in [(&talks.instagram, template), (&talks.page, model)] {
        talks.done("PUT", &format!("/api/meta/connections/{}/auto-reply", account.id), reply).await;
    }
    for (account, customer) in [(&talks.instagram, echo), (&talks.page, echo), (&talks.instagram, stubborn)] {
        let mut bot = json!({ "accountId": account.external_id, "customerId": customer });
        if customer == stubborn {
            bot["text"] = json!("I am a machine.");
        }
        talks.logins.control("/sandbox/bots", bot).await;
    }
    let mut first = 0;
    for step in 0..(24 * HOUR / (10 * MINUTE)) {
        for account in [&talks.instagram, &talks.page] {
            talks.dm(account, echo, json!({ "text": format!("Anybody there? {step}") })).await;
        }
        talks.dm(&talks.instagram, stubborn, json!({ "text": "I am a machine." })).await;
        if step == 0 {
            first = talks.sent(&talks.page, echo).await.len();
        }
        talks.logins.advance(10 * MINUTE).await;
    }
    assert_eq!(first, MOST_OF_A_DAY, "as fast as they can");
    for account in [&talks.instagram, &talks.page] {
        assert_eq!(talks.sent(account, echo).await.len(), MOST_OF_A_DAY);
    }
    let said = talks.sent(&talks.instagram, stubborn).await.len();
    assert!((1..MOST_OF_A_DAY).contains(&said), "who says the same over and over is answered less: {said}");

    let skipped = talks.logins.jobs("reply.auto").await;
    let because = |why: &str| skipped.iter().any(|job| job.result.as_deref().is_some_and(|text| text.contains(why)));
    for why in ["too_many_replies", "same_text_again"] {
        assert!(because(why), "nothing was skipped for {why}");
    }

    // The next day both may speak again.
    talks.logins.advance(24 * HOUR).await;
    talks.dm(&talks.instagram, echo, json!({ "text": "Good morning!" })).await;
    assert!(talks.sent(&talks.instagram, echo).await.len() > MOST_OF_A_DAY);
    talks.stop().await;
}
