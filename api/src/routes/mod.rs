//! The endpoints, one file per group, and the document they make together.

pub mod admin;
pub mod attachments;
pub mod audit;
pub mod auth;
mod body;
pub mod connections;
pub mod conversations;
pub mod document;
pub mod events;
pub mod figures;
pub mod health;
pub mod leads;
pub mod messages;
pub mod meta;
pub mod notifications;
pub mod plans;
mod platform;
pub mod scheduled;
pub mod sending;
pub mod templates;
pub mod webhooks;

use poem_openapi::{OpenApiService, Tags};

/// Groups of the document.
#[derive(Clone, Copy, Debug, Tags)]
pub enum Tag {
    /// Registering, signing in and out.
    Auth,
    /// Plans, usage and the audit trail of an organization.
    Organization,
    /// Connected Instagram accounts and Facebook Pages.
    Connections,
    /// Conversations and messages.
    Inbox,
    /// What Meta calls.
    Webhooks,
    /// For operators: the ledger and what Meta delivered.
    Operators,
    /// For machines that watch this one.
    Health,
}

/// Every group; the type of the service's API.
pub type Routes = (
    auth::AuthRoutes,
    plans::PlanRoutes,
    audit::AuditRoutes,
    meta::StartRoutes,
    meta::CallbackRoutes,
    meta::ChooseRoutes,
    connections::ConnectionRoutes,
    notifications::NotificationRoutes,
    // Tuples of their own: a tuple of routes has sixteen places.
    (
        conversations::ConversationRoutes,
        events::EventRoutes,
        sending::SendingRoutes,
        attachments::AttachmentRoutes,
        templates::TemplateRoutes,
        scheduled::ScheduledRoutes,
        leads::LeadRoutes,
    ),
    webhooks::WebhookRoutes,
    meta::RemovalRoutes,
    (
        admin::deliveries::DeliveryRoutes,
        admin::jobs::JobRoutes,
        admin::messages::MessageRoutes,
        admin::queues::QueueRoutes,
        admin::schedules::ScheduleRoutes,
    ),
    health::HealthRoutes,
    figures::FigureRoutes,
);

/// The service with its document.
pub fn service() -> OpenApiService<Routes, ()> {
    let routes: Routes = (
        auth::AuthRoutes,
        plans::PlanRoutes,
        audit::AuditRoutes,
        meta::StartRoutes,
        meta::CallbackRoutes,
        meta::ChooseRoutes,
        connections::ConnectionRoutes,
        notifications::NotificationRoutes,
        (
            conversations::ConversationRoutes,
            events::EventRoutes,
            sending::SendingRoutes,
            attachments::AttachmentRoutes,
            templates::TemplateRoutes,
            scheduled::ScheduledRoutes,
            leads::LeadRoutes,
        ),
        webhooks::WebhookRoutes,
        meta::RemovalRoutes,
        (
            admin::deliveries::DeliveryRoutes,
            admin::jobs::JobRoutes,
            admin::messages::MessageRoutes,
            admin::queues::QueueRoutes,
            admin::schedules::ScheduleRoutes,
        ),
        health::HealthRoutes,
        figures::FigureRoutes,
    );
    OpenApiService::new(routes, "Retail Assist", env!("CARGO_PKG_VERSION")).description(
        "Connects a shop's Instagram accounts and Facebook Pages, receives every direct message, and answers it. \
         Times are RFC 3339 in UTC, ids carry a prefix, lists take `limit` and `cursor` and answer `items` and \
         `nextCursor`. Every refusal and failure is `application/problem+json` with a stable `code`.",
    )
}
