//! The stateful fuzz target: bytes are a sequence of messages, answers and moments for one
//! node, which must keep its promises whatever comes. `crates/sim/tests/it/` replays seeds.

use ccoin_core::{
    AccountNonce, BlockId,
    applied::Applied,
    block::VerifiedBlock,
    genesis::Genesis,
    machine::{Input, SealMark},
    transaction::VerifiedTransaction,
};
use ccoin_sim::{Network, Shell, child, height, key, miner, transfer, verified};
use std::sync::Arc;

/// Inputs of one sequence, and blocks that it may know.
const MOST_INPUTS: usize = 200;
const MOST_BLOCKS: usize = 64;

struct Run {
    genesis: Arc<Genesis>,
    shell: Shell,
    now: u64,
    blocks: Vec<Arc<Applied>>,
    /// What must never go back.
    mark: SealMark,
    last_final: u64,
}

/// Two miners; the node is the first, and the second says whatever the bytes make it say.
pub fn node(bytes: &[u8]) {
    let genesis = Network::ready(2).found();
    let mut run = Run {
        shell: Shell::unsigned(&genesis, Some(0)),
        blocks: vec![Arc::new(genesis.applied())],
        genesis,
        now: 100,
        mark: SealMark::default(),
        last_final: 1,
    };
    run.shell.tick(run.now);
    let (inputs, _) = bytes.as_chunks::<4>();
    for input in inputs.iter().take(MOST_INPUTS) {
        run.input(*input);
        run.check();
    }
}

impl Run {
    fn input(&mut self, [kind, a, b, c]: [u8; 4]) {
        let peer = u64::from(a % 4);
        let input = match kind % 14 {
            0 => Input::Tick,
            1 => {
                self.now += u64::from(a) * u64::from(b) + 1;
                Input::Tick
            }
            2 => Input::PeerJoined {
                peer,
                validator: [None, Some(1)][usize::from(b % 2)],
                height: height(u64::from(c)),
            },
            3 => Input::PeerLeft { peer },
            4 => Input::Heights {
                peer,
                height: height(u64::from(b) << (c % 45)),
            },
            5 => Input::KnownBlock {
                peer,
                id: self.id(b),
                height: height(u64::from(c)),
            },
            6 => Input::ClockOffset {
                peer,
                offset_ms: i64::from(b as i8) << (c % 40),
            },
            7 | 8 => return self.block(peer, b, c),
            9 => Input::Blocks {
                peer,
                blocks: self.branch(b, c),
                more: c & 1 == 1,
            },
            10 | 11 => Input::Submit {
                ticket: 0,
                txns: self.txns(a, b, c),
                from: (kind % 14 == 10).then_some(peer),
            },
            12 => Input::DiskReserve {
                reached: a & 1 == 1,
            },
            _ => {
                self.shell.restart_at(self.now);
                Input::Tick
            }
        };
        self.shell.input(self.now, input);
    }

    fn id(&self, place: u8) -> BlockId {
        self.at(place).block.id
    }

    fn at(&self, place: u8) -> &Arc<Applied> {
        &self.blocks[usize::from(place) % self.blocks.len()]
    }

    /// A new block of the second miner on any that it knows, whole and valid but for its time.
    fn block(&mut self, peer: u64, parent: u8, time: u8) {
        let parent = Arc::clone(self.at(parent));
        let base = parent.block.header().time.get() - ccoin_sim::START;
        let after = base + 50 * u64::from(time) + 50;
        let txns: Vec<_> = [2, 3]
            .into_iter()
            .take(usize::from(time % 3))
            .map(|from| {
                let account = parent.state.account(&miner(from));
                self.txn(from, account.nonce.get() + 1, u64::from(time))
            })
            .collect();
        let block = child(&self.genesis, &parent, miner(1), after, &txns);
        if self.blocks.len() < MOST_BLOCKS {
            self.blocks.push(Arc::clone(&block));
        }
        let block = verified(&block.block);
        self.shell.input(self.now, Input::Block { peer, block });
    }

    /// Blocks in a row that end with one of those known, as an answer holds them.
    fn branch(&self, last: u8, count: u8) -> Vec<VerifiedBlock> {
        let mut branch = Vec::new();
        let mut next = Some(Arc::clone(self.at(last)));
        while let Some(block) = next.filter(|_| branch.len() < usize::from(count % 8)) {
            let parent = block.block.header().hash_parent;
            branch.push(verified(&block.block));
            let parents = self.blocks[1..].iter();
            next = parents.clone().find(|one| one.block.id == parent).cloned();
        }
        branch.reverse();
        branch
    }

    fn txn(&self, from: usize, number: u64, amount: u64) -> VerifiedTransaction {
        let sender = key(from).public_key();
        transfer(&self.genesis, sender, number, miner(0), amount)
    }

    fn txns(&self, from: u8, number: u8, amount: u8) -> Vec<VerifiedTransaction> {
        let numbers = u64::from(number)..u64::from(number) + u64::from(amount % 3);
        let txn = |number| self.txn(usize::from(from % 4), number, u64::from(amount));
        numbers.map(txn).collect()
    }

    /// What holds at any time.
    fn check(&mut self) {
        let machine = &self.shell.machine;
        let pool = machine.pool();
        let waiting: Vec<_> = pool.by_arrival().map(|(_, txn)| txn).collect();
        assert_eq!(waiting.len(), pool.len());
        let bytes: usize = waiting.iter().map(|txn| txn.size()).sum();
        assert_eq!(bytes, pool.bytes());
        let shares: Vec<_> = pool.by_share().collect();
        assert_eq!(shares.len(), pool.ready_len());
        for (at, txn) in shares.iter().enumerate() {
            let before = |other: &&&VerifiedTransaction| {
                other.sender() == txn.sender() && other.number > txn.number
            };
            assert!(
                shares[..at].iter().find(before).is_none(),
                "numbers in order"
            );
        }
        let head = machine.chain().head();
        for txn in waiting {
            let account = head.state.account(&txn.sender());
            assert!(txn.number > account.nonce, "it is in a block");
            assert!(txn.number <= AccountNonce::MAX);
        }
        assert!(self.shell.mark >= self.mark, "a mark goes back");
        self.mark = self.shell.mark;
        let (last_final, _) = machine.chain().last_final();
        assert!(last_final.get() >= self.last_final, "final goes back");
        self.last_final = last_final.get();
        let _ = machine.hindrances(self.shell.now(self.now));
        let _ = machine.wake_in(self.shell.now(self.now));
        self.shell.asks.clear();
        self.shell.published.clear();
        self.shell.trace.clear();
    }
}
