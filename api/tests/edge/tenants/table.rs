//! Every operation of the document, and every way to give one an id. What has no row here fails `matrix.rs`, and so does a row
//! that names nothing.

use serde_json::{Value, json};

/// One way to give an operation an id: `$` is the id in question, `@kind` the caller's own, `!kind` the other organization's.
pub(super) struct Case {
    pub operation: &'static str,
    pub kind: &'static str,
    pub args: &'static [(&'static str, &'static str)],
    pub query: &'static str,
    pub header: &'static str,
    pub body: Value,
}

fn case(operation: &'static str, kind: &'static str) -> Case {
    Case { operation, kind, args: &[("id", "$")], query: "", header: "", body: json!({}) }
}

fn with(operation: &'static str, kind: &'static str, body: Value) -> Case {
    Case { body, ..case(operation, kind) }
}

/// Every id of every operation; what deletes comes last.
pub(super) fn cases() -> Vec<Case> {
    let own = |operation, kind, id, body| Case { args: id, ..with(operation, kind, body) };
    let (due, soon) = ("2026-12-24T10:00:00Z", "2026-12-25T10:00:00Z");
    let message = |args| Case { args, ..case("retryMessage", "message") };
    vec![
        case("getConnection", "connection"),
        with("setAutoReply", "connection", json!({ "mode": "off" })),
        own("setAutoReply", "template", &[("id", "@connection")], json!({ "mode": "template", "templateId": "$" })),
        Case { args: &[], query: "connectionId=$", ..case("listConversations", "connection") },
        case("getConversation", "conversation"),
        case("listMessages", "conversation"),
        case("markRead", "conversation"),
        with("sendMessage", "conversation", json!({ "text": "Hi" })),
        own("sendMessage", "template", &[("id", "@conversation")], json!({ "templateId": "$" })),
        message(&[("id", "@conversation"), ("message_id", "$")]),
        Case { kind: "conversation", ..message(&[("id", "$"), ("message_id", "!message")]) },
        case("getAttachmentPreview", "attachment"),
        case("getTemplate", "template"),
        with("changeTemplate", "template", json!({ "text": "Mine now" })),
        own("previewTemplate", "conversation", &[], json!({ "conversationId": "$", "text": "Hi" })),
        own("previewTemplate", "template", &[], json!({ "conversationId": "@conversation", "templateId": "$" })),
        own("scheduleMessage", "conversation", &[], json!({ "conversationId": "$", "text": "Hi", "dueAt": due })),
        own(
            "scheduleMessage",
            "template",
            &[],
            json!({ "conversationId": "@conversation", "templateId": "$", "dueAt": due }),
        ),
        Case { args: &[], query: "conversationId=$", ..case("listScheduledMessages", "conversation") },
        case("getScheduledMessage", "scheduled"),
        with("changeScheduledMessage", "scheduled", json!({ "dueAt": soon })),
        own("changeScheduledMessage", "template", &[("id", "@scheduled")], json!({ "templateId": "$" })),
        own("createLead", "conversation", &[], json!({ "conversationId": "$" })),
        case("getLead", "lead"),
        with("changeLead", "lead", json!({ "name": "Mine now" })),
        Case { args: &[], query: "token=$", ..case("listLoginAccounts", "handle") },
        Case { args: &[], header: "X-Connect-Token", ..case("listLoginAccounts", "handle") },
        own(
            "connectAccounts",
            "handle",
            &[],
            json!({ "token": "$", "platform": "facebook", "selectedPageIds": ["1"] }),
        ),
        case("adminGetJob", "job"),
        case("adminGetDelivery", "delivery"),
        with("adminForceResend", "message", json!({ "reason": "mine now" })),
        with("adminDismissMessage", "message", json!({ "reason": "mine now" })),
        case("cancelScheduledMessage", "scheduled"),
        case("deleteLead", "lead"),
        case("deleteTemplate", "spare template"),
        case("deleteConnection", "connection"),
    ]
}

/// Operations that take no id of an organization's.
pub(super) const WITHOUT: [&str; 32] = [
    "me",
    "logout",
    "getPlan",
    "listPlans",
    "listUsage",
    "listAudit",
    "listNotifications",
    "listConnections",
    "listTemplates",
    "createTemplate",
    "listLeads",
    "exportLeads",
    "startFacebookLogin",
    "startInstagramLogin",
    "streamEvents",
    "health",
    "readiness",
    "metrics",
    // Names of the ledger's own, the same for everybody, and for operators alone.
    "adminListAudit",
    "adminListDeliveries",
    "adminListJobs",
    "adminListQueues",
    "adminListSchedules",
    "adminPauseQueue",
    "adminResumeQueue",
    "adminGetSchedule",
    "adminRunScheduleNow",
    // Who these are about is said by a secret: a password, Meta's signature, a login's state, a code.
    "login",
    "register",
    "getDataDeletion",
    "facebookLoginCallback",
    "instagramLoginCallback",
];
/// The same, called by Meta alone.
pub(super) const METAS: [&str; 6] = [
    "deauthorize",
    "requestDataDeletion",
    "verifyFacebookWebhook",
    "verifyInstagramWebhook",
    "receiveFacebookWebhook",
    "receiveInstagramWebhook",
];
/// Ids that are Meta's, and are looked for in the handle's own list.
pub(super) const METAS_IDS: [(&str, &str); 1] = [("connectAccounts", "selectedPageIds")];
