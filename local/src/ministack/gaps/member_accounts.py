"""The gap: MiniStack 1.5.33 makes an account of an organization into which nobody can get.

Organizations makes a role in it, `OrganizationAccountAccessRole` or `RoleName`, which the management account may assume
(`API_CreateAccount`).
"""

import json

from ministack.core.responses import get_account_id, get_region, request_scope
from ministack.services import iam, organizations

create_account = organizations._DISPATCH["CreateAccount"]


def create_with_role(payload):
    status, headers, body = create_account(payload)
    if status == 200:
        management = get_account_id()
        trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": f"arn:aws:iam::{management}:root"}}
        role = {
            "RoleName": [payload.get("RoleName") or "OrganizationAccountAccessRole"],
            "AssumeRolePolicyDocument": [json.dumps({"Version": "2012-10-17", "Statement": [trust]})],
        }
        with request_scope(json.loads(body)["CreateAccountStatus"]["AccountId"], get_region()):
            iam._create_role(role)
    return status, headers, body


organizations._DISPATCH["CreateAccount"] = create_with_role
