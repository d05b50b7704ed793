//! Logging in with a browser on this machine.

use std::process::ExitStatus;

use tokio::sync::oneshot;

use super::opener::Opener;
use super::{LoginSettings, OidcError, Provider, Remember, Streams};
use crate::net::Url;
use crate::service::oidc::redirect::LOGIN_TIME;
use crate::service::oidc::{CodeFlow, Granted, Page, Redirect};

/// Open the provider's page, wait for what comes back, redeem it, and say in the browser how it went.
pub(super) async fn log_in(
    provider: &Provider<'_>,
    login: &LoginSettings,
    opener: Option<&Opener>,
    remember: Remember,
    streams: &mut Streams,
) -> Result<Granted, OidcError> {
    let redirect = Redirect::open(login.redirect_url.as_deref()).await?;
    let connector = login.connector_id.as_deref();
    let flow = CodeFlow::begin(provider, redirect.uri(), connector, remember)?;
    let opened = open(opener, flow.url(), streams);
    streams.note(&format!("gitseal: waiting for the browser, {} s at most; Ctrl-C gives up", LOGIN_TIME.as_secs()));
    let waiting = redirect.wait(&flow, provider, LOGIN_TIME);
    let arrival = tokio::select! {
        arrival = waiting => arrival,
        never = complain(opened, streams) => match never {},
    }?;
    let outcome = match arrival.answer {
        Ok(code) => flow.redeem(provider, code).await,
        Err(error) => Err(error),
    };
    // gitsign's rule: where a connector was named, nobody had to choose, and nobody needs the page.
    let closes = (connector.is_some() && login.autoclose).then_some(login.autoclose_timeout);
    arrival.browser.show(&Page::of(&outcome, closes)).await;
    outcome
}

/// Open `url`, and show it in any case: the browser that opens may be on another screen, or be the wrong one.
fn open(opener: Option<&Opener>, url: &Url, streams: &mut Streams) -> Option<oneshot::Receiver<ExitStatus>> {
    let opened = match opener.map(|opener| opener.open(url)) {
        Some(Ok(ended)) => {
            streams.note("gitseal: log in with the browser that opens now; if none does, open");
            Some(ended)
        }
        Some(Err(error)) => {
            streams.warning(&error.to_string());
            streams.note("gitseal: to log in, open");
            None
        }
        None => {
            streams.note("gitseal: to log in, open");
            None
        }
    };
    streams.note(&format!("  {url}"));
    opened
}

/// Say it when the opener ends with a failure; its success says nothing about the person.
async fn complain(opened: Option<oneshot::Receiver<ExitStatus>>, streams: &mut Streams) -> std::convert::Infallible {
    if let Some(opened) = opened
        && let Ok(status) = opened.await
        && !status.success()
    {
        streams.warning(&format!("no browser was opened ({status}); open the address above yourself"));
    }
    std::future::pending().await
}
