//! `PUT /v1/account/password`: how the account of the owner key that signed signs in on the pages.

use crate::{app::App, auth::Call, error::ApiError, password};
use axum::{Json, extract::State};
use std::sync::Arc;
use tatau_api::SetPassword;

pub(crate) async fn set(State(app): State<Arc<App>>, call: Call) -> Result<Json<()>, ApiError> {
    // The key is enough, as for tokens; a token is not.
    call.key()?;
    let owner = call.account(&app).await?;
    let SetPassword { name, password } = call.json()?;
    password::keep(&app, owner, &name, password, None).await.map(Json)
}
