//! What the crate promises to others, checked from outside: against independent implementations,
//! against answers known from elsewhere, and against the frozen vectors.

/// The generator of the vectors, as its command uses it.
#[cfg(test)]
#[path = "../../examples/vectors/history.rs"]
mod history;
#[cfg(test)]
#[path = "../../examples/vectors/make.rs"]
mod make;

#[cfg(test)]
mod cases;
#[cfg(test)]
mod conformance;
#[cfg(test)]
mod known_answers;
#[cfg(test)]
mod oracles;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod spec;
#[cfg(test)]
mod values;
#[cfg(test)]
mod vectors;
