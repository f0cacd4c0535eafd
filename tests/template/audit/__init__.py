"""Other people's checks on our templates: SAM, cfn-lint, checkov, cdk-nag and hadolint, each pinned, all offline."""
