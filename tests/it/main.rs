//! The binaries as users start them: real processes, sockets and files.

mod account;
mod audit;
mod audit_command;
#[cfg(target_os = "linux")]
mod clocks;
mod crash;
mod create_account;
mod damage;
mod devnet;
mod devnet_changes;
mod devnet_failures;
mod devnet_manual;
mod discovery;
mod events;
mod finality;
mod fuzz_seeds;
mod hostile;
#[cfg(target_os = "linux")]
mod hosts;
mod joining;
mod layers;
mod lessons;
mod manners;
mod network;
mod readme;
mod receipts;
mod reverse_proxy;
mod sdk;
mod servers;
mod signer;
mod sim;
mod strangers;
#[path = "../support/mod.rs"]
mod support;
mod upgrade;
mod usage;
mod walk;
mod wallet;
