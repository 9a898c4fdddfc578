//! Processes of a [`World`]: they start from their disks, end, stop and go on, and their clocks are
//! set.

use crate::{
    coverage::Watched,
    lies::Lie,
    links::SILENCE,
    node::{Node, Process},
    timeline::What,
    vote_lies::VoteLie,
    world::{Event, World},
};
use ccoin_core::{MonoTime, machine::PeerId};
use std::collections::BTreeSet;

impl World {
    /// Starts a node from its disk.
    pub fn start(&mut self, index: usize) {
        assert_eq!(self.nodes[index].process, Process::Down);
        let (wall, mono) = (self.clock(index), MonoTime(self.now));
        let made = self.nodes[index]
            .shell
            .log
            .iter()
            .map(|b| b.header().coinbase);
        let made: BTreeSet<_> = made.chain(self.nodes[index].shell.miner()).collect();
        let keys = self.keys.iter().filter(|key| made.contains(&key.address()));
        let keys: Vec<_> = keys.cloned().collect();
        self.nodes[index].boot(wall, mono, &keys);
        self.note(Some(index), What::Started);
        self.watched[index] = Watched::default();
        self.wake(index);
        self.reconnect();
    }

    /// Gives a node the keys of all miners, as if it had met them before.
    pub fn give_keys(&mut self, index: usize) {
        self.nodes[index].gossip.learn(&self.keys);
    }

    /// Lets a node, which has not started, be a second machine with the key and the disk of a
    /// validator.
    pub fn copy_machine(&mut self, index: usize, of: usize) {
        assert_eq!(self.nodes[index].life, 0);
        let mut copy = Node::new(&self.genesis, Some(of));
        copy.lie = Some(Lie::Votes(VoteLie::Copied));
        copy.gossip.keys = self.nodes[of].gossip.keys.clone();
        self.nodes[of].shell.copy_disk_to(&mut copy.shell);
        self.nodes[index] = copy;
    }

    /// Ends a process; its disk stays.
    pub fn kill(&mut self, index: usize) {
        self.note(Some(index), What::Killed);
        self.nodes[index].process = Process::Down;
        self.nodes[index].backlog.clear();
        self.lose_unwritten(index);
        self.payments.forget_questions(index);
        for conn in core::mem::take(&mut self.nodes[index].feeds).into_keys() {
            self.close(conn);
        }
        let dead: Vec<PeerId> = self.conns_of(index);
        dead.into_iter().for_each(|conn| self.close(conn));
    }

    /// Stops a process: what comes in waits.
    pub fn hang(&mut self, index: usize) {
        self.note(Some(index), What::Hung);
        self.nodes[index].process = Process::Hung;
        for conn in self.conns_of(index) {
            let since = self.now;
            self.schedule(self.now + SILENCE, Event::Silence { conn, since });
        }
    }

    /// Lets a stopped process go on.
    pub fn resume(&mut self, index: usize) {
        self.note(Some(index), What::Resumed);
        self.nodes[index].process = Process::Up;
        // Its timers have run out long ago: they are what it sees first.
        self.wake(index);
        while let Some(event) = self.nodes[index].backlog.pop_front() {
            self.happen(event);
        }
    }

    /// Sets a node's wall clock so many ms ahead of the world's.
    pub fn set_clock(&mut self, index: usize, ahead_ms: i64) {
        if self.nodes[index].skew != ahead_ms {
            self.nodes[index].skew = ahead_ms;
            self.note(Some(index), What::Clock(ahead_ms));
        }
    }
}
