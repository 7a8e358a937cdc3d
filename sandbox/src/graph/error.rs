//! Graph errors with the numbers, types and HTTP statuses Meta uses.
//! Clients branch on the numbers, so each stands here once, by what it means.

use serde_json::{Value, json};

use crate::{clock::session_time, faults::Fired, world::tokens::Problem};

/// A refusal in Graph's envelope.
#[derive(Debug, Clone)]
pub(crate) struct GraphError {
    pub(crate) status: u16,
    pub(crate) code: u32,
    pub(crate) subcode: Option<u32>,
    pub(crate) kind: &'static str,
    pub(crate) message: String,
    pub(crate) transient: bool,
}

const WINDOW: &str = "(#10) This message is sent outside of allowed window.";
const POLICY: &str =
    " Learn more about the new policy here: https://developers.facebook.com/docs/messenger-platform/policy-overview";

impl GraphError {
    pub(crate) fn new(status: u16, code: u32, message: impl Into<String>) -> Self {
        Self { status, code, subcode: None, kind: "OAuthException", message: message.into(), transient: false }
    }

    pub(crate) fn sub(mut self, subcode: u32) -> Self {
        self.subcode = Some(subcode);
        self
    }

    fn kind(mut self, kind: &'static str) -> Self {
        self.kind = kind;
        self
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(400, 100, message)
    }

    pub(crate) fn unknown_token() -> Self {
        Self::new(400, 190, "Invalid OAuth access token - Cannot parse access token")
    }

    pub(crate) fn no_token(me: bool) -> Self {
        if me {
            let text = "An active access token must be used to query information about the current user.";
            return Self::new(400, 2500, text);
        }
        Self::new(400, 104, "An access token is required to request this resource.")
    }

    pub(crate) fn revoked() -> Self {
        let text = "Error validating access token: The session has been invalidated because the user changed their \
                    password or Facebook has changed the session for security reasons.";
        Self::new(400, 190, text).sub(460)
    }

    pub(crate) fn expired(at: &str, now: &str) -> Self {
        let text = format!("Error validating access token: Session has expired on {at}. The current time is {now}.");
        Self::new(400, 190, text).sub(463)
    }

    /// A token that once was valid.
    pub(crate) fn dead(problem: Problem, now: i64) -> Self {
        match problem {
            Problem::PasswordChanged => Self::revoked(),
            Problem::Expired(at) => Self::expired(&session_time(at), &session_time(now)),
            Problem::AppRemoved => Self::app_removed(),
            Problem::RoleLost => {
                let text = "Error validating access token: The user must be an administrator, editor, or moderator of \
                            the page in order to impersonate it.";
                Self::new(400, 190, text).sub(492)
            }
        }
    }

    pub(crate) fn app_removed() -> Self {
        let text = "Error validating access token: The user has not authorized application.";
        Self::new(400, 190, text).sub(458)
    }

    pub(crate) fn checkpoint() -> Self {
        let text = "Error validating access token: The user must log in at www.facebook.com to proceed.";
        Self::new(400, 190, text).sub(459)
    }

    pub(crate) fn app_token_wrong() -> Self {
        Self::new(400, 190, "Invalid OAuth access token signature.")
    }

    /// A user token where only a Page token will do.
    pub(crate) fn page_token_required() -> Self {
        Self::new(400, 210, "(#210) A page access token is required to request this resource.")
    }

    pub(crate) fn permission(name: &str) -> Self {
        Self::new(403, 10, format!("(#10) Requires {name} permission to manage the object"))
    }

    pub(crate) fn task_missing(task: &str) -> Self {
        let text =
            format!("(#200) User does not have sufficient administrative permission: the task {task} is missing");
        Self::new(403, 200, text)
    }

    pub(crate) fn code_used() -> Self {
        Self::invalid("This authorization code has been used.").sub(36_009)
    }

    pub(crate) fn code_expired() -> Self {
        Self::invalid("This authorization code has expired.").sub(36_007)
    }

    pub(crate) fn code_unknown() -> Self {
        Self::invalid("Invalid verification code format.")
    }

    pub(crate) fn redirect_differs() -> Self {
        let text = "Error validating verification code. Please make sure your redirect_uri is identical to the one you \
                    used in the OAuth dialog request";
        Self::invalid(text).sub(36_008)
    }

    pub(crate) fn redirect_not_allowed() -> Self {
        let text = "Can't Load URL: The domain of this URL isn't included in the app's domains.";
        Self::new(400, 191, text)
    }

    pub(crate) fn client_secret() -> Self {
        Self::new(400, 1, "Error validating client secret.")
    }

    pub(crate) fn unknown_app() -> Self {
        Self::new(400, 101, "Error validating application. Invalid application ID.")
    }

    /// What Instagram says to a token of the wrong kind, and to a wrong method.
    pub(crate) fn unsupported(method: &str) -> Self {
        let text = format!("Unsupported request - method type: {}", method.to_ascii_lowercase());
        Self::invalid(text).kind("IGApiException")
    }

    pub(crate) fn too_young() -> Self {
        Self::invalid("The access token must be at least 24 hours old to be refreshed")
    }

    pub(crate) fn other_app() -> Self {
        Self::invalid("(#100) The App_id in the input_token did not match the Viewing App")
    }

    pub(crate) fn not_verified(why: &str) -> Self {
        let text = format!("(#2200) Callback verification failed with the following errors: {why}");
        Self::new(400, 2200, text)
    }

    pub(crate) fn parameter_required(name: &str) -> Self {
        Self::invalid(format!("(#100) The parameter {name} is required."))
    }

    /// The challenge in `WWW-Authenticate`, when there is one.
    pub(crate) fn challenge(&self) -> Option<&'static str> {
        match (self.code, self.subcode) {
            (190, _) => Some("invalid_token"),
            (100, Some(36_007..=36_009)) => Some("invalid_code"),
            _ => None,
        }
    }

    pub(crate) fn proof_missing() -> Self {
        let text = "API calls from the server require an appsecret_proof argument";
        Self::invalid(text).kind("GraphMethodException")
    }

    pub(crate) fn proof_wrong() -> Self {
        let text = "Invalid appsecret_proof provided in the API argument";
        Self::invalid(text).kind("GraphMethodException")
    }

    pub(crate) fn capability() -> Self {
        Self::new(400, 3, "(#3) Application does not have the capability to make this API call.")
    }

    pub(crate) fn no_such_object(id: &str) -> Self {
        let text = format!(
            "Unsupported get request. Object with ID '{id}' does not exist, cannot be loaded due to missing permissions, \
             or does not support this operation. Please read the Graph API documentation at \
             https://developers.facebook.com/docs/graph-api"
        );
        Self::invalid(text).kind("GraphMethodException").sub(33)
    }

    pub(crate) fn unknown_path(path: &str) -> Self {
        Self::new(400, 2500, format!("Unknown path components: {path}"))
    }

    pub(crate) fn unsupported_post() -> Self {
        Self::invalid("Unsupported post request.").kind("GraphMethodException").sub(33)
    }

    pub(crate) fn unknown_recipient(instagram: bool) -> Self {
        let error = Self::invalid("(#100) No matching user found");
        error.sub(if instagram { 2_534_014 } else { 2_018_001 })
    }

    pub(crate) fn invalid_message(instagram: bool, message: &str) -> Self {
        let error = Self::invalid(message);
        if instagram { error.sub(2_534_015) } else { error }
    }

    /// Another app owns the conversation.
    pub(crate) fn not_thread_owner(instagram: bool) -> Self {
        let error = Self::invalid("(#100) Another app is controlling this thread now.");
        error.sub(if instagram { 2_534_037 } else { 2_018_300 })
    }

    pub(crate) fn upload_failed() -> Self {
        Self::invalid("(#100) Upload attachment failure.").sub(2_018_047)
    }

    pub(crate) fn window(instagram: bool) -> Self {
        if instagram {
            Self::new(403, 10, WINDOW).sub(2_534_022)
        } else {
            Self::new(400, 10, format!("{WINDOW}{POLICY}")).sub(2_018_278)
        }
    }

    pub(crate) fn consent_required() -> Self {
        let text = "(#230) User consent is required to access user profile";
        Self::new(400, 230, text).kind("IGApiException")
    }

    pub(crate) fn no_matching_person() -> Self {
        Self::new(400, 9010, "(#9010) No matching Instagram user").kind("IGApiException")
    }

    pub(crate) fn no_profile() -> Self {
        Self::invalid("(#100) No profile available for this user.").sub(2_018_218)
    }

    pub(crate) fn transient() -> Self {
        let text = "An unexpected error has occurred. Please retry your request later.";
        let mut error = Self::new(500, 2, text);
        error.transient = true;
        error
    }

    pub(crate) fn throttled(status: u16, code: u32) -> Self {
        match code {
            4 => Self::new(status, 4, "(#4) Application request limit reached"),
            613 => Self::new(status, 613, "(#613) Calls to this api have exceeded the rate limit."),
            80_006 => {
                let text =
                    "(#80006) There have been too many calls to this messenger account. Wait a bit and try again.";
                Self::new(status, code, text).sub(2_446_079)
            }
            other => Self::new(status, other, format!("(#{other}) There have been too many calls.")),
        }
    }

    /// What a fault makes of a read.
    pub(crate) fn of_read(fault: &Fired) -> Self {
        match fault.name {
            "reads_rate_limit" => Self::throttled(400, u32::try_from(fault.number("code")).unwrap_or(613)),
            _ => Self::transient(),
        }
    }

    /// The key in the counters.
    pub(crate) fn counted_as(&self) -> String {
        match self.subcode {
            Some(subcode) => format!("{}/{subcode}", self.code),
            None => self.code.to_string(),
        }
    }

    pub(crate) fn envelope(&self, trace: &str) -> Value {
        let mut error = json!({
            "message": self.message, "type": self.kind, "code": self.code, "fbtrace_id": trace,
        });
        if let Some(subcode) = self.subcode {
            error["error_subcode"] = subcode.into();
        }
        if self.transient {
            error["is_transient"] = true.into();
        }
        json!({ "error": error })
    }
}
