//! Logging in with a code: it is shown on the terminal, as text and as a QR code, and entered on any other device.

use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;

use super::{OidcError, Provider, Remember, Streams};
use crate::net::Url;
use crate::service::oidc::{DeviceFlow, Granted};

/// Longest address that is drawn, in bytes: more would not fit a terminal of 80 columns in a way that a camera reads.
const MAX_DRAWN_LEN: usize = 270;

/// Show where to log in and with which code, then wait for it to be done.
pub(super) async fn log_in(
    provider: &Provider<'_>,
    remember: Remember,
    streams: &mut Streams,
) -> Result<Granted, OidcError> {
    let flow = DeviceFlow::begin(provider, remember).await?;
    streams.note("gitseal: to log in, open this page on any device");
    streams.note(&format!("  {}", flow.page()));
    streams.note("and enter the code");
    streams.note(&format!("  {}", flow.user_code()));
    // Anybody may send a code to somebody and hope that they enter it: whoever did not ask for it must not.
    if let Some(rows) = drawing(flow.complete_page().unwrap_or(flow.page())) {
        streams.drawing(&rows);
    }
    let minutes = flow.lifetime().as_secs().div_ceil(60);
    let minutes = if minutes == 1 { "1 minute".to_owned() } else { format!("{minutes} minutes") };
    streams.note(&format!("gitseal: waiting for the login, {minutes} at most; Ctrl-C gives up"));
    flow.wait(provider).await
}

/// `url` as a QR code (ISO/IEC 18004), two rows of it in each row of text, dark on light with the quiet zone around.
fn drawing(url: &Url) -> Option<Vec<String>> {
    if url.as_str().len() > MAX_DRAWN_LEN {
        return None;
    }
    let code = QrCode::with_error_correction_level(url.as_str(), qrcode::EcLevel::L).ok()?;
    let text = code.render::<Dense1x2>().quiet_zone(true).build();
    Some(text.lines().map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_fits_a_terminal_or_is_not_drawn() {
        let rows =
            drawing(&Url::parse("https://oauth2.sigstore.dev/auth/device?user_code=ABCD-EFGH").unwrap()).unwrap();
        assert!(rows.len() <= 24 && rows.iter().all(|row| row.chars().count() <= 80), "{rows:#?}");
        let longest = format!("https://i.example/{}", "x".repeat(MAX_DRAWN_LEN - 18));
        assert!(drawing(&Url::parse(&longest).unwrap()).unwrap().iter().all(|row| row.chars().count() <= 80));
        assert!(drawing(&Url::parse(&format!("{longest}x")).unwrap()).is_none());
    }
}
