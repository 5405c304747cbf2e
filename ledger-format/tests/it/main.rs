//! What the crate promises to others, checked from outside: against independent implementations,
//! against answers known from elsewhere, and against the frozen vectors.

#[cfg(test)]
mod known_answers;
#[cfg(test)]
mod oracles;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod values;
