//! The table of problem codes: status, title and the sentence a shop owner reads. Answers, the OpenAPI document and the
//! tests are drawn from it.

use http::StatusCode;

/// Writes each code down once: what it is, its name, status, title and default sentence.
macro_rules! codes {
    ($($(#[$doc:meta])* $code:ident = $name:literal, $status:literal, $title:literal, $detail:literal;)*) => {
        /// A stable code of a refusal or failure.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Code {
            $($(#[$doc])* $code,)*
        }

        impl Code {
            /// Code, name, status, title, default sentence.
            pub const TABLE: &'static [(Self, &'static str, u16, &'static str, &'static str)] =
                &[$((Self::$code, $name, $status, $title, $detail),)*];
        }
    };
}

codes! {
    /// The body is not JSON.
    InvalidJson = "invalid_json", 400, "Not JSON", "The body of the request is not valid JSON.";
    /// The body is said to be as long as two things at once.
    BadFraming = "bad_framing", 400, "Request not understood",
        "A request has either a Content-Length or a Transfer-Encoding, not both.";
    /// The body's fields do not fit.
    InvalidRequest = "invalid_request", 422, "Request not understood",
        "A field of the request is missing, unknown or of the wrong kind.";
    /// A parameter in path or query does not fit.
    InvalidParameter = "invalid_parameter", 400, "Parameter not understood",
        "A parameter of the request is not of the kind it should be.";
    /// A list cursor that we did not make.
    InvalidCursor = "invalid_cursor", 400, "Cursor not understood",
        "This list cursor is not one of ours; begin again without it.";
    /// Not signed in, or a key that does not hold.
    Unauthenticated = "unauthenticated", 401, "Not signed in", "Please sign in, or send a key that is valid here.";
    /// Wrong e-mail address or password.
    InvalidCredentials = "invalid_credentials", 401, "Not signed in", "E-mail address or password is wrong.";
    /// A webhook without a good signature.
    InvalidSignature = "invalid_signature", 401, "Bad signature", "The signature is missing or does not fit the body.";
    /// A page of ours did not send this.
    CsrfRequired = "csrf_required", 403, "Refused",
        "The X-CSRF-Token header is missing or does not belong to this session; reload the page.";
    /// Sent from a foreign page.
    BadOrigin = "bad_origin", 403, "Refused", "This request came from a page of another site.";
    /// The key may not do this.
    ScopeRequired = "scope_required", 403, "Not allowed", "This key may not do that.";
    /// Registration is turned off.
    RegistrationClosed = "registration_closed", 403, "Registration closed",
        "New organizations cannot register here; please ask the operator.";
    /// The webhook handshake was refused.
    HandshakeRefused = "handshake_refused", 403, "Handshake refused", "The verify token is not the configured one.";
    /// Another plan is needed.
    PlanRequired = "plan_required", 403, "Plan required", "Pro plan required.";
    /// Every place of the plan is taken.
    PlanLimit = "plan_limit", 403, "Plan limit reached", "Your plan allows no more connected accounts.";
    /// Nothing is paid.
    SubscriptionInactive = "subscription_inactive", 403, "Subscription inactive", "Your subscription is not active.";
    /// The plan lacks a feature.
    FeatureRequired = "feature_required", 403, "Feature not included", "Your plan does not include this.";
    /// Missing, or somebody else's.
    NotFound = "not_found", 404, "Not found", "There is nothing here of that name.";
    /// Known path, unknown method.
    MethodNotAllowed = "method_not_allowed", 405, "Method not allowed", "This address does not take that method.";
    /// The body did not arrive in time.
    RequestTimeout = "request_timeout", 408, "Too slow", "The request did not arrive in time.";
    /// The address signs in already.
    EmailTaken = "email_taken", 409, "Already registered", "Somebody already signs in with this e-mail address.";
    /// The person did not consent at Meta.
    AccessDenied = "access_denied", 409, "Not allowed at Meta",
        "The login at Meta was cancelled; nothing was connected.";
    /// The login's state is not ours, or not of this person, session or browser.
    StateInvalid = "state_invalid", 409, "Login not recognized",
        "This login does not belong to this browser or was used already; please start again.";
    /// The login took longer than ten minutes.
    StateExpired = "state_expired", 409, "Login too old", "The login took too long; please start again.";
    /// Meta did not take the login's code.
    CodeInvalid = "code_invalid", 409, "Login not completed", "Meta did not complete the login; please start again.";
    /// The login's code had expired.
    CodeExpired = "code_expired", 409, "Login too old", "The login took too long; please start again.";
    /// The login reaches no account that can be connected.
    NoAccounts = "no_accounts", 409, "No account found", "Meta shows no account that can be connected with this login.";
    /// The person did not allow everything that is needed.
    MissingPermissions = "missing_permissions", 409, "Permissions missing",
        "Please connect again and allow everything that is asked for.";
    /// Meta does not accept our app's settings.
    AppMisconfigured = "app_misconfigured", 409, "Set up wrongly",
        "Meta does not accept this service's settings; please tell the operator.";
    /// Meta did not answer in time.
    MetaUnavailable = "meta_unavailable", 409, "Meta not available",
        "Meta could not be reached; please try again in a few minutes.";
    /// The login's jobs are not done.
    LoginPending = "login_pending", 409, "Not ready yet",
        "The accounts are still being fetched from Meta; please try again in a moment.";
    /// Another organization has the account.
    AccountConnectedElsewhere = "account_connected_elsewhere", 409, "Connected elsewhere",
        "This account is already connected elsewhere; disconnect it there first.";
    /// The handle of a login is over, used, or somebody else's.
    ConnectTokenInvalid = "connect_token_invalid", 410, "Login over",
        "This link to Meta has been used or has expired; please connect again.";
    /// Over 1 MiB.
    PayloadTooLarge = "payload_too_large", 413, "Too large", "The body of the request is larger than 1 MiB.";
    /// Not JSON, or compressed.
    UnsupportedMediaType = "unsupported_media_type", 415, "Not supported",
        "Please send application/json without Content-Encoding.";
    /// An account that the login did not find.
    UnknownAccount = "unknown_account", 422, "Unknown account",
        "One of the chosen accounts is not among those that Meta offered.";
    /// A signed request of Meta that is not one.
    InvalidSignedRequest = "invalid_signed_request", 400, "Bad signature",
        "The signed request is missing, malformed or not signed with the app's secret.";
    /// Meta does not let a message be sent now.
    WindowClosed = "window_closed", 409, "Too late to answer",
        "More than 24 hours have passed since the customer's last message.";
    /// The account cannot send.
    ConnectionUnavailable = "connection_unavailable", 409, "Account cannot send",
        "This account cannot send at the moment.";
    /// Only what has failed can be sent again.
    NotFailed = "not_failed", 409, "Not failed", "Only a message that has failed can be sent again.";
    /// It does not wait any more.
    AlreadyOver = "already_over", 409, "Too late", "This message does not wait any more.";
    /// Another one has the name.
    NameTaken = "name_taken", 409, "Name taken", "Another template has this name.";
    /// An automatic reply uses it.
    TemplateInUse = "template_in_use", 409, "In use", "An automatic reply uses this template.";
    /// The conversation has a lead.
    LeadExists = "lead_exists", 409, "A lead already", "This conversation is a lead already.";
    /// There are as many as there may be.
    LimitReached = "limit_reached", 409, "Too many", "There are as many of these as there may be.";
    /// The key named another request.
    IdempotencyKeyReused = "idempotency_key_reused", 422, "Key used before",
        "This Idempotency-Key was used for another request.";
    /// Longer than Meta takes, even in parts.
    TextTooLong = "text_too_long", 422, "Too long", "The text is too long to be sent, even in several messages.";
    /// A template that does not exist.
    UnknownTemplate = "unknown_template", 422, "Unknown template", "There is no such template.";
    /// No AI model is configured.
    AiNotConfigured = "ai_not_configured", 422, "No AI model", "No AI model is configured; choose a text instead.";
    /// Too many tries.
    TooManyRequests = "too_many_requests", 429, "Too many tries",
        "Too many failed tries; please wait before trying again.";
    /// Our fault.
    Internal = "internal", 500, "Our mistake", "Something went wrong on our side; it has been noted.";
    /// The operator has not set an app for this login.
    LoginNotConfigured = "login_not_configured", 503, "Login not set up",
        "The operator has not set up an app for this login.";
    /// The database or a pool is not available now.
    Unavailable = "unavailable", 503, "Not available", "The service is not available at this moment; please try again.";
}

impl Code {
    /// The code of this name.
    pub fn of(name: &str) -> Option<Self> {
        Self::TABLE.iter().find(|row| row.1 == name).map(|row| row.0)
    }

    fn row(self) -> (&'static str, u16, &'static str, &'static str) {
        // The table has every variant; the fallback keeps this total without a panic.
        Self::TABLE
            .iter()
            .find(|row| row.0 == self)
            .map_or(("internal", 500, "", ""), |(_, name, status, title, detail)| (name, *status, title, detail))
    }

    /// The stable name.
    pub fn name(self) -> &'static str {
        self.row().0
    }

    /// The HTTP status.
    pub fn status(self) -> StatusCode {
        StatusCode::from_u16(self.row().1).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// A few words.
    pub fn title(self) -> &'static str {
        self.row().2
    }

    /// The default sentence.
    pub fn detail(self) -> &'static str {
        self.row().3
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_stands_for_one_code() {
        for (at, (code, name, status, title, detail)) in Code::TABLE.iter().enumerate() {
            assert_eq!(code.name(), *name);
            assert_eq!(code.status().as_u16(), *status);
            assert!(!title.is_empty() && detail.ends_with('.'), "{name}");
            assert!(Code::TABLE[..at].iter().all(|row| row.1 != *name && row.0 != *code), "{name}");
        }
    }
}
