//! The metrics endpoint.

use std::net::SocketAddr;

use prometheus_client::metrics::counter::Counter;
use runtime::metrics::{MetricsError, MetricsServer, registry};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[tokio::test]
async fn metrics_are_served_and_a_busy_port_is_named() {
    let registry = registry();
    let counter: Counter = Counter::default();
    registry.lock().unwrap().register("blocks", "Blocks produced", counter.clone());
    counter.inc_by(3);
    let free = SocketAddr::from(([127, 0, 0, 1], 0));
    let server = MetricsServer::bind(free, registry.clone()).await.unwrap();

    let mut client = TcpStream::connect(server.address()).await.unwrap();
    client
        .write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains("application/openmetrics-text"), "{answer}");
    assert!(answer.contains("shardlab_blocks_total 3"), "{answer}");

    let busy = MetricsServer::bind(server.address(), registry).await.unwrap_err();
    assert!(matches!(busy, MetricsError::Busy(address) if address == server.address()));
    assert!(busy.to_string().contains("is busy"), "{busy}");
}
