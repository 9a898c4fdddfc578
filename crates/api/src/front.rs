//! What answers before and after the node has a chain: one door, behind which the
//! routes are exchanged.

use axum::{Router, body::Body, extract::Request, response::Response};
use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::{Arc, PoisonError, RwLock},
    task::{Context, Poll},
};
use tower::{Service, ServiceExt as _};

/// The door. Clones share it.
#[derive(Clone)]
pub struct Front(Arc<RwLock<Router>>);

impl Front {
    /// A door with these routes behind it.
    #[must_use]
    pub fn new(routes: Router) -> Self {
        Self(Arc::new(RwLock::new(routes)))
    }

    /// Exchanges the routes: requests from now on meet the new ones.
    pub fn exchange(&self, routes: Router) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = routes;
    }

    /// For [`crate::serve`].
    pub fn router(&self) -> Router {
        Router::new().fallback_service(self.clone())
    }
}

impl Service<Request<Body>> for Front {
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let routes = self
            .0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        Box::pin(routes.oneshot(request))
    }
}
