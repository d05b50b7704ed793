//! The one HTTP client: timeouts, size caps, retries, redirects, proxies, user agent.
