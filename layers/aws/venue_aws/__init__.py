"""The venue's adapters to AWS, Redis and PostgreSQL. Nothing else imports their client libraries."""
