//! Tests from outside: processes, files, whole jobs.

#[cfg(test)]
mod advice;
#[cfg(test)]
mod attacks;
#[cfg(test)]
mod bundles;
#[cfg(test)]
mod cli_answers;
#[cfg(test)]
mod cli_audit;
#[cfg(test)]
mod cli_contracts;
#[cfg(test)]
mod cli_evidence;
#[cfg(test)]
mod cli_exports;
#[cfg(test)]
mod cli_failures;
#[cfg(test)]
mod cli_heads;
#[cfg(test)]
mod cli_judge;
#[cfg(test)]
mod cli_keys;
#[cfg(test)]
mod cli_outputs;
#[cfg(test)]
mod cli_proofs;
#[cfg(test)]
mod cli_recovery;
#[cfg(test)]
mod cli_runs;
#[cfg(test)]
mod cli_store;
#[cfg(test)]
mod cli_witnesses;
#[cfg(test)]
mod contract_schema;
#[cfg(test)]
mod databases;
#[cfg(test)]
mod databases_alone;
#[cfg(test)]
mod databases_back;
#[cfg(test)]
mod databases_drift;
#[cfg(test)]
mod databases_found;
#[cfg(test)]
mod databases_images;
#[cfg(test)]
mod databases_kill;
#[cfg(test)]
mod databases_processes;
#[cfg(test)]
mod databases_rules;
#[cfg(test)]
mod databases_told;
#[cfg(test)]
mod databases_traps;
#[cfg(test)]
mod disk_full;
#[cfg(test)]
mod documents_aside;
#[cfg(test)]
mod documents_bad_input;
#[cfg(test)]
mod documents_kill;
#[cfg(test)]
mod documents_left_out;
#[cfg(test)]
mod documents_linked;
#[cfg(test)]
mod documents_refused;
#[cfg(test)]
mod documents_told;
#[cfg(test)]
mod durability_order;
#[cfg(test)]
mod durability_rules;
#[cfg(test)]
mod evidence_log;
#[cfg(test)]
mod evidence_program;
#[cfg(test)]
mod evidence_refused;
#[cfg(test)]
mod evidence_unharmed;
#[cfg(test)]
mod export;
#[cfg(test)]
mod faults_append;
#[cfg(test)]
mod faults_creation;
#[cfg(test)]
mod faults_fixes;
#[cfg(test)]
mod faults_job;
#[cfg(test)]
mod faults_log;
#[cfg(test)]
mod faults_log_job;
#[cfg(test)]
mod faults_opening;
#[cfg(test)]
mod faults_rig;
#[cfg(test)]
mod forged;
#[cfg(test)]
mod format_one;
#[cfg(test)]
mod glyph_stores;
#[cfg(test)]
#[path = "../../projections/tests/it/history.rs"]
#[cfg(test)]
mod history;
#[cfg(test)]
mod job_adoption;
#[cfg(test)]
mod job_images;
#[cfg(test)]
mod job_kill;
#[cfg(test)]
mod job_refusals;
#[cfg(test)]
mod job_rehearsed;
#[cfg(test)]
mod job_scene;
#[cfg(test)]
mod job_writes;
#[cfg(test)]
mod layouts;
#[cfg(test)]
mod log_kill;
#[cfg(test)]
mod nearest;
#[cfg(test)]
mod notebooks;
#[cfg(test)]
mod proofs;
#[cfg(test)]
mod publication;
#[cfg(test)]
mod readers;
#[cfg(test)]
mod replay;
#[cfg(test)]
mod report_browser;
#[cfg(test)]
mod run_state;
#[cfg(test)]
mod selections;
#[cfg(test)]
mod support;
#[cfg(test)]
mod verify_folder;
#[cfg(test)]
mod verify_log;
#[cfg(test)]
mod verify_python;
#[cfg(test)]
mod witnesses_asked;
