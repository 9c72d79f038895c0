//! The real program with real processes, from the command line to the files it leaves. Every test
//! has a directory and ports of its own, so all may run at the same time; none waits for time to
//! pass, only for something to happen.

#![cfg(target_os = "linux")]
mod crossing;
mod faults;
mod lab;
mod migrations;
mod planned_faults;
mod report;
mod signals;
mod up;
mod wrong;
