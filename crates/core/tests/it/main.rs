//! The rules and the machine, one case at a time.

mod answers;
mod boot;
mod branches;
mod cases;
mod chain;
mod finality;
mod following;
mod jobs;
mod ledger;
mod machine;
mod messages;
mod pool;
mod pool_limits;
mod pool_model;
mod receipts;
mod requests;
mod restart;
mod rules;
mod scene;
mod signatures;
mod stopping;
mod vectors;
mod verdicts;
mod vote_checks;
mod voting;
mod waiting;
