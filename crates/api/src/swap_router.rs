//! A router whose routes can be replaced while it serves: a node has other routes before
//! it has a chain.

use axum::{Router, body::Body, extract::Request, response::Response};
use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::{Arc, PoisonError, RwLock},
    task::{Context, Poll},
};
use tower::{Service, ServiceExt as _};

/// Clones share the routes.
#[derive(Clone)]
pub struct SwapRouter(Arc<RwLock<Router>>);

impl SwapRouter {
    /// `routes` until the first [`swap`](Self::swap).
    #[must_use]
    pub fn new(routes: Router) -> Self {
        Self(Arc::new(RwLock::new(routes)))
    }

    /// Replaces the routes; requests under way keep the old ones.
    pub fn swap(&self, routes: Router) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = routes;
    }

    /// For [`crate::serve`].
    pub fn router(&self) -> Router {
        Router::new().fallback_service(self.clone())
    }
}

impl Service<Request<Body>> for SwapRouter {
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
