"""S3: what workers fetch."""
