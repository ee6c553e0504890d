"""What the assistant says of itself: structured logs and metrics. Neither holds text that was not redacted."""
