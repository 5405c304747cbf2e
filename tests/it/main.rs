//! Tests from outside: processes, files, whole jobs.

#[cfg(test)]
mod job_adoption;
#[cfg(test)]
mod job_images;
#[cfg(test)]
mod job_kill;
#[cfg(test)]
mod job_refusals;
#[cfg(test)]
mod job_scene;
#[cfg(test)]
mod job_writes;
#[cfg(test)]
mod log_kill;
