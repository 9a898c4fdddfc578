//! What the nodes of a [`World`] say to each other: frames on the wires, what a machine asks, and
//! what it publishes for its peers.

use crate::{
    delivery::Frame,
    world::{Event, World},
};
use ccoin_core::{
    block::VerifiedBlock,
    machine::{Ask, Input, PeerId, Publish},
    message::Message,
};

impl World {
    pub(crate) fn say(&mut self, from: usize, conn: PeerId, frame: Frame) {
        let to = self.other(conn, from);
        if self.nodes[from].admits.is_some() && matches!(frame, Frame::Block(_)) {
            return;
        }
        let frame = match frame {
            Frame::Consensus(message) => match self.twist_vote(from, conn, message) {
                Some(message) => Frame::Consensus(message),
                None => return,
            },
            other => other,
        };
        self.travel(conn, to, Event::Frame { to, conn, frame });
    }

    /// Says something without any lie of the sender's.
    pub(crate) fn say_plainly(&mut self, from: usize, conn: PeerId, frame: Frame) {
        let to = self.other(conn, from);
        self.travel(conn, to, Event::Frame { to, conn, frame });
    }

    pub(crate) fn say_all(&mut self, from: usize, except: Option<PeerId>, frame: &Frame) {
        let peers: Vec<_> = self.nodes[from].feeds.keys().copied().collect();
        for peer in peers.into_iter().filter(|peer| Some(*peer) != except) {
            self.say(from, peer, frame.clone());
        }
    }

    /// Asks what the machine asks, at once.
    pub(crate) fn ask(&mut self, index: usize, ask: Ask) {
        match ask {
            Ask::Blocks { peer, request } => {
                let node = &mut self.nodes[index];
                assert!(node.feeds.contains_key(&peer), "asks a peer that has left");
                assert!(!node.gossip.take_asked(peer), "two requests in flight");
                node.gossip.on_asked(peer);
                let (now, other) = (self.now, self.other(peer, index));
                self.nodes[index].asks.push((now, other));
                self.nodes[index].batches.push(request.most);
                self.say(index, peer, Frame::Ask(request));
            }
            Ask::Heights => {
                self.nodes[index].asked_heights += 1;
                self.say_all(index, None, &Frame::AskHeights);
            }
            Ask::Disconnect { peer } => {
                self.nodes[index].feeds.remove(&peer);
                self.nodes[index].gossip.on_peer_left(peer);
                self.close(peer);
            }
            Ask::Penalize { peer, fault } => {
                let other = self.other(peer, index);
                self.nodes[index].penalties.push((other, fault));
                let link = self.conns[&peer].link;
                self.links[link].banned = !self.nodes[other].shell.is_validator();
                self.nodes[index].feeds.remove(&peer);
                self.nodes[index].gossip.on_peer_left(peer);
                self.step(index, Input::PeerLeft { peer });
                self.close(peer);
            }
            Ask::Stuck { peer, .. } => {
                let other = self.other(peer, index);
                self.nodes[index].stuck.push((self.now, other));
            }
            Ask::Tell { peers, message } => {
                for peer in peers {
                    self.say(index, peer, Frame::Consensus(message.clone()));
                }
            }
            Ask::BranchTooOld { .. } | Ask::Progress { .. } => {}
        }
    }

    /// Tells peers what they may know now.
    pub(crate) fn tell(&mut self, index: usize, publish: Publish) {
        match publish {
            Publish::AnnounceBlock {
                applied,
                bytes,
                except,
            } => {
                let block = VerifiedBlock::from_wire(applied.block.clone(), bytes);
                self.say_all(index, except, &Frame::Block(block));
            }
            Publish::SendHeights { peer } if self.conns.contains_key(&peer) => {
                let height = self.nodes[index].claim();
                self.say(index, peer, Frame::Heights(height));
            }
            Publish::SendStatus { peer, status } if self.conns.contains_key(&peer) => {
                let message = Box::new(Message::Status(status));
                self.say(index, peer, Frame::Consensus(message));
            }
            other => {
                self.nodes[index].shell.publish(other);
            }
        }
    }
}
