//! A run of the whole service in many processes: webhooks come in as Meta would send them, processes and servers are killed
//! meanwhile, and afterwards everything is counted. The driver (`bin/chaos.rs`) starts and kills; the checker
//! (`bin/chaos-checker.rs`), a process of its own, sends and judges, and knows nothing of our code but its addresses.

pub mod deliver;
pub mod faults;
pub mod fleet;
pub mod judge;
pub mod log;
pub mod meta;
pub mod options;
pub mod output;
pub mod rolling;
pub mod sandbox;
pub mod servers;
pub mod shops;
pub mod world;
