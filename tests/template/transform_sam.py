"""AWS's own SAM transform as a filter: a template as JSON in, what CloudFormation would get out.

Runs on the SAM CLI's Python, which brings the translator along (see docs/adr/0004).
"""

import json
import os
import sys

os.environ["AWS_DEFAULT_REGION"] = "us-east-1"

from samtranslator.translator.transform import transform


class NoPolicies:
    """SAM asks the account for AWS's managed policies by short name; ours name none."""

    def load(self) -> dict[str, str]:
        """Give the names and ARNs that the account knows."""
        return {}


json.dump(transform(json.load(sys.stdin), {}, NoPolicies()), sys.stdout)
