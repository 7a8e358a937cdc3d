//! Small pictures of what customers sent, while the message stands.

use super::Tag;
use crate::app::App;
use crate::auth::Shop;
use crate::problem::{Code, Problem};
use domain::api_keys::Scope;
use domain::id::IdKind;
use domain::inbox::attachments;
use poem::web::Data;
use poem_openapi::param::Path;
use poem_openapi::payload::Binary;
use poem_openapi::{ApiResponse, OpenApi};
use std::sync::Arc;

/// The routes of this file.
#[derive(Clone, Copy, Debug)]
pub struct AttachmentRoutes;

#[derive(ApiResponse)]
enum Picture {
    /// A JPEG of at most 320 pixels a side.
    #[oai(status = 200, content_type = "image/jpeg")]
    Jpeg(Binary<Vec<u8>>),
}

#[OpenApi(prefix_path = "/api/attachments", tag = "Tag::Inbox")]
impl AttachmentRoutes {
    /// The small picture of an attachment. A key needs the scope `inbox:read`.
    #[oai(path = "/:id/preview", method = "get", operation_id = "getAttachmentPreview")]
    async fn preview(&self, app: Data<&Arc<App>>, shop: Shop, id: Path<String>) -> Result<Picture, Problem> {
        shop.require(Scope::InboxRead)?;
        let id = IdKind::Attachment.parse(&id).ok_or(Problem::new(Code::NotFound))?;
        let found = attachments::preview(app.ctx.db.read(), shop.organization(), id).await?;
        found.map(|jpeg| Picture::Jpeg(Binary(jpeg))).ok_or(Problem::new(Code::NotFound))
    }
}
