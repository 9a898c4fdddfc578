//! Prints a line for each block that a node applies, leaves, or knows as final, until it is
//! ended. It asks again and again, so that it also works through proxies.

use std::time::{Duration, SystemTime};

use ccoin_home::Failure;
use serde_json::json;

use super::KnownAccounts;
use crate::block_line::{line, time};
use crate::blocks::{BlockFollower, Change};
use crate::{BlockIds, HttpError, NodeUrl, runtime};

/// Time between two requests for the height.
const POLL: Duration = Duration::from_millis(200);

/// Time between two attempts to reach a node that does not answer.
const PAUSE: Duration = Duration::from_secs(1);

/// Prints what happens from now on. `print` says whether there is still a reader; `tell` hears
/// when the node stops answering.
///
/// # Errors
/// [`Failure`] if the node does not answer at the start.
pub fn watch(
    url: &NodeUrl,
    known: &KnownAccounts,
    as_json: bool,
    print: impl Fn(String) -> bool,
    tell: impl Fn(&str),
) -> Result<(), Failure> {
    runtime()?.block_on(async {
        let mut follower = BlockFollower::new(url.clone());
        let first = follower.poll(|_, _| ()).await?;
        let mut lines = Lines {
            known,
            as_json,
            last: None,
        };
        if !as_json {
            tell(&format!(
                "{url} is at block {}; Ctrl-C ends this",
                first.height
            ));
        }
        let (mut last_final, mut answers) = (first.last_final.number, true);
        loop {
            tokio::time::sleep(if answers { POLL } else { PAUSE }).await;
            let (mut read, mut number) = (true, follower.height());
            let polled = follower.poll(|change, _| {
                read &= print(lines.change(&mut number, &change));
            });
            match polled.await {
                Ok(status) => {
                    answers = true;
                    if status.last_final.number > last_final {
                        last_final = status.last_final.number;
                        read &= print(lines.last_final(last_final.get()));
                    }
                }
                Err(error) => {
                    if answers {
                        tell(&format!("{}; trying again", words(&error)));
                    }
                    answers = false;
                }
            }
            if !read {
                return Ok(());
            }
        }
    })
}

fn words(error: &HttpError) -> String {
    error.to_string()
}

/// Writes lines for people or programs.
struct Lines<'a> {
    known: &'a KnownAccounts,
    as_json: bool,
    last: Option<SystemTime>,
}

impl Lines<'_> {
    /// `number` is the height, before and after.
    fn change(&mut self, number: &mut u64, change: &Change) -> String {
        match change {
            Change::Applied(block) => {
                *number += 1;
                self.applied(*number, block)
            }
            Change::Reverted(left) => {
                *number -= 1;
                self.last = None;
                match self.as_json {
                    true => json!({"event": "reverted", "number": left}).to_string(),
                    false => format!("block {left:<6} was replaced"),
                }
            }
        }
    }

    fn applied(&mut self, number: u64, block: &BlockIds) -> String {
        let last = std::mem::replace(&mut self.last, time(block));
        if self.as_json {
            let line = json!({
                "event": "block", "number": number, "id": block.id, "time": block.time,
                "coinbase": block.coinbase, "txn_count": block.body.len(),
            });
            return line.to_string();
        }
        line(number, block, last, &self.known.short(&block.coinbase))
    }

    fn last_final(&self, number: u64) -> String {
        match self.as_json {
            true => json!({"event": "final", "number": number}).to_string(),
            false => format!("block {number:<6} is final"),
        }
    }
}
