//! When Meta lets a business write: 24 hours after the customer's last message, and for seven days what a person types, where
//! the operator's app has the Human Agent feature. It is decided when a message leaves, not when it was written.

use crate::clock::{DAY, HOUR, Millis};
use entities::conversation;

/// After the customer's last message anybody may answer for this long.
pub const WINDOW: Millis = 24 * HOUR;
/// And a person for this long.
pub const HUMAN_AGENT: Millis = 7 * DAY;

/// What Meta is told a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leave {
    /// An answer.
    Response,
    /// A person's answer, after the window.
    HumanAgent,
}

/// Leave to write, and until when it holds.
pub type Granted = (Leave, Millis);

/// When Meta's window closes; `None` when it never opened.
pub fn closes_at(conversation: &conversation::Model) -> Option<Millis> {
    conversation.last_inbound_at.map(|at| at.saturating_add(WINDOW))
}

/// Leave to write now, or a sentence that says why not. `by_hand`: a person typed it just now; `human_agent`: the app has that
/// feature.
pub fn judge(
    last_inbound_at: Option<Millis>,
    now: Millis,
    by_hand: bool,
    human_agent: bool,
) -> Result<Granted, &'static str> {
    let Some(at) = last_inbound_at else {
        return Err("The customer has not written yet, so Meta does not let a message be sent.");
    };
    let (closes, ends) = (at.saturating_add(WINDOW), at.saturating_add(HUMAN_AGENT));
    match (by_hand, human_agent) {
        _ if now < closes => Ok((Leave::Response, if by_hand && human_agent { ends } else { closes })),
        (true, true) if now < ends => Ok((Leave::HumanAgent, ends)),
        (true, true) => Err("More than seven days have passed since the customer's last message."),
        (false, true) if now < ends => Err(
            "More than 24 hours have passed since the customer's last message; only what a person types can be sent now.",
        ),
        _ => Err("More than 24 hours have passed since the customer's last message."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_write_when() {
        let wrote = Some(1_000);
        let (day, week) = (1_000 + WINDOW, 1_000 + HUMAN_AGENT);
        assert!(judge(None, 1_000, true, true).is_err());
        for (now, by_hand, human_agent, expected) in [
            (1_000, false, false, Some((Leave::Response, day))),
            (day - 1, false, true, Some((Leave::Response, day))),
            (day - 1, true, true, Some((Leave::Response, week))),
            (day, false, false, None),
            (day, true, false, None),
            (day, false, true, None),
            (day, true, true, Some((Leave::HumanAgent, week))),
            (week - 1, true, true, Some((Leave::HumanAgent, week))),
            (week, true, true, None),
        ] {
            assert_eq!(judge(wrote, now, by_hand, human_agent).ok(), expected, "{now} {by_hand} {human_agent}");
        }
    }
}
