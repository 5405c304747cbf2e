//! Whom and what to believe, kept outside every store: the user's private key and the heads seen
//! earlier. Knows no event and no projection.

mod home;
mod key_file;
mod pins;

pub use home::{HOME_VARIABLE, Home, NoHome};
pub use key_file::{KeyError, create_key, load_key};
pub use pins::FilePins;
