//! Faults that strike before a send is accepted, as errors.
//! Those that are not errors of Graph (hangs, HTML) are left to the caller.

use crate::{
    faults::Fired,
    world::{World, tokens::Problem},
};

use super::error::GraphError;

/// The error a fault stands for, if it is one.
pub(crate) fn error(world: &World, account: usize, fault: &Fired) -> Option<GraphError> {
    let account = world.accounts.get(account);
    let instagram = account.is_instagram();
    let code = || u32::try_from(fault.number("code")).unwrap_or(2);
    Some(match fault.name {
        "rate_limit" => GraphError::throttled(400, code()),
        "http_429" => GraphError::throttled(429, code()),
        "token_revoked" => GraphError::revoked(),
        "token_expired" => {
            let now = world.clock.now();
            GraphError::dead(Problem::Expired(now - 3_600_000), now)
        }
        "permission_lost" => {
            let permission = if instagram { "instagram_business_manage_messages" } else { "pages_messaging" };
            GraphError::permission(permission)
        }
        "account_restricted" => {
            GraphError::new(403, 10, "(#10) This account is temporarily restricted.").sub(1_893_063)
        }
        "recipient_unavailable" => {
            GraphError::new(400, 551, "(#551) This person isn't available right now.").sub(1_545_041)
        }
        "window_closed_false" => GraphError::window(instagram),
        "capability" => GraphError::capability(),
        "transient" => GraphError::transient(),
        "code1" => GraphError::new(500, 1, "An unknown error occurred"),
        "error_in_200" => {
            let mut error = GraphError::transient();
            error.status = 200;
            error.code = code();
            error.transient = error.code == 2;
            error
        }
        _ => return None,
    })
}
