//! The one client for what mcpwrap itself asks, with the authorities that the operator adds.

use std::path::Path;

use super::run::Error;
use crate::outbound::{self, Authorities, Beside};
use crate::private_file::{self, MAX_CERTIFICATES, Readers};

/// The client for provider and vault, which trusts the authorities of this file too.
pub(crate) fn outbound_client(ca_file: Option<&Path>) -> Result<outbound::Client, Error> {
    let authorities = match ca_file {
        None => Authorities::system(),
        Some(path) => {
            let pem = private_file::read_given(path, Readers::Others, MAX_CERTIFICATES)
                .map_err(|cause| Error::CaFile { cause: cause.into() })?;
            Authorities::of(&pem, Beside::System)
                .map_err(|cause| Error::CaFile { cause: cause.into() })?
        }
    };
    outbound::Client::new(authorities).map_err(|cause| Error::Outbound { cause })
}
