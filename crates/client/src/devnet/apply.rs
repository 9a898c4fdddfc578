//! Commands to a network that runs: one handler for each. A failed command leaves the network
//! running.

use std::time::Instant;

use ccoin_home::{ExitCode, Failure};

use super::command::DevnetCommand;
use super::layout::Layout;
use super::network::Network;
use super::process::{Process, STOPPING};
use super::report::NodeEntry;

impl Network {
    /// Executes a command of a user, and says what was done.
    ///
    /// # Errors
    /// [`Failure`] 4 for an unknown node and 6 if the command does not fit; that of the node
    /// if its start fails.
    pub(super) async fn apply(&mut self, command: &DevnetCommand) -> Result<String, Failure> {
        match command {
            DevnetCommand::Start { node } => self.start_again(node).await,
            DevnetCommand::Stop { node } => {
                let process = self.running(node)?;
                process.stop_by(Instant::now() + STOPPING).await;
                self.forget(self.position(node)?);
                Ok(format!("{node} is stopped"))
            }
            DevnetCommand::Kill { node } => {
                self.running(node)?.kill().await;
                self.forget(self.position(node)?);
                Ok(format!("{node} is killed"))
            }
            DevnetCommand::Partition { nodes } => self.partition(nodes).await,
            DevnetCommand::Heal => self.heal().await,
            DevnetCommand::Mine => self.mine().await,
            DevnetCommand::Snapshot { name } => self.snapshot(name).await,
            DevnetCommand::Revert { name } => self.revert(name).await,
        }
    }

    /// The place of a node in the report.
    ///
    /// # Errors
    /// [`Failure`] 4 for an unknown node.
    pub(super) fn position(&self, name: &str) -> Result<usize, Failure> {
        let nodes = &self.report.nodes;
        let position = nodes.iter().position(|node| node.name == name);
        position.ok_or_else(|| {
            let names: Vec<_> = nodes.iter().map(|node| node.name.as_str()).collect();
            let message = format!("there is no {name}, only {}", names.join(", "));
            Failure::new(ExitCode::NotFound, message)
        })
    }

    pub(super) fn running(&mut self, name: &str) -> Result<&mut Process, Failure> {
        let index = self.position(name)?;
        match self.report.nodes[index].pid {
            Some(_) => Ok(self.started(index).1),
            None => Err(refused(format!("{name} does not run"))),
        }
    }

    async fn start_again(&mut self, name: &str) -> Result<String, Failure> {
        let index = self.position(name)?;
        if let Some(pid) = self.report.nodes[index].pid {
            return Err(refused(format!("{name} runs already (process {pid})")));
        }
        self.spawn(index).await?;
        let ready = self.ready(index).await;
        ready.inspect_err(|_| self.forget(index))?;
        Ok(format!("{name} is ready"))
    }

    /// Ends all nodes that run, calls `meanwhile`, and starts them again.
    ///
    /// # Errors
    /// [`Failure`] of `meanwhile`, or of the first node that does not start.
    pub(super) async fn pause(
        &mut self,
        meanwhile: impl FnOnce(&Layout, &[NodeEntry]) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let nodes = self.report.nodes.iter().enumerate();
        let ran: Vec<_> = nodes.filter(|(_, node)| node.pid.is_some()).collect();
        let ran: Vec<_> = ran.into_iter().map(|(index, _)| index).collect();
        self.stop_nodes(Instant::now() + STOPPING).await;
        for index in &ran {
            self.forget(*index);
        }
        let mut outcome = meanwhile(&self.layout, &self.report.nodes);
        // A node that fails does not keep the others from starting.
        for index in &ran {
            let started = self.start_one(*index).await;
            outcome = outcome.and(started.inspect_err(|_| self.forget(*index)));
        }
        for index in ran {
            if self.report.nodes[index].pid.is_some() {
                let ready = self.ready(index).await;
                outcome = outcome.and(ready.inspect_err(|_| self.forget(index)));
            }
        }
        outcome
    }

    /// Starts a node, and waits until the next one can connect to it.
    async fn start_one(&mut self, index: usize) -> Result<(), Failure> {
        self.spawn(index).await?;
        self.listen(index).await
    }
}

/// A command that does not fit.
pub(super) fn refused(message: String) -> Failure {
    Failure::new(ExitCode::Refused, message)
}
