//! Whom and what to believe, kept outside every store: the user's private key and the heads seen
//! earlier. Knows no event and no projection.

mod head_file;
mod home;
mod key_file;
mod pins;
mod policy;
mod public_key;
mod witnessed;

pub use head_file::{HEAD_BYTES_MAX, HeadFileError, read_head};
pub use home::{HOME_VARIABLE, Home, NoHome};
pub use key_file::{KeyError, SEED_VARIABLE, create_key, key_of_seed, load_key};
pub use pins::{FilePins, Forgotten};
pub use policy::{Endorsement, POLICY_BYTES_MAX, Policy, PolicyError, Witness};
pub use public_key::{
    PUBLIC_KEY_BYTES_MAX, PublicKeyError, digits, pem, read_public_key, ssh_line,
};
pub use witnessed::{CosignedError, CosignedHeads};
