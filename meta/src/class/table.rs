//! The error-class table: every rule about Meta's errors, in the order in which it is read (fact sheet §8.2).
//! Help texts, job policies and the console all draw on it, so a new insight about Meta is one new row here.

use super::ErrorClass::*;
use super::Operation;
use super::Operation::*;
use super::rule::{ANY, Http, Rule};
use crate::error::Cause;

/// Whatever may be repeated without harm: all but sends and code exchanges.
const REPEATABLE: &[Operation] = &[
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
    ReadApp,
];
/// Limits of the app, the user, the Page, an edge, and of one use case (§7.3).
const RATE: &[i64] =
    &[4, 17, 32, 341, 613, 80000, 80001, 80002, 80003, 80004, 80005, 80006, 80007, 80008, 80009, 80014];

/// What Meta says of a token that is worth nothing any more (§8.2 row 4); other refusals lack a permission.
pub const DEAD_TOKEN: &[i64] = &[190, 102, 104, 450, 452, 2500];

/// The table. The first rule that applies decides.
pub const RULES: &[Rule] = &[
    // --- nothing was written: safe to repeat, whatever it was (§8.2 row 1) ---
    ANY.cause(&[Cause::Connect])
        .means(Transient, "Meta could not be reached; nothing was sent, and it is tried again."),
    // --- sends: what may have been sent is never repeated ---
    ANY.at(&[Send])
        .cause(&[Cause::Timeout, Cause::Interrupted, Cause::NotJson])
        .means(UnknownOutcome, "Meta's answer was lost or unreadable; the message may have been sent."),
    ANY.at(&[Send])
        .http(Http::NotAnAnswer)
        .means(UnknownOutcome, "Meta failed while sending; the message may have been sent."),
    ANY.at(&[Send])
        .codes(&[1, 2])
        .means(UnknownOutcome, "Meta reports an unknown error; the message may have been sent."),
    // --- code exchange: the code is spent, so nothing is repeated (row 2, §2.1, §2.4) ---
    ANY.at(&[CodeExchange])
        .codes(&[1, 101, 191])
        .means(AppConfiguration, "App id, app secret or redirect address differ from what Meta has on file."),
    ANY.at(&[CodeExchange])
        .subcodes(&[36008])
        .means(AppConfiguration, "The redirect address differs from the one the login started with."),
    ANY.at(&[CodeExchange])
        .text("redirect_uri is identical")
        .means(AppConfiguration, "The redirect address differs from the one the login started with."),
    ANY.at(&[CodeExchange]).text("client secret").means(AppConfiguration, "Meta does not accept the app secret."),
    ANY.at(&[CodeExchange])
        .text("invalid platform app")
        .means(AppConfiguration, "Meta does not know the app id; it must be the Instagram app's own id."),
    ANY.at(&[CodeExchange])
        .means(LoginRestart, "The login did not complete, and its code works only once; start it again."),
    // --- our app, whoever the account belongs to ---
    ANY.at(&[TokenExchange])
        .codes(&[1])
        .text("client secret")
        .means(AppConfiguration, "Meta does not accept the app secret."),
    ANY.codes(&[101, 191]).means(AppConfiguration, "Meta does not know the app id or the redirect address."),
    ANY.codes(&[100])
        .text("appsecret_proof")
        .means(AppConfiguration, "Meta does not accept the proof of the app secret; check the app secret."),
    ANY.at(&[DebugToken, ReadApp])
        .codes(&[190])
        .means(AppConfiguration, "Meta does not accept our own app id and secret."),
    // --- rate limits first: Meta marks some as transient, but they need a longer wait (row 11 before row 3) ---
    ANY.codes(RATE).means(RateLimited, "Meta's rate limit is reached; it goes on when Meta allows it again."),
    ANY.at(&[Send])
        .http(Http::Range(400, 499))
        .transient()
        .means(Transient, "Meta reports a passing failure; it is tried again."),
    ANY.at(REPEATABLE).transient().means(Transient, "Meta reports a passing failure; it is tried again."),
    // --- the token (row 4 with all subcodes of §2.7, row 5) ---
    ANY.codes(&[190]).subcodes(&[458]).means(Reconnect, "The app was removed at Meta; connect the account again."),
    ANY.codes(&[190])
        .subcodes(&[459, 464, 490])
        .means(Reconnect, "Log in at facebook.com and follow Meta's request there, then connect again."),
    ANY.codes(&[190]).subcodes(&[460]).means(Reconnect, "The owner's password was changed; connect the account again."),
    ANY.codes(&[190]).subcodes(&[463]).means(Reconnect, "The access has expired; connect the account again."),
    ANY.codes(&[190])
        .subcodes(&[492])
        .means(Reconnect, "Who connected the Page has lost the role on it; connect with one who has it."),
    ANY.codes(DEAD_TOKEN).means(Reconnect, "Meta no longer accepts the access; connect the account again."),
    ANY.at(&[TokenRefresh])
        .codes(&[100])
        .kind("IGApiException")
        .text("unsupported request")
        .means(Reconnect, "The access cannot be renewed; connect the account again."),
    // --- the window and the person (rows 6 and 7) ---
    ANY.codes(&[10])
        .subcodes(&[2534022, 2018278, 2018065])
        .means(WindowClosed, "The time to answer is over (or the app lacks access); the person must write."),
    ANY.codes(&[10]).subcodes(&[2018108]).means(RecipientUnavailable, "The person cannot receive messages right now."),
    ANY.codes(&[551]).means(RecipientUnavailable, "The person is not available, or has blocked the account."),
    ANY.codes(&[200])
        .subcodes(&[1545041])
        .means(RecipientUnavailable, "The person is not available, or has blocked the account."),
    // --- the account (rows 8 and 9) ---
    ANY.codes(&[10])
        .subcodes(&[1893063])
        .means(AccountRestricted, "Meta has restricted the Page for some time; see its support inbox."),
    ANY.codes(&[100])
        .subcodes(&[2534029])
        .means(AccountRestricted, "Meta has barred the Instagram account from messaging through apps."),
    ANY.codes(&[368]).means(AccountRestricted, "Meta has blocked the account for some time for breaking its rules."),
    ANY.codes(&[10])
        .subcodes(&[2534077])
        .means(OwnerAction, "Link account and Page again and set up two-factor login; Meta cannot verify it."),
    ANY.codes(&[200])
        .subcodes(&[2534041])
        .means(OwnerAction, "Switch on \"Allow access to messages\" in the Instagram app."),
    ANY.codes(&[100])
        .subcodes(&[2534013])
        .means(OwnerAction, "Link the Instagram account to the Page in the Page's settings."),
    ANY.codes(&[2]).subcodes(&[2018344]).means(OwnerAction, "The owner must accept Meta's terms for messaging first."),
    // --- permissions (row 10). 230 lies in the range of permissions, but is about one person (row 13) ---
    ANY.codes(&[230]).means(Permanent, "The profile can be read only after the person has written."),
    ANY.codes(&[200])
        .subcodes(&[2018028])
        .means(Reconnect, "The permission is not live: connect again, or have Meta approve the app."),
    ANY.codes(&[10]).means(Reconnect, "A permission is missing; connect the account again."),
    ANY.code_range(200, 299).means(Reconnect, "A permission is missing; connect the account again."),
    ANY.codes(&[1]).subcodes(&[99]).means(Reconnect, "A permission is missing; connect the account again."),
    ANY.codes(&[3]).means(AppConfiguration, "The app lacks the capability (Advanced Access) for this call."),
    // --- rate limit by status alone (row 11) ---
    ANY.http(Http::Range(429, 429))
        .means(RateLimited, "Meta's rate limit is reached; it goes on when Meta allows it again."),
    // --- no use of the answer (rows 1 and 12); sends never come here ---
    ANY.cause(&[Cause::Timeout, Cause::Interrupted, Cause::NotJson])
        .means(Transient, "Meta gave no usable answer; it is tried again."),
    ANY.codes(&[1, 2]).means(Transient, "Meta reports a passing failure; it is tried again."),
    // --- what is wrong with this one message or person (row 13) ---
    ANY.codes(&[100]).subcodes(&[2018001, 2534014]).means(Permanent, "Meta knows no such person for this account."),
    ANY.codes(&[9010]).means(Permanent, "Meta knows no such Instagram user."),
    ANY.codes(&[100]).subcodes(&[2534037, 2018300]).means(Permanent, "Another app controls the conversation."),
    ANY.codes(&[2018300]).means(Permanent, "Another app controls the conversation."),
    ANY.codes(&[100]).subcodes(&[2534025]).means(Permanent, "The comment can no longer be answered in private."),
    ANY.codes(&[100])
        .subcodes(&[2018008, 2018047, 2018109, 2018294])
        .means(Permanent, "Meta could not fetch the file, or does not take its type or size."),
    ANY.codes(&[100]).subcodes(&[33]).means(Permanent, "The object does not exist, or may not be seen."),
    ANY.codes(&[100]).means(Permanent, "Meta refuses the request as it stands (text, recipient or parameter)."),
    ANY.codes(&[36103]).means(Permanent, "The Instagram account is not eligible for messaging through apps."),
    ANY.codes(&[9000001]).means(Permanent, "The message was deleted."),
    ANY.code_range(2018320, 2018399).means(Permanent, "Meta refuses this message."),
    // --- anything else (row 14) ---
    ANY.at(&[Send])
        .http(Http::Range(200, 299))
        .means(UnknownOutcome, "Meta answered success with an unknown error; the message may have been sent."),
    ANY.http(Http::Range(500, 599)).means(Transient, "Meta reports a failure of its own; it is tried again."),
    ANY.means(Permanent, "Meta refuses the request; its trace id is in the record."),
];
