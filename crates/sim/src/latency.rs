//! Work that takes time: writing, mining, signing. What a step publishes is seen when the
//! disk holds all that the step and those before it write. A process that is killed
//! meanwhile has written a part of it and published nothing.

use crate::{
    timeline::What,
    world::{Event, World},
};
use ccoin_core::{
    MonoTime, PowNonce,
    machine::{Input, Publish, Step, Write},
    pow::Midstate,
};
use ccoin_crypto::Signature;

/// The longest times, in ms; 0: the work is done at once.
#[derive(Clone, Copy, Debug, Default)]
pub struct Latency {
    pub disk: u64,
    pub miner: u64,
    pub key: u64,
}

/// What one step writes and publishes, and when it is on disk.
pub(crate) struct Commit {
    due: u64,
    write: Vec<Write>,
    publish: Vec<Publish>,
}

impl World {
    pub(crate) fn carry_out(&mut self, index: usize, step: Step) {
        let Step {
            ask,
            write,
            publish,
        } = step;
        if !write.is_empty() || !publish.is_empty() {
            let earliest = self.now + self.some_time(self.latency.disk);
            let node = &mut self.nodes[index];
            let (life, last) = (
                node.life,
                node.commits.back().map_or(0, |commit| commit.due),
            );
            let due = earliest.max(last);
            node.commits.push_back(Commit {
                due,
                write,
                publish,
            });
            if due > self.now {
                self.schedule(due, Event::Written { to: index, life });
            }
        }
        ask.into_iter().for_each(|ask| self.ask(index, ask));
        self.publish_written(index);
    }

    fn some_time(&mut self, longest: u64) -> u64 {
        match longest {
            0 => 0,
            _ => self.random.below(longest + 1),
        }
    }

    pub(crate) fn publish_written(&mut self, index: usize) {
        let now = self.now;
        let mut inputs = Vec::new();
        while let Some(commit) = self.nodes[index]
            .commits
            .pop_front_if(|commit| commit.due <= now)
        {
            for write in commit.write {
                let sealed = self.nodes[index].shell.write(write);
                if let Some((number, id)) = sealed {
                    self.note(Some(index), What::Sealed(number, id));
                }
            }
            for publish in commit.publish {
                inputs.extend(self.publish(index, publish));
            }
        }
        self.nodes[index].shell.forget_what_tests_look_at();
        inputs.into_iter().for_each(|input| self.step(index, input));
    }

    /// Makes something visible; what it leads to at the same moment.
    fn publish(&mut self, index: usize, publish: Publish) -> Option<Input> {
        self.note_published(index, &publish);
        self.nodes[index].follow(MonoTime(self.now), &publish);
        let life = self.nodes[index].life;
        match publish {
            Publish::Head { ref reorg, .. } if !reorg.older_reverted.is_empty() => {
                self.nodes[index].deep_reorgs += 1;
                self.coverage.met("deep reorganisation");
                let left = core::mem::take(&mut self.nodes[index].returned);
                let txns = left.into_iter().rev().flat_map(|block| block.transactions);
                let txns: Vec<_> = txns.collect();
                self.tell(index, publish);
                return Some(Input::Returned { txns, last: true });
            }
            Publish::Mine {
                job,
                mining_hash,
                difficulty,
            } => {
                let midstate = Midstate::new(&mining_hash);
                let found = midstate.search(difficulty, PowNonce::ZERO, u64::MAX);
                let nonce = found.expect("small difficulties have solutions");
                let wait = self.some_time(self.latency.miner);
                if wait == 0 {
                    return Some(Input::Mined { job, nonce });
                }
                let mined = Event::Mined {
                    to: index,
                    life,
                    job,
                    nonce,
                };
                self.schedule(self.now + wait, mined);
            }
            Publish::Sign { job, message } => {
                let shell = &mut self.nodes[index].shell;
                let mark = shell.mark;
                let twice = shell.signed.iter().any(|(before, _)| *before == mark);
                assert!(!twice, "I4: v{} signs {mark:?} twice", index + 1);
                shell.signed.push((mark, message));
                let signature = Signature::new(&[0xab; 256]).expect("not too long");
                let wait = self.some_time(self.latency.key);
                if wait == 0 {
                    return Some(Input::Signed { job, signature });
                }
                let signed = Event::Signed {
                    to: index,
                    life,
                    job,
                    signature,
                };
                self.schedule(self.now + wait, signed);
            }
            Publish::SignVote { vote, justify } => {
                let signed = self.nodes[index].shell.sign_vote(vote, justify);
                let wait = self.some_time(self.latency.key);
                if wait == 0 {
                    return Some(signed);
                }
                let (to, input) = (index, Box::new(signed));
                let signed = Event::VoteSigned { to, life, input };
                self.schedule(self.now + wait, signed);
            }
            Publish::Reply { ticket, results } => {
                self.payments.answered(index, life, ticket, &results);
            }
            other => self.tell(index, other),
        }
        None
    }

    /// A killed process leaves some of what it was about to write, each file by itself. What
    /// the key may sign is written last, when the block log is synced.
    pub(crate) fn lose_unwritten(&mut self, index: usize) {
        let commits = core::mem::take(&mut self.nodes[index].commits);
        let writes = commits.into_iter().flat_map(|commit| commit.write);
        let is_record = |write: &Write| matches!(write, Write::SealMark(_) | Write::VoterRecord(_));
        let (records, others): (Vec<_>, Vec<_>) = writes.partition(is_record);
        let (mut log, mut pool) = (true, true);
        for write in others {
            let written = match &write {
                Write::Transactions { .. } | Write::Dropped(_) => &mut pool,
                _ => &mut log,
            };
            *written &= self.random.below(3) > 0;
            if *written {
                self.nodes[index].shell.write(write);
            }
        }
        for write in records {
            log &= self.random.below(3) > 0;
            if log {
                self.nodes[index].shell.write(write);
            }
        }
    }
}
