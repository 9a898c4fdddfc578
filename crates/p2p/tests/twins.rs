//! Two processes with the same key: both sides are told what happened, the log once.

mod fixtures;

use ccoin_core::message::{Bye, ByeReason, Message};
use fixtures::*;
use std::{
    fmt::Debug,
    sync::{Arc, Mutex},
};
use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
};

/// The warnings of this thread.
#[derive(Clone, Default)]
struct Warnings(Arc<Mutex<Vec<String>>>);

impl Visit for Warnings {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "message" {
            self.0.lock().unwrap().push(format!("{value:?}"));
        }
    }
}

impl Subscriber for Warnings {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::WARN
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        event.record(&mut self.clone());
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// Joins with key 1 as a process that listens on this port.
async fn join(node: &mut Node, listen_port: u16) -> Raw {
    let mut raw = Raw::connect(node.port).await;
    let mut mine = hello(1, GENESIS);
    mine.listen_port = listen_port;
    raw.call(mine, 1).await;
    node.meet().await;
    raw
}

async fn bye(raw: &mut Raw) -> Bye {
    let bye = raw.hear_until(|message| matches!(message, Message::Bye(_)));
    match bye.await {
        Message::Bye(bye) => bye,
        _ => unreachable!(),
    }
}

#[tokio::test]
async fn a_second_process_with_the_same_key_is_told_of_once() {
    let warnings = Warnings::default();
    let _guard = tracing::subscriber::set_default(warnings.clone());
    let told = || warnings.0.lock().unwrap().clone();
    let mut node = Node::start(0, |setup| setup.limits.dials = 0).await;
    let mut first = join(&mut node, 4001).await;
    // the same process calls again: its old connection may hang
    let mut second = join(&mut node, 4001).await;
    assert_eq!(bye(&mut first).await.reason(), ByeReason::Duplicate);
    assert_eq!(told(), [""; 0]);
    let third = join(&mut node, 4002).await;
    let (from, old) = (
        third.0.local_addr().unwrap(),
        second.0.local_addr().unwrap(),
    );
    let replaced = format!("replaced by the connection of {} from {from}", address(1));
    assert_eq!(bye(&mut second).await.text(), replaced);
    let connected = format!("{} is connected already from {old}, for ", address(1));
    let lines = told();
    assert!(
        lines.len() == 1 && lines[0].starts_with(&connected),
        "{lines:?}"
    );
    assert!(lines[0].contains(&format!("and now from {from} as well")));
    let _fourth = join(&mut node, 4001).await;
    assert_eq!(told().len(), 1);
}

#[tokio::test]
async fn crossing_connections_are_quiet_and_the_loser_hears_who_stays() {
    let warnings = Warnings::default();
    let _guard = tracing::subscriber::set_default(warnings.clone());
    let (listener, place) = raw_listener().await;
    let mut node = Node::start(0, |setup| setup.configured = vec![place.clone()]).await;
    let mut dialled = Raw(soon(listener.accept()).await.unwrap().0);
    dialled.answer(hello(1, GENESIS), 1).await;
    node.meet().await;
    let mut crossing = Raw::connect(node.port).await;
    crossing.call(hello(1, GENESIS), 1).await;
    let bye = bye(&mut crossing).await;
    assert_eq!(bye.reason(), ByeReason::Duplicate);
    let connected = format!("{} is connected already from {place}, for ", address(1));
    assert!(bye.text().starts_with(&connected), "{}", bye.text());
    assert!(warnings.0.lock().unwrap().is_empty());
}
