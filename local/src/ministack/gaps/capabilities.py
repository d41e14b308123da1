"""The gap: MiniStack 1.5.33 checks the capabilities of a request only together with IAM (`AUTH=true`).

CloudFormation refuses a template with IAM resources that the request did not acknowledge, always:
`InsufficientCapabilitiesException`, `Requires capabilities : [CAPABILITY_IAM]`. A pipeline that forgets them was green here.
"""

from ministack.services.cloudformation import handlers

# The checks ask this function by its name in the module, those of nested stacks too.
handlers._capabilities_enforced = lambda: True
