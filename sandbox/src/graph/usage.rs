//! Usage headers: absent at first, then in percent, with the minutes to wait when the budget is spent.
//! The percentages rise slowly and stay under what careful clients take as a sign to stop.

use serde_json::{Map, json};

use crate::world::World;

type Headers = Vec<(&'static str, String)>;

/// The most that is shown while nothing is throttled.
const CALM: u64 = 70;

/// Counts a call; headers once there have been enough.
pub(crate) fn count(world: &mut World, account: usize) -> Option<Headers> {
    let after = world.config.usage_headers_after;
    // A reset may have come between the call and its answer.
    let state = world.accounts.try_get_mut(account)?;
    state.calls += 1;
    let beyond = state.calls.checked_sub(after).filter(|beyond| *beyond > 0)?;
    Some(headers(world, account, (1 + beyond / 100).min(CALM), 0))
}

/// The headers at that percentage.
pub(crate) fn headers(world: &World, account: usize, percent: u64, minutes: u64) -> Headers {
    let Some(account) = world.accounts.all().get(account) else { return Headers::new() };
    let kind = if account.is_instagram() { "instagram" } else { "messenger" };
    both(&account.id, kind, percent, minutes)
}

/// The same for a call that concerns no account: a list of Pages, say.
pub(crate) fn of_app(world: &World, percent: u64, minutes: u64) -> Headers {
    both(&world.config.meta_app_id, "pages", percent, minutes)
}

fn both(id: &str, kind: &str, percent: u64, minutes: u64) -> Headers {
    let time = percent.min(25);
    let app = json!({"call_count": percent, "total_time": time, "total_cputime": time});
    let business = json!([{
        "type": kind, "call_count": percent, "total_cputime": time, "total_time": time,
        "estimated_time_to_regain_access": minutes,
    }]);
    let by_account: Map<_, _> = [(id.to_owned(), business)].into_iter().collect();
    vec![
        ("x-app-usage", app.to_string()),
        ("x-business-use-case-usage", serde_json::Value::Object(by_account).to_string()),
    ]
}
