//! The task that has listed places proven. How a place is asked is the caller's affair: this
//! crate speaks no protocol of peers.

use crate::{Service, Unproven};
use std::{sync::Arc, time::Duration};
use tokio::{sync::Semaphore, time::sleep};
use tokio_util::sync::CancellationToken;

/// Time between two places: nobody makes this service call many.
const PAUSE: Duration = Duration::from_millis(100);

/// Places that are asked at a time.
const AT_A_TIME: usize = 8;

/// Asks one place after another until `stop`; `ask` says whether the place has answered with
/// its key, within a time of its own.
pub async fn prove<A>(
    service: Arc<Service>,
    ask: impl Fn(Unproven) -> A + Clone + Send + 'static,
    stop: CancellationToken,
) where
    A: Future<Output = bool> + Send,
{
    prove_every(PAUSE, service, ask, stop).await;
}

async fn prove_every<A>(
    pause: Duration,
    service: Arc<Service>,
    ask: impl Fn(Unproven) -> A + Clone + Send + 'static,
    stop: CancellationToken,
) where
    A: Future<Output = bool> + Send,
{
    let places = Arc::new(Semaphore::new(AT_A_TIME));
    let all = async {
        loop {
            sleep(pause).await;
            let Ok(place) = Arc::clone(&places).acquire_owned().await else {
                return;
            };
            let Some(next) = service.next_unproven() else {
                continue;
            };
            let (service, ask, stop) = (Arc::clone(&service), ask.clone(), stop.clone());
            tokio::spawn(async move {
                let asked = stop.run_until_cancelled(ask(next.clone())).await;
                if let Some(proven) = asked {
                    service.on_asked(&next, proven);
                }
                drop(place);
            });
        }
    };
    stop.run_until_cancelled(all).await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Command, Filter, Record, Registry, Vantage,
        record::tests::{claim, key},
    };
    use ccoin_core::Timestamp;
    use std::net::{IpAddr, Ipv4Addr};

    #[tokio::test]
    async fn a_place_that_answers_is_listed_as_proven_and_comes_first() {
        let service = Arc::new(Service::new(Registry::default(), || Timestamp::ZERO));
        let here = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let vantage = Vantage {
            caller: here,
            reached: here,
        };
        for index in 0..2 {
            let record = Record::add(claim("10.0.0.1", 4001), Timestamp::ZERO, key(index));
            service
                .apply(Command::Add, record.unwrap(), vantage)
                .unwrap();
        }
        let honest = key(1).public_key().address();
        let stop = CancellationToken::new();
        let ask = move |place: Unproven| async move { place.id == honest };
        let proving = prove_every(Duration::ZERO, Arc::clone(&service), ask, stop.clone());
        let proving = tokio::spawn(proving);
        let first = || service.members(&Filter::default(), vantage).swap_remove(0);
        while first().proven.is_none() {
            tokio::task::yield_now().await;
        }
        assert_eq!(first().member.id, honest);
        stop.cancel();
        proving.await.unwrap();
    }
}
