//! The error-class table: every rule about Meta's errors, in the order in which it is read (fact sheet §8.2).
//! Help texts, job policies and the console all draw on it, so a new insight about Meta is one new row here.

use super::ErrorClass::*;
use super::Operation::*;
use super::{Codes, Http, Operation, Rule};
use crate::error::Cause;

const GRANTS: &[Operation] = &[CodeExchange, TokenExchange];
/// Limits of the app, the user, the Page, an edge, and of one use case (§7.3).
const RATE: Codes = Codes::Of(&[
    4, 17, 32, 341, 613, 80000, 80001, 80002, 80003, 80004, 80005, 80006, 80007, 80008, 80009,
    80014,
]);

/// The table. The first rule that applies decides.
pub const RULES: &[Rule] = &[
    // --- nothing was written: safe to repeat, whatever it was (§8.2 row 1) ---
    Rule {
        causes: &[Cause::Connect],
        ..Rule::new(
            Transient,
            "Meta could not be reached; nothing was sent, and it is tried again.",
        )
    },
    // --- sends: what may have been sent is never repeated ---
    Rule {
        operations: &[Send],
        causes: &[Cause::Timeout, Cause::Interrupted, Cause::NotJson],
        ..Rule::new(
            UnknownOutcome,
            "Meta's answer was lost or unreadable; the message may have been sent.",
        )
    },
    Rule {
        operations: &[Send],
        http: Http::NotAnAnswer,
        ..Rule::new(
            UnknownOutcome,
            "Meta failed while sending; the message may have been sent.",
        )
    },
    Rule {
        operations: &[Send],
        codes: Codes::Of(&[1, 2]),
        ..Rule::new(
            UnknownOutcome,
            "Meta reports an unknown error; the message may have been sent.",
        )
    },
    // --- code exchange: the code is spent, so nothing is repeated (row 2, §2.1, §2.4) ---
    Rule {
        operations: &[CodeExchange],
        codes: Codes::Of(&[1, 101, 191]),
        ..Rule::new(
            AppConfiguration,
            "App id, app secret or redirect address do not fit what is set up at Meta.",
        )
    },
    Rule {
        operations: &[CodeExchange],
        subcodes: &[36008],
        ..Rule::new(
            AppConfiguration,
            "The redirect address differs from the one the login started with.",
        )
    },
    Rule {
        operations: &[CodeExchange],
        text: Some("redirect_uri is identical"),
        ..Rule::new(
            AppConfiguration,
            "The redirect address differs from the one the login started with.",
        )
    },
    Rule {
        operations: &[CodeExchange],
        text: Some("invalid platform app"),
        ..Rule::new(
            AppConfiguration,
            "Meta does not know the app id; it must be the Instagram app's own id.",
        )
    },
    Rule {
        operations: &[CodeExchange],
        ..Rule::new(
            LoginRestart,
            "The login could not be completed, and its code works only once; start it again.",
        )
    },
    // --- our app, whoever the account belongs to ---
    Rule {
        operations: GRANTS,
        codes: Codes::Of(&[1]),
        text: Some("client secret"),
        ..Rule::new(AppConfiguration, "Meta does not accept the app secret.")
    },
    Rule {
        codes: Codes::Of(&[101, 191]),
        ..Rule::new(
            AppConfiguration,
            "Meta does not know the app id or the redirect address.",
        )
    },
    Rule {
        codes: Codes::Of(&[100]),
        text: Some("appsecret_proof"),
        ..Rule::new(
            AppConfiguration,
            "Meta does not accept the proof of the app secret; check the app secret.",
        )
    },
    Rule {
        operations: &[DebugToken],
        codes: Codes::Of(&[190]),
        ..Rule::new(
            AppConfiguration,
            "Meta does not accept our own app id and secret.",
        )
    },
    // --- rate limits first: Meta marks some as transient, but they need a longer wait (row 11 before row 3) ---
    Rule {
        codes: RATE,
        ..Rule::new(
            RateLimited,
            "Meta's rate limit is reached; it goes on when Meta allows it again.",
        )
    },
    Rule {
        transient: Some(true),
        http: Http::Range(400, 599),
        ..Rule::new(
            Transient,
            "Meta reports a passing failure; it is tried again.",
        )
    },
    Rule {
        operations: &[
            TokenExchange,
            TokenRefresh,
            ReadAccounts,
            ReadProfile,
            ReadConversation,
            ReadPermissions,
            ReadSubscription,
            Subscribe,
            Unsubscribe,
            DebugToken,
            Revoke,
        ],
        transient: Some(true),
        ..Rule::new(
            Transient,
            "Meta reports a passing failure; it is tried again.",
        )
    },
    // --- the token (row 4 with all subcodes of §2.7, row 5) ---
    Rule {
        codes: Codes::Of(&[190]),
        subcodes: &[458],
        ..Rule::new(
            Reconnect,
            "The app was removed at Meta; connect the account again.",
        )
    },
    Rule {
        codes: Codes::Of(&[190]),
        subcodes: &[459, 464, 490],
        ..Rule::new(
            Reconnect,
            "Meta wants the owner to confirm the account at facebook.com first, then to connect again.",
        )
    },
    Rule {
        codes: Codes::Of(&[190]),
        subcodes: &[460],
        ..Rule::new(
            Reconnect,
            "The owner's password was changed; connect the account again.",
        )
    },
    Rule {
        codes: Codes::Of(&[190]),
        subcodes: &[463],
        ..Rule::new(
            Reconnect,
            "The access has expired; connect the account again.",
        )
    },
    Rule {
        codes: Codes::Of(&[190]),
        subcodes: &[492],
        ..Rule::new(
            Reconnect,
            "The person who connected the Page has lost the role on it; connect it again with one who has it.",
        )
    },
    Rule {
        codes: Codes::Of(&[190, 102, 104, 450, 452, 2500]),
        ..Rule::new(
            Reconnect,
            "Meta no longer accepts the access; connect the account again.",
        )
    },
    Rule {
        operations: &[TokenRefresh],
        codes: Codes::Of(&[100]),
        kind: Some("IGApiException"),
        text: Some("unsupported request"),
        ..Rule::new(
            Reconnect,
            "The access cannot be renewed; connect the account again.",
        )
    },
    // --- the window and the person (rows 6 and 7) ---
    Rule {
        codes: Codes::Of(&[10]),
        subcodes: &[2534022, 2018278, 2018065],
        ..Rule::new(
            WindowClosed,
            "The time to answer is over (or the app lacks Advanced Access); the person must write first.",
        )
    },
    Rule {
        codes: Codes::Of(&[10]),
        subcodes: &[2018108],
        ..Rule::new(
            RecipientUnavailable,
            "The person cannot receive messages right now.",
        )
    },
    Rule {
        codes: Codes::Of(&[551]),
        ..Rule::new(
            RecipientUnavailable,
            "The person is not available, or has blocked the account.",
        )
    },
    Rule {
        codes: Codes::Of(&[200]),
        subcodes: &[1545041],
        ..Rule::new(
            RecipientUnavailable,
            "The person is not available, or has blocked the account.",
        )
    },
    // --- the account (rows 8 and 9) ---
    Rule {
        codes: Codes::Of(&[10]),
        subcodes: &[1893063],
        ..Rule::new(
            AccountRestricted,
            "Meta has restricted the Page for some time; see its support inbox.",
        )
    },
    Rule {
        codes: Codes::Of(&[100]),
        subcodes: &[2534029],
        ..Rule::new(
            AccountRestricted,
            "Meta has barred the Instagram account from messaging through apps.",
        )
    },
    Rule {
        codes: Codes::Of(&[368]),
        ..Rule::new(
            AccountRestricted,
            "Meta has blocked the account for some time for breaking its rules.",
        )
    },
    Rule {
        codes: Codes::Of(&[10]),
        subcodes: &[2534077],
        ..Rule::new(
            OwnerAction,
            "Meta cannot verify the link of account, Page and person; link them again and set up two-factor login.",
        )
    },
    Rule {
        codes: Codes::Of(&[200]),
        subcodes: &[2534041],
        ..Rule::new(
            OwnerAction,
            "Switch on \"Allow access to messages\" in the Instagram app, under connected tools.",
        )
    },
    Rule {
        codes: Codes::Of(&[100]),
        subcodes: &[2534013],
        ..Rule::new(
            OwnerAction,
            "The Page is not linked to the Instagram account; link them in the Page's settings.",
        )
    },
    Rule {
        codes: Codes::Of(&[2]),
        subcodes: &[2018344],
        ..Rule::new(
            OwnerAction,
            "The owner must accept Meta's terms for messaging first.",
        )
    },
    // --- permissions (row 10). 230 lies in the range of permissions, but is about one person (row 13) ---
    Rule {
        codes: Codes::Of(&[230]),
        ..Rule::new(
            Permanent,
            "The profile can be read only after the person has written.",
        )
    },
    Rule {
        codes: Codes::Of(&[200]),
        subcodes: &[2018028],
        ..Rule::new(
            Reconnect,
            "The permission is not live: connect again, or have Meta approve the app for everyone.",
        )
    },
    Rule {
        codes: Codes::Of(&[10]),
        ..Rule::new(
            Reconnect,
            "A permission is missing; connect the account again.",
        )
    },
    Rule {
        codes: Codes::Range(200, 299),
        ..Rule::new(
            Reconnect,
            "A permission is missing; connect the account again.",
        )
    },
    Rule {
        codes: Codes::Of(&[1]),
        subcodes: &[99],
        ..Rule::new(
            Reconnect,
            "A permission is missing; connect the account again.",
        )
    },
    Rule {
        codes: Codes::Of(&[3]),
        ..Rule::new(
            AppConfiguration,
            "The app lacks the capability (Advanced Access) for this call.",
        )
    },
    // --- rate limit by status alone (row 11) ---
    Rule {
        http: Http::Range(429, 429),
        ..Rule::new(
            RateLimited,
            "Meta's rate limit is reached; it goes on when Meta allows it again.",
        )
    },
    // --- no use of the answer (rows 1 and 12); sends never come here ---
    Rule {
        causes: &[Cause::Timeout, Cause::Interrupted, Cause::NotJson],
        ..Rule::new(Transient, "Meta gave no usable answer; it is tried again.")
    },
    Rule {
        codes: Codes::Of(&[1, 2]),
        ..Rule::new(
            Transient,
            "Meta reports a passing failure; it is tried again.",
        )
    },
    // --- what is wrong with this one message or person (row 13) ---
    Rule {
        codes: Codes::Of(&[100]),
        subcodes: &[2018001, 2534014],
        ..Rule::new(Permanent, "Meta knows no such person for this account.")
    },
    Rule {
        codes: Codes::Of(&[9010]),
        ..Rule::new(Permanent, "Meta knows no such Instagram user.")
    },
    Rule {
        codes: Codes::Of(&[100]),
        subcodes: &[2534037, 2018300],
        ..Rule::new(Permanent, "Another app controls the conversation.")
    },
    Rule {
        codes: Codes::Of(&[2018300]),
        ..Rule::new(Permanent, "Another app controls the conversation.")
    },
    Rule {
        codes: Codes::Of(&[100]),
        subcodes: &[2534025],
        ..Rule::new(
            Permanent,
            "The comment can no longer be answered in private.",
        )
    },
    Rule {
        codes: Codes::Of(&[100]),
        subcodes: &[2018008, 2018047, 2018109, 2018294],
        ..Rule::new(
            Permanent,
            "Meta could not fetch the file, or does not take its type or size.",
        )
    },
    Rule {
        codes: Codes::Of(&[100]),
        subcodes: &[33],
        ..Rule::new(Permanent, "The object does not exist, or may not be seen.")
    },
    Rule {
        codes: Codes::Of(&[100]),
        ..Rule::new(
            Permanent,
            "Meta refuses the request as it stands (text, recipient or parameter).",
        )
    },
    Rule {
        codes: Codes::Of(&[36103]),
        ..Rule::new(
            Permanent,
            "The Instagram account is not eligible for messaging through apps.",
        )
    },
    Rule {
        codes: Codes::Of(&[9000001]),
        ..Rule::new(Permanent, "The message was deleted.")
    },
    Rule {
        codes: Codes::Range(2018320, 2018399),
        ..Rule::new(Permanent, "Meta refuses this message.")
    },
    // --- anything else (row 14) ---
    Rule {
        operations: &[Send],
        http: Http::Range(200, 299),
        ..Rule::new(
            UnknownOutcome,
            "Meta's answer says both success and an unknown error; the message may have been sent.",
        )
    },
    Rule {
        http: Http::Range(500, 599),
        ..Rule::new(
            Transient,
            "Meta reports a failure of its own; it is tried again.",
        )
    },
    Rule::new(
        Permanent,
        "Meta refuses the request; its trace id is in the record.",
    ),
];
