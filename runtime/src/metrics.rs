//! `/metrics` for Prometheus: one HTTP endpoint per process over a shared registry.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// The metrics of a process.
pub type SharedRegistry = Arc<Mutex<Registry>>;

const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// An empty registry whose metrics are all named `shardlab_…`.
#[must_use]
pub fn registry() -> SharedRegistry {
    Arc::new(Mutex::new(Registry::with_prefix("shardlab")))
}

/// Why the endpoint did not start.
#[derive(Debug, thiserror::Error)]
pub enum MetricsError {
    /// Another program listens there.
    #[error("port {} of {} is busy; choose another or 0 for a free one", .0.port(), .0.ip())]
    Busy(SocketAddr),
    /// The port cannot be opened for another reason.
    #[error("cannot serve metrics on {address}: {source}")]
    Listen {
        /// The address that was asked for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
}

/// A running endpoint; ends when dropped.
#[derive(Debug)]
pub struct MetricsServer {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl MetricsServer {
    /// Serves `registry` under `/metrics` on `address`; port 0 takes a free one. Runs on the
    /// current tokio runtime.
    ///
    /// # Errors
    /// When the port is busy or cannot be opened.
    pub async fn bind(address: SocketAddr, registry: SharedRegistry) -> Result<Self, MetricsError> {
        let refused = |source: io::Error| match source.kind() {
            io::ErrorKind::AddrInUse => MetricsError::Busy(address),
            _ => MetricsError::Listen { address, source },
        };
        let listener = TcpListener::bind(address).await.map_err(refused)?;
        let bound = listener.local_addr().map_err(refused)?;
        let router = Router::new().route("/metrics", get(metrics)).with_state(registry);
        let task = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                tracing::error!(%error, "metrics endpoint ended");
            }
        });
        Ok(Self { address: bound, task })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for MetricsServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn metrics(State(registry): State<SharedRegistry>) -> Response {
    let mut text = String::new();
    let encoded = {
        let registry = registry.lock().unwrap_or_else(PoisonError::into_inner);
        encode(&mut text, &registry)
    };
    match encoded {
        Ok(()) => ([(header::CONTENT_TYPE, CONTENT_TYPE)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}
