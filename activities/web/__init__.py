"""HTTP as a hostile world needs it: addresses are checked, requests built, redirects followed, answers read."""

from activities.web.transport import web_client

__all__ = ["web_client"]
